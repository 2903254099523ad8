"""Wording of messages: short lists, counts, spelling suggestions, natural order. Standard library only."""

from __future__ import annotations

import difflib
import math
import re
from collections.abc import Iterable, Sequence
from typing import Any

# Characters that a terminal acts on.
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")

# Words that YAML reads as a truth value or as nothing.
_YAML_WORDS = {"y", "yes", "n", "no", "on", "off", "true", "false", "null"}


def some(values: Iterable[Any], n: int = 3) -> str:
    """Quote the first `n` values: ``'a', 'b', 'c', ...``."""
    return listed([repr(str(value)) for value in values], n, ", ...")


def printable(text: str) -> str:
    r"""Write characters that control a terminal as their code (``\x1b``); line ends and tabs stay."""
    return _CONTROL.sub(lambda found: f"\\x{ord(found[0]):02x}", text)


def some_names(names: Iterable[str], n: int = 5, more: str = " and {} more") -> str:
    """List the first `n` distinct names in alphabetical order, as `listed` does."""
    return listed(sorted(set(names)), n, more)


def listed(texts: Sequence[str], n: int = 5, more: str = " and {} more") -> str:
    """Join the first `n` texts by commas: ``a, b, c and 12 more``; ``{}`` in `more` is the number left out."""
    return ", ".join(texts[:n]) + (more.format(len(texts) - n) if len(texts) > n else "")


def confounder_words(name: str) -> str:
    """Say what a confounder is: the one that is computed and not named for what it is, in words."""
    return "the number of detected features" if name == "detected" else name


def percent(share: float, decimals: int = 3) -> str:
    """Write a share in percent, with at most so many digits after the point: ``5 %``."""
    return f"{round(100 * share, decimals):g} %"


def scale_words(normalization: str) -> str:
    """Say what the values of a normalisation are, for an axis: ``log(1 + TPM)``."""
    words = {
        "none": "as given",
        "log1p_median": "log(1 + scaled counts)",
        "log1p_cp10k": "log(1 + counts per 10,000)",
        "log1p_cpm": "log(1 + counts per million)",
        "log1p_tpm": "log(1 + TPM)",
    }
    return words[normalization]


def features_and_chords(n_features: int, n_chords: int, kind: str = "") -> str:
    """Say what a small model reads: ``3 features and 1 chord``; ``1 chord`` if it reads no feature."""
    parts = [count(n_features, f"{kind}feature", separator=",")] if n_features or not n_chords else []
    return " and ".join(parts + ([count(n_chords, "chord", separator=",")] if n_chords else []))


def count(n: int, singular: str, plural: str = "", *, zero: str = "0", separator: str = "") -> str:
    """Write a count with its noun: ``1 pass``, ``12 passes``.

    Parameters
    ----------
    n
        The count.
    singular, plural
        The noun; the default plural is the singular with an "s".
    zero
        Word for 0, such as "no".
    separator
        Thousands separator: ``","``, ``"_"`` or none.
    """
    number = f"{n:{separator}}" if n else zero
    return f"{number} {singular if n == 1 else plural or f'{singular}s'}"


def at_most_about(expected: float, of: str = "them") -> str:
    """Say in whole numbers how many an expected number is at most, with the verb: ``at most about 3 of them are``."""
    if expected < 1:
        return "less than one is"
    whole = math.floor(expected + 0.5)
    return f"at most about {whole:,} of {of} {'is' if whole == 1 else 'are'}"


def nearest(word: object, known: Iterable[Any], n: int = 1, cutoff: float = 0.6) -> list[str]:
    """Return up to `n` known words that resemble `word`, the most similar first; case is ignored.

    `cutoff` is the minimum similarity, from 0 to 1 (``difflib.SequenceMatcher.ratio``).
    """
    by_lower = {str(name).lower(): str(name) for name in known}
    return [by_lower[match] for match in difflib.get_close_matches(str(word).lower(), by_lower, n, cutoff)]


def did_you_mean(word: object, known: Iterable[Any]) -> str:
    """Suggest the nearest known word: a sentence with a leading space, or "" if no word is similar."""
    return "".join(f" Did you mean {name!r}?" for name in nearest(word, known))


def natural_order(names: Iterable[str]) -> list[str]:
    """Sort numbers by value and text in natural order, with embedded numbers by value: ``c2`` before ``c10``."""
    names = sorted(names)
    try:
        return sorted(names, key=float)
    except ValueError:
        return sorted(names, key=lambda name: [int(s) if i % 2 else s for i, s in enumerate(re.split(r"(\d+)", name))])


def yaml_list(names: Iterable[Any]) -> str:
    """Write names as a list in YAML, for a line of configuration in a message: ``[batch, 'donor 1']``.

    Names that YAML would read as something else than text are quoted.
    """
    return f"[{', '.join(map(yaml_text, names))}]"


def yaml_text(name: object) -> str:
    """Write a name as YAML, quoted if YAML would read it as something other than this text."""
    text = str(name)
    plain = re.fullmatch(r"[^\W\d]\w*(?:[ .-]\w+)*", text) and text.lower() not in _YAML_WORDS
    return text if plain else "'{}'".format(text.replace("'", "''"))
