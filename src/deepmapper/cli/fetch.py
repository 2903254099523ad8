"""`deepmapper fetch`: a published study in a folder of its own, ready to check and run."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

import click

from ..errors import InputError
from .study import CONFIG, command_line, repository, say, wrapped


@click.command("fetch", short_help="Make the folder of a published study, with its data.")
@click.argument("name", required=False)
@click.argument("study", required=False, type=click.Path(path_type=Path))
def command(name: str | None, study: Path | None) -> None:
    """Make the folder STUDY (by default ./NAME) with the files and the configuration of a published study.

    Without NAME, lists the studies. Files are checked against their published checksums; an interrupted download goes
    on at the next call, and files that you put into STUDY/data yourself are used.
    """
    from ..core.files import unwritable
    from ..studies.catalogue import read_study, study_names
    from ..studies.download import fetch_file
    from ..studies.prepare import PREPARE

    root = repository()
    if not name:
        for known in study_names(root):
            about = read_study(root, known)
            files = f"{len(about.files)} files" if about.files else "simulated"
            say(wrapped(f"{known}: {about.question} ({files}; {about.article})", "", "  "))
        return
    about = read_study(root, name)
    study = study or Path(name)
    if reason := unwritable(study):
        raise InputError(f"{reason}. Choose another folder for the study.")
    for file in about.files:
        there = (study / "data" / file.name).exists()
        with click.progressbar(length=max(file.bytes, 1), label=file.name) as bar:
            fetch_file(file, study / "data", progress=partial(_show, bar))
        checked = file.checksum.partition(":")[0]
        known = f"{checked} as published" if checked else "complete"
        say(f"{file.name}: {'already there' if there else 'fetched'}, {known}")
    say(wrapped(PREPARE[about.prepare](about, study / "data")))
    config = study / CONFIG
    if config.exists():
        say(f"{config} exists already and is left as it is.")
    else:
        config.parent.mkdir(parents=True, exist_ok=True)
        config.write_text((about.folder / "config.yaml").read_text())
    say(f"Next: {command_line('check', study)}, then {command_line('run', study)}")


def _show(bar: Any, done: int, total: int) -> None:
    """Move a progress bar to a number of bytes."""
    bar.length = max(total, done, 1)
    bar.update(done - bar.pos)
