"""Text files of any encoding and compression, recognised by their content. Standard library only."""

from __future__ import annotations

import codecs
import io
import itertools
import re
import stat
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO

from ..errors import InputError
from .compressed import DAMAGE, is_compressed, open_unpacked

_BYTES_AT_ONCE = 2**20

# What files that are no plain text are, by how they start, and what to do with them.
_OTHERS: tuple[tuple[bytes, str, str], ...] = (
    (b"\xd0\xcf\x11\xe0", "an Excel workbook (.xls)", "Save the sheet as CSV UTF-8"),
    (b"\x89HDF\r\n\x1a\n", "an HDF5 file (.h5ad, .h5, .loom)", "Name it by its format, or convert it to .h5ad"),
    (b"X\n\x00\x00", "an R object (.rds)", "Write it in R with write.csv(as.matrix(x)) or as .h5ad"),
    (b"A\n2\n", "an R object (.rds)", "Write it in R with write.csv(as.matrix(x)) or as .h5ad"),
    (b"A\n3\n", "an R object (.rds)", "Write it in R with write.csv(as.matrix(x)) or as .h5ad"),
    (b"RDX", "R data (.RData)", "Load it in R and write the table with write.csv"),
    (b"RDA", "R data (.RData)", "Load it in R and write the table with write.csv"),
    (b"PAR1", "a Parquet file", "Write it as text: pandas.read_parquet(...).to_csv(...)"),
    (b"ARROW1", "a Feather file", "Write it as text: pandas.read_feather(...).to_csv(...)"),
    (b"FEA1", "a Feather file", "Write it as text: pandas.read_feather(...).to_csv(...)"),
    (b"\x93NUMPY", "a NumPy array (.npy)", "Write a table with the names of samples and features"),
    (b"SQLite format 3", "an SQLite database", "Export the table as csv"),
    (b"%PDF", "a PDF", "Give the table as csv or tsv"),
    (b"{\\rtf", "a document (.rtf)", "Save it as plain text"),
    (b"BAM\x01", "a BAM file", "Give a table of counts"),
    (b"\x28\xb5\x2f\xfd", "compressed with zstd", "Decompress it with zstd -d"),
    (b"\x1f\x9d", "compressed with compress (.Z)", "Decompress it with gzip -d"),
    (b"7z\xbc\xaf\x27\x1c", "a 7z archive", "Unpack it"),
    (b"Rar!", "a RAR archive", "Unpack it"),
    (b"version https://git-lfs", "a pointer of Git LFS, not the file itself", "Fetch it with git lfs pull"),
    (b"%%MatrixMarket", "a Matrix Market file (.mtx)", "Give the folder that holds it with its barcodes and features"),
)

# Bytes that Windows-1252 does not use, and control characters other than tab, line ends and page breaks.
_NOT_CP1252 = re.compile(rb"[\x81\x8d\x8f\x90\x9d\x00-\x08\x0e-\x1f\x7f]")

_MARKUP = re.compile(rb"\s*(<!doctype html|<html|<head|<\?xml|<!--)", re.IGNORECASE)

_BOMS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)


@dataclass(frozen=True)
class TextFile:
    """A text file, and how to read it.

    Attributes
    ----------
    path
        The file.
    encoding
        Its encoding, as Python names it.
    notice
        A sentence if the encoding was guessed, else "".
    """

    path: Path
    encoding: str
    notice: str = ""

    @contextmanager
    def open(self) -> Iterator[TextIO]:
        """Open the text; line ends are left as they are."""
        with (
            open_unpacked(self.path) as content,
            io.TextIOWrapper(content, self.encoding, newline="") as text,
        ):
            yield text


def examine_text(path: str | Path) -> TextFile:
    """Find out how to read a text file. It is read as a whole, so that later reading meets no other encoding.

    Raises
    ------
    InputError
        If it cannot be opened, is damaged, or is not text; the message says what it is.
    """
    path = Path(path)
    try:
        if not stat.S_ISREG(path.stat().st_mode):
            kind = "a folder" if path.is_dir() else "not a regular file"
            raise InputError(f"{path} is {kind}, expected a text file.")
        with open_unpacked(path) as file:
            encoding, notice = _encoding(path, iter(lambda: file.read(_BYTES_AT_ONCE), b""))
    except DAMAGE as error:
        if isinstance(error, OSError) and error.errno is not None:
            raise InputError(f"{path} cannot be read ({error.strerror}). Correct its path.") from error
        raise InputError(f"{path}: the file is damaged or incomplete ({error}). Copy it again.") from error
    return TextFile(path, encoding, notice)


