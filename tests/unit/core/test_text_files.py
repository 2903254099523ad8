"""Text files of any encoding and compression, recognised by their content."""

import bz2
import gzip
import io
import lzma
import os
import zipfile

import pytest

from deepmapper.core.text_files import examine_text
from deepmapper.errors import InputError

TEXT = "cell,état\nα,1\n"


def read(path):
    with examine_text(path).open() as file:
        return file.read()


@pytest.mark.parametrize("pack", [gzip.compress, bz2.compress, lzma.compress, bytes], ids=["gz", "bz2", "xz", "plain"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32"])
def test_encoding_and_compression_are_found_in_the_content(tmp_path, pack, encoding):
    text = TEXT if encoding.startswith("utf-8") or encoding in ("utf-16", "utf-32") else "cell,state\na,1\n"
    (tmp_path / "a.csv").write_bytes(pack(text.encode(encoding)))
    assert read(tmp_path / "a.csv") == text
    assert bool(examine_text(tmp_path / "a.csv").notice) == (encoding in ("utf-16-le", "utf-16-be"))


def test_windows_1252_is_read_and_said(tmp_path):
    (tmp_path / "a.csv").write_bytes("cell,place\na,Köln\nb,Zürich\n".encode("cp1252"))
    assert read(tmp_path / "a.csv").endswith("Köln\nb,Zürich\n")
    assert "was read as Windows-1252, as in 'Köln'" in examine_text(tmp_path / "a.csv").notice


def test_a_late_byte_decides_on_the_encoding(tmp_path):
    start = b"cell,place\n" + b"a,b\n" * 400_000
    (tmp_path / "a.csv").write_bytes(start + "ü,1\n".encode("cp1252"))
    assert read(tmp_path / "a.csv").endswith("ü,1\n")
    (tmp_path / "b.csv").write_bytes(start[: 2**20 - 1] + "ü".encode() + b",1\n")  # a letter across two blocks
    assert examine_text(tmp_path / "b.csv").encoding == "utf-8"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("ü,1\n".encode() + "ü,1\n".encode("cp1252"), r"is not UTF-8 text at byte 6\. Save it as UTF-8"),
        (b"caf\xe9,1\n\x81\n", "is not UTF-8 text at byte 4"),
        (b"a,b\n\x00\x01,2\n", "is not text .it holds zero bytes"),
        (gzip.compress(b"a,b\n" * 9999)[:60], "the file is damaged or incomplete"),
        (gzip.compress(gzip.compress(b"a,b\n")), "compressed twice"),
        (b"\xd0\xcf\x11\xe0" + bytes(600), r"is an Excel workbook \(\.xls\).* Save the sheet as CSV"),
        (b"\x89HDF\r\n\x1a\n" + bytes(99), "is an HDF5 file"),
        (gzip.compress(b"X\n\x00\x00\x00\x02" + bytes(99)), "is an R object .*write.csv"),
        (gzip.compress(b"RDX3\nX\n"), "is R data"),
        (b"PAR1" + bytes(99), "is a Parquet file.*read_parquet"),
        (b"<!DOCTYPE html>\n<html><title>Sign in</title>", "is a web page .*fetch the file itself"),
        (b"  <html>", "is a web page"),
        (b"version https://git-lfs.github.com/spec/v1\n", "a pointer of Git LFS.* git lfs pull"),
        (b"%%MatrixMarket matrix\n", "Give the folder"),
        (b"\x28\xb5\x2f\xfd123", "zstd -d"),
    ],
    ids=range(15),
)
def test_what_is_no_table_of_text_is_named(tmp_path, content, message):
    (tmp_path / "a.csv").write_bytes(content)
    with pytest.raises(InputError, match=message):
        examine_text(tmp_path / "a.csv")


@pytest.mark.parametrize(
    ("entry", "message"), [("xl/workbook.xml", "Excel workbook"), ("a.csv", "a zip archive, .*Unpack it")]
)
def test_zip_files_are_told_apart(tmp_path, entry, message):
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr(entry, "x")
    (tmp_path / "a.csv").write_bytes(packed.getvalue())
    with pytest.raises(InputError, match=message):
        examine_text(tmp_path / "a.csv")


def test_paths_that_are_no_files(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    for path, message in [
        (tmp_path, "is a folder"),
        (tmp_path / "pipe", "is not a regular file"),
        (tmp_path / "none", "cannot be read .No such file"),
    ]:
        with pytest.raises(InputError, match=message):
            examine_text(path)
