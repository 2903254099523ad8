"""Write the tables of options in config/README.md from the schema; `--check` only reports whether they are out of date.

Run by hand: python scripts/config_table.py [--check]
"""

import argparse
import json
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "src"))  # works in a fresh clone, before anything is installed

from deepmapper.workflow.schema import expected, load_schema  # noqa: E402

BEGIN, END = "<!-- parameters -->", "<!-- /parameters -->"


def table(schema: dict) -> str:
    """One Markdown table per section of the schema."""
    sections = {key: below for key, below in schema["properties"].items() if below["type"] == "object"}
    single = {key: below for key, below in schema["properties"].items() if key not in sections}
    parts = ["### Top level", *_rows(single, "")]
    for name, section in sections.items():
        parts += [f"### `{name}`", section["description"]]
        if "properties" in section:
            parts += _rows(section["properties"], f"{name}.")
        else:
            model, training = section["additionalProperties"], schema["properties"]["training"]["properties"]
            own = {key: below for key, below in model["properties"].items() if key not in training}
            parts += [model["description"], *_rows(own, f"{name}.<name>.")]
    return "\n\n".join(parts)


def _rows(properties: dict, prefix: str) -> list[str]:
    rows = ["| option | value | default | what it does |", "|---|---|---|---|"]
    for key, below in _leaves(properties, prefix):
        default = json.dumps(below["default"]) if below["default"] != "" else ""
        cells = (f"`{key}`", expected(below), f"`{default}`" if default else "(empty)", below["description"])
        rows.append("| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |")
    return ["\n".join(rows)]


def _leaves(properties: dict, prefix: str):
    for key, below in properties.items():
        if "properties" in below:
            yield from _leaves(below["properties"], f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", below
        yield from _leaves(below.get("items", {}).get("properties", {}), f"{prefix}{key}[].")


def main() -> int:
    """Bring the README up to date, or with `--check` return 1 if it is out of date."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing, exit 1 if the tables are out of date")
    parser.add_argument("--schema", type=Path, default=ROOT / "workflow/schemas/config.schema.yaml")
    parser.add_argument("--readme", type=Path, default=ROOT / "config/README.md")
    args = parser.parse_args()
    old = args.readme.read_text(encoding="utf-8")
    if BEGIN not in old or END not in old.partition(BEGIN)[2]:
        print(f"{args.readme}: expected {BEGIN} followed by {END} where the tables belong; add both", file=sys.stderr)
        return 1
    before, _, rest = old.partition(BEGIN)
    new = f"{before}{BEGIN}\n\n{table(load_schema(args.schema))}\n\n{END}{rest.partition(END)[2]}"
    if new == old:
        return 0
    if args.check:
        print(f"{args.readme}: the tables are out of date; run: python scripts/config_table.py", file=sys.stderr)
        return 1
    part = args.readme.with_name(args.readme.name + ".part")
    part.write_text(new, encoding="utf-8")
    part.replace(args.readme)
    print(f"wrote {args.readme}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
