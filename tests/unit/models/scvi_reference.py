"""Weights, cells and results of scvi-tools, with which the variational autoencoder of counts is compared.

``python tests/unit/models/scvi_reference.py`` in an environment with scvi-tools (1.4.2) writes the stored results anew.
"""

import json
from pathlib import Path
from unittest import mock

import numpy as np
import torch
from torch.distributions import Normal

STORED = Path(__file__).parent / "scvi_reference.json"

N, G, K, HIDDEN, LABELS = 40, 12, 3, 8, 4

# Name -> arguments of scvi-tools' VAE that differ from one hidden layer of nb with dispersion by gene.
CASES = {
    "gene": {},
    "two layers": {"n_layers": 2, "use_layer_norm": "both"},
    "gene-batch": {"dispersion": "gene-batch", "use_batch_norm": "none"},
    "gene-cell": {"dispersion": "gene-cell"},
    "poisson": {"gene_likelihood": "poisson"},
    "gene-label": {"dispersion": "gene-label", "n_labels": LABELS},
    "zinb": {"gene_likelihood": "zinb"},
    "zinb gene-cell": {"gene_likelihood": "zinb", "dispersion": "gene-cell"},
    "ln": {"latent_distribution": "ln"},
    "covariates": {"encode_covariates": True, "n_continuous_cov": 2, "n_cats_per_cov": [2, 3]},
}


def cells(case):
    """Counts of cells, codes of their batches, covariates, and codes of their labels."""
    rng = np.random.RandomState(1)
    x = torch.from_numpy(rng.poisson(rng.gamma(0.5, 4.0, G), (N, G)).astype(np.float32))
    x[:, 0] += 1  # no empty cells, of which scvi-tools takes the logarithm
    batch = torch.from_numpy(rng.randint(0, 3, (N, 1)))
    continuous = torch.from_numpy(rng.normal(size=(N, 2)).astype(np.float32))
    categorical = torch.from_numpy(np.stack([rng.randint(0, 2, N), rng.randint(0, 3, N)], axis=1))
    covariates = (continuous, categorical) if case == "covariates" else (None, None)
    labels = torch.from_numpy(rng.randint(0, LABELS, (N, 1)))
    return x, batch, *covariates, labels if "n_labels" in CASES[case] else None


def weights(shapes):
    """Weights of every name and shape, in the order of the names."""
    rng = np.random.RandomState(2)
    return {name: torch.from_numpy(rng.normal(0, 0.3, shapes[name]).astype(np.float32)) for name in sorted(shapes)}


def fixed_noise():
    """Context in which the latent variables of the cells are drawn alike everywhere."""
    noise = torch.from_numpy(np.random.RandomState(3).normal(size=(N, K)).astype(np.float32))
    return mock.patch.object(Normal, "rsample", lambda self, shape=(): self.mean + self.stddev * noise)


def of_scvi_tools(case):
    """Loss, its parts and gradients of scvi-tools, by name of the parameter."""
    from scvi.module import VAE

    options = {"gene_likelihood": "nb"} | CASES[case]
    vae = VAE(G, n_batch=3, n_hidden=HIDDEN, n_latent=K, dropout_rate=0.0, **options).train()
    used = {name: tuple(value.shape) for name, value in vae.named_parameters() if not name.startswith("l_encoder")}
    vae.load_state_dict(weights(used), strict=False)
    x, batch, continuous, categorical, labels = cells(case)
    tensors = {"X": x, "batch": batch, "labels": torch.zeros((N, 1)) if labels is None else labels}
    if continuous is not None:
        tensors |= {"extra_continuous_covs": continuous, "extra_categorical_covs": categorical}
    with fixed_noise():
        *_, found = vae(tensors, loss_kwargs={"kl_weight": 0.7})
    found.loss.backward()
    gradients = {name: value.grad for name, value in vae.named_parameters() if value.grad is not None}
    return {
        "shapes": used,
        "loss": found.loss.item(),
        "reconstruction": found.reconstruction_loss["reconstruction_loss"].mean().item(),
        "divergence": found.kl_local["kl_divergence_z"].mean().item(),
        "gradients": {name: value for name, value in gradients.items() if name in used},
    }


def summary(gradient):
    """Sum, length and first value of a gradient, which are stored."""
    return [float(gradient.double().sum()), float(gradient.double().norm()), float(gradient.ravel()[0])]


if __name__ == "__main__":
    found = {case: of_scvi_tools(case) for case in CASES}
    for results in found.values():
        results["gradients"] = {name: summary(value) for name, value in results["gradients"].items()}
    lines = [f"{json.dumps(case)}: {json.dumps(results)}" for case, results in found.items()]
    STORED.write_text("{\n" + ",\n".join(lines) + "\n}\n")
