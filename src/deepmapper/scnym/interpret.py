"""Which genes a network's decision depends on: gradients of a class score. Imports torch."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from ..core.words import did_you_mean
from ..errors import InputError


class Salience:
    """Gradients of class scores with respect to the input, or to the output of a layer.

    Parameters
    ----------
    model
        Maps (batch, genes) to (batch, classes) scores.
    class_names
        Names of the classes, in the order of the scores.
    gene_names
        Names of the genes; needed for `rank_genes_by_saliency`.
    layer_to_hook
        Name of the layer (or the layer itself) with respect to whose output the gradient is taken; None for the input.
    verbose
        Print the score of every call.

    Raises
    ------
    InputError
        If there is no such layer.
    """

    def __init__(
        self,
        model: nn.Module,
        class_names: Sequence[str],
        gene_names: Sequence[str] | None = None,
        layer_to_hook: str | nn.Module | None = None,
        verbose: bool = False,
    ) -> None:
        self.model, self.class_names, self.verbose = model, [str(name) for name in class_names], verbose
        self.gene_names = None if gene_names is None else np.asarray(gene_names)
        layers = dict(model.named_modules())
        if isinstance(layer_to_hook, str) and layer_to_hook not in layers:
            known = ", ".join(name for name in layers if name)
            raise InputError(f"layer_to_hook={layer_to_hook!r}: the network has the layers {known}")
        self.layer = layers[layer_to_hook] if isinstance(layer_to_hook, str) else layer_to_hook

    def get_saliency(self, x: Tensor, target_class: str, guide_backprop: bool = False) -> Tensor:
        """Return the gradient of the score of a class.

        Parameters
        ----------
        x
            (1, genes); more rows give one gradient each.
        target_class
            One of the names of the classes.
        guide_backprop
            Let no negative gradient pass a ReLU (guided backpropagation, Springenberg et al. 2015, arXiv:1412.6806).

        Returns
        -------
        torch.Tensor
            As `x`, or as the output of the layer.
        """
        if target_class not in self.class_names:
            raise InputError(
                f"target_class={target_class!r} is no class of the network: expected one of "
                f"{', '.join(self.class_names)}.{did_you_mean(target_class, self.class_names)}"
            )
        x = torch.as_tensor(x, dtype=torch.float32)
        if x.dim() != 2:
            raise InputError(f"x has shape {tuple(x.shape)}: expected (1, genes)")
        x = x.detach().clone().requires_grad_(True)
        seen: list[Tensor] = []
        modes = {module: module.training for module in self.model.modules()}
        self.model.eval()  # else dropout would make the gradient random, and a batch of one cell have no variance
        handle = None if self.layer is None else self.layer.register_forward_hook(lambda *call: seen.append(call[2]))
        try:
            with guided(self.model, guide_backprop), torch.enable_grad():
                score = self.model(x)[:, self.class_names.index(target_class)].sum()
                (gradient,) = torch.autograd.grad(score, seen[-1] if seen else x)
        finally:
            if handle is not None:
                handle.remove()
            for module, mode in modes.items():
                module.training = mode
        if self.verbose:
            print(f"score of {target_class}: {score.item():.4f}")
        return gradient

    def rank_genes_by_saliency(self, **kwargs: Any) -> np.ndarray:
        """Return the names of the genes by their gradient, from the highest to the lowest.

        Parameters
        ----------
        kwargs
            Arguments of `get_saliency`; over several cells the mean counts.
        """
        if self.gene_names is None:
            raise InputError("gene_names is missing: give the names of the genes to Salience")
        gradient = self.get_saliency(**kwargs).mean(0).numpy()
        if gradient.shape != self.gene_names.shape:
            raise InputError(f"gene_names has {len(self.gene_names)} names, the gradient {gradient.shape[0]} values")
        return self.gene_names[np.argsort(-gradient, kind="stable")]


@contextmanager
def guided(model: nn.Module, enabled: bool) -> Iterator[None]:
    """Cut negative gradients at every ReLU within the context."""

    def cut(module, gradients, _) -> tuple[Tensor, ...]:
        return tuple(gradient.clamp_min(0) for gradient in gradients)

    hook: Callable = cut
    layers = [module for module in model.modules() if isinstance(module, nn.ReLU)] if enabled else []
    handles = [module.register_full_backward_hook(hook) for module in layers]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()
