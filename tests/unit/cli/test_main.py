"""The command itself: help, version, wrong commands, errors without a traceback."""

import subprocess
import sys

import pytest

from deepmapper import __version__
from deepmapper.cli.main import COMMANDS, main


def test_help_lists_every_command_and_the_three_to_start_with(call):
    said = call("--help").said
    assert all(f" {name} " in said for name in COMMANDS)
    assert "deepmapper init blood --matrix cells.h5ad --labels cell_type" in said
    assert call("--version").said.endswith(__version__)


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_explains_itself(call, name):
    assert len(call(name, "--help").said) > 100


def test_a_wrong_command_names_the_nearest(call):
    assert "There is no command 'chekc'. Did you mean 'check'?" in call("chekc", status=2).said


def test_help_loads_nothing_that_takes_long():
    code = "import sys, deepmapper.cli.main as m; m.main(['--help'], standalone_mode=False)"
    code += "; print([name for name in ('numpy', 'pandas', 'torch', 'anndata') if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.endswith("[]\n")


@pytest.mark.parametrize("command", ["check", "run", "report", "open"])
def test_a_folder_that_is_no_study_is_said(here, call, command):
    assert "There is no folder nowhere. `deepmapper init nowhere` makes one." in call(command, "nowhere", status=2).said
    assert "has no config/config.yaml" in call(command, ".", status=2).said
    assert "matrix.h5ad is a file, expected the folder of a study" in call(command, "matrix.h5ad", status=2).said


def test_a_known_error_is_one_message(here, call, monkeypatch):
    assert main.name == "main"
    said = call("rank", "missing.csv", "--labels", "state", status=1).said
    assert said.startswith("Error: missing.csv does not exist")
