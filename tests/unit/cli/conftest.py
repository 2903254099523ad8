"""A small matrix, studies of it, and the command as a person calls it."""

from dataclasses import dataclass
from pathlib import Path

import anndata as ad
import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
import yaml
from click.testing import CliRunner

from deepmapper.cli.main import main

N, P = 60, 30
CLASSES = ("alpha", "beta", "gamma")


@pytest.fixture(scope="session")
def counts():
    """60 samples × 30 genes of three classes, counts; `obs` has labels, donors and a batch that is the class."""
    rng = np.random.default_rng(0)
    state = np.array(CLASSES)[np.arange(N) % 3]
    X = rng.poisson(3, (N, P)).astype(np.float32)
    X[state == "alpha", :3] += 9
    obs = pd.DataFrame(
        {
            "state": state,
            "donor": [f"d{i // 3 % 5}" for i in range(N)],
            "run": [f"r{name}" for name in state],
            "age": np.linspace(20.5, 60.3, N),
        },
        index=[f"cell{i}" for i in range(N)],
    )
    return ad.AnnData(sp.csr_matrix(X), obs, pd.DataFrame(index=[f"gene{i}" for i in range(P)]))


@pytest.fixture
def here(tmp_path, monkeypatch, counts):
    """Work in an empty folder with matrix.h5ad."""
    monkeypatch.chdir(tmp_path)
    counts.copy().write_h5ad("matrix.h5ad")
    return tmp_path


@dataclass(frozen=True)
class Called:
    """A command that ended: its exit status, and all that it said, with the wrapping of lines undone."""

    status: int
    said: str
    raw: str


@pytest.fixture
def call():
    """Call `deepmapper` with arguments, as without a terminal."""

    def run(*arguments, status=0):
        found = CliRunner().invoke(main, list(map(str, arguments)), prog_name="deepmapper")
        if found.exception and not isinstance(found.exception, SystemExit):
            raise found.exception
        assert found.exit_code == status, found.output
        assert "Traceback" not in found.output
        return Called(found.exit_code, " ".join(found.output.split()), found.output)

    return run


@pytest.fixture
def study(here):
    """Make a study of matrix.h5ad with some settings; sections are merged into the usual ones."""

    def make(name="study", **sections):
        settings = {"matrix": {"path": str(here / "matrix.h5ad")}, "labels": {"column": "state"}}
        for section, values in sections.items():
            if isinstance(values, dict):
                settings[section] = {**settings.get(section, {}), **values}
            elif values is None:
                settings.pop(section)
            else:
                settings[section] = values
        path = Path(name, "config/config.yaml")
        path.parent.mkdir(parents=True)
        path.write_text(yaml.safe_dump(settings))
        return name

    return make
