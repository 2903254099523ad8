"""Folders of single cells as programs, archives and R leave them: which matrix is read, and by which names."""

import gzip
import warnings

import h5py
import numpy as np
import pytest
import scipy.io
from scipy import sparse

from deepmapper.errors import DeepMapperWarning, InputError
from deepmapper.io.read import read_matrix


def read(path, **options):
    """Read a matrix, and collect what is said about it."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        adata = read_matrix(path, **options)
    return adata, " ".join(str(w.message) for w in caught if w.category is DeepMapperWarning)


def check_cells(adata, toy, cells=None):
    toy.check(adata, cells=cells or toy.cells)


# --- lists of names --------------------


def rewritten(folder, name, change):
    path = folder / name
    path.write_text(change(path.read_text().splitlines()))


def quoted(lines):
    return "".join("\t".join(f'"{field}"' for field in line.split("\t")) + "\n" for line in lines)


def by_write_table(lines):
    """R's write.table(table): blanks, quotes, row numbers and a header that is one shorter."""
    width = lines[0].count("\t") + 1
    header = " ".join(f'"V{i}"' for i in range(1, width + 1))
    rows = [" ".join(f'"{field}"' for field in (str(i), *line.split("\t"))) for i, line in enumerate(lines, start=1)]
    return "\n".join([header, *rows]) + "\n"


def with_header(lines):
    return "\n".join(["x\ty\tz"[: 2 * lines[0].count("\t") + 1], *lines]) + "\n"


def by_write_csv(lines):
    """R's write.csv(table), with row names."""
    header = ",".join(['""', *(f'"V{i}"' for i in range(lines[0].count("\t") + 1))])
    rows = [f'"{i}","' + line.replace("\t", '","') + '"' for i, line in enumerate(lines, start=1)]
    return "\n".join([header, *rows]) + "\n"


def as_csv(lines):
    return "\n".join(line.replace("\t", ",") for line in lines) + "\n"


@pytest.mark.parametrize(
    "change", [quoted, by_write_table, by_write_csv, with_header, as_csv, lambda lines: "\r\n".join(lines)]
)
@pytest.mark.parametrize("old", [True, False])
def test_lists_written_by_r_and_spreadsheets(tmp_path, toy, change, old):
    toy.write_10x(tmp_path, gz=False, old=old)
    for name in ("genes.tsv" if old else "features.tsv", "barcodes.tsv"):
        rewritten(tmp_path, name, change)
    adata, said = read(tmp_path)
    check_cells(adata, toy)
    assert list(adata.var["gene_ids"]) == toy.ids
    assert ("is taken as a header" in said) == (change in (by_write_table, by_write_csv, with_header))


def test_features_of_one_column_and_columns_in_the_other_order(tmp_path, toy):
    toy.write_10x(tmp_path, gz=False)
    (tmp_path / "features.tsv").write_text("\n".join(toy.genes))
    check_cells(read(tmp_path)[0], toy)
    ids = [f"ENSG0000000000{i}.2" for i in range(5)]
    (tmp_path / "features.tsv").write_text("".join(f"{g}\t{i}\n" for g, i in zip(toy.genes, ids, strict=True)))
    adata, said = read(tmp_path)
    check_cells(adata, toy)
    assert list(adata.var["gene_ids"]) == ids and "ids of the features (ENSG00000000000.2) are in its second" in said


def test_missing_and_duplicate_symbols_take_the_id(tmp_path, toy):
    toy.write_10x(tmp_path, genes=["TP53", "", "NA", "CD3E", "TP53"], gz=False, old=True)
    adata, said = read(tmp_path)
    toy.check(adata, genes=["TP53_ENSG00000", "ENSG00001", "ENSG00002", "CD3E", "TP53_ENSG00004"])
    assert "2 empty feature names" in said and "1 duplicate feature name" in said


# --- the matrix --------------------


def test_cells_in_rows_are_recognised_by_the_sizes(tmp_path, toy):
    toy.write_10x(tmp_path, gz=False)
    scipy.io.mmwrite(tmp_path / "matrix.mtx", sparse.coo_matrix(toy.counts.astype(int)))
    adata, said = read(tmp_path)
    check_cells(adata, toy)
    assert "has cells in rows and features in columns" in said


