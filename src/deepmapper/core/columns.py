"""What a tab-separated table holds: its columns, their types and what they mean. Standard library only at import."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Literal

WILSON, BOOTSTRAP = "95 % Wilson interval", "95 % bootstrap interval"

Dtype = Literal["text", "names", "integer", "number", "boolean"]


@dataclass(frozen=True)
class Column:
    """A column, or a family of columns with one member for every class or sample.

    Attributes
    ----------
    name
        Its name. One ``*`` stands for the name of a class or sample: ``z[*]`` describes ``z[T]`` and ``z[B cell]``.
    dtype
        "text"; "names", text that lists names separated by commas; "integer"; "number"; "boolean".
    description
        What it means, in plain text.
    optional
        Whether the table may lack it.
    """

    name: str
    dtype: Dtype
    description: str
    optional: bool = False

    @property
    def is_family(self) -> bool:
        """Whether there is one such column for every class or sample."""
        return "*" in self.name

    def matches(self, name: str) -> bool:
        """Whether the column `name` of a file is this column, or one of this family."""
        if not self.is_family:
            return name == self.name
        start, _, end = self.name.partition("*")
        return len(name) >= len(start) + len(end) and name.startswith(start) and name.endswith(end)

    def of(self, member: str) -> str:
        """Name of the column of one class or sample."""
        return self.name.replace("*", member)


@dataclass(frozen=True)
class Table:
    """A table of the results.

    Attributes
    ----------
    path
        Where it lies below the folder of results; ``{model}`` stands for the name of a model.
    about
        What it holds: one row per what, in which order.
    columns
        In the order in which they are written. Families that follow one another take turns: ``p[A] q[A] p[B] q[B]``.
    """

    path: str
    about: str
    columns: tuple[Column, ...]

    @property
    def file(self) -> str:
        """Its file name."""
        return self.path.rpartition("/")[2]

    @property
    def descriptions(self) -> dict[str, str]:
        """What each column means, by name; families under their name with the ``*``."""
        return {column.name: column.description for column in self.columns}

    def column(self, name: str) -> Column | None:
        """Find the column called `name`; None if the table has none. A column of that very name precedes a family."""
        found = [column for column in self.columns if column.matches(name)]
        return min(found, key=lambda column: column.is_family, default=None)

    def names(self, members: Sequence[str] = (), *, optional: bool = True) -> list[str]:
        """Name the columns of a file in their order.

        Parameters
        ----------
        members
            The classes or samples; none leaves the families out.
        optional
            Whether to name the optional columns as well.
        """
        listed: list[str] = []
        kept = [column for column in self.columns if optional or not column.optional]
        for families, group in groupby(kept, key=lambda column: column.is_family):
            columns = list(group)
            listed += (
                [column.of(member) for member in members for column in columns]
                if families
                else [column.name for column in columns]
            )
        return listed

    def unknown(self, names: Sequence[str]) -> list[str]:
        """Columns among `names` that the table does not have."""
        return [name for name in names if self.column(name) is None]

    def absent(self, names: Sequence[str]) -> list[str]:
        """Columns that the table must have and that are not among `names`; families may be without a member."""
        return [name for name in self.names(optional=False) if name not in names]


def text(name: str, description: str, *, optional: bool = False) -> Column:
    """A column of text."""
    return Column(name, "text", description, optional)


def name_list(name: str, description: str, *, optional: bool = False) -> Column:
    """A column that lists names, separated by commas."""
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


def interval(name: str, description: str, kind: str) -> Iterator[Column]:
    """An estimate and, as ``name_low`` and ``name_high``, the ends of its interval."""
    yield number(name, description)
    yield number(f"{name}_low", f"lower end of its {kind}")
    yield number(f"{name}_high", f"upper end of its {kind}")
