"""Losses of unlabelled cells: interpolation consistency and MixMatch. Imports torch.

Sources: MixMatch, Berthelot et al. 2019 (arXiv:1905.02249); the bar for confidence, FixMatch, Sohn et al. 2020
(arXiv:2001.07685); interpolation consistency, Verma et al. 2019 (arXiv:1903.03825); their use for cells, Kimmel &
Kelley 2021 (doi 10.1101/gr.268581.120).
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from ..backbones.semi_supervised import draw_gamma, mixup, sharpen_labels
from ..errors import InputError
from .dataprep import Sample, SampleMixUp, identity
from .losses import teaching


class InterpolationConsistencyLoss:
    """Loss of unlabelled cells: the prediction for mixed cells is to be the mixture of the predictions for the cells.

    Parameters
    ----------
    unsup_criterion
        Loss of (batch, C) probabilities against probabilities, value by value or row by row (``reduction="none"``).
    sup_criterion
        Loss of scores against distributions, such as `cross_entropy`.
    decay_coef
        Largest share of its weights that the teacher keeps per step.
    mean_teacher
        Let a running mean of the weights (and of batch normalisation's means) predict for unlabelled cells, else the
        network itself.
    augment
        Augmentation of a sample; the same for labelled and unlabelled cells. None for none.
    teacher_eval
        Whether the teacher predicts in evaluation mode.
    teacher_bn_running_stats
        Whether it normalises with running means (True), with those of the batch (False), or as its mode says (None).
    kwargs
        ``alpha``, that of MixUp, with the default 0.3.
    """

    def __init__(
        self,
        unsup_criterion: Callable[[Tensor, Tensor], Tensor],
        sup_criterion: Callable[[Tensor, Tensor], Tensor],
        decay_coef: float = 0.9997,
        mean_teacher: bool = True,
        augment: Callable[[Sample], Sample] | None = None,
        teacher_eval: bool = True,
        teacher_bn_running_stats: bool | None = None,
        **kwargs: Any,
    ) -> None:
        self.alpha = kwargs.pop("alpha", 0.3)
        if kwargs:
            raise InputError(f"unknown argument {sorted(kwargs)[0]}: expected alpha, or those that are named")
        self.unsup_criterion, self.sup_criterion = unsup_criterion, sup_criterion
        self.decay_coef, self.mean_teacher = decay_coef, mean_teacher
        self.augment = identity if augment is None else augment
        self.teacher_eval, self.teacher_bn_running_stats = teacher_eval, teacher_bn_running_stats
        self.teacher: nn.Module | None = None
        self.step = 0
        # what the last call showed the network, which the adversary is to see, too
        self.augmented: tuple[Sample, Sample] | None = None
        self.confident: Tensor | None = None

    def guess(self, model: nn.Module, x: Tensor) -> Tensor:
        """Return the teacher's probabilities, (batch, C), without gradients and without a trace in the network."""
        teacher = self._update_teacher(model) if self.mean_teacher else model
        with torch.no_grad(), teaching(teacher, self.teacher_eval, self.teacher_bn_running_stats):
            return torch.softmax(teacher(x), dim=1)

    def _update_teacher(self, model: nn.Module) -> nn.Module:
        if self.teacher is None:
            self.teacher = copy.deepcopy(model).requires_grad_(False)
            return self.teacher
        self.step += 1
        keep = min(1 - 1 / (self.step + 1), self.decay_coef)
        own = self.teacher.state_dict()
        for name, value in model.state_dict().items():
            if value.is_floating_point():
                own[name].lerp_(value.detach(), 1 - keep)
            else:
                own[name].copy_(value)
        return self.teacher

    def _unsupervised(self, probability: Tensor, target: Tensor) -> Tensor:
        """Return the loss of every row, (batch,)."""
        loss = self.unsup_criterion(probability, target)
        if loss.dim() == 0:
            raise InputError('unsup_criterion returns one number: expected one per value or row, reduction="none"')
        return loss.sum(1) if loss.dim() == 2 else loss

    def __call__(self, model: nn.Module, unlabeled_sample: Sample, labeled_sample: Sample):
        """Return the supervised loss, the unsupervised loss, and the scores of the labelled cells."""
        labelled, unlabelled = self.augment(labeled_sample), self.augment(unlabeled_sample)
        self.augmented, self.confident = (labelled, unlabelled), None
        guess = self.guess(model, unlabeled_sample["input"])
        mixed = SampleMixUp(self.alpha)({"input": unlabelled["input"], "output": guess})
        n = len(labelled["input"])
        # one pass, so that batch normalisation sees one mixture
        scores = model(torch.cat([labelled["input"], mixed["input"]]))
        supervised = self.sup_criterion(scores[:n], labelled["output"])
        unsupervised = self._unsupervised(torch.softmax(scores[n:], dim=1), mixed["output"]).mean()
        return supervised, unsupervised, scores[:n]


class MixMatchLoss(InterpolationConsistencyLoss):
    """MixMatch: sharpened guesses for unlabelled cells, mixed with one another and with labelled cells.

    Parameters
    ----------
    n_augmentations
        Augmented copies over which a guess is averaged.
    T
        Temperature of `sharpen_labels`.
    augment_pseudolabels
        Guess from augmented copies, else from the cells as they are.
    pseudolabel_min_confidence
        Unlabelled cells whose guess is less sure are not mixed and have no loss; batch normalisation sees them.
    kwargs
        Arguments of `InterpolationConsistencyLoss`.

    Attributes
    ----------
    running_confidence_scores
        Of the last `n_batches_to_store` batches, which unlabelled cells were sure enough, and how sure they were.
    """

    def __init__(
        self,
        n_augmentations: int = 2,
        T: float = 0.5,
        augment_pseudolabels: bool = True,
        pseudolabel_min_confidence: float = 0.0,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        if n_augmentations < 1:
            raise InputError(f"n_augmentations={n_augmentations}: expected 1 or more")
        self.n_augmentations, self.T, self.augment_pseudolabels = n_augmentations, T, augment_pseudolabels
        self.pseudolabel_min_confidence = pseudolabel_min_confidence
        self.running_confidence_scores: list[tuple[Tensor, Tensor]] = []
        self.n_batches_to_store = 50

    def pseudolabels(self, model: nn.Module, sample: Sample) -> tuple[Tensor, Tensor, Tensor]:
        """Return the sharpened guesses (batch, C), which of them are sure enough, and how sure they are."""
        copies = self.n_augmentations if self.augment_pseudolabels else 1
        seen = [self.augment(sample) if self.augment_pseudolabels else sample for _ in range(copies)]
        guesses = [self.guess(model, seen[0]["input"])]
        for other in seen[1:]:
            teacher = self.teacher if self.mean_teacher and self.teacher is not None else model
            with torch.no_grad(), teaching(teacher, self.teacher_eval, self.teacher_bn_running_stats):
                guesses.append(torch.softmax(teacher(other["input"]), dim=1))
        guess = torch.stack(guesses).mean(0)
        confidence = guess.max(1).values
        confident = confidence >= self.pseudolabel_min_confidence
        self.running_confidence_scores.append((confident, confidence))
        del self.running_confidence_scores[: -self.n_batches_to_store]
        return sharpen_labels(guess, self.T), confident, confidence

    def __call__(self, model: nn.Module, unlabeled_sample: Sample, labeled_sample: Sample):
        """Return the supervised loss, the unsupervised loss, and the scores of the labelled cells (mixed)."""
        guess, confident, _ = self.pseudolabels(model, unlabeled_sample)
        labelled, unlabelled = self.augment(labeled_sample), self.augment(unlabeled_sample)
        self.augmented, self.confident = (labelled, unlabelled), confident
        x = torch.cat([labelled["input"], unlabelled["input"]])
        q = torch.cat([labelled["output"], guess])
        taking_part = torch.cat([torch.ones(len(labelled["input"]), dtype=torch.bool, device=x.device), confident])
        rows = torch.nonzero(taking_part).squeeze(1)
        gamma = draw_gamma(len(rows), self.alpha, keep_dominant=True).to(x.device)
        other = rows[torch.randperm(len(rows))]
        x, q = (
            x.index_copy(0, rows, mixup(x[rows], x[other], gamma)),
            q.index_copy(0, rows, mixup(q[rows], q[other], gamma)),
        )
        n = len(labelled["input"])
        scores = model(x)
        supervised = self.sup_criterion(scores[:n], q[:n])
        loss = self._unsupervised(torch.softmax(scores[n:], dim=1), q[n:])
        return supervised, (loss * confident).mean(), scores[:n]
