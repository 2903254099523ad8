"""Write the columns of all tables into docs/outputs.md from their schemas; `--check` only tests if they are current.

Run by hand: python scripts/column_tables.py [--check]
"""

import argparse
import re
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "src"))  # works in a fresh clone, before the package is installed

from deepmapper.core.columns import Table  # noqa: E402
from deepmapper.core.table_schemas import TABLES  # noqa: E402

BLOCK = re.compile(r"<!-- columns: (.+?) -->\n(.*?)<!-- /columns -->", re.DOTALL)


def block(table: Table) -> str:
    """Return the markers of one table with its columns between them."""
    rows = ["| column | type | meaning |", "|---|---|---|"]
    for column in table.columns:
        name = column.of("C" if "[" in column.name else "NAME")
        cells = (f"`{name}`", column.dtype + (", optional" if column.optional else ""), column.description)
        rows.append("| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |")
    text = "\n".join([f"**`{table.path}`**: {table.description[0].lower()}{table.description[1:]}", "", *rows])
    return f"<!-- columns: {table.path} -->\n{text}\n<!-- /columns -->"


def faults(text: str) -> list[str]:
    """Describe tables that are missing from the text or appear twice, and markers that name no table."""
    known, marked = [table.path for table in TABLES], [match[1] for match in BLOCK.finditer(text)]
    return [
        *(f"found {marked.count(path)} places for {path}, expected 1: put <!-- columns: {path} --> and, on the next "
          f"line, <!-- /columns --> where its columns belong" for path in known if marked.count(path) != 1),
        *(f"found <!-- columns: {path} -->, which is not a table of deepmapper.core.table_schemas" for path in marked
          if path not in known),
    ]  # fmt: skip


def main() -> int:
    """Update the page, or with `--check` return 1 if it is out of date."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing; exit 1 if the columns are out of date")
    parser.add_argument("--page", type=Path, default=ROOT / "docs/outputs.md")
    args = parser.parse_args()
    old = args.page.read_text(encoding="utf-8")
    found = faults(old)
    if found:
        print(*(f"{args.page}: {fault}" for fault in found), sep="\n", file=sys.stderr)
        return 1
    schemas = {table.path: table for table in TABLES}
    new = BLOCK.sub(lambda match: block(schemas[match[1]]), old)
    if new == old:
        return 0
    if args.check:
        print(f"{args.page}: the columns are out of date; run: python scripts/column_tables.py", file=sys.stderr)
        return 1
    part = args.page.with_name(args.page.name + ".part")
    part.write_text(new, encoding="utf-8")
    part.replace(args.page)
    print(f"wrote {args.page}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
