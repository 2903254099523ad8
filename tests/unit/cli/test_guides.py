"""Commands in the guides exist with the options that are printed, and the assistant's guide runs as it is."""

import re
import shlex
from pathlib import Path

import click
import numpy as np
import pytest

import deepmapper
from deepmapper.cli.main import main

ROOT = Path(deepmapper.__file__).parents[2]
GUIDE = ROOT / ".claude/skills/deepmapper/SKILL.md"
PAGES = (GUIDE, ROOT / "README.md", *(ROOT / "docs").rglob("*.md"))


def blocks(page, language):
    return re.findall(rf"```{language}\n(.*?)```", page.read_text(), flags=re.DOTALL)


def commands():
    lines = "\n".join(code for page in PAGES for code in blocks(page, "bash")).replace("\\\n", " ").splitlines()
    return sorted({line.split(" #")[0].strip() for line in lines if line.startswith("deepmapper ")})


@pytest.mark.parametrize("line", commands())
def test_printed_commands_are_understood(line):
    name, *arguments = shlex.split(line)[1:]
    if name.startswith("-"):
        assert name in {"--version", "--help"}
        return
    command = main.get_command(click.Context(main), name)
    assert command is not None, f"there is no command {name}"
    known = {option for parameter in command.params for option in (*parameter.opts, *parameter.secondary_opts)}
    own = arguments[: arguments.index("--")] if "--" in arguments else arguments
    used = {argument.partition("=")[0] for argument in own if argument.startswith("-")}
    assert used <= known | {"--help"}


def test_the_code_of_the_assistants_guide_runs(tmp_path, monkeypatch, counts):
    monkeypatch.chdir(tmp_path)
    cells = counts.copy()
    cells.obs["cell_type"] = cells.obs["state"]
    cells.write_h5ad(tmp_path / "cells.h5ad")
    space: dict = {}
    code = "\n".join(blocks(GUIDE, "python"))
    assert len(code) > 200
    exec(compile(code, str(GUIDE), "exec"), space)
    assert len({name for name, _ in space["ranking"][:3]} & {"gene0", "gene1", "gene2"}) >= 2
    assert len(space["findings"].ranking(20)) == 20
    assert np.isfinite(space["findings"].accuracies).all()
