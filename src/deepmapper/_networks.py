"""The networks themselves. Each maps images to class scores and keeps where a pixel is: none averages over positions.

Every one has `embed` (images to the vector that its last layer reads) and `head` (that vector to scores).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import TypeAlias

import numpy as np
import scipy.sparse as sp
import torch
from torch import Tensor, nn

from .errors import InputError

# Most places a side that the first convolution of cnn_small leaves, whatever the size of the image.
_GRID = 16
# Pixels of equal variance that the gates of cnn_small should leave.
_EFFECTIVE = 500
# What the gates take evidence and correlation ratio for, at least: no pixel that varies is shut out.
_LEAST_EVIDENCE, _LEAST_RATIO = 0.05, 0.03
# Share of pixels in use above which it does not pay to leave the others aside.
_NEARLY_ALL = 0.8
# Units from which on it pays to turn a batch of sparse images for the slopes of a layer's weights.
_WIDE = 32
# (batch, channels, side, side); of networks with `takes_sparse` also (batch, side * side), the values that are not zero
Pixels: TypeAlias = Tensor | sp.csr_matrix


class _SparseProduct(torch.autograd.Function):
    """Sparse images times dense weights. Costs what the values that are not zero cost; a fixed order of additions."""

    @staticmethod
    def forward(ctx, weight: Tensor, images: sp.csr_matrix | sp.coo_matrix) -> Tensor:
        ctx.images = images
        if isinstance(images, sp.csr_matrix) and weight.is_contiguous():  # three times as quick as scipy's product
            return _sums(images, weight.detach())
        return torch.from_numpy(images @ weight.detach().numpy())

    @staticmethod
    def backward(ctx, slope: Tensor) -> tuple[Tensor, None]:
        if isinstance(ctx.images, sp.csr_matrix) and slope.shape[1] >= _WIDE:
            # turned, every pixel's slope is added up in one place and written once
            return _sums(ctx.images.tocsc(), slope.contiguous()), None
        return torch.from_numpy(ctx.images.T @ slope.numpy()), None


def _sums(entries: sp.csr_matrix | sp.csc_matrix, rows: Tensor) -> Tensor:
    """For every row of a CSR matrix, or every column of a CSC matrix, its values times the `rows` they point to."""
    values, which, ends = (torch.from_numpy(part) for part in (entries.data, entries.indices, entries.indptr))
    return nn.functional.embedding_bag(which, rows, ends[:-1], mode="sum", per_sample_weights=values)


class PixelLayer(nn.Module):
    """A fully connected layer on flat images, dense or sparse, drawn as torch draws its own, times `scale`.

    Its weight is (pixels, out), the other way round than torch's: what a sparse image touches lies together. A small
    `scale` leaves little of the draw in what is learnt: pixels that tell nothing keep the weights they start with.
    """

    def __init__(self, pixels: int, out: int, scale: float = 1.0):
        super().__init__()
        bound = pixels**-0.5
        self.weight = nn.Parameter(torch.empty(pixels, out).uniform_(-scale * bound, scale * bound))
        self.bias = nn.Parameter(torch.empty(out).uniform_(-bound, bound))
        self._used: Tensor | None = None

    def forward(self, images: Pixels | sp.coo_matrix) -> Tensor:
        """Map (..., pixels), or (batch, pixels) of sparse values, to (..., out)."""
        if isinstance(images, Tensor):
            return (images if self._used is None else images[..., self._used]) @ self.weight + self.bias
        if self._used is not None:
            # a value of a pixel left aside is zero: wherever it is added, it adds nothing
            shape = (images.shape[0], len(self._used))
            images = sp.csr_matrix((images.data, self._place[images.indices], images.indptr), shape=shape)
        return _SparseProduct.apply(self.weight, images) + self.bias

    @contextmanager
    def only(self, used: Tensor) -> Iterator[None]:
        """Leave aside the weights of all pixels but `used`, (k,) numbers; the others have to be zero meanwhile."""
        whole, self._used = self.weight.detach(), used
        self._place = np.zeros(len(whole), dtype=np.int32)
        self._place[used.cpu().numpy()] = np.arange(len(used))
        self.weight = nn.Parameter(whole[used])
        try:
            yield
        finally:
            whole[used] = self.weight.detach()
            self.weight, self._used = nn.Parameter(whole), None


class Network(nn.Module):
    """Images to scores, by way of an embedding.

    Networks with `first` and `rest` say what of them is linear in the pixels: forward(images) is rest(first(images)).
    """

    body: nn.Module
    head: nn.Module
    takes_sparse = False  # whether the values that are not zero are enough, (batch, side * side)
    prime: Callable[[Tensor, Tensor, Tensor], None] | None = None  # of networks that start from the training samples

    def embed(self, images: Tensor) -> Tensor:
        """Map (batch, channels, side, side) to (batch, d), what the last layer reads."""
        return self.body(images)

    def forward(self, images: Tensor) -> Tensor:
        """Map images to (batch, num_classes) scores before softmax."""
        return self.head(self.embed(images))

    def training_weights(self) -> AbstractContextManager[None]:
        """Where training happens: a network may leave weights aside there that cannot matter."""
        return nullcontext()

    def loss(self, images: Tensor, targets: Tensor, weight: Tensor | None = None) -> Tensor:
        """What training lowers: the mean cross-entropy of the scores.

        Parameters
        ----------
        images
            (batch, channels, side, side).
        targets
            (batch,) class codes.
        weight
            (num_classes,) weight of every class; None for equal weights.
        """
        return nn.functional.cross_entropy(self(images).float(), targets, weight)


class Linear(Network):
    """Softmax regression on the pixels; its embedding is its scores, the pixels themselves being the data."""

    takes_sparse = True

    def __init__(self, side: int, in_chans: int, num_classes: int):
        super().__init__()
        self.head = nn.Linear(in_chans * side * side, num_classes)
        nn.init.zeros_(self.head.weight)  # convex: the start does not matter, and zero adds no noise to the ranking
        nn.init.zeros_(self.head.bias)

    def first(self, images: Pixels) -> Tensor:
        """Give the scores."""
        if isinstance(images, Tensor):
            return self.head(images.flatten(1))
        return _SparseProduct.apply(self.head.weight.T, images) + self.head.bias

    embed = forward = first

    def rest(self, seen: Tensor) -> Tensor:
        """Give the scores back."""
        return seen


class Mlp(Network):
    """Fully connected layers of `hidden` units with ReLU and dropout."""

    takes_sparse = True

    def __init__(
        self, side: int, in_chans: int, num_classes: int, hidden: int = 128, dropout: float = 0.2, num_layers: int = 1
    ):
        super().__init__()
        _check(hidden=hidden, num_layers=num_layers)
        _check_dropout(dropout)
        self.pixels = PixelLayer(in_chans * side * side, hidden)
        layers: list[nn.Module] = [nn.ReLU(), nn.Dropout(dropout)]
        for _ in range(num_layers - 1):
            layers += [nn.Linear(hidden, hidden), nn.ReLU(), nn.Dropout(dropout)]
        self.body = nn.Sequential(*layers)
        self.head = nn.Linear(hidden, num_classes)

    def first(self, images: Pixels) -> Tensor:
        """The first layer before its ReLU, (batch, hidden)."""
        return self.pixels(images.flatten(1) if isinstance(images, Tensor) else images)

    def rest(self, seen: Tensor) -> Tensor:
        """From what `first` gives to the scores."""
        return self.head(self.body(seen))

    def embed(self, images: Pixels) -> Tensor:
        """Map images to what the last layer reads."""
        return self.body(self.first(images))


class CnnSmall(Network):
    """Two views of scaled pixels, one score: three strided convolutions beside one fully connected layer.

    Every pixel is scaled by a gate that the training samples set (`prime`) and training leaves alone. The fully
    connected layer sees which pixel is which, the convolutions add what neighbours of this arrangement say together;
    nothing is averaged over positions. A convolution's kernel is as wide as its stride, so each is one product per
    patch, and both views begin with a product that costs no more than the values that are not zero.

    `width`: channels of the convolutions; `hidden`: units of the fully connected layer; `dropout`: of both.
    """

    takes_sparse = True
    gates: Tensor

    def __init__(
        self, side: int, in_chans: int, num_classes: int, width: int = 8, hidden: int = 64, dropout: float = 0.3
    ):
        super().__init__()
        _check(width=width, hidden=hidden)
        _check_dropout(dropout)
        self.side, self.hidden = side, hidden
        self.stem = min(max(4, -(-side // _GRID)), side)
        self.grid = -(-side // self.stem)
        row, column = np.divmod(np.arange(side * side, dtype=np.int32), np.int32(side))
        self._patch = row // self.stem * self.grid + column // self.stem  # of every pixel, and its place therein
        self._place = row % self.stem * self.stem + column % self.stem
        self.register_buffer("gates", torch.ones(side, side))
        self.patches = PixelLayer(in_chans * self.stem**2, width, scale=0.1)
        self.whole = PixelLayer(in_chans * side * side, hidden, scale=0.1)
        self.local = nn.ModuleList(nn.Linear(4 * width, width) for _ in range(2))
        self.dropout = nn.Dropout(dropout)
        left = -(-self.grid // 4)
        self.head = nn.Linear(width * left * left + hidden, num_classes)

    def first(self, images: Pixels) -> Tensor:
        """Both products, (batch, hidden + grid * grid * width): all that is linear in the pixels."""
        return torch.cat([part.flatten(1) for part in self._views(images)], dim=1)

    def rest(self, seen: Tensor) -> Tensor:
        """From what `first` gives to the scores."""
        return self.head(self._after(*seen.split([self.hidden, seen.shape[1] - self.hidden], dim=1)))

    def embed(self, images: Pixels) -> Tensor:
        """Map images to what convolutions and fully connected layer say, side by side."""
        return self._after(*self._views(images))

    def _views(self, images: Pixels) -> tuple[Tensor, Tensor]:
        """Give what the fully connected layer and what the patches make of the scaled pixels, before their ReLU."""
        if isinstance(images, Tensor):
            scaled = images * self.gates
            return self.whole(scaled.flatten(1)), self.patches(self._cut(scaled))
        values = images.data * self.gates.numpy().ravel()[images.indices]
        scaled = sp.csr_matrix((values, images.indices, images.indptr), shape=images.shape)
        return self.whole(scaled), self.patches(self._cut_sparse(scaled))

    def prime(self, spread: Tensor, ratio: Tensor, evidence: Tensor) -> None:
        """Set the gates from the training samples.

        A gate is e · r^t / s^(1 - t): e the pixel's evidence, not taken below 0.05, r its correlation ratio with the
        classes, not below 0.03, s its standard deviation. With t = 0 pixels are standardised, with t = 1 they keep
        their values and are weighed by what they tell. It is the smallest t from 0 to 1 at which the images weigh no
        more pixels than 500 of equal variance would (`effective_number`): where few pixels carry evidence none has to
        be held back, where thousands do the small ones would drown the rest in their noise. A pixel that never varies
        has a gate of 0. All gates together are scaled so that the variances behind them add up to 100, whatever the
        number of pixels and the scale of the values: steps of one length then suit every data set.

        Parameters
        ----------
        spread
            (side, side) standard deviation of every pixel over the training samples.
        ratio, evidence
            (side, side) how much of its variation lies between classes, and how far that can be trusted; both from 0
            to 1 (`_images.Images.statistics`).
        """
        varies = spread > 1e-6
        if not varies.any():
            self.gates.zero_()
            return
        s, r, e = (values[varies].cpu().double() for values in (spread, ratio, evidence))
        r, e = r.clamp_min(_LEAST_RATIO), e.clamp_min(_LEAST_EVIDENCE)
        low, high = 0.0, 1.0  # t is between them; more of it leaves fewer pixels
        if effective_number((e * s**low) ** 2) <= _EFFECTIVE:
            high = low
        for _ in range(20):
            middle = (low + high) / 2
            enough = effective_number((e * r**middle * s**middle) ** 2) > _EFFECTIVE
            low, high = (middle, high) if enough else (low, middle)
        gates = e * r**high / s ** (1 - high)
        gates = gates * (10 / (gates * s).norm())
        self.gates.copy_(torch.zeros_like(self.gates).masked_scatter(varies, gates.to(self.gates)))

    def training_weights(self) -> AbstractContextManager[None]:
        """Leave the weights of pixels with a gate of 0 aside: half of them and more in counts of single cells."""
        used = torch.nonzero(self.gates.flatten()).flatten()
        return self.whole.only(used) if len(used) < _NEARLY_ALL * self.gates.numel() else nullcontext()

    def _after(self, whole: Tensor, places: Tensor) -> Tensor:
        places = places.reshape(len(whole), self.grid, self.grid, -1)
        for convolution in self.local:
            places = convolution(_quartered(places.relu()))
        return self.dropout(torch.cat([places.relu().flatten(1), whole.relu()], dim=1))

    def _cut(self, images: Tensor) -> Tensor:
        """Cut (batch, channels, side, side) into patches, (batch, grid * grid, channels * stem * stem)."""
        beyond = self.grid * self.stem - self.side
        padded = nn.functional.pad(images, (0, beyond, 0, beyond)) if beyond else images
        return nn.functional.pixel_unshuffle(padded, self.stem).flatten(2).transpose(1, 2)

    def _cut_sparse(self, images: sp.csr_matrix) -> sp.coo_matrix:
        """The same of sparse images: (batch * grid * grid, stem * stem)."""
        before = np.arange(images.shape[0], dtype=np.int32) * self.grid**2
        patch = np.repeat(before, np.diff(images.indptr)) + self._patch[images.indices]
        shape = (images.shape[0] * self.grid**2, self.stem**2)
        return sp.coo_matrix((images.data, (patch, self._place[images.indices])), shape=shape)


def _quartered(places: Tensor) -> Tensor:
    """Lay every 2 × 2 places of (batch, height, width, channels) behind one another; an odd last one is met by 0."""
    height, width = places.shape[1:3]
    if width % 2 or height % 2:  # where both are even, padding would still copy
        places = nn.functional.pad(places, (0, 0, 0, width % 2, 0, height % 2))
    return places.unflatten(2, (-1, 2)).unflatten(1, (-1, 2)).transpose(2, 3).flatten(3)


def effective_number(variances: Tensor) -> float:
    """How many equal variances would be spread as widely as these: (Σ v)² / Σ v² (Kish 1965)."""
    return float(variances.sum() ** 2 / (variances**2).sum())


class Cnn(Network):
    """Four convolutions of growing width with batch normalisation, then a head that sees every position."""

    def __init__(
        self, side: int, in_chans: int, num_classes: int, width: int = 32, hidden: int = 256, dropout: float = 0.3
    ):
        super().__init__()
        _check(width=width, hidden=hidden)
        _check_dropout(dropout)
        stages: list[nn.Module] = []
        channels, stride = in_chans, max(1, -(-side // 64))
        for level, out in enumerate((width, 2 * width, 4 * width, 4 * width)):
            step = stride if level == 0 else 2
            kernel = 3 if step <= 2 else 2 * step - 1
            stages += [nn.Conv2d(channels, out, kernel, step, kernel // 2, bias=False), nn.BatchNorm2d(out), nn.ReLU()]
            channels = out
        stages += [nn.Flatten(), nn.Dropout(dropout)]
        self.body = nn.Sequential(
            *stages, nn.Linear(_width_of(stages, side, in_chans), hidden), nn.ReLU(), nn.Dropout(dropout)
        )
        self.head = nn.Linear(hidden, num_classes)


def _width_of(stages: list[nn.Module], side: int, in_chans: int) -> int:
    """Length of the vector that `stages` make of one image."""
    probe = nn.Sequential(*stages).eval()  # evaluation: no dropout drawn, no batch statistics kept
    with torch.no_grad():
        width = probe(torch.zeros(1, in_chans, side, side)).shape[1]
    probe.train()
    return width


def _check(**sizes: int) -> None:
    for name, value in sizes.items():
        if isinstance(value, bool) or not isinstance(value, int) or value < 1:
            raise InputError(f"extra {name}={value!r}: expected a whole number of 1 or more")


def _check_dropout(dropout: float) -> None:
    if isinstance(dropout, bool) or not isinstance(dropout, (int, float)) or not 0 <= dropout < 1:
        raise InputError(f"extra dropout={dropout!r}: expected a share from 0 to less than 1")
