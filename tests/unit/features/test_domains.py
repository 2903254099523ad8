"""Domains as codes, written for the passes that tell them apart."""

import numpy as np
import pytest

from deepmapper.errors import InputError
from deepmapper.features.domains import describe_domains, encode_domains, read_domains, write_domains


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
