"""Compare two runs of the same study, value by value.

    python benchmarks/compare_runs.py BEFORE AFTER [--rename OLD=NEW]... [--ignore KEY]... [--show N]

BEFORE and AFTER are results folders. Tables (.tsv) are compared cell by cell; .json, .npz, .npy and .h5ad value by
value; all other files byte by byte. Logs, benchmarks and scratch files are left out. `--rename` gives the new name of a
file, column, key or array; `--ignore` names a key that may differ (hashes may: key, source, digest). Sentences, pages
and figures are counted separately, since their wording may change while no number does. The exit status is 1 if a
number differs.
"""

import argparse
import gzip
import json
import sys
from collections import Counter
from pathlib import Path

import h5py
import numpy as np

LEFT_OUT = {"logs", "benchmarks", "scratch"}
HASHES = {"key", "source", "digest"}
PAGES = {".html", ".svg", ".png", ".pdf"}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("before", type=Path)
    parser.add_argument("after", type=Path)
    parser.add_argument("--rename", action="append", default=[], metavar="OLD=NEW")
    parser.add_argument("--ignore", action="append", default=[], metavar="KEY")
    parser.add_argument("--show", type=int, default=20, help="differences to list (default: 20)")
    given = parser.parse_args()
    names = dict(pair.split("=", 1) for pair in given.rename)
    ignored = HASHES | set(given.ignore)

    before, after = files_of(given.before, names), files_of(given.after, {})
    counts, different, reworded, pages, compared = Counter(), [], [], 0, 0
    for name in sorted(before.keys() & after.keys()):
        kind = Path(name).suffix
        one, two = values_of(before[name], names), values_of(after[name], {})
        wrong = differences(one, two, ignored)
        if kind in PAGES:
            pages += bool(wrong)
            counts["pages and figures"] += 1
            continue
        counts[kind or "no suffix"] += 1
        compared += len(one)
        reworded += [place for place, sentence in wrong if sentence]
        different += [f"{name}: {place}" for place, sentence in wrong if not sentence]
    for side, here, there in (("before", before, after), ("after", after, before)):
        for name in sorted(here.keys() - there.keys()):
            print(f"only {side}: {name}")
    print(", ".join(f"{n} {kind}" for kind, n in sorted(counts.items())))
    print(
        f"{compared} values compared, {len(different)} differ; {len(reworded)} sentences are reworded, {pages} pages "
        f"and figures differ in their bytes"
    )
    for line in different[: given.show]:
        print(f"  {line}")
    sys.exit(bool(different))


def files_of(folder: Path, names: dict) -> dict[str, Path]:
    """Give the files of results by their path, renamed where asked for."""
    if not folder.is_dir():
        sys.exit(f"{folder} is no folder: expected the results of a run")
    found = {}
    for path in folder.rglob("*"):
        parts = path.relative_to(folder).parts
        if path.is_file() and parts[0] not in LEFT_OUT and not path.name.startswith("."):
            found["/".join(names.get(part, part) for part in parts)] = path
    return found


def values_of(path: Path, names: dict) -> dict:
    """Give what a file holds as place -> value."""
    try:
        if path.suffix == ".tsv":
            return table(path.read_text(), names)
        if path.suffix == ".json":
            return dict(flat(json.loads(path.read_text()), names))
        if path.suffix == ".npy":
            return {"array": np.load(path)}
        if path.suffix == ".npz":
            return arrays(path, names)
        if path.suffix == ".h5ad":
            return elements(path, names)
        if path.suffix == ".gz":
            return {"content": gzip.decompress(path.read_bytes())}
    except Exception as error:
        return {"unreadable": str(error)}
    return {"content": path.read_bytes()}


def table(text: str, names: dict) -> dict:
    """Give the cells of a table by column and row."""
    rows = [line.split("\t") for line in text.splitlines()]
    head = [names.get(column, column) for column in rows[0]] if rows else []
    return {(column, i): cell for i, row in enumerate(rows[1:]) for column, cell in zip(head, row, strict=False)} | {
        "columns": tuple(head)
    }


def flat(value, names: dict, place: tuple = ()):
    """Yield the leaves of what JSON holds."""
    if isinstance(value, dict):
        for key, below in value.items():
            yield from flat(below, names, (*place, names.get(key, key)))
    elif isinstance(value, list):
        for i, below in enumerate(value):
            yield from flat(below, names, (*place, i))
    else:
        yield place, value


def arrays(path: Path, names: dict) -> dict:
    """Give the arrays of an .npz, and the leaves of its JSON."""
    found = {}
    with np.load(path, allow_pickle=False) as file:
        for name in file.files:
            array = file[name]
            if array.ndim == 0 and array.dtype.kind == "U" and str(array).startswith("{"):
                found |= dict(flat(json.loads(str(array)), names))
            elif array.size:  # an empty part says nothing
                found[names.get(name, name)] = array
    return found


def elements(path: Path, names: dict) -> dict:
    """Give the data sets of an HDF5 file."""
    found = {}
    with h5py.File(path) as file:

        def visit(name, element):
            if isinstance(element, h5py.Dataset):
                found["/".join(names.get(part, part) for part in name.split("/"))] = element[()]

        file.visititems(visit)
    return found


def differences(one: dict, two: dict, ignored: set) -> list[tuple[str, bool]]:
    """List the places whose values differ, each with whether both values are sentences."""
    wrong = []
    for place in [*one, *(key for key in two if key not in one)]:
        parts = place if isinstance(place, tuple) else (place,)
        if any(part in ignored for part in parts):
            continue
        if place not in one or place not in two:
            wrong.append((f"{place} only {'before' if place in one else 'after'}", False))
        elif not same(one[place], two[place]):
            sentence = is_sentence(one[place]) and is_sentence(two[place])
            wrong.append((f"{place}: {short(one[place])} -> {short(two[place])}", sentence))
    return wrong


def is_sentence(value) -> bool:
    """Whether a value is text of three words or more."""
    return isinstance(value, str) and len(value.split()) > 2


def same(a, b) -> bool:
    """Whether two values are equal to the bit, NaN being equal to NaN."""
    a, b = np.asarray(a), np.asarray(b)
    if a.dtype != b.dtype or a.shape != b.shape:
        return False
    return np.array_equal(a, b, equal_nan=a.dtype.kind in "fc")


def short(value) -> str:
    """Write a value in at most 60 characters."""
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "..."


if __name__ == "__main__":
    main()
