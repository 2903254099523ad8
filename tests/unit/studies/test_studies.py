"""The studies: what they say is complete, their configurations are valid, and what is made of their files."""

import gzip
import io
import tarfile
from pathlib import Path

import anndata as ad
import h5py
import numpy as np
import pandas as pd
import pytest
import scipy.io
import scipy.sparse as sp
import yaml
from anndata.io import write_elem

from deepmapper.errors import InputError
from deepmapper.studies.catalogue import read_study, study_names
from deepmapper.studies.prepare import PREPARE, join_kang, label_pbmc3k, unpack_populations
from deepmapper.workflow.schema import load_schema
from deepmapper.workflow.settings import validate_config

ROOT = Path(__file__).parents[3]
NAMES = study_names(ROOT)


def test_the_studies_that_are_documented_are_there():
    simulated = ["two_cohorts_known", "two_cohorts_with_novel"]
    assert ["fresh_frozen", "kang2018", "pbmc3k", *simulated, "zheng2017"] == NAMES
    assert [name for name in NAMES if not read_study(ROOT, name).files] == simulated


@pytest.mark.parametrize("name", NAMES)
def test_a_study_says_what_it_asks_and_its_configuration_is_valid(name):
    study = read_study(ROOT, name)
    assert study.question.endswith(".") and study.article.startswith("https://doi.org/")
    assert study.prepare in PREPARE
    assert all(
        file.url.startswith("https://") and file.url.endswith(file.name) or "pbmc3k.h5ad" in file.url
        for file in study.files
    )
    settings = validate_config(
        yaml.safe_load((study.folder / "config.yaml").read_text()),
        load_schema(ROOT / "workflow/schemas/config.schema.yaml"),
    )
    paths = [settings["matrix"]["path"], *(one["path"] for one in settings["matrix"]["populations"])]
    assert all(path.startswith("data/") for path in paths if path)


def test_an_unknown_study_names_the_nearest():
    with pytest.raises(InputError, match=r"there is no study 'kang2017'\. Did you mean .?kang2018"):
        read_study(ROOT, "kang2017")


def test_a_checksum_that_cannot_be_one_is_refused(tmp_path):
    folder = tmp_path / "config/studies/x"
    folder.mkdir(parents=True)
    about = {
        "question": "q",
        "article": "a",
        "prepare": "p",
        "files": [{"name": "f", "url": "u", "checksum": "md5:12"}],
    }
    (folder / "study.yaml").write_text(yaml.safe_dump(about))
    with pytest.raises(InputError, match="checksum of f is 'md5:12', expected md5: or sha256:"):
        read_study(tmp_path, "x")


def market(counts):
    text = io.BytesIO()
    scipy.io.mmwrite(text, sp.coo_matrix(counts))
    return text.getvalue()


def tar(path, files):
    with tarfile.open(path, "w:gz" if path.suffix == ".gz" else "w") as out:
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            out.addfile(member, io.BytesIO(content))


@pytest.fixture
def kang(tmp_path):
    """Files as GSE96583 has them: genes × cells, a barcode of both runs, a doublet, a cell without type."""
    study = read_study(ROOT, "kang2018")
    ctrl = np.array([[1, 2, 0, 4], [0, 0, 0, 9], [5, 0, 1, 1]])
    stim = np.array([[1, 2, 3], [0, 0, 0], [0, 7, 1]])
    tar(
        tmp_path / "GSE96583_RAW.tar",
        {
            "GSM2560248_2.1.mtx.gz": gzip.compress(market(ctrl)),
            "GSM2560248_barcodes.tsv.gz": gzip.compress(b"AA-1\nCC-1\nGG-1\nTT-1\n"),
            "GSM2560249_2.2.mtx.gz": gzip.compress(market(stim)),
            "GSM2560249_barcodes.tsv.gz": gzip.compress(b"AA-1\nAC-1\nAG-1\n"),
        },
    )
    (tmp_path / study.files[1].name).write_bytes(gzip.compress(b"ENSG1\tONE\nENSG2\tTWO\nENSG3\tTHREE\n"))
    rows = ["tsne1\ttsne2\tind\tstim\tcluster\tcell\tmultiplets"]
    for name, donor, condition, cell, kind in (
        ("AA-1", 101, "ctrl", "B cells", "singlet"),
        ("CC-1", 107, "ctrl", "B cells", "singlet"),
        ("GG-1", 107, "ctrl", "NA", "singlet"),
        ("TT-1", 101, "ctrl", "NK cells", "singlet"),
        ("AA-11", 101, "stim", "B cells", "singlet"),
        ("AC-1", 107, "stim", "B cells", "doublet"),
        ("AG-1", 107, "stim", "NK cells", "singlet"),
    ):
        rows.append(f"{name}\t1.5\t2\t{donor}\t{condition}\t3\t{cell}\t{kind}")
    (tmp_path / study.files[2].name).write_bytes(gzip.compress(("\n".join(rows) + "\n").encode()))
    return study, tmp_path


