"""Output of programs that count reads: featureCounts, HTSeq, STAR, Salmon, kallisto and RSEM."""

from __future__ import annotations

import warnings
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy import sparse

from ..core.compressed import DAMAGE
from ..core.counts import DETECTED_FROM
from ..core.words import count, listed, percent, some
from ..errors import DeepMapperWarning, InputError
from .assemble import assemble
from .count_files import ABOUT, PROGRAMS, Program, find_count_files, is_hdf5
from .feature_names import special_rows, texts
from .open import open_h5
from .sample_names import names_something, sample_names
from .text_ends import fields_of, open_plain, separator_of, text_ends

if TYPE_CHECKING:
    import pandas as pd
    from anndata import AnnData

STRANDEDNESS = ("auto", "unstranded", "forward", "reverse")

# A library is stranded if at least the first share of the reads counted for one strand only is on the same strand, and
# unstranded if no strand has more than the second share. Between these it is not clear. Both are chosen by hand.
_STRANDED, _UNSTRANDED = 0.8, 0.6


@dataclass
class Counts:
    """Counts of some samples over the same features, as one file has them.

    Attributes
    ----------
    source
        The file.
    ids
        Names of p features.
    samples
        Names of samples as the header has them, mostly paths; "" where there is no header.
    columns
        (p,) counts of each sample.
    tpm
        (p,) transcripts per million of each sample, where the program gives them.
    about
        Further columns about the features, such as "length" and "gene_name".
    """

    source: Path
    ids: list[str]
    samples: list[str]
    columns: list[np.ndarray]
    tpm: list[np.ndarray] = field(default_factory=list)
    about: dict[str, np.ndarray] = field(default_factory=dict)


def read_counts(path: Path, format: str, strandedness: str = "auto") -> AnnData:
    """Read the counts that one program wrote into a file, or into the files of a folder and its subfolders.

    Parameters
    ----------
    path
        The file or folder.
    format
        A key of `count_files.PROGRAMS`.
    strandedness
        Column to use of STAR's ``ReadsPerGene.out.tab``, one of `STRANDEDNESS`; "auto" infers it from the totals.

    Returns
    -------
    AnnData
        Counts in ``X``, samples × features; ``layers["tpm"]`` where the program gives it. Rows of totals, such as
        ``__no_feature``, are features still.

    Raises
    ------
    InputError
        If a file is damaged, the files do not list the same features, samples cannot be told apart, or the strand of
        the library is not clear.
    """
    import pandas as pd

    source = str(path)
    if path.is_dir():
        found = find_count_files(path, format)
        if not found or found[0] != format:
            raise InputError(f"{path}: found no files of {PROGRAMS[format].title}. Give the folder that holds them.")
        paths = found[1]
    else:
        paths = [path]
    parts = [_read_file(file, PROGRAMS[format]) for file in paths]
    if PROGRAMS[format].count:
        _settle_low_counts(parts, source)
    names = _named(parts, path)
    if format == "star":
        _choose_strand(parts, names, strandedness, source)
    _bring_into_one_order(parts)
    about = {
        key: values
        for key, values in parts[0].about.items()
        if all(key in part.about and np.array_equal(values, part.about[key]) for part in parts)
    }
    obs, var = pd.DataFrame(index=names), pd.DataFrame(about, index=parts[0].ids)
    adata = assemble(np.stack([column for part in parts for column in part.columns]), obs, var, source)
    if all(part.tpm for part in parts):
        tpm = assemble(np.stack([column for part in parts for column in part.tpm]), obs, var, f"{source} (TPM)")
        adata.layers["tpm"] = sparse.csr_matrix(tpm.X)
    adata.X = sparse.csr_matrix(adata.X)
    return adata


def _settle_low_counts(parts: list[Counts], source: str) -> None:
    """Set counts that round to no read at all, and their TPM, to zero: these features are not detected."""
    n_set = 0
    for part in parts:
        for i, column in enumerate(part.columns):
            low = column < DETECTED_FROM
            low &= column >= 0  # negative numbers are refused later
            tpm = part.tpm[i] if part.tpm else np.zeros_like(column)
            n_set += int((low & ((column > 0) | (tpm > 0))).sum())
            part.columns[i] = np.where(low, 0.0, column)
            if part.tpm:
                part.tpm[i] = np.where(low & (tpm >= 0), 0.0, tpm)
    if n_set:
        warnings.warn(
            f"{source}: {count(n_set, 'value')} of less than {DETECTED_FROM:g} reads, or of a TPM without reads, were "
            "set to 0: what programs give when they divide reads between similar transcripts is no detection.",
            DeepMapperWarning,
            stacklevel=4,
        )


