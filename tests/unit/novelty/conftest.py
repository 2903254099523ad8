"""Shared by the tests of novelty: hits made by hand, ribosomal RNA of no species."""

import gzip
import random

import pytest

from deepmapper.novelty.paf import Hit
from deepmapper.novelty.ribosomal import INCLUDED_PROFILES


@pytest.fixture(scope="session")
def profiles():
    """The included profiles of ribosomal RNA."""
    return INCLUDED_PROFILES


@pytest.fixture(scope="session")
def ribosomal_rna():
    """The consensus of each profile, of eukaryotes where several have its name, with 10 % of its letters changed."""
    from pyhmmer import plan7

    rng, rna = random.Random(0), {}
    with gzip.open(INCLUDED_PROFILES) as file, plan7.HMMFile(file) as models:
        for model in models:
            letters = model.consensus.upper().replace("U", "T")
            changed = "".join(rng.choice("ACGT") if rng.random() < 0.13 else letter for letter in letters)
            name = model.name if isinstance(model.name, str) else model.name.decode()
            rna.setdefault(name, changed)
    return rna


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