def test_kang_is_joined_on_genes_of_both_conditions(kang):
    study, data = kang
    said = join_kang(study, data)
    adata = ad.read_h5ad(data / "kang2018.h5ad")
    assert adata.obs_names.tolist() == ["AA-1", "CC-1", "TT-1", "AA-11", "AG-1"]
    assert adata.obs["condition"].tolist() == ["ctrl"] * 3 + ["stim"] * 2
    assert adata.obs["donor"].tolist() == ["d101", "d107", "d101", "d101", "d107"]
    assert adata.var["symbol"].to_dict() == {"ENSG1": "ONE", "ENSG3": "THREE"}
    assert adata.X.toarray().tolist() == [[1, 5], [2, 0], [4, 1], [1, 0], [3, 1]]
    assert (data / "exclusive_genes.tsv").read_text() == "gene\tdetected_in\nENSG2\tctrl\n"
    assert said.startswith("5 cells × 2 genes detected in both conditions; 1 of one")


def test_cells_that_the_table_lacks_or_contradicts_are_refused(kang):
    study, data = kang
    path = data / study.files[2].name
    text = gzip.decompress(path.read_bytes()).decode()
    path.write_bytes(gzip.compress(text.replace("AG-1", "AT-1").encode()))
    with pytest.raises(InputError, match="lacks 1 of 7 cells, such as AG-1"):
        join_kang(study, data)
    path.write_bytes(gzip.compress(text.replace("107\tstim", "107\tctrl").encode()))
    with pytest.raises(InputError, match="another condition than their run"):
        join_kang(study, data)
    assert not (data / "kang2018.h5ad").exists()


def test_populations_are_unpacked_once(tmp_path):
    study = read_study(ROOT, "fresh_frozen")
    for file in study.files:
        tar(tmp_path / file.name, {"filtered_matrices_mex/hg19/genes.tsv": b"x\n"})
    unpack_populations(study, tmp_path)
    for path in (
        one["path"] for one in yaml.safe_load((study.folder / "config.yaml").read_text())["matrix"]["populations"]
    ):
        assert (tmp_path / path.removeprefix("data/") / "genes.tsv").exists()
    (tmp_path / study.files[0].name).unlink()
    assert "unpacked" in unpack_populations(study, tmp_path)


def test_types_of_pbmc3k_become_a_table_of_labels(tmp_path):
    study = read_study(ROOT, "pbmc3k")
    tar(tmp_path / study.files[0].name, {"filtered_gene_bc_matrices/hg19/genes.tsv": b"x\n"})
    with h5py.File(tmp_path / study.files[1].name, "w") as file:
        write_elem(
            file, "obs", pd.DataFrame({"louvain": pd.Categorical(["B cells", "NK cells"])}, index=["A-1", "C-1"])
        )
    assert label_pbmc3k(study, tmp_path) == "2 cells of 2 types in cell_types.tsv"
    assert (tmp_path / "cell_types.tsv").read_text() == "cell\tcell_type\nA-1\tB cells\nC-1\tNK cells\n"
    assert (tmp_path / "pbmc3k/filtered_gene_bc_matrices/hg19/genes.tsv").exists()
