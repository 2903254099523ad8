"""Words that stand for a missing value, and names of classes that are rarely states. Standard library only."""

from __future__ import annotations

import re
from collections.abc import Collection

# Words that mean "no value" in tables and annotations, besides empty text and blanks. They are compared exactly, so
# that `none`, a common name of an untreated group, stays a class. It is also the default of `labels.na_values`.
MISSING_WORDS = ("NA", "N/A", "n/a", "#N/A", "NaN", "nan", "None", "null", "NULL", "<NA>")

# NaN of pandas as text; in capitals after all names were, as for symbols of human genes.
NAN_WORDS = ("NaN", "nan", "NAN", "<NA>")

# Classes that rarely are states: in lower case, with one blank for any punctuation.
_DOUBTFUL = re.compile(
    "unknown|unassigned|unlabell?ed|unclassified|unannotated|undetermined|undefined|ambiguous|missing|none|null|nan?|"
    "n a|nd|n d|not (assigned|determined|available|applicable)|doublets?|multiplets?|low ?quality|debris|"
    "empty droplets?|"
)


def is_missing(text: str, words: Collection[str] = MISSING_WORDS) -> bool:
    """Whether a cell of a table is a missing value: empty, blank or one of the words."""
    plain = text.strip()
    return not plain or plain in words


def is_doubtful(name: str) -> bool:
    """Whether a class has a name such as Unknown, doublets or low quality, or a name without letters and digits."""
    plain = re.sub(r"[\W_]+", " ", name.casefold()).strip()
    return _DOUBTFUL.fullmatch(plain) is not None
