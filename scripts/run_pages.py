"""Run the code of the manual's executed pages, and write what it prints and draws below each block.

Run by hand: python scripts/run_pages.py [--folder FOLDER] [--fast] PAGE...    e.g. docs/concepts.md docs/tutorials/*.md

The python blocks of a page share their variables; python and bash blocks run in their order in one folder, by default
an empty one. As in a notebook, the value of a last line is shown. Figures that a block leaves open become
images/PAGE-NUMBER.png. A block below `<!-- not run: WHY -->` is left as it is; one below `<!-- slow: WHY -->` is run
here, unless there is --fast, but not by the tests. With --notebooks FOLDER nothing is run: the pages are written there
as notebooks.
"""

import argparse
import ast
import contextlib
import io
import json
import os
import re
import shlex
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
BLOCK = re.compile(
    r"(?:<!-- (?P<mark>not run|slow): (?P<reason>[^>]+?) -->\n)?^```(?P<language>[a-z{}-]*)\n(?P<code>.*?)^```\n"
    r"(?P<folded>\n</details>\n)?"
    r"(?P<output>\n<!-- output -->\n.*?<!-- /output -->\n)?",
    re.DOTALL | re.MULTILINE,
)


@dataclass(frozen=True)
class Block:
    """A block of code of a page: its language, its text, and how it is marked ("", "not run" or "slow") and why."""

    language: str
    code: str
    mark: str = ""
    reason: str = ""


@dataclass
class Session:
    """A page that runs: in which folder, whether slow blocks do, too, variables and number of figures so far."""

    page: Path
    folder: Path
    slow: bool
    space: dict = field(default_factory=lambda: {"__name__": "__main__"})
    figures: int = 0


def blocks(page: Path) -> list[Block]:
    """List the blocks of code of a page in their order, without those of printed output."""
    found = BLOCK.finditer(page.read_text(encoding="utf-8"))
    return [Block(match["language"], match["code"], match["mark"] or "", match["reason"] or "") for match in found]


def run_page(page: Path, folder: Path, images: Path | None = None, slow: bool = True) -> tuple[str, dict]:
    """Run a page in a folder; return its new text and its variables. Figures are written to `images`, if given."""
    session = Session(page, folder.resolve(), slow)
    if plt := sys.modules.get("matplotlib.pyplot"):
        plt.close("all")  # figures that a page leaves open are its own
    with working_in(folder):
        text = BLOCK.sub(lambda match: with_output(match, session, images), page.read_text(encoding="utf-8"))
    return text, session.space


def with_output(match: re.Match, session: Session, images: Path | None) -> str:
    """Run one block, and return it with its output below."""
    code, language = match["code"], match["language"]
    if match["mark"] == "not run" or (match["mark"] and not session.slow) or language not in {"python", "bash"}:
        return match[0]
    try:
        printed, drawn = run_python(code, session) if language == "python" else (run_bash(code), None)
    except Exception as error:
        error.add_note(f"in {session.page}, in the block\n{code}")
        raise
    printed = "\n".join(line.rstrip() for line in printed.replace(f"{session.folder}/", "").splitlines()).strip("\n")
    parts = [f"```text\n{printed}\n```"] if printed else []
    parts += [f"![{title}](images/{name})" for name, title in figures(session, drawn, images)]
    shown = "\n<!-- output -->\n{}\n<!-- /output -->\n".format("\n\n".join(parts)) if parts else ""
    mark = f"<!-- {match['mark']}: {match['reason']} -->\n" if match["mark"] else ""
    return f"{mark}```{language}\n{code}```\n{match['folded'] or ''}{shown}"


def run_python(code: str, session: Session) -> tuple[str, Path | None]:
    """Execute python code as a notebook does; return what it prints, and the figure that its last value names."""
    tree, printed = ast.parse(code), io.StringIO()
    last = tree.body.pop() if tree.body and isinstance(tree.body[-1], ast.Expr) else None
    with contextlib.redirect_stdout(printed):
        exec(compile(tree, str(session.page), "exec"), session.space)
        if last is not None:
            value = eval(compile(ast.Expression(last.value), str(session.page), "eval"), session.space)
            if isinstance(value, Path) and value.suffix == ".png":
                return printed.getvalue(), value
            if value is not None and type(value).__module__.split(".")[0] != "matplotlib":
                print(value.to_string() if hasattr(value, "to_string") else value)
    return printed.getvalue(), None


