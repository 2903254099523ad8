"""What the tests of reads share: hits made by hand, and programs that do what a test says."""

import os

import pytest

from deepmapper.reads.paf import Hit


@pytest.fixture(scope="session")
def hit():
    """Give a function that makes a hit of a query of 100 bases from `start` to `end`, on `target` from `at` on."""

    def make(start, end, target="t", at=0, strand="+", identity=1.0, length=100, **changed):
        size = end - start
        values = {
            "query": "q",
            "query_length": length,
            "query_start": start,
            "query_end": end,
            "strand": strand,
            "target": target,
            "target_length": 10**6,
            "start": at,
            "end": at + size,
            "matches": round(size * identity),
            "identity": identity,
            "blocks": ((at, at + size),),
            "longest_gap": 0,
            "spliced": "",
        }
        return Hit(**{**values, **changed})

    return make


@pytest.fixture
def fake_program(tmp_path, monkeypatch):
    """Give a function that puts a shell script on PATH under the name of a program."""

    def make(name, script):
        folder = tmp_path / "bin"
        folder.mkdir(exist_ok=True)
        (folder / name).write_text(f"#!/bin/bash\n{script}\n")
        (folder / name).chmod(0o755)
        if not os.environ["PATH"].startswith(f"{folder}:"):
            monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")

    return make
