"""Further shards of a matrix, checked as the rules `import_shard` and `merge_shards` check them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..core.words import count
from ..io.join_shards import compare_shards
from ..io.peek import peek
from ..workflow.sections import described_by
from .outcome import Outcome

# So many further shards are looked at, which may take a second each; chosen by hand.
_MOST = 20


def check_shards(outcome: Outcome, first: Any, shards: Mapping[str, str], options: dict, settings: dict) -> None:
    """Look at the shards after the first, and compare features and columns.

    Parameters
    ----------
    outcome
        Receives faults and cautions.
    first
        AnnData of the first shard.
    shards
        Files of all shards by name.
    options
        Arguments of `io.peek.peek` with which the first was read.
    settings
        The checked configuration.
    """
    (first_name, _), *further = shards.items()
    parts, has_table = {first_name: first}, bool(settings["labels"]["table"])
    for name, path in further[:_MOST]:
        found = outcome.attempt(peek, path, **options | {"labels_table": None})
        if found is not None and found.data is not None and found.has_all_features:
            parts[name] = found.data
    outcome.attempt(compare_shards, parts, () if has_table else described_by(settings))
    if left := further[_MOST:]:
        outcome.unread.append(count(len(left), "further shard"))
