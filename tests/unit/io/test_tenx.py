"""Cell Ranger output: every layout of folders and .h5 files, and the damage that is refused."""

import pytest

from deepmapper.errors import DeepMapperWarning, InputError
from deepmapper.io.read import read_matrix


@pytest.mark.parametrize("gz", [True, False])
@pytest.mark.parametrize("old", [True, False])
@pytest.mark.parametrize("below", ["", "filtered_gene_bc_matrices/hg19"])
def test_10x_folder(tmp_path, gz, old, below, toy):
    toy.write_10x(tmp_path / "run" / below, gz=gz, old=old)
    adata = read_matrix(tmp_path / "run")
    toy.check(adata)
    assert list(adata.var["gene_ids"]) == toy.ids


def test_10x_folder_with_a_prefix_to_its_files(tmp_path, toy):
    toy.check(read_matrix(toy.write_10x(tmp_path, prefix="GSM1_")))


def test_10x_antibodies_are_left_out_with_a_warning(tmp_path, toy):
    toy.write_10x(tmp_path, kinds=["Gene Expression"] * 3 + ["Antibody Capture"] * 2)
    with pytest.warns(DeepMapperWarning, match="the 3 features .* left out: 2 Antibody Capture"):
        adata = read_matrix(tmp_path)
    toy.check(adata, toy.counts[:, :3], toy.genes[:3])


@pytest.mark.parametrize("old", [True, False])
def test_10x_h5(tmp_path, old, toy):
    adata = read_matrix(toy.write_10x_h5(tmp_path / "a.h5", old=old))
    toy.check(adata)
    assert list(adata.var["gene_ids"]) == toy.ids


def test_10x_folder_refused(tmp_path, toy):
    with pytest.raises(InputError, match="found no matrix.mtx"):
        read_matrix(tmp_path)
    a = toy.write_10x(tmp_path / "a", gz=False)
    with pytest.raises(InputError, match="features\\.tsv is a file, expected a 10x folder"):
        read_matrix(a / "features.tsv", format="10x_mtx")
    text = (a / "matrix.mtx").read_text()
    toy.write_text(a / "matrix.mtx", text[: len(text) - 12])
    with pytest.raises(InputError, match=r"matrix\.mtx: the matrix is damaged or incomplete"):
        read_matrix(a)
    b = toy.write_10x(tmp_path / "b", gz=False)
    toy.write_text(b / "barcodes.tsv", "x\n")
    with pytest.raises(InputError, match="5 features and 6 cells, but features.tsv has 5 lines and barcodes.tsv has 1"):
        read_matrix(b)
    (b / "barcodes.tsv").unlink()
    with pytest.raises(InputError, match=r"found matrix\.mtx, but none of 'barcodes.tsv', 'barcodes.tsv.gz'"):
        read_matrix(b)
    c = toy.write_10x(tmp_path / "c")
    (c / "features.tsv.gz").write_bytes((c / "features.tsv.gz").read_bytes()[:20])
    with pytest.raises(InputError, match=r"features\.tsv\.gz: the file is damaged or incomplete"):
        read_matrix(c)
