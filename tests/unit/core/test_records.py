"""Records: written and read back, in memory or memory-mapped, and refused if damaged."""

import io
import os
import zipfile

import numpy as np
import pytest

from deepmapper.core.records import MappedRecord, read_record, verify_record, write_record
from deepmapper.errors import InputError

ABOUT = {"seed": 7, "name": "Zelle 1", "nested": {"values": [1, 2.5, None]}, "nan": float("nan")}
ARRAYS = {
    "wide": np.arange(12, dtype=np.float32).reshape(3, 4),
    "by_columns": np.asfortranarray(np.arange(6.0).reshape(2, 3)),
    "empty": np.empty((0, 5), dtype=np.int64),
    "number": np.array(3.5),
    "part/0": np.array([True, False]),
}


@pytest.fixture
def path(tmp_path):
    path = tmp_path / "folder/7.npz"
    write_record(path, ABOUT, ARRAYS)
    return path


def same(found, expected):
    np.testing.assert_array_equal(found, expected)
    assert (found.dtype, found.shape) == (expected.dtype, expected.shape)


def test_a_record_is_read_back(path):
    about, arrays = read_record(path, "pass")
    assert repr(about) == repr(ABOUT)
    assert list(arrays) == list(ARRAYS)
    for name, expected in ARRAYS.items():
        same(arrays[name], expected)
    about, arrays = read_record(path, "pass", lambda name: name == "wide")
    assert list(arrays) == ["wide"] and about["seed"] == 7
    assert repr(verify_record(path, "pass")) == repr(ABOUT)


def test_arrays_are_memory_mapped(path):
    record = MappedRecord(path, "pass")
    assert repr(record.metadata) == repr(ABOUT)
    assert record.names == tuple(ARRAYS) and "wide" in record and "about" not in record
    for name, expected in ARRAYS.items():
        same(record.array(name), expected)
    assert isinstance(record.array("wide"), np.memmap)
    assert record.array("wide") is not record.array("wide")
    with pytest.raises(ValueError, match="read-only"):
        record.array("wide")[0] = 1


def test_numpy_can_open_a_record(path):
    with np.load(path, allow_pickle=False) as file:
        same(file["wide"], ARRAYS["wide"])


@pytest.mark.parametrize("share", [0.0, 0.3, 0.9, 0.999])
@pytest.mark.parametrize("read", [read_record, verify_record, MappedRecord])
def test_a_truncated_file_is_refused(path, share, read):
    content = path.read_bytes()
    path.write_bytes(content[: int(share * len(content))])
    with pytest.raises(InputError, match=r"7\.npz is not a complete pass \(.*: delete it and run its target again"):
        read(path, "pass")


def test_a_wrong_byte_is_found_by_readers_of_that_array(path):
    content = bytearray(path.read_bytes())
    place = content.index(ARRAYS["wide"].tobytes()) + 5
    content[place] ^= 1
    path.write_bytes(bytes(content))
    for read in (read_record, verify_record):
        with pytest.raises(InputError, match="is not a complete pass"):
            read(path, "pass")
    assert "part/0" in read_record(path, "pass", lambda name: name != "wide")[1]


def test_another_archive_is_refused(path):
    np.savez(path, X=np.arange(3))
    for read in (read_record, verify_record, MappedRecord):
        with pytest.raises(InputError, match="is not a complete pass"):
            read(path, "pass")
    write_record(path, ABOUT, {"objects": np.arange(3)})
    with zipfile.ZipFile(path) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    assert read_record(path, "pass")[0]["seed"] == 7
    with pytest.raises(InputError, match=r"objects\.npy is compressed"):
        MappedRecord(path, "pass")


def test_a_missing_file_does_not_count_as_damaged(tmp_path):
    for read in (read_record, verify_record, MappedRecord):
        with pytest.raises(FileNotFoundError):
            read(tmp_path / "missing.npz", "pass")


@pytest.mark.parametrize("compressed", [False, True])
def test_an_array_that_declares_more_than_the_file_holds_is_refused(tmp_path, compressed):
    path = tmp_path / "7.npz"
    write_record(path, {"seed": 7}, {"values": np.arange(3.0)})
    header = io.BytesIO()
    np.lib.format.write_array_header_1_0(header, {"descr": "<f8", "fortran_order": False, "shape": (10**11,)})
    with zipfile.ZipFile(path) as archive:
        metadata = archive.read("about.npy")
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED if compressed else zipfile.ZIP_STORED) as archive:
        archive.writestr("values.npy", header.getvalue())
        archive.writestr("about.npy", metadata)
    with pytest.raises(InputError, match=r"values\.npy declares 800000000000 bytes of values, which the file does not"):
        read_record(path, "pass")


def test_a_pickle_is_refused_and_not_run(tmp_path):
    class Acts:
        def __reduce__(self):
            return os.mkdir, (str(tmp_path / "acted"),)

    np.savez(tmp_path / "7.npz", values=np.array([Acts()], dtype=object), about=np.array("{}"))
    for read in (read_record, MappedRecord):
        with pytest.raises(InputError, match=r"7\.npz is not a complete pass"):
            read(tmp_path / "7.npz", "pass")
    assert not (tmp_path / "acted").exists()
