"""`deepmapper.perturb`: features changed in samples that a model folder predicts."""

import numpy as np
import pytest

import deepmapper
from deepmapper.errors import InputError
from deepmapper.transfer import model_folder


def test_markers_lower_their_class_if_deleted_and_raise_it_if_activated(study, model, tmp_path):
    model_folder.save(model, tmp_path / "model")
    together = ["gene0", "gene1", "gene2", "gene3", "gene4"]
    table = deepmapper.perturb(
        tmp_path / "model", study.reference, ["gene0", "gene40", together], ["deletion", "activation", "mask"]
    )
    change = table.set_index(["how", "item", "class"])["change"]
    name = "+".join(together)
    assert change["deletion", name, "B"] < change["deletion", "gene0", "B"] < 0 < change["activation", "gene0", "B"]
    assert abs(change["deletion", "gene40", "B"]) < abs(change["deletion", "gene0", "B"]) / 2
    assert change["mask", name, "B"] < 0
    assert table["p"].isna().all() and set(table["n_features"]) == {1, 5}
    assert table.attrs["summary"]["n_passes"] == 5
    again = deepmapper.perturb(model, study.reference[:, ::-1], ["gene0"], ["deletion"])
    np.testing.assert_allclose(
        again.set_index("class")["change"].sort_index(), change["deletion", "gene0"].sort_index(), atol=1e-6
    )


@pytest.mark.parametrize(
    ("features", "how", "message"),
    [
        (["gene0", "gen1"], ["deletion"], "features: the model has no feature 'gen1'. Did you mean"),
        ("gene0", ["deletion"], "features: found 'gene0', expected a list of names"),
        (["gene0"], ["knockout"], "how: found 'knockout', expected some of deletion, activation, mask"),
        (["gene0"], [], "how: found 'nothing', expected some of"),
        (["gene0"], "deletion", r"how='deletion': expected a list of some of .*, such as \['deletion'\]"),
    ],
)
def test_what_cannot_be_perturbed_is_refused(study, model, features, how, message):
    with pytest.raises(InputError, match=message):
        deepmapper.perturb(model, study.reference, features, how)
