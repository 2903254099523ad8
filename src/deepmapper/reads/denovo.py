"""The prefix of novel transcripts' names. Standard library only."""

from __future__ import annotations

PREFIX = "DENOVO_"


def is_denovo(transcript_id: str) -> bool:
    """Whether a transcript is novel, judging by its name (``DENOVO_...``)."""
    return str(transcript_id).startswith(PREFIX)
