"""Schema of a tab-separated table: its columns, their types and what they mean. Standard library only."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Literal

WILSON, BOOTSTRAP = "95 % Wilson interval", "95 % bootstrap interval"

Dtype = Literal["text", "names", "integer", "number", "boolean"]


@dataclass(frozen=True)
class Column:
    """A column, or a family of columns with one member per class or sample.

    Attributes
    ----------
    name
        Its name. ``*`` stands for the name of a class or sample: ``z[*]`` describes ``z[T]`` and ``z[B cell]``.
    dtype
        "text"; "names" (text: names separated by commas); "integer"; "number"; "boolean".
    description
        Meaning of the column, in plain text.
    optional
        Whether the column may be missing.
    """

    name: str
    dtype: Dtype
    description: str
    optional: bool = False

    @property
    def is_family(self) -> bool:
        """Whether there is one such column per class or sample."""
        return "*" in self.name

    def matches(self, name: str) -> bool:
        """Whether `name` is the name of this column or of a member of this family."""
        if not self.is_family:
            return name == self.name
        start, _, end = self.name.partition("*")
        return len(name) >= len(start) + len(end) and name.startswith(start) and name.endswith(end)

    def of(self, member: str) -> str:
        """Name of the family's column for one class or sample."""
        return self.name.replace("*", member)


@dataclass(frozen=True)
class Table:
    """Schema of a table of the results.

    Attributes
    ----------
    path
        Path below the results folder; ``{model}`` stands for the name of a model.
    description
        What a row is, and how the rows are ordered.
    columns
        Columns in the order in which they are written. Adjacent families alternate: ``p[A] q[A] p[B] q[B]``.
    """

    path: str
    description: str
    columns: tuple[Column, ...]

    @property
    def file(self) -> str:
        """File name of the table."""
        return self.path.rpartition("/")[2]

    @property
    def descriptions(self) -> dict[str, str]:
        """Description of each column by name; a family is listed under its name with the ``*``."""
        return {column.name: column.description for column in self.columns}

    def column(self, name: str) -> Column | None:
        """Find the column called `name`, None if there is none; an exact name takes precedence over a family."""
        matching = [column for column in self.columns if column.matches(name)]
        return min(matching, key=lambda column: column.is_family, default=None)

    def names(self, members: Sequence[str] = (), *, optional: bool = True) -> list[str]:
        """List the column names of a file in order.

        Parameters
        ----------
        members
            Classes or samples; without any, families are left out.
        optional
            Whether to include optional columns.
        """
        names: list[str] = []
        kept = [column for column in self.columns if optional or not column.optional]
        for are_families, group in groupby(kept, key=lambda column: column.is_family):
            columns = list(group)
            if are_families:
                names += [column.of(member) for member in members for column in columns]
            else:
                names += [column.name for column in columns]
        return names

    def unknown(self, names: Sequence[str]) -> list[str]:
        """Names that are not columns of the table."""
        return [name for name in names if self.column(name) is None]

    def absent(self, names: Sequence[str]) -> list[str]:
        """Required columns that are not among `names`; a family need not have a member."""
        return [name for name in self.names(optional=False) if name not in names]


def text(name: str, description: str, *, optional: bool = False) -> Column:
    """A column of text."""
    return Column(name, "text", description, optional)


def name_list(name: str, description: str, *, optional: bool = False) -> Column:
    """A column of names separated by commas."""
    return Column(name, "names", description, optional)


def integer(name: str, description: str, *, optional: bool = False) -> Column:
    """A column of integers."""
    return Column(name, "integer", description, optional)


def number(name: str, description: str, *, optional: bool = False) -> Column:
    """A column of numbers."""
    return Column(name, "number", description, optional)


def boolean(name: str, description: str, *, optional: bool = False) -> Column:
    """A column of ``True`` and ``False``."""
    return Column(name, "boolean", description, optional)


def alias(column: str = "") -> Column:
    """The readable names that `core.aliases.add_aliases` adds behind a column of ids, by default `feature`."""
    if not column:
        return text("alias", "its symbol, or the alias of a novel transcript", optional=True)
    return name_list(f"{column}_alias", "the same by symbol or alias, the id where there is none", optional=True)


def interval(name: str, description: str, kind: str) -> Iterator[Column]:
    """Columns for an estimate and the ends of its interval, ``name_low`` and ``name_high``."""
    yield number(name, description)
    yield number(f"{name}_low", f"lower end of its {kind}")
    yield number(f"{name}_high", f"upper end of its {kind}")