@pytest.mark.parametrize("field", ["integer", "real", "no banner", "comments", "lower case", "crlf"])
def test_matrix_market_as_programs_write_it(tmp_path, toy, field):
    toy.write_10x(tmp_path, gz=False)
    lines = (tmp_path / "matrix.mtx").read_text().splitlines()
    start = next(i for i, line in enumerate(lines) if not line.startswith("%"))
    banner, values = "%%MatrixMarket matrix coordinate integer general", lines[start:]
    if field == "real":
        banner, values = banner.replace("integer", "real"), [values[0], *(f"{line}.0" for line in values[1:])]
    start = {
        "no banner": [],
        "comments": [banner, "%", '%metadata_json: {"format_version": 2}', "% more"],
        "lower case": [banner.lower()],
    }.get(field, [banner])
    (tmp_path / "matrix.mtx").write_text(("\r\n" if field == "crlf" else "\n").join([*start, *values, ""]))
    adata, said = read(tmp_path)
    check_cells(adata, toy)
    assert not said


def test_a_pattern_has_no_values(tmp_path, toy):
    toy.write_10x(tmp_path, gz=False)
    scipy.io.mmwrite(tmp_path / "matrix.mtx", sparse.coo_matrix(toy.counts.T), field="pattern")
    adata, said = read(tmp_path)
    toy.check(adata, (toy.counts > 0).astype(float))
    assert "every one is taken as 1" in said


def test_a_matrix_given_as_a_file(tmp_path, toy):
    check_cells(read(toy.write_10x(tmp_path / "a") / "matrix.mtx.gz")[0], toy)
    toy.write_10x(tmp_path / "b", prefix="GSM1_", gz=False)
    toy.write_10x(tmp_path / "b", prefix="GSM2_", gz=False)
    check_cells(read(tmp_path / "b" / "GSM2_matrix.mtx")[0], toy)
    (tmp_path / "b" / "GSM2_barcodes.tsv").unlink()
    with pytest.raises(InputError, match=r"GSM2_matrix.mtx, but none of 'GSM2_barcodes.tsv'.*no names of its own"):
        read_matrix(tmp_path / "b" / "GSM2_matrix.mtx")


# --- several samples --------------------


def check_stacked(adata, toy, samples, said):
    toy.check(adata, np.vstack([toy.counts] * len(samples)), cells=[f"{c}-{s}" for s in samples for c in toy.cells])
    assert adata.obs["sample"].tolist() == [sample for sample in samples for _ in toy.cells]
    assert f"read {len(samples)} samples" in said


@pytest.mark.parametrize("prefix", ["GSM{}_", "GSM{}.", "GSM{}-", "GSM{}_wt_rep1_", "s{} "])
def test_samples_of_one_folder_are_stacked(tmp_path, toy, prefix):
    for i in (1, 2, 10):
        toy.write_10x(tmp_path, prefix=prefix.format(i))
    adata, said = read(tmp_path)
    check_stacked(adata, toy, [prefix.format(i).strip("_.- ") for i in (1, 2, 10)], said)


def test_names_that_differ_after_the_accession_and_shared_features(tmp_path, toy):
    for i in (1, 2):
        toy.write_10x(tmp_path, prefix=f"GSM{i}_", gz=False)
        (tmp_path / f"GSM{i}_matrix.mtx").rename(tmp_path / f"GSM{i}_sample_matrix.mtx")
        (tmp_path / f"GSM{i}_features.tsv").rename(tmp_path / "GSE_genes.tsv")
    adata, said = read(tmp_path)
    check_stacked(adata, toy, ["GSM1_sample", "GSM2_sample"], said)


def test_names_that_end_with_the_sample(tmp_path, toy):
    for i in (1, 2):
        toy.write_10x(tmp_path / "x", gz=False)
        for kind, ending in (("matrix", "mtx"), ("features", "tsv"), ("barcodes", "tsv")):
            (tmp_path / "x" / f"{kind}.{ending}").rename(tmp_path / f"{kind}_s{i}.{ending}")
    adata, said = read(tmp_path)
    check_stacked(adata, toy, ["s1", "s2"], said)


