"""Fetching a file: whole, in pieces, wrong, not there; and unpacking it."""

import gzip
import hashlib
import io
import tarfile

import pytest

from deepmapper.errors import InputError
from deepmapper.studies.catalogue import StudyFile
from deepmapper.studies.download import fetch_file, unpack

CONTENT = bytes(range(256)) * 5000


@pytest.fixture(autouse=True)
def no_proxy(monkeypatch):
    for name in ("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def file(server):
    server.files["a.bin"] = CONTENT
    return StudyFile("a.bin", f"{server.url}/a.bin", f"sha256:{hashlib.sha256(CONTENT).hexdigest()}", len(CONTENT))


def test_a_file_is_fetched_once_and_checked_again(server, file, tmp_path):
    seen = []
    assert fetch_file(file, tmp_path, progress=lambda done, total: seen.append((done, total))).read_bytes() == CONTENT
    assert seen[-1] == (len(CONTENT), len(CONTENT))
    fetch_file(file, tmp_path)
    assert len(server.asked) == 1
    (tmp_path / "a.bin").write_bytes(CONTENT[:-1] + b"x")
    with pytest.raises(InputError, match=r"a.bin: its sha256 is .*, expected .* Delete it to fetch it again"):
        fetch_file(file, tmp_path)


def test_a_download_that_broke_off_goes_on(server, file, tmp_path):
    server.breaks = 300_000
    with pytest.raises(InputError, match="broke off"):
        fetch_file(file, tmp_path)
    assert not (tmp_path / "a.bin").exists()
    there = (tmp_path / "a.bin.part").stat().st_size
    assert 0 < there < len(CONTENT)
    server.breaks = None
    assert fetch_file(file, tmp_path).read_bytes() == CONTENT
    assert server.asked == [None, f"bytes={there}-"]
    assert not (tmp_path / "a.bin.part").exists()


def test_a_server_without_ranges_starts_anew(server, file, tmp_path):
    (tmp_path / "a.bin.part").write_bytes(b"some of another version")
    server.ranges = False
    assert fetch_file(file, tmp_path).read_bytes() == CONTENT


def test_what_is_whole_already_is_not_asked_for_again(server, file, tmp_path):
    (tmp_path / "a.bin.part").write_bytes(CONTENT)
    assert fetch_file(file, tmp_path).read_bytes() == CONTENT
    assert server.asked == []
    (tmp_path / "a.bin").unlink()
    (tmp_path / "a.bin.part").write_bytes(CONTENT)
    assert (
        fetch_file(StudyFile("a.bin", file.url, file.checksum), tmp_path).read_bytes() == CONTENT
    )  # its size is unknown


def test_other_content_is_not_kept(server, file, tmp_path):
    server.files["a.bin"] = CONTENT[::-1]
    with pytest.raises(InputError, match="It was deleted: try again"):
        fetch_file(file, tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_without_a_checksum_a_gzip_file_must_be_whole(server, tmp_path):
    packed = gzip.compress(CONTENT)
    file = StudyFile("b.gz", f"{server.url}/b.gz")
    server.files["b.gz"] = packed[:-5]
    with pytest.raises(InputError, match="damaged or incomplete"):
        fetch_file(file, tmp_path)
    server.files["b.gz"] = packed
    assert fetch_file(file, tmp_path).read_bytes() == packed


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("{server}/missing", r"the server answers 404 .* Or fetch it elsewhere, and put it at .*a\.bin"),
        ("http://127.0.0.1:9/a.bin", r"cannot be reached, .* when there is a connection\. Or fetch it elsewhere"),
        ("http://nowhere.invalid/a.bin", r"cannot be reached"),
    ],
)
def test_what_cannot_be_fetched_says_where_to_put_it(server, tmp_path, url, said):
    with pytest.raises(InputError, match=said):
        fetch_file(StudyFile("a.bin", url.format(server=server.url)), tmp_path)
    assert not (tmp_path / "a.bin").exists()


def test_an_archive_is_unpacked_whole_or_not_at_all(tmp_path):
    archive = tmp_path / "a.tar.gz"
    with tarfile.open(archive, "w:gz") as out:
        for name in ("hg19/matrix.mtx", "hg19/genes.tsv"):
            member = tarfile.TarInfo(name)
            member.size = 1000
            out.addfile(member, io.BytesIO(bytes(1000)))
    unpack(archive, tmp_path / "a")
    assert sorted(path.name for path in (tmp_path / "a/hg19").iterdir()) == ["genes.tsv", "matrix.mtx"]
    archive.write_bytes(archive.read_bytes()[:-60])
    with pytest.raises(InputError, match="cannot be unpacked"):
        unpack(archive, tmp_path / "b")
    assert not (tmp_path / "b").exists()


def test_an_archive_cannot_write_elsewhere(tmp_path):
    archive = tmp_path / "a.tar"
    with tarfile.open(archive, "w") as out:
        member = tarfile.TarInfo("../outside")
        member.size = 1
        out.addfile(member, io.BytesIO(b"x"))
    with pytest.raises(InputError, match="would be written outside"):
        unpack(archive, tmp_path / "inside" / "a")
    assert not (tmp_path / "inside/outside").exists() and not (tmp_path / "outside").exists()
