"""`embed_unsupervised`: the latent space of a convolutional (variational) autoencoder on the pseudo-images.

Source of the variational form: Kingma & Welling 2014 (arXiv:1312.6114).
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from .config import DeepMapperConfig
from .errors import InputError
from .features.inputs import as_matrix


def embed_unsupervised(
    X,
    config: DeepMapperConfig | None = None,
    beta: float = 1.0,
    latent_dim: int = 32,
    seed: int = 0,
    mode: str = "vae",
    progress: Callable[[str], None] = lambda line: None,
) -> np.ndarray:
    """Train an autoencoder on the images of all samples and return their latent codes.

    Parameters
    ----------
    X
        (n_samples, n_features), dense or sparse, finite.
    config
        Only epochs, batch size, learning rate, weight decay, buffer, `index_features`, image size and channels, and
        ``width`` in `backbone.extra` are used; None for the defaults.
    beta
        Weight of the Kullback-Leibler term ("vae" only).
    latent_dim
        Dimensions of the latent space.
    seed
        Seed of the arrangement, the weights, the batch order and the sampled codes.
    mode
        "vae" (sampled code; reconstruction + beta × divergence) or "ae" (deterministic code; reconstruction only).
    progress
        Called with one line per epoch.

    Returns
    -------
    numpy.ndarray
        (n_samples, latent_dim) float32: the mean code of each sample.

    Raises
    ------
    InputError
        If the data or an argument cannot be used, or training diverges.
    """
    if mode not in ("vae", "ae"):
        raise InputError(f"mode={mode!r}: expected 'vae' or 'ae'")
    if beta < 0 or latent_dim < 1:
        raise InputError(
            f"beta={beta!r}, latent_dim={latent_dim!r}: expected beta of 0 or more, latent_dim of 1 or more"
        )
    config = config or DeepMapperConfig()
    config.check()
    X, _ = as_matrix(X)

    import torch

    from .backbones import registry
    from .backbones.autoencoder import ConvAutoencoder
    from .passes.restore import image_maker
    from .training.inference import embed
    from .training.loop import batches
    from .training.runtime import as_device, seeded

    device = as_device()
    rows = np.arange(X.shape[0])
    with seeded(seed):
        images = image_maker(X, config, seed, device)
        side = registry.resolve_side(config.backbone, X.shape[1], config.buffer)
        width = config.backbone.extra.get("width", 32)
        model = ConvAutoencoder(side, config.backbone.in_chans, latent_dim, width).to(device)
        optimiser = torch.optim.AdamW(model.parameters(), lr=config.lr, weight_decay=config.weight_decay)
        for epoch in range(config.epochs):
            model.train()
            total = 0.0
            for batch in batches(rows, config.batch_size):
                _, loss = model.rebuild(images(batch), beta if mode == "vae" else None)
                optimiser.zero_grad(set_to_none=True)
                loss.backward()
                optimiser.step()
                total += loss.item() * len(batch)
            if not np.isfinite(total):
                raise InputError(
                    f"training diverged in epoch {epoch + 1}: lower lr (now {config.lr:g}) or scale the values"
                )
            progress(f"epoch {epoch + 1}/{config.epochs}  loss {total / len(rows):.4f}")
        model.eval()
        return embed(model, images, rows)
