"""Names of columns of an h5ad."""

from deepmapper.io.h5_keys import h5_keys


def test_slashes_become_underscores_and_names_stay_apart():
    assert h5_keys(["CD4+/CD25 T", "B"]) == ["CD4+_CD25 T", "B"]
    assert h5_keys(["a/b", "a_b", "a//b", "a_/b"]) == ["a_b_", "a_b", "a__b", "a__b_"]