def _named(parts: list[Counts], path: Path) -> list[str]:
    """Name the samples after the header or, where that does not tell them apart, after the files."""
    given = [name for part in parts for name in part.samples]
    # Endings of compression differ within a folder at times, and are never part of a name.
    files = [str(part.source.with_suffix("") if _is_packed(part.source) else part.source) for part in parts]
    one_each = all(len(part.samples) == 1 for part in parts)
    if one_each and (len(parts) > 1 or not names_something(given[0])):  # a column may be called "count"
        given = files if path.is_dir() else [str(Path(file).absolute()) for file in files]
    if not all(given):
        part = next(part for part in parts if not all(part.samples))
        stem = sample_names([str(part.source)])[0]
        given = [f"{stem}_{i}" for i in range(1, len(part.samples) + 1)]
        warnings.warn(
            f"{part.source} has no line with the names of its {len(given)} samples: they are called {some(given)}, in "
            "the order of the columns.",
            DeepMapperWarning,
            stacklevel=4,
        )
        return given
    names = sample_names(given)
    if len(set(names)) < len(names):
        repeated = sorted({name for name in names if names.count(name) > 1})
        raise InputError(f"{path}: found {some(repeated)} more than once among the names of samples. Rename them.")
    if changed := [(old, new) for old, new in zip(given, names, strict=True) if old != new]:
        old, new = changed[0]
        old = "/".join(old.split("/")[-2:])
        whose = "its file" if len(names) == 1 else "their files"
        warnings.warn(
            f"{path}: read {count(len(names), 'sample')}, named after {whose}: {old!r} is {new!r}"
            f"{', and so on' if len(changed) > 1 else ''}.",
            DeepMapperWarning,
            stacklevel=4,
        )
    return names


def _is_packed(path: Path) -> bool:
    return path.suffix.lower() in (".gz", ".bz2", ".xz")


def _bring_into_one_order(parts: list[Counts]) -> None:
    """Bring the features of all files into the order of the first; refuse files with other features."""
    first = parts[0]
    for part in parts[1:]:
        if part.ids == first.ids:
            continue
        here, there = set(part.ids), set(first.ids)
        if here != there:
            only = [
                f"{some(name for name in one.ids if name not in other)} only in {one.source.name}"
                for one, other in ((first, here), (part, there))
                if set(one.ids) - other
            ]
            raise InputError(
                f"{part.source} has {len(part.ids)} features and {first.source} {len(first.ids)}: {'; '.join(only)}. "
                "They were counted against different annotations, or a file is incomplete: count all samples with the "
                "same annotation."
            )
        if len(here) < len(part.ids) or len(there) < len(first.ids):
            raise InputError(
                f"{part.source}: features are listed more than once, in another order than {first.source}."
            )
        place = {name: i for i, name in enumerate(part.ids)}
        order = np.array([place[name] for name in first.ids])
        part.ids, part.columns = first.ids, [column[order] for column in part.columns]
        part.tpm = [column[order] for column in part.tpm]
        part.about = {key: values[order] for key, values in part.about.items()}


def _choose_strand(parts: list[Counts], names: list[str], strandedness: str, source: str) -> None:
    """Keep one of the three columns of counts that STAR writes for each sample."""
    kept = strandedness
    if strandedness == "auto":
        kept, shares = _infer_strand(parts)
        shown = listed([f"{name} {percent(share, 0)}" for name, share in zip(names, shares, strict=True)], 6)
        found = f"{source}: of the reads counted for one strand only, these are on the strand of the gene: {shown}"
        if not kept:
            raise InputError(
                f"{found}. The libraries are neither clearly stranded nor clearly unstranded, or not all of one kind. "
                "Set matrix: {strandedness: unstranded}, forward or reverse, as the library was prepared (reverse for "
                "most kits with dUTP), and read libraries of different kinds apart."
            )
        warnings.warn(
            f"{found}. The {kept} counts are used (column {STRANDEDNESS.index(kept) + 1}).",
            DeepMapperWarning,
            stacklevel=4,
        )
    for part in parts:
        part.columns = [part.columns[STRANDEDNESS.index(kept) - 1]]


def _infer_strand(parts: list[Counts]) -> tuple[str, list[float]]:
    """Infer from the totals over all genes how the libraries were prepared, "" if that is not clear; and the shares."""
    shares = []
    for part in parts:
        genes = np.setdiff1d(np.arange(len(part.ids)), special_rows(part.ids))
        forward, reverse = (float(part.columns[i][genes].sum()) for i in (1, 2))
        shares.append(forward / (forward + reverse) if forward + reverse else float("nan"))
    known = np.array([share for share in shares if share == share])
    if known.size and (known >= _STRANDED).all():
        return "forward", shares
    if known.size and (known <= 1 - _STRANDED).all():
        return "reverse", shares
    if known.size and ((known >= 1 - _UNSTRANDED) & (known <= _UNSTRANDED)).all():
        return "unstranded", shares
    return "", shares


