"""Parts of an embedding are joined in their order."""

import numpy as np
import pytest

from deepmapper.errors import InputError
from deepmapper.findings.embedding_files import join_parts, write_part


def test_parts_may_be_empty_and_must_be_those_of_all_samples(tmp_path):
    parts = [np.ones((2, 3), np.float32), np.empty((0, 3), np.float32), np.zeros((1, 3), np.float32)]
    paths = [tmp_path / f"{i}.npy" for i in range(3)]
    for path, part in zip(paths, parts, strict=True):
        write_part(path, part)
    np.testing.assert_array_equal(join_parts(paths, 3), np.concatenate(parts))
    with pytest.raises(InputError, match="embedding of 2 samples in 2 parts was found, expected 3"):
        join_parts(paths[:2], 3)
