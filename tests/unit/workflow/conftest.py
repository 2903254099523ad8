"""A minimal configuration with other sections put over it, checked."""

import re

import pytest
import yaml

from deepmapper.errors import InputError
from deepmapper.workflow.schema import load_schema
from deepmapper.workflow.settings import validate_config

MINIMAL = "matrix: {path: a.h5ad}\nlabels: {column: state}\n"


@pytest.fixture(scope="session")
def minimal() -> dict:
    """The smallest configuration that is valid. Not to be changed."""
    return yaml.safe_load(MINIMAL)


@pytest.fixture(scope="session")
def schema(request) -> dict:
    """The schema of the configuration."""
    return load_schema(request.config.rootpath / "workflow/schemas/config.schema.yaml")


@pytest.fixture(scope="session")
def read(schema, minimal):
    """Give a function that checks the minimal configuration with sections of YAML text put over it."""
    return lambda text: validate_config({**minimal, **yaml.safe_load(text)}, schema)


@pytest.fixture(scope="session")
def faults(read):
    """Give a function that returns the faults of a configuration, one line each."""

    def lines_of(text: str) -> list[str]:
        with pytest.raises(InputError) as caught:
            read(text)
        first, *lines = str(caught.value).splitlines()
        assert re.fullmatch(r"config/config.yaml has (1 fault|\d+ faults); nothing was run:", first)
        assert first.startswith(f"config/config.yaml has {len(lines)} fault")
        assert all(line.startswith("  - ") for line in lines)
        return [line[4:] for line in lines]

    return lines_of
