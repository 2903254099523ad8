"""`deepmapper open`: the first page of a study in the browser."""

from __future__ import annotations

import os
import sys
import webbrowser
from pathlib import Path

import click

from ..errors import InputError
from .study import command_line, inside, say, study_argument

_PAGES = ("results/index.html", "results/report.html")


@click.command("open", short_help="Show the answer in the browser.")
@study_argument
@click.option(
    "--report", is_flag=True, help="The page of `deepmapper report`, with all tables and figures, not the first page."
)
def command(study: Path, report: bool) -> None:
    """Show the answer in the browser; without a browser, print where it is."""
    name = _PAGES[report]
    with inside(study) as config:
        page = Path(results_of(config)) / Path(name).relative_to("results")
        if not page.is_file():
            maker = "report" if report else "run"
            raise InputError(f"{study / page} does not exist yet. Make it with: {command_line(maker, study)}")
        address = page.absolute()
    say(address)
    if has_browser():
        webbrowser.open(address.as_uri())


def results_of(config: Path) -> str:
    """Name of the folder of results that a configuration gives; the default if it cannot be read."""
    import yaml

    from ..workflow.config_file import fault_in

    given = {} if fault_in(config) else yaml.safe_load(config.read_text(encoding="utf-8-sig"))
    return str((given or {}).get("results") or "results")


def has_browser() -> bool:
    """Whether a browser can show a page: there is a display, or the machine is a desktop of another kind."""
    return sys.platform in ("darwin", "win32") or any(os.environ.get(name) for name in ("DISPLAY", "WAYLAND_DISPLAY"))
