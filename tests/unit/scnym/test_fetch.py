import hashlib

import pytest

from deepmapper.errors import InputError
from deepmapper.scnym.fetch import fetch


def test_a_path_is_taken_as_it_is(tmp_path):
    (tmp_path / "weights.zip").write_text("x")
    assert fetch(str(tmp_path / "weights.zip"), tmp_path / "out", "weights") == tmp_path / "weights.zip"
    with pytest.raises(InputError, match="weights: nowhere.zip does not exist"):
        fetch("nowhere.zip", tmp_path, "weights")


def test_an_address_needs_a_checksum_that_holds(tmp_path):
    source = tmp_path / "atlas.h5ad"
    source.write_text("content")
    digest, out = hashlib.sha256(b"content").hexdigest(), tmp_path / "out"
    assert fetch(f"{source.as_uri()}#sha256={digest}", out, "atlas").read_text() == "content"
    source.unlink()
    assert fetch(f"{source.as_uri()}#sha256={digest}", out, "atlas").exists()  # not fetched again
    with pytest.raises(InputError, match="no checksum"):
        fetch(source.as_uri(), out, "atlas")
    source.write_text("other")
    with pytest.raises(InputError, match="another file"):
        fetch(f"{source.as_uri()}#sha256={'0' * 64}", out, "atlas")


def test_without_a_network_it_says_so(tmp_path):
    with pytest.raises(InputError, match=r"cannot be reached .* give its path"):
        fetch(f"http://127.0.0.1:9/atlas.h5ad#sha256={'0' * 64}", tmp_path, "atlas")
