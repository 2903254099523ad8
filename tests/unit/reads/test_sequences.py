"""Properties of one sequence: its name, composition, complexity and longest reading frame."""

import random

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from deepmapper.reads.nucleotides import reverse_complement
from deepmapper.reads.sequences import (
    canonical,
    gc_share,
    has_adapter,
    longest_orf,
    names_of,
    shortest_unique,
    simple_share,
    unknown_share,
)

dna = st.text("ACGT", min_size=1, max_size=120)
any_dna = st.text("ACGTN", min_size=1, max_size=120)


def letters(n, seed):
    return "".join(random.Random(seed).choices("ACGT", k=n))


@given(any_dna)
def test_both_strands_have_the_same_name(sequence):
    one, other = canonical(sequence), canonical(reverse_complement(sequence))
    assert one == other
    assert one in (sequence, reverse_complement(sequence))
    assert names_of([one]) == names_of([other])


def test_a_name_is_the_hash_of_the_canonical_strand():
    assert names_of(["ACGT"]) == {"ACGT": "DENOVO_1dff3e84fe78"}


@given(st.sets(dna, min_size=1, max_size=20))
def test_a_name_does_not_depend_on_other_sequences(sequences):
    distinct = {canonical(sequence) for sequence in sequences}
    names = names_of(distinct)
    assert names == {sequence: names_of([sequence])[sequence] for sequence in distinct}
    assert len(set(names.values())) == len(distinct)


def test_names_that_would_be_equal_get_more_digits():
    digests = {"a": "0" * 12 + "1111" + "0" * 48, "b": "0" * 12 + "2222" + "0" * 48, "c": "f" * 64}
    assert shortest_unique(digests) == {"a": digests["a"][:16], "b": digests["b"][:16], "c": "f" * 12}


def longest_orf_length(sequence):
    """Length of the longest run of codons without a stop that starts with ATG or as the first of its frame."""
    longest = 0
    for strand in (sequence, reverse_complement(sequence)):
        for start in range(len(strand) - 2):
            if start > 2 and strand[start : start + 3] != "ATG":
                continue
            n = 0
            for i in range(start, len(strand) - 2, 3):
                if strand[i : i + 3] in ("TAA", "TAG", "TGA"):
                    break
                n += 1
            longest = max(longest, n)
    return longest


@given(any_dna)
@example("A")
@example("TAATAATAA")
@example("ATGAAATAG" * 3)
def test_the_longest_frame_is_that_of_an_exhaustive_search(sequence):
    orf = longest_orf(sequence)
    assert orf.length == longest_orf_length(sequence)
    assert longest_orf(reverse_complement(sequence)).length == orf.length
    assert (orf.strand == "") == (orf.length == 0)


def test_a_frame_with_both_its_ends_is_complete():
    inner = "ATG" + "GCC" * 60 + "TAA"
    stops = "TTAATTAATTAA"  # in all six frames
    assert longest_orf(stops + inner + stops) == (61, "+", True)
    assert longest_orf(stops + reverse_complement(inner) + stops) == (61, "-", True)
    assert not longest_orf(stops + inner[:-3]).complete
    assert not longest_orf(inner[3:] + stops).complete


@given(any_dna)
def test_shares_are_shares(sequence):
    for share in (gc_share, unknown_share, simple_share):
        assert 0 <= share(sequence) <= 1
    assert unknown_share(sequence) == pytest.approx(sequence.count("N") / len(sequence))
    known = sequence.replace("N", "")
    strong = sum(known.count(x) for x in "GC")
    assert gc_share(sequence) == pytest.approx(strong / len(known) if known else 0)


@pytest.mark.parametrize("simple", ["A" * 400, "AC" * 200, "CAG" * 140, "N" * 400, "T" * 63])
def test_repeats_are_simple(simple):
    assert simple_share(simple) == 1
    assert simple_share(reverse_complement(simple)) == 1


def test_random_sequence_is_not_simple():
    assert max(simple_share(letters(1000, seed)) for seed in range(100)) == 0
    assert simple_share(letters(600, 1) + "A" * 400) == pytest.approx(0.4, abs=0.05)


def test_an_adapter_is_seen_at_the_ends_of_either_strand():
    sequence = letters(300, 5)
    for with_adapter in (sequence + "AGATCGGAAGAGCGTC", "ACCGCTCTTCCGATCT" + sequence):
        assert has_adapter(with_adapter)
        assert has_adapter(reverse_complement(with_adapter))
    assert not has_adapter(sequence + "AGATCGGAAGAGC" + sequence)
