"""Two lists of names that mean the same but are written differently: matched where it is one-to-one.

Names are matched exactly first. Then each known habit of programs (the ending ``-1`` of barcodes, R's dots for dashes,
``chr`` before chromosomes, ...) may match what is left, but only names that are one-to-one under it. Names are never
matched by similarity or by position. Standard library only.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial

from .words import count

# Ids that end in a version. In other ids the last number is the isoform (AT1G01010.1, MSTRG.5.2).
_VERSIONED = re.compile(r"(ENS[A-Z]*\d{11}|[NX][MR]_\d+)\.\d+(_PAR_Y)?")

_OLD_NCBI = re.compile(r"(?:gi\|\d+\|)?(?:ref|gb|emb|dbj|lcl|gnl|tpg)\|([^|]+)\|?", re.IGNORECASE)

_UCSC_SCAFFOLD = re.compile(r"chr[0-9a-z]+_([a-z]{1,6}\d+)v(\d+)(?:_(?:random|alt|fix))?")

_MITOCHONDRION = {"m", "mt", "mito", "mtdna", "mitochondrion", "mitochondrion_genome"}

_FILE_ENDING = re.compile(
    r"\.(?:gz|bz2|bam|sam|cram|fastq|fq|csv|tsv|txt|h5|h5ad|mtx|sf|sorted)$|_sorted$"
    r"|[._]?Aligned(?:\.sortedByCoord)?\.out$",
    re.IGNORECASE,
)

# Names of cells by Seurat and ArchR (sample_ACGT-1, sample#ACGT-1) and by scanpy (ACGT-1-sample).
_BARCODE = re.compile(r"(?:(.+?)[-_.:#])?([ACGTN]{8,}(?:-\d+)?)(?:[-_.:#](.*[^\d].*))?")

# Patient, tissue, vial and aliquot of TCGA, as `_of_r` writes them.
_TCGA = re.compile(r"TCGA\.\w{2}\.\w{4}(\.\d{2}[A-Z]?(\.\w+)*)?")

# The number of a sample at the end of the name of a cell.
_NUMBERED = re.compile(r"[ACGTN]{8,}.*[-_.](\d+)$")

_SEPARATOR = re.compile(r"[-_.:/#|@ ]")

_MOST_CUTS = 6  # places at which a shared beginning or ending may be cut off, chosen by hand

# Two lists of keys, one key for each of the names on either side; an empty key matches nothing.
Keys = tuple[list[str], list[str]]


@dataclass(frozen=True)
class Habit:
    """One way in which the same names are written differently.

    Attributes
    ----------
    text
        How the names differ, for messages: "the names differ in ...".
    keys
        Gives the pairs of keys to try, in order, from the names on both sides; equal keys mean the same name. Of
        several pairs the one that matches the most names counts.
    strict
        Whether nothing is matched if two names on one side share a key that the other side has; else only these names
        stay unmatched.
    """

    text: str
    keys: Callable[[Sequence[str], Sequence[str]], Iterator[Keys]]
    strict: bool = True


@dataclass(frozen=True)
class NameMatch:
    """Which wanted name is which of the given names.

    Attributes
    ----------
    given
        Given name of every wanted name that has one, in the order of the wanted names; no given name occurs twice.
    exact
        Number of names that are the same on both sides.
    habits
        (how the names differ, number of names, one wanted name, its given name) of each habit that matched names.
    unmatched, unused
        Wanted and given names without a partner, in their order.
    """

    given: dict[str, str]
    exact: int
    habits: tuple[tuple[str, int, str, str], ...]
    unmatched: tuple[str, ...]
    unused: tuple[str, ...]

    def describe(self, noun: str) -> str:
        """Say how names that are not the same were matched, with counts and an example; "" if all are the same."""
        parts = [
            f"{count(n, noun)} matched although the names differ in {text} ({given!r} for {wanted!r})"
            for text, n, wanted, given in self.habits
        ]
        if not parts:
            return ""
        return f"{'; '.join(parts)}; {count(self.exact, noun)} matched exactly"


def match_names(wanted: Iterable[str], given: Iterable[str], habits: Sequence[Habit]) -> NameMatch:
    """Find the given name of every wanted name: the same name, or one that differs by a known habit.

    Parameters
    ----------
    wanted, given
        Names; each list without duplicates.
    habits
        Tried in this order on the names that are left; `SAMPLE_HABITS`, `FEATURE_HABITS`, ...

    Returns
    -------
    NameMatch
        One-to-one. It does not depend on the order of the names, only its lists follow it.
    """
    wanted, given = list(wanted), list(given)
    have = set(given)
    found = {name: name for name in wanted if name in have}
    exact, used = len(found), []
    for habit in habits:
        left, free = [n for n in wanted if n not in found], have.difference(found.values())
        if not left or not free:
            break
        new = _best(habit, wanted, given, set(left), free)
        if new:
            found |= new
            first = min(new)
            used.append((habit.text, len(new), first, new[first]))
    taken = set(found.values())
    return NameMatch(
        given={name: found[name] for name in wanted if name in found},
        exact=exact,
        habits=tuple(used),
        unmatched=tuple(name for name in wanted if name not in found),
        unused=tuple(name for name in given if name not in taken),
    )


def _best(
    habit: Habit, wanted: Sequence[str], given: Sequence[str], left: Collection[str], free: Collection[str]
) -> dict[str, str]:
    """Match names by the keys of a habit that match the most; only names that have no partner yet."""
    best: dict[str, str] = {}
    for wanted_keys, given_keys in habit.keys(wanted, given):
        shared = set(wanted_keys).intersection(given_keys) - {""}
        if len(shared) <= len(best):
            continue
        once_w, once_g = _named_once(wanted_keys, wanted, shared), _named_once(given_keys, given, shared)
        if habit.strict and min(len(once_w), len(once_g)) < len(shared):
            continue
        pairs = ((name, once_g[key]) for key, name in once_w.items() if key in once_g)
        new = {name: partner for name, partner in pairs if name in left and partner in free}
        if len(new) > len(best):
            best = new
    return best


def _named_once(keys: Sequence[str], names: Sequence[str], shared: Collection[str]) -> dict[str, str]:
    """Name of each shared key that only one name has."""
    first: dict[str, str] = {}
    several = set()
    for key, name in zip(keys, names, strict=True):
        if key in shared and first.setdefault(key, name) is not name:
            several.add(key)
    return {key: name for key, name in first.items() if key not in several}


def strip_version(name: str) -> str:
    """Remove the version from an id of Ensembl, GENCODE or RefSeq; leave other ids as they are."""
    match = _VERSIONED.fullmatch(name)
    return match[1] + (match[2] or "") if match else name


def chromosome_key(name: str) -> str:
    """Reduce the names of a chromosome in Ensembl, UCSC, NCBI's old headers and other sources to one.

    ``chr1``, ``Chr1`` and ``1`` are one; so are ``chrM``, ``MT`` and ``Mito``, and a scaffold's ``KI270728.1`` and
    ``chr16_KI270728v1_random``. RefSeq's accessions (NC_000001.11) are not resolved: that needs a table.
    """
    if database := _OLD_NCBI.fullmatch(name):
        name = database[1]
    name = plain(name).lower()
    if scaffold := _UCSC_SCAFFOLD.fullmatch(name):
        return f"{scaffold[1]}.{scaffold[2]}"
    if name in ("chrc", "pt", "chrpt", "pltd"):
        return "plastid"
    short = name.removeprefix("chr").removeprefix("omosome").lstrip("_ ") if name.startswith("chr") else name
    return "mitochondrion" if short in _MITOCHONDRION else short


def plain(name: str) -> str:
    """Remove blanks around a name and those that cannot be seen; compose its letters (Unicode NFC)."""
    if not name.isascii():
        name = "".join(c for c in unicodedata.normalize("NFC", name) if unicodedata.category(c) != "Cf")
    return " ".join(name.split())


def _of_files(name: str) -> str:
    """Return the name of a sample in the path of its file: without the folder and the endings."""
    name = plain(name)
    if name.isalnum():
        return name
    name = name.replace("\\", "/").rstrip("/").rsplit("/", 1)[-1]
    while (shorter := _FILE_ENDING.sub("", name)) != name:
        name = shorter
    return name


def _of_r(name: str) -> str:
    """Write a name as R's make.names does: dots for all other characters; its X before digits is dropped."""
    name = plain(name)
    if not name.isalnum():
        name = re.sub(r"[^\w]|_", ".", name)
    return re.sub(r"^X(?=[\d.])", "", name) if name.startswith("X") else name


