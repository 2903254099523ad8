"""Options of a training run."""

import pytest

from deepmapper.errors import InputError
from deepmapper.training_options import TrainingOptions


def test_options_that_cannot_work_are_all_named():
    with pytest.raises(InputError) as error:
        TrainingOptions(epochs=0, lr=-1.0, schedule="linear", monitor="auc", weight_average=1.0)
    for part in (
        "epochs=0: expected 1 or more",
        "lr=-1.0: expected more than 0",
        "schedule='linear': expected one of constant, cosine",
        "monitor='auc': expected one of loss, score",
        "weight_average=1.0: expected a share",
    ):
        assert part in str(error.value)