def test_samples_with_other_features_share_some(tmp_path, toy):
    toy.write_10x(tmp_path, prefix="a_")
    toy.write_10x(tmp_path, toy.counts[:, [4, 0]], ["MS4A1", "TP53"], ["ENSG00004", "ENSG00000"], prefix="b_")
    adata, said = read(tmp_path)
    assert list(adata.var_names) == ["TP53", "MS4A1"] and adata.n_obs == 12
    np.testing.assert_array_equal(adata.X.toarray()[6:], toy.counts[:, [0, 4]])
    assert "3 of 5 features are left out" in said
    toy.write_10x(tmp_path, prefix="c_", genes=list("vwxyz"), ids=list("vwxyz"))
    with pytest.raises(InputError, match="the 3 matrices share no feature"):
        read(tmp_path)


def test_the_start_of_the_names_of_the_files_of_a_population(tmp_path, toy):
    for i in (1, 2):
        toy.write_10x(tmp_path, prefix=f"GSM{i}_")
    check_cells(read(tmp_path / "GSM2_")[0], toy)
    adata = read_matrix(populations=[(tmp_path / "GSM1_", "T"), (tmp_path / "GSM2_", "B")])
    assert adata.obs["population"].tolist() == ["T"] * 6 + ["B"] * 6
    toy.write_10x(tmp_path, prefix="GSM10_")
    check_cells(read(tmp_path / "GSM1")[0], toy)  # not GSM10 as well
    with pytest.raises(InputError, match="GSM3_ does not exist"):
        read_matrix(tmp_path / "GSM3_")


# --- output folders of programs --------------------


@pytest.mark.parametrize("given", ["run", "run/outs"])
def test_cell_ranger_filtered_before_raw(tmp_path, toy, given):
    for name in ("raw", "filtered"):
        toy.write_10x(
            tmp_path / "run" / "outs" / f"{name}_feature_bc_matrix", toy.counts[: None if name != "raw" else 2]
        )
    toy.write_10x_h5(tmp_path / "run" / "outs" / "raw_feature_bc_matrix.h5")
    (tmp_path / "run" / "outs" / "molecule_info.h5").write_bytes(b"x")
    adata, said = read(tmp_path / given)
    check_cells(adata, toy)
    assert "left out: " in said and "raw_feature_bc_matrix/matrix.mtx.gz" in said


def test_cell_ranger_of_several_runs_and_multi(tmp_path, toy):
    for sample in ("s1", "s2"):
        for name in ("raw", "filtered"):
            toy.write_10x(tmp_path / "runs" / sample / "outs" / f"{name}_feature_bc_matrix")
        multi = tmp_path / "multi" / "outs" / "per_sample_outs" / sample / "count"
        toy.write_10x(multi / "sample_filtered_feature_bc_matrix")
        toy.write_10x(multi / "sample_raw_feature_bc_matrix")
    toy.write_10x(tmp_path / "multi" / "outs" / "multi" / "count" / "raw_feature_bc_matrix")
    for folder in ("runs", "multi"):
        adata, said = read(tmp_path / folder)
        check_stacked(adata, toy, ["s1", "s2"], said)


def test_h5_of_several_samples(tmp_path, toy):
    for i in (1, 2):
        for kind in ("raw", "filtered"):
            toy.write_10x_h5(tmp_path / f"GSM{i}_{kind}_feature_bc_matrix.h5")
    adata, said = read(tmp_path)
    check_stacked(adata, toy, ["GSM1", "GSM2"], said)
    assert "left out: 'GSM1_raw_feature_bc_matrix.h5'" in said


def test_starsolo(tmp_path, toy):
    for counted in ("Gene/raw", "Gene/filtered", "GeneFull/raw", "GeneFull/filtered", "SJ/raw"):
        for sample in ("s1Solo.out", "s2Solo.out"):
            toy.write_10x(tmp_path / sample / counted, gz=False)
            (tmp_path / sample / counted / "UniqueAndMult-EM.mtx").write_text("x")
    for kind in ("spliced", "unspliced", "ambiguous"):
        toy.write_10x(tmp_path / "s1Solo.out" / "Velocyto" / "filtered", gz=False)
        folder = tmp_path / "s1Solo.out" / "Velocyto" / "filtered"
        (folder / "matrix.mtx").rename(folder / f"{kind}.mtx")
    adata, said = read(tmp_path)
    check_stacked(adata, toy, ["s1", "s2"], said)
    adata, said = read(tmp_path / "s1Solo.out")
    check_cells(adata, toy)
    assert "reading 'Gene/filtered/matrix.mtx'; left out: 'Gene/" in said


