"""Alignments: read, combined, and assigned to the parts of a query."""

from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deepmapper.errors import InputError
from deepmapper.novelty.paf import best_locus, best_target, combine, covered, read_paf, split_by_place

intervals = st.lists(
    st.tuples(st.integers(0, 60), st.integers(0, 60)).map(lambda pair: tuple(sorted(pair))), max_size=12
)


@given(intervals)
def test_covered_bases_are_those_of_the_union(places):
    assert covered(places) == len({i for start, end in places for i in range(start, end)})


@given(intervals.filter(lambda places: any(a < b for a, b in places)), st.randoms(use_true_random=False))
def test_combined_hits_do_not_depend_on_their_order(hit, places, rng):
    hits = [hit(a, b, identity=0.9 + (a % 10) / 100) for a, b in places if a < b]
    match = combine(hits)
    assert match.coverage == pytest.approx(covered(places) / 100)
    assert min(h.identity for h in hits) - 1e-9 <= match.identity <= max(h.identity for h in hits) + 1e-9
    rng.shuffle(hits)
    assert combine(hits) == match
    assert best_target(hits) == match


def test_the_best_target_is_that_of_all_its_hits(hit):
    hits = [hit(0, 60, "one"), hit(0, 45, "two"), hit(50, 95, "two", at=500)]
    assert best_target(hits).target == "two"
    assert best_target(hits).coverage == pytest.approx(0.9)
    assert best_target([]) is None


def test_a_locus_holds_only_one_copy_of_a_repeat(hit):
    copies = [hit(0, 100, "chr", at=0), hit(0, 100, "chr", at=5000)]
    assert len(best_locus(copies, 200_000).hits) == 1
    far = [hit(0, 50, "chr"), hit(50, 100, "chr", at=5000), hit(50, 100, "chr", at=5000, strand="-")]
    assert best_locus(far, 200_000).coverage == 1
    assert best_locus(far, 1000).coverage == 0.5
    assert best_locus([], 1000) is None


def test_parts_are_of_different_places_and_add_something(hit):
    hits = [hit(0, 60, "a"), hit(5, 60, "b"), hit(58, 100, "c"), hit(60, 75, "d")]
    found = split_by_place(hits, min_share=0.2, place=lambda h: h.target)
    assert [part.target for part in found] == ["a", "c"]
    assert len(split_by_place(hits, min_share=0.2, place=lambda h: "one")) == 1
    near = [hit(0, 50, "a"), hit(50, 100, "a", at=500)]
    assert len(split_by_place(near, min_share=0.2, place=lambda h: h.target, reach=1000)) == 1
    assert len(split_by_place(near, min_share=0.2, place=lambda h: h.target, reach=100)) == 2


@pytest.mark.parametrize(("strand", "ts"), product("+-", "+-"))
def test_paf_lines_are_read(tmp_path, strand, ts):
    fields = ["q", 100, 0, 100, strand, "chr", 900, 50, 305, 95, 110, 60, "tp:A:P", "de:f:0.05", f"ts:A:{ts}"]
    path = tmp_path / "x.paf"
    path.write_text("\t".join(map(str, [*fields, "cg:Z:40M3D10M150N50M2I2M"])) + "\n")
    (found,) = read_paf(path)["q"]
    assert found.blocks == ((50, 103), (253, 305))
    assert found.longest_gap == 3
    assert found.identity == pytest.approx(0.95)
    assert found.spliced == ("+" if strand == ts else "-")


def test_a_paf_without_cigar_is_rejected(tmp_path):
    (tmp_path / "x.paf").write_text("q\t100\t0\t100\t+\tt\t900\t50\t305\t95\t110\t60\tde:f:0.05\n")
    with pytest.raises(InputError, match="line 1: not PAF with a CIGAR"):
        read_paf(tmp_path / "x.paf")