def _of_barcode(name: str) -> str:
    """Return the barcode in a cell's name and what is beside it: its sample, before or after; "" if there is none."""
    match = _BARCODE.fullmatch(plain(name))
    return f"{match[2]} {match[1] or match[3]}" if match and bool(match[1]) != bool(match[3]) else ""


def _each(key: Callable[[str], str], wanted: Sequence[str], given: Sequence[str]) -> Iterator[Keys]:
    yield [key(name) for name in wanted], [key(name) for name in given]


def _as_r_writes(wanted: Sequence[str], given: Sequence[str], key: Callable[[str], str] = _of_r) -> Iterator[Keys]:
    """Compare names as R writes them, unless one side has only numbers of rows, which are no names.

    Nor are cells compared whose samples are counted from 0 on one side and from 1 on the other: ``ACGT-1_1`` by Seurat
    is ``ACGT-1-0`` by scanpy.
    """
    samples, others = ({m[1] for name in names if (m := _NUMBERED.search(name))} for names in (wanted, given))
    if are_row_numbers(wanted) == are_row_numbers(given) and (samples <= others or others <= samples):
        yield from _each(key, wanted, given)


def _of_tcga(wanted: Sequence[str], given: Sequence[str]) -> Iterator[Keys]:
    """Cut the barcodes of one side to the length of those of the other, which all name patients, or all samples.

    Tumour (01) and normal tissue (11) stay apart, since a side that names tissues is not cut to patients.
    """
    one, other = ([_of_r(name).upper() for name in names] for names in (wanted, given))
    for short in (one, other):
        lengths = {len(name) if _TCGA.fullmatch(name) else 0 for name in short}
        if len(lengths) == 1 and 0 not in lengths:
            n = lengths.pop()
            yield [name[:n] for name in one], [name[:n] for name in other]