def test_kb_python(tmp_path, toy):
    folder = tmp_path / "counts_unfiltered"
    folder.mkdir()
    scipy.io.mmwrite(folder / "cells_x_genes.mtx", sparse.coo_matrix(toy.counts.astype(int)))
    (folder / "cells_x_genes.genes.txt").write_text("\n".join(toy.ids))
    (folder / "cells_x_genes.barcodes.txt").write_text("\n".join(toy.cells))
    adata, said = read(tmp_path)
    toy.check(adata, genes=toy.ids)
    (folder / "cells_x_genes.genes.names.txt").write_text("\n".join(toy.genes))
    toy.write_10x(folder / "cellranger", gz=False)
    adata, said = read(tmp_path)
    check_cells(adata, toy)
    assert list(adata.var["gene_ids"]) == toy.ids and "left out: 'counts_unfiltered/cellranger/matrix.mtx'" in said


@pytest.mark.parametrize("usa", [True, False])
def test_alevin_fry(tmp_path, toy, usa):
    folder = tmp_path / "af_quant" / "alevin"
    folder.mkdir(parents=True)
    counts = np.hstack([toy.counts - 1 * (toy.counts > 0), toy.counts, 1 * (toy.counts > 0)]) if usa else toy.counts
    names = [gene + end for end in ("", "-U", "-A")[: 3 if usa else 1] for gene in toy.genes]
    scipy.io.mmwrite(folder / "quants_mat.mtx", sparse.coo_matrix(counts.astype(int)))
    (folder / "quants_mat_cols.txt").write_text("\n".join(names))
    (folder / "quants_mat_rows.txt").write_text("\n".join(toy.cells))
    adata, said = read(tmp_path / "af_quant")
    check_cells(adata, toy)
    assert ("spliced and ambiguous counts are added up" in said) == usa


# --- .h5 --------------------


def test_10x_h5_with_quotes_and_missing_symbols(tmp_path, toy):
    path = toy.write_10x_h5(tmp_path / "a.h5")
    with h5py.File(path, "r+") as file:
        for name, values in (
            ("barcodes", toy.cells),
            ("features/id", toy.ids),
            ("features/name", ["", *toy.genes[1:]]),
        ):
            del file["matrix"][name]
            file["matrix"][name] = np.array([f'"{value}"' if value else "" for value in values], dtype="S")
    adata, said = read(path)
    toy.check(adata, genes=["ENSG00000", *toy.genes[1:]])
    assert "1 empty feature name" in said


def test_10x_h5_of_several_genomes(tmp_path, toy):
    path = toy.write_10x_h5(tmp_path / "a.h5", old=True, genomes=("hg19", "mm10"))
    adata, said = read(path)
    genes = [f"{genome}_{gene}" for genome in ("hg19", "mm10") for gene in toy.genes]
    toy.check(adata, np.hstack([toy.counts, toy.counts]), genes)
    assert "the genomes 'hg19', 'mm10'" in said
    with h5py.File(path, "r+") as file:
        del file["mm10/barcodes"]
        file["mm10/barcodes"] = np.array([f"x{i}" for i in range(6)], dtype="S")
    with pytest.raises(InputError, match="found the genomes 'hg19', 'mm10' with different cells"):
        read_matrix(path)


def test_an_h5ad_named_h5_is_read(tmp_path, toy):
    toy.write_h5ad(tmp_path / "a.h5ad").rename(tmp_path / "a.h5")
    check_cells(read(tmp_path / "a.h5")[0], toy)


def test_damaged_lists_are_refused(tmp_path, toy):
    toy.write_10x(tmp_path)
    (tmp_path / "barcodes.tsv.gz").write_bytes(gzip.compress(b"x\n" * 50)[:15])
    with pytest.raises(InputError, match="barcodes.tsv.gz: the file is damaged or incomplete"):
        read_matrix(tmp_path)
