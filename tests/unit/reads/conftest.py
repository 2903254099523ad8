"""Shared by the tests of reads: FASTQ files, simulated pairs, and scripts in place of programs."""

import gzip
import os
import random
from pathlib import Path

import pytest

from deepmapper.reads.nucleotides import reverse_complement
from deepmapper.reads.samples import Unit


@pytest.fixture(scope="session")
def fastq_bytes():
    """Give a function that makes FASTQ of (name, sequence) records."""

    def make(records):
        return "".join(f"@{name}\n{sequence}\n+\n{'I' * len(sequence)}\n" for name, sequence in records).encode()

    return make


@pytest.fixture(scope="session")
def write_fastq(fastq_bytes):
    """Give a function that writes (name, sequence) records, gzipped by the file's name, and returns the path."""

    def write(path, records):
        content = fastq_bytes(records)
        path.write_bytes(gzip.compress(content) if path.name.endswith(".gz") else content)
        return str(path)

    return write


@pytest.fixture(scope="session")
def write_pairs(write_fastq):
    """Give a function that writes (name, first, second) pairs as a unit of two files."""

    def write(folder, pairs, ending=".fastq.gz"):
        first = write_fastq(folder / f"1{ending}", [(f"{name}/1", sequence) for name, sequence, _ in pairs])
        second = write_fastq(folder / f"2{ending}", [(f"{name}/2", sequence) for name, _, sequence in pairs])
        return Unit("1", first, second)

    return write


@pytest.fixture(scope="session")
def read_records():
    """Give a function that reads the (name, sequence) records of a gzipped FASTQ file."""

    def read(path):
        lines = gzip.decompress(Path(path).read_bytes()).decode().splitlines()
        return list(zip((line[1:] for line in lines[::4]), lines[1::4], strict=True))

    return read


@pytest.fixture(scope="session")
def draw_pairs():
    """Give a function that draws pairs from a sequence, with errors."""

    def draw(sequence, count, seed, *, length=75, insert=200, error=0.005):
        rng = random.Random(seed)

        def misread(piece):
            return "".join(rng.choice("ACGT") if rng.random() < error else base for base in piece)

        for _ in range(count):
            start = rng.randrange(len(sequence) - insert)
            fragment = sequence[start : start + insert]
            yield misread(fragment[:length]), misread(reverse_complement(fragment)[:length])

    return draw


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
