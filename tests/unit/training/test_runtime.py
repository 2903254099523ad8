"""Seeds, deterministic kernels, and a GPU that runs out of memory (torch's exception is raised here)."""

import numpy as np
import pytest
import torch

from deepmapper import attribution
from deepmapper.backbones.base import Network
from deepmapper.errors import DeepMapperWarning, InputError
from deepmapper.findings import ranking
from deepmapper.passes import train
from deepmapper.training import inference
from deepmapper.training.runtime import seeded


def test_seeded_leaves_the_callers_torch_as_it_was():
    torch.manual_seed(7)
    expected = torch.rand(3)
    torch.manual_seed(7)
    with seeded(1):
        first = torch.rand(3)
        assert torch.are_deterministic_algorithms_enabled()
    with seeded(1):
        assert torch.equal(torch.rand(3), first)
    assert torch.equal(torch.rand(3), expected)
    assert not torch.are_deterministic_algorithms_enabled()


def test_seeded_does_not_fill_new_tensors():
    before = torch.utils.deterministic.fill_uninitialized_memory
    with seeded(1):
        assert not torch.utils.deterministic.fill_uninitialized_memory
    assert torch.utils.deterministic.fill_uninitialized_memory == before


@pytest.mark.parametrize("only_warn", [True, False])
def test_seeded_restores_the_strictness_of_the_caller(only_warn):
    torch.use_deterministic_algorithms(True, warn_only=only_warn)
    try:
        with pytest.raises(RuntimeError, match="in the middle"), seeded(1):
            raise RuntimeError("in the middle")
        assert torch.are_deterministic_algorithms_enabled()
        assert torch.is_deterministic_algorithms_warn_only_enabled() is only_warn
    finally:
        torch.use_deterministic_algorithms(False)


REASON = "CUDA out of memory. Tried to allocate 2.00 GiB."


def check_memory(max_size: int, size: int) -> None:
    if size > max_size:
        raise torch.OutOfMemoryError(f"{REASON}\nmore")


@pytest.fixture
def small_memory(monkeypatch):
    """Return a function that limits how many images fit into memory during training."""

    def limit(max_size: int) -> None:
        loss = Network.loss

        def limited(self, images, targets, *further):
            check_memory(max_size, len(targets))
            return loss(self, images, targets, *further)

        monkeypatch.setattr(Network, "loss", limited)

    return limit


def test_training_starts_again_with_half_the_batch_and_the_file_says_so(planted, quick, small_memory):
    small = train.train_pass(planted.samples, quick("linear", epochs=3, batch_size=4), 5)
    small_memory(5)
    with pytest.warns(DeepMapperWarning, match="out of memory on the GPU") as warned:
        found = train.train_pass(planted.samples, quick("linear", epochs=3, batch_size=16), 5)
    assert [str(warning.message) for warning in warned] == [
        f"out of memory on the GPU: training starts again in batches of {now}, not {2 * now} ({REASON})"
        for now in (8, 4)
    ]
    assert found.settings == small.settings
    assert found.settings["batch_size"] == 4
    np.testing.assert_array_equal(found.weights["head.weight"], small.weights["head.weight"])
    np.testing.assert_array_equal(found.importance, small.importance)


def test_findings_say_that_passes_were_trained_in_smaller_batches(hand_made):
    results = [hand_made(seed, settings={"batch_size": 8 if seed == 2 else 16}) for seed in range(4)]
    (note,) = [note for note in ranking.accumulate_passes(results, 2, 0).notes if "batches" in note]
    assert "1 of 4 passes were trained in batches of less than 16 samples" in note
    assert "seed 2." in note
    assert ranking.accumulate_passes(results[:2], 2, 0).notes == []


def test_prediction_and_attribution_give_the_same_result_in_smaller_batches(planted, quick, monkeypatch):
    given = (planted.samples, quick("linear", epochs=3, ig_internal_batch=64), 5)
    reference = train.train_pass(*given)
    reader, attribute = inference.reader, attribution.attribute

    def limited_reader(model, images):
        def read(rows):
            if not model.training:
                check_memory(10, len(rows))
            return reader(model, images)(rows)

        return read

    def limited_attribute(*given):
        check_memory(20, given[-1])
        return attribute(*given)

    monkeypatch.setattr(inference, "reader", limited_reader)
    monkeypatch.setattr(attribution, "attribute", limited_attribute)
    with pytest.warns(DeepMapperWarning) as warned:
        found = train.train_pass(*given)
    messages = {str(warning.message).split(" (")[0] for warning in warned}
    assert "out of memory on the GPU: prediction starts again in batches of 8, not 16" in messages
    assert "out of memory on the GPU: attribution starts again in batches of 16, not 32" in messages
    assert found.settings == reference.settings  # smaller batches here do not change the result
    np.testing.assert_allclose(found.out_of_bag_probability, reference.out_of_bag_probability, rtol=1e-5)
    np.testing.assert_allclose(found.importance, reference.importance, rtol=1e-4, atol=1e-7)


def test_a_gpu_too_small_for_one_image_is_refused(planted, quick, small_memory):
    small_memory(0)
    config = quick("linear", epochs=1, batch_size=2)
    with pytest.warns(DeepMapperWarning), pytest.raises(InputError, match="too small for training with a single image"):
        train.train_pass(planted.samples, config, 5)
