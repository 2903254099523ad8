"""`deepmapper fetch`: the list of studies, a study made whole, and what stops it."""

import gzip
import hashlib
import io
import tarfile
import threading
from http.server import HTTPServer, SimpleHTTPRequestHandler
from pathlib import Path

import pytest
import yaml

from deepmapper.cli import fetch


@pytest.fixture
def repository(tmp_path, monkeypatch):
    """A repository with one study of one archive, which a server has."""
    content = io.BytesIO()
    with tarfile.open(fileobj=content, mode="w:gz") as out:
        for name, text in {
            "genes.tsv": b"g1\tA\ng2\tB\n",
            "barcodes.tsv": b"c1\nc2\n",
            "matrix.mtx": b"%%MatrixMarket\n",
        }.items():
            member = tarfile.TarInfo(f"filtered_matrices_mex/hg19/{name}")
            member.size = len(text)
            out.addfile(member, io.BytesIO(text))
    served = tmp_path / "served"
    served.mkdir()
    (served / "b_filtered_gene_bc_matrices.tar.gz").write_bytes(content.getvalue())

    class Handler(SimpleHTTPRequestHandler):
        def __init__(self, *arguments, **options):
            super().__init__(*arguments, directory=str(served), **options)

        def log_message(self, *_):
            pass

    server = HTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    for name in ("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    folder = tmp_path / "repository/config/studies/blood"
    folder.mkdir(parents=True)
    file = {
        "name": "b_filtered_gene_bc_matrices.tar.gz",
        "url": f"http://127.0.0.1:{server.server_port}/b_filtered_gene_bc_matrices.tar.gz",
        "checksum": f"md5:{hashlib.md5(content.getvalue()).hexdigest()}",
    }
    about = {"question": "What?", "article": "https://doi.org/1", "prepare": "unpack_populations", "files": [file]}
    (folder / "study.yaml").write_text(yaml.safe_dump(about))
    (folder / "config.yaml").write_text("labels: {column: population}\n")
    monkeypatch.setattr(fetch, "repository", lambda: tmp_path / "repository")
    monkeypatch.chdir(tmp_path)
    yield folder
    server.shutdown()


def test_without_a_name_the_studies_are_listed(call, repository):
    assert "blood: What? (1 files; https://doi.org/1)" in call("fetch").said


def test_a_study_is_fetched_checked_and_made(call, repository):
    said = call("fetch", "blood", "mine").said
    assert "b_filtered_gene_bc_matrices.tar.gz: fetched, md5 as published" in said
    assert said.endswith("Next: deepmapper check mine, then deepmapper run mine")
    assert Path("mine/config/config.yaml").read_text() == "labels: {column: population}\n"
    assert Path("mine/data/b/filtered_matrices_mex/hg19/genes.tsv").exists()
    Path("mine/config/config.yaml").write_text("labels: {column: mine}\n")
    again = call("fetch", "blood", "mine").said
    assert "already there, md5 as published" in again and "is left as it is" in again
    assert "mine" in Path("mine/config/config.yaml").read_text()


def test_a_file_put_there_by_hand_is_checked(call, repository):
    Path("blood/data").mkdir(parents=True)
    Path("blood/data/b_filtered_gene_bc_matrices.tar.gz").write_bytes(gzip.compress(b"something else"))
    said = call("fetch", "blood", status=1).said
    assert "its md5 is" in said and "Delete it to fetch it again" in said
    assert not Path("blood/config/config.yaml").exists()


def test_an_unknown_study_is_named_with_those_that_are(call, repository):
    assert "there is no study 'blod'. Did you mean 'blood'?" in call("fetch", "blod", status=1).said
