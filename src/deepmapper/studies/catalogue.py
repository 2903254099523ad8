"""The studies of `config/studies`: what each asks, which files it needs and what is made of them.

Standard library and PyYAML.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from ..core.words import did_you_mean
from ..errors import InputError

# Hashes by the length of their hexadecimal text.
_DIGITS = {"md5": 32, "sha256": 64}


@dataclass(frozen=True)
class StudyFile:
    """A file of a study.

    Attributes
    ----------
    name
        Of the file in the folder ``data`` of the study.
    url
        Where it is fetched from.
    checksum
        ``md5:`` or ``sha256:`` and the digits; "" if none was published.
    bytes
        Its size; 0 if unknown.
    """

    name: str
    url: str
    checksum: str = ""
    bytes: int = 0


@dataclass(frozen=True)
class Study:
    """A published study.

    Attributes
    ----------
    name, folder
        Its name, and the folder that describes it, with ``study.yaml`` and ``config.yaml``.
    question
        What is asked, in a sentence.
    article
        Address of the article.
    prepare
        Which function of `prepare` makes what ``config.yaml`` reads.
    files
        What is fetched.
    """

    name: str
    folder: Path
    question: str
    article: str
    prepare: str
    files: tuple[StudyFile, ...]


def study_names(root: Path) -> list[str]:
    """Names of all studies of a repository."""
    return sorted(path.parent.name for path in (root / "config/studies").glob("*/study.yaml"))


def read_study(root: Path, name: str) -> Study:
    """Read what `config/studies/NAME/study.yaml` says.

    Raises
    ------
    InputError
        If there is no such study, or its description cannot be used.
    """
    import yaml

    known = study_names(root)
    if name not in known:
        raise InputError(f"there is no study {name!r}.{did_you_mean(name, known)} Those that are: {', '.join(known)}.")
    path = root / "config/studies" / name / "study.yaml"
    about = yaml.safe_load(path.read_text())
    files = tuple(StudyFile(**file) for file in about.pop("files"))
    for file in files:
        kind, _, digits = file.checksum.partition(":")
        if file.checksum and not (kind in _DIGITS and re.fullmatch(rf"[0-9a-f]{{{_DIGITS[kind]}}}", digits)):
            raise InputError(
                f"{path}: checksum of {file.name} is {file.checksum!r}, expected md5: or sha256: and digits."
            )
    return Study(name=name, folder=path.parent, files=files, **about)
