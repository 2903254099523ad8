"""The loss of the domain adversary, Ganin et al. 2016 (arXiv:1505.07818). Imports torch."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import torch
from torch import Tensor, nn

from .dataprep import Sample
from .losses import teaching
from .model import DANN, CellTypeCLF


class DANLoss:
    """Loss of the domain adversary.

    Parameters
    ----------
    dan_criterion
        Loss of domain scores against (batch, domains), such as `cross_entropy`.
    model
        The classifier, or a `DANN` around it.
    use_conf_pseudolabels
        Leave out unlabelled cells whose pseudolabel is not sure enough.
    scale_loss_pseudoconf
        Multiply the loss by the share of those that are.
    n_domains
        Number of domains; samples without a domain are of domain 0 (labelled) or 1 (unlabelled).

    Attributes
    ----------
    dann
        The adversary, whose `domain_clf` the optimiser has to hold as well (`parameters`).
    dan_acc
        Share of the cells of the last batch whose domain it told.
    """

    def __init__(
        self,
        dan_criterion: Callable[[Tensor, Tensor], Tensor],
        model: CellTypeCLF | DANN,
        use_conf_pseudolabels: bool = False,
        scale_loss_pseudoconf: bool = False,
        n_domains: int = 2,
    ) -> None:
        self.dan_criterion = dan_criterion
        device = next(model.parameters()).device
        self.dann = model if isinstance(model, DANN) else DANN(model, n_domains=n_domains).to(device)
        self.use_conf_pseudolabels, self.scale_loss_pseudoconf = use_conf_pseudolabels, scale_loss_pseudoconf
        self.dan_acc = float("nan")

    def parameters(self) -> Iterator[nn.Parameter]:
        """Yield the weights of the adversary itself."""
        return self.dann.domain_clf.parameters()

    def __call__(
        self,
        labeled_sample: Sample,
        unlabeled_sample: Sample,
        weight: float | None = None,
        confident: Tensor | None = None,
    ) -> Tensor:
        """Return the loss of a batch.

        Parameters
        ----------
        labeled_sample, unlabeled_sample
            With the same augmentation, else the adversary could tell the domains by that.
        weight
            Of the reversed gradient; None for that of the adversary.
        confident
            (batch,) which unlabelled cells have a sure pseudolabel; None for all.
        """
        if weight is not None:
            self.dann.set_rev_grad_weight(weight)
        unlabelled, share = unlabeled_sample, 1.0
        if confident is not None:
            share = float(confident.float().mean())
            if self.use_conf_pseudolabels:
                unlabelled = {name: value[confident] for name, value in unlabeled_sample.items()}
        x = torch.cat([labeled_sample["input"], unlabelled["input"]])
        domain = torch.cat([self._domain(labeled_sample, 0), self._domain(unlabelled, 1)]).to(x.device)
        with teaching(self.dann, not self.dann.training, False if self.dann.training else None):
            scores, _ = self.dann(x)
        self.dan_acc = float((scores.argmax(1) == domain.argmax(1)).float().mean())
        loss = self.dan_criterion(scores, domain)
        return loss * share if self.scale_loss_pseudoconf else loss

    def _domain(self, sample: Sample, code: int) -> Tensor:
        if sample["domain"].dim() == 2:
            return sample["domain"]
        codes = torch.full((len(sample["input"]),), code)
        return nn.functional.one_hot(codes, self.dann.n_domains).float()
