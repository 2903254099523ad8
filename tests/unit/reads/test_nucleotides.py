"""The other strand and the names of mates, as the programs around the package understand them."""

import pytest
from Bio.Seq import reverse_complement as of_biopython
from hypothesis import given
from hypothesis import strategies as st

from deepmapper.reads.nucleotides import impossible_letter, mate_suffix, reverse_complement, without_mate


@given(st.text(st.characters(max_codepoint=127)))
def test_the_reverse_complement_is_that_of_biopython(sequence):
    assert reverse_complement(sequence) == of_biopython(sequence)
    assert reverse_complement(sequence.encode()) == of_biopython(sequence).encode()


def test_the_letters_of_the_code_are_possible_and_no_others():
    assert impossible_letter("ACGTUNRYSWKMBDHV") == ""
    assert impossible_letter("ACXGE") == "X"


@pytest.mark.parametrize(
    ("name", "fragment", "suffix"),
    [("r1/1", "r1", "/1"), ("r1/2", "r1", "/2"), ("r1/3", "r1/3", ""), ("r1", "r1", ""), ("a/1/2", "a/1", "/2")],
)
def test_mates_share_the_name_of_their_fragment(name, fragment, suffix):
    assert (without_mate(name), mate_suffix(name)) == (fragment, suffix)
    assert (without_mate(name.encode()), mate_suffix(name.encode())) == (fragment.encode(), suffix.encode())
