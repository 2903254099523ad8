"""Shared by the tests of novelty: hits made by hand."""

import pytest

from deepmapper.novelty.paf import Hit


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
