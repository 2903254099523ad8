"""Compressed files are read as they are, and not as what a few bytes can be made to unpack to."""

import bz2
import gzip
import lzma
import time

import pytest

from deepmapper.core.compressed import check_unpacked_size, open_unpacked
from deepmapper.core.delimited import find_layout
from deepmapper.errors import InputError
from deepmapper.io.expression import import_matrix
from deepmapper.reads.fasta import read_fasta

COMPRESS = {"gz": gzip.compress, "bz2": bz2.compress, "xz": lzma.compress}
HEADER = b"%%MatrixMarket matrix coordinate integer general\n"


def bomb(path, start: bytes, repeated: bytes, end: str = "gz"):
    """A file of less than 2 MB that unpacks to `start` and 1 GB of the same bytes."""
    part = COMPRESS[end](repeated * (2**20 // len(repeated)))
    path.write_bytes(COMPRESS[end](start) + part * 1000)
    return path


@pytest.mark.parametrize("end", COMPRESS)
def test_compressed_files_are_recognised_by_their_content(tmp_path, end):
    content = b"one\ntwo\n" * 100_000
    (tmp_path / "names.txt").write_bytes(COMPRESS[end](content))
    with open_unpacked(tmp_path / "names.txt") as file:
        assert file.readline() == b"one\n"
        assert file.read() == content[4:]
    (tmp_path / "plain.gz").write_bytes(content)
    with open_unpacked(tmp_path / "plain.gz") as file:
        assert file.read() == content


def test_sizes_that_tables_can_have_are_accepted():
    check_unpacked_size("x", 30_000, 16 * 2**20)
    check_unpacked_size("x", 10**9, 10**11)
    with pytest.raises(InputError, match=r"x: 30 kB of it unpack to more than 16\.8 MB, over 400 times as much"):
        check_unpacked_size("x", 30_000, 16 * 2**20 + 1)


@pytest.mark.parametrize(
    ("end", "repeated"), [("gz", b"a,0,0\n"), ("gz", b"0"), ("gz", b"\n"), ("bz2", b"0,"), ("xz", b"a,0,0\n")]
)
def test_a_table_that_unpacks_to_gigabytes_is_refused_in_seconds(tmp_path, end, repeated):
    begun = time.monotonic()
    with pytest.raises(InputError, match=r"labels\.csv: .* of it unpack to more than"):
        find_layout(bomb(tmp_path / "labels.csv", b"sample,g1,g2\n", repeated, end))
    assert time.monotonic() - begun < 10


@pytest.mark.parametrize(
    ("matrix", "repeated"),
    [
        (HEADER + b"4 6 20\n1 1 ", b"0"),
        (HEADER + b"4 6 1\n1 1 1\n", b"\n"),
        (HEADER, b"\n"),
        (HEADER, b"%"),
        (HEADER, b"%\n"),
        (b"%%Mat", b"0"),
    ],
)
def test_a_matrix_market_file_that_unpacks_to_gigabytes_is_refused_in_seconds(tmp_path, matrix, repeated):
    names = {"features": "ENSG1\tA\nENSG2\tB\nENSG3\tC\nENSG4\tD\n", "barcodes": "a\nb\nc\nd\ne\nf\n"}
    for name, text in names.items():
        (tmp_path / f"{name}.tsv").write_text(text)
    bomb(tmp_path / "matrix.mtx.gz", matrix, repeated)
    begun = time.monotonic()
    with pytest.raises(InputError, match=r"matrix\.mtx\.gz: .* of it unpack to more than"):
        import_matrix(tmp_path / "out.h5ad", tmp_path)
    assert time.monotonic() - begun < 10
    assert not (tmp_path / "out.h5ad").exists()


@pytest.mark.parametrize("repeated", [b"\n", b"AAAC\n", b"A"])
def test_a_list_of_barcodes_that_unpacks_to_gigabytes_is_refused(tmp_path, repeated):
    (tmp_path / "matrix.mtx").write_bytes(HEADER + b"2 2 1\n1 1 1\n")
    (tmp_path / "features.tsv").write_text("ENSG1\tA\nENSG2\tB\n")
    bomb(tmp_path / "barcodes.tsv.gz", b"", repeated)
    with pytest.raises(InputError, match=r"barcodes\.tsv\.gz: .* of it unpack to more than"):
        import_matrix(tmp_path / "out.h5ad", tmp_path)


def test_archives_and_h5ad_that_unpack_to_gigabytes_fill_no_disk(tmp_path):
    import zipfile

    work = tmp_path / "work"
    work.mkdir()
    with zipfile.ZipFile(tmp_path / "m.zarr.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("m.zarr/.zgroup", b" " * 2**27)
    bomb(tmp_path / "m.h5ad.gz", b"\x89HDF\r\n\x1a\n", b"\0")
    for name in ("m.zarr.zip", "m.h5ad.gz"):
        with pytest.raises(InputError, match=rf"{name}: .* of it unpack to more than"):
            import_matrix(work / "out.h5ad", tmp_path / name)
    assert not list(work.iterdir())


def test_a_genome_that_unpacks_to_gigabytes_is_refused(tmp_path):
    with pytest.raises(InputError, match="of it unpack to more than"):
        list(read_fasta(bomb(tmp_path / "genome.fa.gz", b">chr1\n", b"A")))


@pytest.mark.parametrize("name", ["matrix.mtx", "barcodes.tsv"])
def test_a_text_file_of_which_only_the_space_was_reserved_is_refused(tmp_path, name):
    (tmp_path / "matrix.mtx").write_bytes(HEADER + b"2 2 1\n1 1 1\n")
    (tmp_path / "features.tsv").write_text("ENSG1\tA\nENSG2\tB\n")
    (tmp_path / "barcodes.tsv").write_text("a\nb\n")
    with (tmp_path / name).open("r+b") as file:
        file.truncate(20 * 2**30)
    with pytest.raises(InputError, match=f"{name} ends in zero bytes: it is damaged or incomplete"):
        import_matrix(tmp_path / "out.h5ad", tmp_path)
