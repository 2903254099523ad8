"""Domains as codes, written for the passes that tell them apart."""

import numpy as np
import pytest

from deepmapper.errors import InputError
from deepmapper.features.domain_column import encode_domains
from deepmapper.features.domains import (
    describe_domains,
    domain_cautions,
    read_domains,
    why_no_adversary,
    write_domains,
)


def test_domains_are_coded_by_name_and_may_be_missing():
    codes, names = encode_domains(["s2", None, "s10", "s2"])
    assert names == ("s10", "s2") and codes.tolist() == [1, -1, 0, 1]
    assert describe_domains(codes, names) == "s10 1, s2 2; 1 cell without one"
    codes, names = encode_domains([None, None])
    assert names == () and codes.tolist() == [-1, -1]
    assert describe_domains(codes, names) == "none; 2 cells without one"


def test_a_file_of_other_samples_is_refused(tmp_path):
    path = tmp_path / "domains.npy"
    write_domains(np.array([0, -1, 1]), path)
    assert read_domains(path, 3).tolist() == [0, -1, 1]
    with pytest.raises(InputError, match="3 domains for 4 samples"):
        read_domains(path, 4)
    path.write_bytes(b"")
    with pytest.raises(InputError, match="damaged or missing"):
        read_domains(path, 3)


@pytest.mark.parametrize(
    ("domains", "why"),
    [
        ([0, 0, 1, 1], ""),
        ([0, 0, 0, 0], "are of one domain"),
        ([-1, 2, 2, -1], "are of one domain"),
        ([-1, -1, -1, -1], "lack a domain"),
    ],
)
def test_when_an_adversary_has_nothing_to_tell_apart(domains, why):
    found = why_no_adversary(np.array(domains))
    assert why in found if why else found == ""


def test_what_an_adversary_can_make_little_of():
    both = np.arange(18) % 2
    assert domain_cautions(np.repeat([0, 1], 9), ["a", "b"], both) == []
    without, few = domain_cautions(np.array([0] * 9 + [1, 1, -1]), ["a", "b"], both[:12])
    assert "1 of 12 samples has no domain" in without and "'b' (2)" in few
    (alike,) = domain_cautions(np.repeat([0, 1, 2], 6), ["a", "b", "c"], np.repeat([0, 1, -1], 6))
    assert "of every domain are of a single class" in alike
    assert domain_cautions(np.repeat([0, 1, 2], 6), ["a", "b", "c"], np.repeat([0, 0, -1], 6)) == []  # one class in all
    assert domain_cautions(np.repeat([0, 1], 9), ["a", "b"], np.full(18, -1)) == []
