"""How much code each rule of the workflow depends on, and which rules an edit of one module re-runs.

    python benchmarks/rerun_scope.py --module training.loop

One line per rule: the modules and lines in its hash, and whether the module is among them. Rules and scripts are read
from the rule files. A module is given by its name within the package; the last part is enough.
"""

from __future__ import annotations

import argparse
import re
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "src"))  # works in a fresh clone, before anything is installed

from deepmapper.workflow.batching import unused_imports  # noqa: E402
from deepmapper.workflow.provenance import modules_of  # noqa: E402

HEAD = re.compile(r"^ *(?:rule|checkpoint|use rule (?P<parent>\w+) as) (?P<name>\w+)(?: with)?:", re.MULTILINE)


def main() -> None:
    """Print the table and its totals."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "--module", default="training.loop", help="module that would be edited (default: training.loop)"
    )
    module = parser.parse_args().module
    scope = {name: modules_of(script, unused=unused) for name, (script, unused) in rules().items()}
    known = sorted({covered for modules in scope.values() for covered in modules if covered})
    named = {covered for covered in known if covered == module or covered.endswith(f".{module}")}
    if not named:
        parser.error(
            f"--module {module}: no rule depends on a module of this name; known modules: {', '.join(sorted(known))}"
        )
    print(f"| rule | modules | lines | {module} |\n|---|---|---|---|")
    total, rerun = 0, 0
    for name, modules in scope.items():
        lines = sum(len(path.read_text().splitlines()) for path in modules.values())
        covers = bool(named & modules.keys())
        total, rerun = total + lines, rerun + covers
        print(f"| `{name}` | {len(modules)} | {lines} | {'yes' if covers else ''} |")
    print(f"\n{len(scope)} rules; an edit of {module} re-runs {rerun} of them; {total} lines in all hashes together")


def rules() -> dict[str, tuple[str, dict | None]]:
    """Script of every rule that has one, and the imports that the rule never runs, from the rule files."""
    found: dict[str, tuple[str, dict | None]] = {}
    for file in sorted((ROOT / "workflow" / "rules").glob("*.smk")):
        text = file.read_text()
        heads = list(HEAD.finditer(text))
        ends = [head.start() for head in heads[1:]] + [len(text)]
        for head, end in zip(heads, ends, strict=False):
            body = text[head.end() : end]
            script, kind = (re.search(rf'{call}\("(\w+)"', body) for call in ("source_of", "pass_params"))
            if script:
                found[head["name"]] = script[1], None
            elif kind:
                found[head["name"]] = "train_pass", unused_imports(kind[1])
            elif head["parent"]:
                found[head["name"]] = found[head["parent"]]
    return found


if __name__ == "__main__":
    main()