def _read_file(path: Path, program: Program) -> Counts:
    if is_hdf5(path):
        return _read_kallisto_h5(path)
    table = _read_table(path)
    header = [str(column) for column in table.columns]
    if not program.count:
        return _read_columns(path, table, program)
    missing = [column for column in (program.id, program.count) if column not in header]
    if missing:
        raise InputError(
            f"{path}: found the columns {some(header, 8)}, expected {some(missing)} as {program.title} writes it. Copy "
            "the file again, or leave out format."
        )
    counts = Counts(path, texts(table[program.id]), [""], [_numbers(table, program.count, path)])
    if program.tpm in header:
        counts.tpm = [_numbers(table, program.tpm, path)]
    if program.length in header:
        counts.about["length"] = _numbers(table, program.length, path)
    if program.parent in header:
        counts.about[program.parent] = np.array(texts(table[program.parent]), dtype=object)
    return counts


def _read_columns(path: Path, table: pd.DataFrame, program: Program) -> Counts:
    """Read a file of featureCounts, HTSeq or STAR: names, columns about the features, then counts."""
    has_header = isinstance(table.columns[0], str)
    about: dict[str, np.ndarray] = {}
    samples: list[Any] = []
    for i, column in enumerate(table.columns[1:], start=1):
        name = ABOUT.get(column, None if samples or table.dtypes.iloc[i].kind in "iuf" else "gene_name")
        if name is None:
            samples.append(column)
        elif name == "length":
            about[name] = _numbers(table, column, path)
        elif name:
            about[name] = np.array(texts(table[column]), dtype=object)
    ids = texts(table.iloc[:, 0])
    if not samples or (program.title == "STAR" and len(samples) != 3):
        raise InputError(
            f"{path}: found {len(table.columns)} columns, with {count(len(samples), 'column')} of counts; this is not "
            f"what {program.title} writes. Copy the file again, or leave out format."
        )
    columns = [_numbers(table, column, path) for column in samples]
    named = [""] if program.title == "STAR" else [str(name) if has_header else "" for name in samples]
    return Counts(path, ids, named, columns, about=about)


def _read_table(path: Path) -> pd.DataFrame:
    """Read a table of which all but the names may be numbers; columns are named by number if it has no header."""
    import pandas as pd

    lines = text_ends(path)[0]
    if not lines:
        raise InputError(f"{path} is not a text file with counts. Copy or write it again.")
    n_comments = next((i for i, line in enumerate(lines) if not line.startswith("#")), len(lines))
    if n_comments == len(lines):
        raise InputError(f"{path} holds comments only. Copy or write it again.")
    separator = separator_of(lines[n_comments])
    first = fields_of(lines[n_comments], separator)
    has_header = not _is_number(first[-1])
    if has_header and (repeated := [name for name, n in Counter(filter(None, first)).items() if n > 1]):
        raise InputError(
            f"{path}: the header has {some(repeated)} more than once. Count each sample once, or rename them."
        )
    try:
        with open_plain(path) as handle:
            table = pd.read_csv(
                handle,
                sep=separator,
                skiprows=n_comments,
                header=0 if has_header else None,
                dtype={0: str, first[0]: str},
                index_col=False,
                na_filter=False,
                low_memory=False,
                encoding="utf-8-sig",
            )
    except (
        pd.errors.ParserError,
        pd.errors.EmptyDataError,
        UnicodeDecodeError,
        *DAMAGE,
    ) as error:
        raise InputError(f"{path}: the file is damaged or incomplete ({str(error).strip()}). Copy it again.") from error
    if not len(table):
        raise InputError(f"{path} has a header, but no lines below it. Copy or write it again.")
    return table


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _numbers(table: pd.DataFrame, column: Any, path: Path) -> np.ndarray:
    """Return a column as numbers; refuse a cell that is not one."""
    import pandas as pd

    values = table[column]
    if values.dtype.kind not in "iuf":
        numbers = pd.to_numeric(values, errors="coerce")
        bad = np.flatnonzero(numbers.isna())
        if bad.size:
            raise InputError(
                f"{path}: feature {table.iloc[bad[0], 0]!r}, column {column!r}: found {values.iloc[bad[0]]!r}, "
                "expected a number. The file is damaged or incomplete: copy it again."
            )
        values = numbers
    return values.to_numpy(np.float64)


def _read_kallisto_h5(path: Path) -> Counts:
    """Read an ``abundance.h5``, which has no TPM: they follow from counts and effective lengths."""
    with open_h5(path) as file:
        if "est_counts" not in file or "aux" not in file:
            raise InputError(f"{path} is not an abundance.h5 of kallisto: it holds {some(file)}. Check the path.")
        ids, counts = texts(file["aux/ids"][:]), np.asarray(file["est_counts"][:], dtype=np.float64)
        lengths, effective = (np.asarray(file[f"aux/{name}"][:], np.float64) for name in ("lengths", "eff_lengths"))
    rates = np.divide(counts, effective, out=np.zeros_like(counts), where=effective > 0)
    tpm = rates / max(rates.sum(), np.finfo(float).tiny) * 1e6
    return Counts(path, ids, [""], [counts], [tpm], {"length": lengths})
