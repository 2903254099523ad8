"""Residual networks: their size, and what pooling loses."""

import torch

from deepmapper.backbones import resnet
from deepmapper.backbones.registry import build
from deepmapper.config import BackboneSpec


def network(kind, side, **extra):
    torch.manual_seed(0)
    return build(BackboneSpec(kind, side, extra=extra), 3).eval()


def count(model):
    return sum(p.numel() for p in model.parameters())


def test_resnets_have_the_published_number_of_weights():
    """As torchvision counts them for three channels and 1000 classes; the small stem has 9408 - 1728 weights fewer."""
    assert count(resnet.resnet18(224, 3, 1000)) == 11_689_512
    assert count(resnet.resnet18_s(32, 3, 1000, pool=1)) == 11_689_512 - 7680
    assert count(resnet.resnet34_s(32, 3, 1000, pool=1)) == 21_797_672 - 7680
    assert count(resnet.resnet50_s(32, 3, 1000, pool=1)) == 25_557_032 - 7680


def test_the_published_resnet_averages_over_positions_and_the_small_stem_need_not():
    """Two places far from the edges and in phase with the strides, 256 pixels apart, in an image of side 704."""
    images = torch.zeros(2, 1, 704, 704)
    images[0, 0, 224, 224] = images[1, 0, 480, 480] = 50
    with torch.no_grad():
        scores = network("resnet18", 704, width=2)(images)
    torch.testing.assert_close(scores[0], scores[1], rtol=1e-4, atol=1e-5)
    images = images[:, :, ::4, ::4].contiguous()  # now 56 and 120, in an image of 176
    for pool, apart in ((1, False), (4, True)):
        with torch.no_grad():
            embedded = network("resnet18_s", 176, width=2, pool=pool).embed(images)
        assert (float((embedded[0] - embedded[1]).abs().max()) > 0.01 * float(embedded.abs().max())) is apart
