"""Row blocks: every row once, in order, and no more memory than asked for."""

from pathlib import Path

import numpy as np
import scipy.sparse as sp

from deepmapper.core import blocks
from deepmapper.features.samples import Stacked


def test_pages_of_a_mapped_matrix_are_given_back(tmp_path):
    X = np.ones((20000, 1000), dtype=np.float32)  # 80 MB
    np.save(tmp_path / "x.npy", X)
    mapped = np.load(tmp_path / "x.npy", mmap_mode="r")
    assert blocks.Reader(sp.csr_matrix(X[:4]))(np.array([3, 1])).sum() == 2000  # nothing to give back

    def resident():
        lines = Path("/proc/self/status").read_text().splitlines()
        return next(int(line.split()[1]) / 1024 for line in lines if line.startswith("RssFile"))

    before, read = resident(), blocks.Reader(mapped)
    for rows in np.arange(20000).reshape(-1, 100):
        assert read(rows).sum() == 100_000
    assert resident() - before < 45
    float(mapped.sum())
    assert resident() - before > 70
    blocks.release(Stacked(mapped[:100], mapped))
    assert resident() - before < 10


def test_rows_in_blocks(tmp_path, monkeypatch):
    monkeypatch.setattr(blocks, "VALUES_AT_ONCE", 64)
    rng = np.random.default_rng(0)
    values = (rng.random((70, 40)) * (rng.random((70, 40)) < 0.2)).astype(np.float32)
    csr, rows = sp.csr_matrix(values), np.arange(3, 70, 4)
    parts = {"data": csr.data, "indices": csr.indices, "indptr": csr.indptr, "dense": values}
    for name, array in parts.items():
        np.save(tmp_path / f"{name}.npy", array)
    mapped = {name: np.load(tmp_path / f"{name}.npy", mmap_mode="r") for name in parts}
    sparse = sp.csr_matrix((mapped["data"], mapped["indices"], mapped["indptr"]), shape=values.shape)
    for X in (sparse, mapped["dense"]):
        for chosen in (None, rows):
            places, parts = zip(*blocks.blocks(X, chosen), strict=True)
            assert len(parts) > 1 and places[0].start == 0
            assert all(a.stop == b.start for a, b in zip(places, places[1:], strict=False))
            if chosen is not None:  # of one row in four a fourth is read at once
                assert all(part.shape[0] == 1 or part.size <= 64 * 17 / 70 for part in parts)
            parts = [part.toarray() if sp.issparse(part) else part for part in parts]
            np.testing.assert_array_equal(np.concatenate(parts), values[slice(None) if chosen is None else rows])


def test_a_matrix_by_column_is_read_by_row():
    dense = np.random.default_rng(0).poisson(1, (40, 30)).astype(np.float32)
    for X in (sp.csc_matrix(dense), sp.csc_matrix(dense.T).T, sp.coo_matrix(dense)):
        assert np.array_equal(sp.vstack([block for _, block in blocks.blocks(X)]).toarray(), dense)
        rows = np.array([1, 5, 35])
        assert np.array_equal(sp.vstack([block for _, block in blocks.blocks(X, rows)]).toarray(), dense[rows])
        found = sp.vstack([block for _, block in blocks.blocks_between(X, 31, 39)])
        assert np.array_equal(found.toarray(), dense[31:39])


def test_of_a_source_in_parts_only_those_with_chosen_rows_are_read(monkeypatch):
    values = np.arange(400, dtype=np.float32).reshape(100, 4)
    read = []

    class InParts:
        shape = values.shape

        def blocks_between(self, start, stop):
            for first in range(start, stop, 10):
                read.append(first)
                yield slice(first, min(first + 10, stop)), values[first : min(first + 10, stop)]

    rows = np.array([41, 42, 45, 57])
    places, parts = zip(*blocks.blocks(InParts(), rows), strict=True)
    np.testing.assert_array_equal(np.concatenate(parts), values[rows])
    assert [place.stop for place in places] == [3, 4] and read == [41, 51]
    assert list(blocks.blocks(InParts(), rows[:0])) == []
    # rows that follow one another are read as those of a whole matrix are
    monkeypatch.setattr(blocks, "VALUES_AT_ONCE", 80)
    assert [place.stop for place, _ in blocks.blocks(values, np.arange(30, 70))] == [20, 40]


def test_a_matrix_is_transposed_without_holding_it_in_memory(tmp_path, monkeypatch):
    rng = np.random.default_rng(0)
    X = sp.random(3000, 700, 0.1, format="csr", dtype=np.float32, random_state=rng)
    monkeypatch.setattr(blocks, "VALUES_AT_ONCE", 2**13)
    counts = np.bincount(X.indices, minlength=700)
    places, parts = zip(*blocks.transpose_blocks(X, counts, tmp_path), strict=True)
    assert max(part.nnz for part in parts) <= 2**11 and places[-1].stop == 700
    found, expected = sp.vstack(parts, format="csr"), X.T.tocsr()
    for part in ("data", "indices", "indptr"):
        np.testing.assert_array_equal(getattr(found, part), getattr(expected, part))
    assert list(tmp_path.iterdir()) == []


def test_part_of_chosen_rows_is_read_alone(monkeypatch):
    monkeypatch.setattr(blocks, "VALUES_AT_ONCE", 64)
    values = np.arange(1, 2801, dtype=np.float32).reshape(70, 40)
    rows = np.arange(3, 70, 4)
    seen = []

    def noted(block, place):
        seen.append(place)
        return block * 2

    for source in (values, sp.csr_matrix(values)):
        for chosen, expected in ((rows, values[rows][5:12]), (None, values[5:12])):
            seen.clear()
            found = list(blocks.blocks_between(blocks.MappedRows(source, chosen, noted), 5, 12))
            whole = np.concatenate([part.toarray() if sp.issparse(part) else part for _, part in found])
            np.testing.assert_array_equal(whole, expected * 2)
            assert [place for place, _ in found] == seen and (seen[0].start, seen[-1].stop) == (5, 12)
