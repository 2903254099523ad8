"""What a check has found so far: faults, cautions, and lines on what was read and what would run."""

from __future__ import annotations

import re
import warnings
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any, TypeVar

from ..core.files import os_error_message
from ..core.memory import out_of_memory_message
from ..errors import BackboneUnavailable, BioToolUnavailable, DeepMapperWarning, DiskFull, InputError, ToolFailed

Result = TypeVar("Result")

_KNOWN = (InputError, BackboneUnavailable, BioToolUnavailable, ToolFailed, DiskFull, ImportError)

_ITEM = re.compile(r"\n {2}(?:- )?(?=\S)")


@dataclass
class Outcome:
    """Result of a check.

    Attributes
    ----------
    faults
        What makes the run end with an error, one message each.
    cautions
        What the run would warn about, one message each.
    lines
        Pairs (word, text) on what was read and what would run.
    unread
        What was not checked, and the run does.
    """

    faults: list[str] = field(default_factory=list)
    cautions: list[str] = field(default_factory=list)
    lines: list[tuple[str, str]] = field(default_factory=list)
    unread: list[str] = field(default_factory=list)

    def attempt(self, action: Callable[..., Result], *arguments: Any, **options: Any) -> Result | None:
        """Call a function; what it raises is a fault, what it warns about a caution. None after a fault.

        A message that lists several faults, one per line, becomes as many.
        """
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            try:
                return action(*arguments, **options)
            except MemoryError as error:
                self.add_faults([out_of_memory_message(error)])
            except _KNOWN as error:
                first, *items = _ITEM.split(str(error))
                self.add_faults(
                    [item.partition("\nGive")[0] for item in items] if first.endswith(":") else [str(error)]
                )
            except OSError as error:
                self.add_faults([os_error_message(error) or str(error)])
            except Exception as error:  # a fault of the package is reported beside those of the input
                self.add_faults([_unexpected(error)])
            finally:
                self.add_cautions(
                    str(warning.message) for warning in caught if issubclass(warning.category, DeepMapperWarning)
                )
        return None

    def add_faults(self, faults: Iterable[str]) -> None:
        """Add faults that are not there yet."""
        self.faults += [fault for fault in dict.fromkeys(faults) if fault not in self.faults]

    def add_cautions(self, cautions: Iterable[str]) -> None:
        """Add cautions that are not there yet."""
        self.cautions += [caution for caution in dict.fromkeys(cautions) if caution not in self.cautions]

    def say(self, word: str, text: str) -> None:
        """Add a line of the summary."""
        if text:
            self.lines.append((word, text))


def _unexpected(error: Exception) -> str:
    place = error.__traceback__
    while place and place.tb_next:
        place = place.tb_next
    where = f" ({place.tb_frame.f_code.co_filename}:{place.tb_lineno})" if place else ""
    return (
        f"unexpected {type(error).__name__}: {str(error).strip()}{where}. This is an error of DeepMapper or of a "
        "library that it uses; please report it with this message."
    )
