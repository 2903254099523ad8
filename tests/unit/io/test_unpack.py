"""Compressed files and archives of every format, and files that are not read."""

import bz2
import gzip
import lzma
import shutil
import tarfile
import tempfile
import zipfile

import anndata
import numpy as np
import pytest

from deepmapper.errors import DeepMapperWarning, DiskFull, InputError
from deepmapper.io import unpack
from deepmapper.io.expression import import_matrix
from deepmapper.io.read import read_matrix


@pytest.fixture(autouse=True)
def temporary(tmp_path, monkeypatch):
    """The temporary folder of the system; empty again after every test."""
    folder = tmp_path / "tmp"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    yield
    assert not list(folder.iterdir())


def read_both_ways(path, toy, **changes):
    toy.check(read_matrix(path), **changes)
    out = path.parent / "out" / "out.h5ad"
    import_matrix(out, path)
    toy.check(anndata.read_h5ad(out), **changes)
    assert [file.name for file in out.parent.iterdir()] == ["out.h5ad"]
    shutil.rmtree(out.parent)


@pytest.mark.parametrize(("ending", "pack"), [(".gz", gzip.compress), (".bz2", bz2.compress), (".xz", lzma.compress)])
def test_compressed_hdf5(tmp_path, toy, ending, pack):
    for name, path in (("a.h5ad", toy.write_h5ad(tmp_path / "x")), ("b.h5", toy.write_10x_h5(tmp_path / "y"))):
        (tmp_path / f"{name}{ending}").write_bytes(pack(path.read_bytes()))
        read_both_ways(tmp_path / f"{name}{ending}", toy)


def test_a_compressed_h5ad_is_found_by_its_content(tmp_path, toy):
    content = gzip.compress(toy.write_h5ad(tmp_path / "x").read_bytes())
    (tmp_path / "a.h5ad").write_bytes(content)  # as some downloads leave it
    read_both_ways(tmp_path / "a.h5ad", toy)


@pytest.mark.parametrize("ending", [".zip", ".tar", ".tar.gz", ".tgz", ".tar.bz2"])
@pytest.mark.parametrize("top", [True, False])
@pytest.mark.parametrize("kind", ["zarr", "10x"])
def test_archives(tmp_path, toy, ending, top, kind):
    folder = tmp_path / "made" / f"m.{kind}"
    if kind == "zarr":
        toy.make_adata().write_zarr(folder)
    else:
        toy.write_10x(folder)
    path = tmp_path / f"m.{kind}{ending}"
    if ending == ".zip":
        with zipfile.ZipFile(path, "w") as archive:
            for file in sorted(folder.rglob("*")):
                archive.write(file, file.relative_to(folder.parent if top else folder))
    else:
        mode = {".tar": "w", ".tar.bz2": "w:bz2"}.get(ending, "w:gz")
        with tarfile.open(path, mode) as archive:
            archive.add(folder, folder.name if top else ".")
    read_both_ways(path, toy)


def test_a_raw_archive_of_geo(tmp_path, toy):
    for i in (1, 2):
        toy.write_10x(tmp_path / "x", prefix=f"GSM{i}_")
    with tarfile.open(tmp_path / "GSE1_RAW.tar", "w") as archive:
        for file in sorted((tmp_path / "x").iterdir()):
            archive.add(file, file.name)
    with pytest.warns(DeepMapperWarning, match=r"^.*/GSE1_RAW\.tar: read 2 samples \('GSM1', 'GSM2'\)"):
        assert read_matrix(tmp_path / "GSE1_RAW.tar").n_obs == 12


def test_damage_and_messages_name_the_file_that_was_given(tmp_path, toy):
    content = gzip.compress(toy.write_h5ad(tmp_path / "x").read_bytes())
    (tmp_path / "a.h5ad.gz").write_bytes(content[: len(content) // 2])
    with pytest.raises(InputError, match=r"^\S*/a\.h5ad\.gz: the file is damaged or incomplete"):
        read_matrix(tmp_path / "a.h5ad.gz")
    (tmp_path / "b.h5ad.gz").write_bytes(content)
    with pytest.raises(InputError, match=r"^\S*/b\.h5ad\.gz has no matrix 'counts'"):
        import_matrix(tmp_path / "out.h5ad", tmp_path / "b.h5ad.gz", layer="counts")
    assert not (tmp_path / "out.h5ad").exists()


def test_members_outside_the_archive_are_not_written(tmp_path, toy):
    toy.write_10x(tmp_path / "x")
    with tarfile.open(tmp_path / "a.tar", "w") as archive:
        archive.add(tmp_path / "x" / "matrix.mtx.gz", "../../../escaped")
    with pytest.raises(InputError, match="a.tar: the archive holds '../../../escaped', which would be written outside"):
        read_matrix(tmp_path / "a.tar")
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.write(tmp_path / "x" / "matrix.mtx.gz", "../../escaped/matrix.mtx.gz")
    with pytest.raises(InputError, match="none of 'features.tsv'"):
        read_matrix(tmp_path / "a.zip")
    assert not list(tmp_path.parent.rglob("escaped*")) or all(
        "tmp" in str(p) for p in tmp_path.parent.rglob("escaped*")
    )


def test_no_more_is_unpacked_than_there_is_space_for(tmp_path, toy, monkeypatch):
    (tmp_path / "a.h5ad.gz").write_bytes(gzip.compress(toy.write_h5ad(tmp_path / "x").read_bytes() + bytes(10_000_000)))
    monkeypatch.setattr(unpack, "free_space", lambda folder: (unpack.KEEP_FREE + 1_000_000, 0))
    with pytest.raises(DiskFull, match=r"a\.h5ad\.gz cannot be unpacked: its content needs at least 10 MB"):
        import_matrix(tmp_path / "out.h5ad", tmp_path / "a.h5ad.gz")


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.rds", b"\x1f\x8b", "is an R object, which is not read. Write it in R as a 10x folder"),
        ("a.RData", b"RDX3\n", "is an R workspace, which is not read"),
        ("a.xlsx", b"PK\x03\x04", "is an Excel workbook, which is not read. Save the sheet as csv"),
        ("a.csv", b"PK\x03\x04\x14", "is an Excel workbook or another zip archive, which is not read"),
        ("a.csv", b"\xd0\xcf\x11\xe0", "is an Excel workbook, which is not read. Save"),
        ("a.parquet", b"PAR1", "is a Parquet file, which is not read. .*pandas.read_parquet"),
        ("a.loom", b"x", "is a loom file, which is not read. .*loompy"),
        ("a.npz", b"PK\x03\x04", "is an archive of numpy"),
        ("a.pkl", b"\x80\x04", "is a pickle, which can run code"),
        ("a.bam", b"BAM\x01", "is a file of alignments, .*featureCounts"),
        ("a.fastq.gz", b"\x1f\x8b", "is a file of reads"),
        ("a.h5mu", b"x", "is a MuData, which is not read. .*mudata"),
    ],
)
def test_other_files_are_refused_with_what_to_do(tmp_path, name, content, message):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(InputError, match=message):
        read_matrix(tmp_path / name)


def test_a_loom_is_known_by_its_content(tmp_path, toy):
    h5py = pytest.importorskip("h5py")
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["matrix"] = np.zeros((2, 3))
        for name in ("row_attrs", "col_attrs"):
            file.create_group(name)
    with pytest.raises(InputError, match="a.h5 is a loom file, which is not read"):
        read_matrix(tmp_path / "a.h5")
