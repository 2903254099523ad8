"""Findings in a few lines of text or HTML, for a Python session and a notebook."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING

import numpy as np

from ..core.words import count, printable
from .metrics import mean_or_none

if TYPE_CHECKING:
    from .ranking import Findings

_TOP = 6  # features in the text

_TOP_HTML = 15

_WIDEST = 28  # characters of a name


def findings_text(findings: Findings) -> str:
    """Describe findings in about ten lines: passes, accuracy with its references, the first features, notes."""
    lines = [heading(findings), f"  {accuracy(findings)}"]
    rows = first_features(findings, _TOP)
    width = max((len(row[1]) for row in rows), default=0)
    lines += [
        f"  {rank:>3}. {name:{width}}  {share:>5}  {value}  {classes}".rstrip()
        for rank, name, share, value, classes in rows
    ]
    if rows:
        lines.insert(2, f"       {'feature':{width}}  passes  importance")
    if findings.notes:
        lines.append(f"  {count(len(findings.notes), 'note')}: see .notes")
    return "\n".join(lines)


def findings_html(findings: Findings) -> str:
    """Describe findings as HTML: the same with more features, as a table."""
    head = "".join(f"<th>{name}</th>" for name in ("rank", "feature", "share of passes", "importance", "class"))
    body = "".join(
        "<tr>" + "".join(f"<td>{escape(str(cell))}</td>" for cell in row) + "</tr>"
        for row in first_features(findings, _TOP_HTML)
    )
    notes = "".join(f"<li>{escape(note)}</li>" for note in findings.notes)
    return (
        f"<p><b>{escape(heading(findings))}</b><br>{escape(accuracy(findings))}</p>"
        f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>" + (f"<ul>{notes}</ul>" if notes else "")
    )


def heading(findings: Findings) -> str:
    """Say how many passes, features and classes there are."""
    return (
        f"Findings: {count(findings.n_passes_run, 'pass', 'passes')} ({findings.n_accepted} accepted), "
        f"{count(findings.n_features, 'feature', separator=',')}, {count(len(findings.classes), 'class', 'classes')}"
    )


def accuracy(findings: Findings) -> str:
    """Say how accurate the accepted passes are, beside what is reached without signal."""
    kept = [value for value, good in zip(findings.accuracies, findings.accepted, strict=True) if good]
    if not kept:
        return "no pass was accepted"
    text = f"accuracy {np.mean(kept):.3f}" + (f" ± {np.std(kept, ddof=1):.3f}" if len(kept) > 1 else "")
    references = {
        "largest class": mean_or_none(np.array(findings.majority_accuracies)),
        "permuted labels": mean_or_none(np.array(findings.permuted_accuracies)),
    }
    known = [f"{name} {value:.3f}" for name, value in references.items() if value is not None]
    return text + (f" ({', '.join(known)})" if known else "")


def first_features(findings: Findings, top: int) -> list[tuple[int, str, str, str, str]]:
    """The first features: rank, name, share of passes, importance, and the classes in which they are up or down."""
    rows = []
    for rank, i in enumerate(findings.order()[:top], 1):
        name = printable(findings.feature_names[i]) if findings.feature_names else f"feature {i}"
        name = name if len(name) <= _WIDEST else f"{name[: _WIDEST - 1]}…"
        share = f"{findings.selection_frequency[i]:.0%}"
        rows.append((rank, name, share, f"{findings.median_importance[i]:#.3g}".rstrip("."), _class_of(findings, i)))
    return rows


def _class_of(findings: Findings, i: int) -> str:
    """The class for which a feature matters most, and its direction there."""
    if not findings.class_importance:
        return ""
    of_classes = np.array([row[i] for row in findings.class_importance], dtype=float)
    if np.isnan(of_classes).all():
        return ""
    code = int(np.nanargmax(of_classes))
    direction = {1: "up in", -1: "down in", 0: "matters in"}[findings.class_direction[code][i]]
    return printable(f"{direction} {findings.classes[code]}")