def _without_affixes(key: Callable[[str], str], wanted: Sequence[str], given: Sequence[str]) -> Iterator[Keys]:
    """Cut off what all names of one side begin or end with, up to a separator; the other side has to be without it.

    A beginning or ending that differs between the names of a side (``-1`` and ``-2`` of two samples) tells names apart
    and stays. Numbers of rows are no names: ``cell_1``, ``cell_2`` do not match ``1``, ``2``.
    """
    one, other = ([key(name) for name in names] for names in (wanted, given))
    if not are_row_numbers(other):
        yield from ((cut, other) for cut in _cuts(one))
    if not are_row_numbers(one):
        yield from ((one, cut) for cut in _cuts(other))


def _cuts(names: Sequence[str]) -> Iterator[list[str]]:
    """Yield the names without a beginning and an ending that all have, the least cut first."""
    if not names:
        return
    if len(names) == 1:
        # with one name everything is shared, so only the ending of barcodes is known
        if match := re.fullmatch(r"([ACGTN]{8,})[-._]\d+", names[0]):
            yield [match[1]]
        return
    low, high = min(names), max(names)
    starts = [0, *(m.end() for m in _SEPARATOR.finditer(low) if low[: m.end()] == high[: m.end()])]
    back_low, back_high = min(n[::-1] for n in names), max(n[::-1] for n in names)
    ends = [0, *(m.end() for m in _SEPARATOR.finditer(back_low) if back_low[: m.end()] == back_high[: m.end()])]
    shortest = min(map(len, names))
    for start in starts[:_MOST_CUTS]:
        for end in ends[:_MOST_CUTS]:
            if 0 < start + end < shortest:
                yield [name[start : len(name) - end] for name in names]


def are_row_numbers(names: Collection[str]) -> bool:
    """Whether names are only the numbers of rows, 0 to n - 1 or 1 to n in any order."""
    if not all(map(str.isdecimal, names)):
        return False
    numbers = set(map(int, names))
    return len(numbers) == len(names) and numbers in ({*range(len(names))}, {*range(1, len(names) + 1)})


BLANKS = Habit("blanks around them", partial(_each, plain))

CASE = Habit("upper and lower case", partial(_each, lambda name: plain(name).casefold()))

VERSION = Habit("the version of the id", partial(_each, lambda name: strip_version(plain(name))), strict=False)

SAMPLE_HABITS = (
    BLANKS,
    CASE,
    Habit("a folder or the ending of a file", partial(_each, _of_files)),
    Habit("dots for other characters, as R writes them", _as_r_writes),
    Habit(
        "upper and lower case, and dots for other characters",
        partial(_as_r_writes, key=lambda name: _of_r(name).casefold()),
    ),
    Habit("the length of their TCGA barcodes", _of_tcga),
    Habit("a beginning or an ending that all names of one side share", partial(_without_affixes, plain)),
    Habit(
        "a beginning or an ending that all names of one side share, and dots for other characters",
        partial(_without_affixes, _of_r),
    ),
    Habit("whether the sample stands before or after the barcode", partial(_each, _of_barcode)),
)

CHROMOSOME_HABITS = (Habit("'chr' or the name of the mitochondrion", partial(_each, chromosome_key), strict=False),)

TRANSCRIPT_HABITS = (BLANKS, VERSION)

_FEATURE_HABITS = (
    BLANKS,
    VERSION,
    Habit("dots for other characters, as R writes them", _as_r_writes, strict=False),
)

_FEATURE_CASE = Habit("upper and lower case", CASE.keys, strict=False)


def match_features(wanted: Iterable[str], given: Iterable[str]) -> NameMatch:
    """Match names of features as `match_names` does.

    Upper and lower case count as the same only if at least half of the features of the shorter list match otherwise:
    names that all differ in case are of different species (ACTB in human, Actb in mouse).
    """
    wanted, given = list(wanted), list(given)
    match = match_names(wanted, given, _FEATURE_HABITS)
    if 2 * len(match.given) >= min(len(wanted), len(given)):
        return match_names(wanted, given, (*_FEATURE_HABITS, _FEATURE_CASE))
    return match