def describe_other(start: bytes) -> str:
    """Say what a file is that starts like this and is no table of text, and what to do: "" if it may be one."""
    if start.startswith(b"PK\x03\x04"):
        return _describe_zip(start)
    for magic, what, action in _OTHERS:
        if start.startswith(magic):
            return f"{what}, expected a table as text. {action}."
    if start[257:262] == b"ustar":
        return "a tar archive, expected a table as text. Unpack it."
    if _MARKUP.match(start):
        return (
            "a web page (HTML) or XML, expected a table as text. It may be the page of an error or a login instead of "
            "the download: fetch the file itself."
        )
    if is_compressed(start):
        return "compressed twice, expected a table as text. Decompress it once."
    return ""


def _describe_zip(start: bytes) -> str:
    """Say what a file in zip format is, from its first entries."""
    if b"xl/" in start or b"[Content_Types].xml" in start:
        return "an Excel workbook (.xlsx), expected a table as text. Save the sheet as CSV UTF-8."
    if b"opendocument.spreadsheet" in start:
        return "a spreadsheet (.ods), expected a table as text. Save the sheet as csv."
    return "a zip archive, expected a table as text. Unpack it."


def _encoding(path: Path, blocks: Iterator[bytes]) -> tuple[str, str]:
    """Return the encoding of a file's content, and a sentence if it was guessed; every byte is checked."""
    first = next(blocks, b"")
    if other := describe_other(first):
        raise InputError(f"{path} is {other}")
    content = itertools.chain([first], blocks)
    marked = next((name for bom, name in _BOMS if first.startswith(bom)), "")
    if marked or b"\0" in first:
        encoding = marked or _utf16_without_mark(first)
        fault = _fault(content, encoding) if encoding else "it holds zero bytes"
        if fault:
            raise InputError(f"{path} is not text ({fault}). Give a table as text, or copy it again.")
        return encoding, "" if marked else f"{path}: read as UTF-16, which it does not declare."
    foreign = _find_foreign(content)
    if foreign is None:
        return "utf-8", ""
    place, example = foreign
    if not example:
        raise InputError(f"{path} is not UTF-8 text at byte {place + 1}. Save it as UTF-8 text.")
    return "cp1252", (
        f"{path}: is not UTF-8 text, and was read as Windows-1252, as in {example!r}. If this is wrong, save it as "
        "UTF-8."
    )


def _utf16_without_mark(start: bytes) -> str:
    """Return the UTF-16 that a file without a mark is, by where its zero bytes are; "" if it is none."""
    sample = start[: min(len(start), 4096) // 2 * 2]
    even, odd = sample[0::2].count(0), sample[1::2].count(0)
    if odd > len(sample) // 4 and not even:
        return "utf-16-le"
    return "utf-16-be" if even > len(sample) // 4 and not odd else ""


def _fault(blocks: Iterable[bytes], encoding: str) -> str:
    """Say why blocks are not text of an encoding; "" if they are."""
    decoder = codecs.getincrementaldecoder(encoding)()
    try:
        for block in blocks:
            if "\0" in decoder.decode(block):
                return "it holds zero bytes"
        decoder.decode(b"", final=True)
    except UnicodeDecodeError as error:
        return f"{error.reason} in {encoding}"
    return ""


def _find_foreign(blocks: Iterable[bytes]) -> tuple[int, str] | None:
    """Find what is not UTF-8: its place, and the word around it if all of the text is Windows-1252, else "".

    Text that mixes both, and text with zero bytes, is neither.
    """
    decoder = codecs.getincrementaldecoder("utf-8")()
    done, has_utf8, found = 0, False, None
    for block in itertools.chain(blocks, [b""]):
        if b"\0" in block:
            return done + block.index(b"\0"), ""
        if found is None:
            try:
                text = decoder.decode(block, final=not block)
                has_utf8 = has_utf8 or not text.isascii()
            except UnicodeDecodeError as error:
                before = error.object[: error.start]
                if has_utf8 or not before.isascii():
                    return max(0, done + error.start), ""
                word = re.search(rb"[^\s,;|\"']*$", before)
                rest = re.match(rb"[^\s,;|\"']*", error.object[error.start :])
                found = done + error.start, (word[0] if word else b"") + (rest[0] if rest else b"")
        if found is not None and _NOT_CP1252.search(block):
            return found[0], ""
        done += len(block)
    return None if found is None else (found[0], found[1].decode("cp1252", "replace"))