def run_bash(code: str) -> str:
    """Run bash code, which has to succeed, with the command of this clone; return what it prints."""
    call = "from deepmapper.cli.main import main; main(prog_name='deepmapper')"
    command = f'deepmapper() {{ {shlex.quote(sys.executable)} -c "{call}" "$@"; }}\n'
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", command + code], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    if done.returncode:
        raise RuntimeError(f"ended with status {done.returncode}:\n{done.stdout}")
    return done.stdout


def figures(session: Session, drawn: Path | None, images: Path | None) -> Iterator[tuple[str, str]]:
    """Keep the figure that a block wrote, and those that it left open; yield file name and title of each."""
    plt = sys.modules.get("matplotlib.pyplot")
    for number in [*([drawn] if drawn else []), *(plt.get_fignums() if plt else [])]:
        session.figures += 1
        name = f"{session.page.stem}-{session.figures}.png"
        if images is not None:
            images.mkdir(exist_ok=True)
        if isinstance(number, Path):
            title = number.stem.replace("_", " ").capitalize()
            if images is not None:
                keep_small(number, images / name)
        else:
            figure = plt.figure(number)
            titles = [figure.get_suptitle(), *(axes.get_title() for axes in figure.axes)]
            title = next((text for text in titles if text), "Figure").replace("\n", " ")
            if images is not None:
                figure.savefig(images / name, dpi=90, bbox_inches="tight", metadata={"Software": None})
            plt.close(figure)
        yield name, title


def keep_small(figure: Path, kept: Path, width: int = 800) -> None:
    """Copy a figure in the size in which a page shows it."""
    from PIL import Image

    with Image.open(figure) as picture:
        picture.thumbnail((width, 10 * width))
        picture.convert("RGB").quantize(128).save(kept, optimize=True)


def notebook(page: Path) -> dict:
    """Make a notebook of a page, without output: its text and its python and bash blocks as cells."""
    text, cells, end = page.read_text(encoding="utf-8"), [], 0
    for match in BLOCK.finditer(text):
        if match["language"] in {"python", "bash"} and match["mark"] != "not run":
            cells.append(("markdown", text[end : match.start()]))
            cells.append(("code", ("%%bash\n" if match["language"] == "bash" else "") + match["code"]))
            end = match.end()
    cells.append(("markdown", text[end:]))
    plain = {"cell_type": "markdown", "metadata": {}}
    code = {"cell_type": "code", "metadata": {}, "outputs": [], "execution_count": None}
    tags = re.compile(r"</?details>\n|<summary>.*?</summary>\n")
    written = [(plain if kind == "markdown" else code) | {"source": tags.sub("", cell).strip()} for kind, cell in cells]
    kept = [cell | {"id": f"cell{i}"} for i, cell in enumerate(written) if cell["source"]]
    return {"cells": kept, "metadata": {"language_info": {"name": "python"}}, "nbformat": 4, "nbformat_minor": 5}


@contextlib.contextmanager
def working_in(folder: Path) -> Iterator[None]:
    """Work in a folder, with figures that open no window."""
    before = Path.cwd()
    os.environ["MPLBACKEND"] = "Agg"
    os.chdir(folder)
    try:
        yield
    finally:
        os.chdir(before)


def main() -> int:
    """Run the pages and update them."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("pages", nargs="+", type=Path)
    parser.add_argument("--folder", type=Path, help="run in this folder, e.g. a clone with the demo's results")
    parser.add_argument("--fast", action="store_true", help="leave slow blocks as they are")
    parser.add_argument("--notebooks", type=Path, metavar="FOLDER", help="write the pages as notebooks, run nothing")
    args = parser.parse_args()
    for page in map(Path.resolve, args.pages):
        if args.notebooks:
            args.notebooks.mkdir(parents=True, exist_ok=True)
            made = args.notebooks / f"{page.stem}.ipynb"
            made.write_text(json.dumps(notebook(page), indent=1, ensure_ascii=False), encoding="utf-8")
            print(f"wrote {made}")
            continue
        with tempfile.TemporaryDirectory() as empty:
            text, _ = run_page(page, args.folder or Path(empty), page.parent / "images", slow=not args.fast)
        part = page.with_name(page.name + ".part")
        part.write_text(text, encoding="utf-8")
        part.replace(page)
        print(f"wrote {page}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
