"""Lists of features on the summary page: the first of every model, and the first markers of every class."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pandas as pd

from ..core.words import percent
from .models import Model
from .page import error_rate, number, rate_of, with_interval

_MAX_LISTS = 24  # lists of markers on the page

_MAX_PERTURBED = 5  # perturbed items that are named for each kind of perturbation


def chord_of(models: Sequence[Model]) -> dict[str, str]:
    """Chords of every feature that belongs to one, by name."""
    found: dict[str, str] = {}
    for model in models:
        if "chord" in model.features:
            found |= dict(zip(model.features["feature"], texts(model.features["chord"]), strict=True))
    return {name: own for name, own in found.items() if own}


def top_recommended(recommended: pd.DataFrame, chords: Mapping[str, str], top: int) -> dict[str, list[str]]:
    """The first features of the list to report: heading -> cells of the column."""
    if recommended.empty:
        return {}
    rows = recommended.head(top)
    ids = texts(rows["feature"])
    columns = _name_first(rows) | {
        "higher in": texts(rows["higher_in"]),
        "log2 fold change": [number(value, 2) for value in rows["log2_fold_change"]],
        "q": [_q(q, reported) for q, reported in zip(rows["q"], rows["reported"], strict=True)],
        "found by": texts(rows["found_by"]),
    }
    if any(own := [chords.get(name, "") for name in ids]):
        columns["chord"] = own
    return columns | _id_last(rows)


def _name_first(rows: pd.DataFrame) -> dict[str, list[str]]:
    """The first column: readable names if there are any, and ids for the features without one."""
    ids = texts(rows["feature"])
    if "alias" not in rows:
        return {"feature": ids}
    return {"name": [alias or name for alias, name in zip(texts(rows["alias"]), ids, strict=True)]}


def _id_last(rows: pd.DataFrame) -> dict[str, list[str]]:
    """The last column: the ids, if the first one has names."""
    return {"feature": texts(rows["feature"])} if "alias" in rows else {}


def _q(q: float, significant: bool) -> str:
    return error_rate(q) + ("" if significant or pd.isna(q) else " (n.s.)")


def perturbed_lines(table: pd.DataFrame, summary: Mapping) -> list[str]:
    """What perturbing features changes, in words: the statement, then the largest changes of each kind."""
    lines = [str(summary["statement"])]
    known = table[table["change"].notna()]
    aliases = {}
    if "item_alias" in known:
        aliases = {
            item: name for item, name in zip(known["item"], known["item_alias"], strict=True) if isinstance(name, str)
        }
    for how, rows in known.groupby("how", sort=False):
        largest = rows.loc[rows["change"].abs().sort_values(ascending=False, kind="stable").index]
        parts = []
        for _, row in largest.drop_duplicates("item").head(_MAX_PERTURBED).iterrows():
            name = aliases.get(row["item"]) or row["item"]
            rate = "" if pd.isna(row["q"]) else f", {rate_of('q', row['q'])}"
            parts.append(f"{name} ({row['class']} {row['change']:+.3f}{rate})")
        lines.append(f"{str(how).capitalize()}, the largest changes: {', '.join(parts)}.")
    return lines


def top_markers(markers: pd.DataFrame, top: int) -> dict[str, dict[str, list[str]]]:
    """The first markers of every class: title -> heading -> cells of the column."""
    lists = {}
    for (within, name, versus), rows in markers.groupby(["within", "class", "versus"], sort=False, dropna=False):
        place = f"{within}: " if isinstance(within, str) and within else ""
        shown = rows.head(top)
        lists[f"{place}{name} against {'all others' if versus == 'rest' else versus} ({len(rows):,})"] = {
            **_name_first(shown),
            "log2 fold change": [number(value, 2) for value in shown["log2_fold_change"]],
            "q": [error_rate(q) for q in shown["q"]],
            "detected": [
                f"{percent(a, 0)} / {percent(b, 0)}"
                for a, b in zip(shown["detected_class"], shown["detected_versus"], strict=True)
            ],
            **_id_last(shown),
        }
    return dict(list(lists.items())[:_MAX_LISTS])


def top_features(model: Model, top: int) -> dict[str, list[str]]:
    """The first features: heading -> cells of the column."""
    if model.features.empty:
        return {}
    rows = model.features.head(top)
    columns = _name_first(rows)
    if model.tested:
        columns["z"] = [number(value, 1) for value in rows["z"]]
        columns["q"] = [_q(q, significant) for q, significant in zip(rows["q"], rows["significant"], strict=True)]
    else:
        columns["importance"] = [f"{value:.3g}" for value in rows["median_importance"]]
    columns["frequency"] = intervals(rows, "selection_frequency", 2)
    columns["class"] = [_main_class(row, model.summary["classes"]) for _, row in rows.iterrows()]
    if "chord" in rows and any(chords := texts(rows["chord"])):
        columns["chord"] = chords
    return columns | _id_last(rows)


def _main_class(row: Mapping, classes: Sequence[str]) -> str:
    """The class for which a feature is most important, with an arrow for the direction."""
    importance = {name: row.get(f"importance[{name}]") for name in classes}
    known = {name: value for name, value in importance.items() if value is not None and not pd.isna(value)}
    if not known:
        return ""
    name = max(known, key=lambda member: known[member])
    arrow = {"up": " ↑", "down": " ↓"}.get(str(row.get(f"direction[{name}]")), "")
    return f"{name}{arrow}"


def intervals(table: pd.DataFrame, name: str, digits: int = 3) -> list[str]:
    """A column with its intervals as text."""
    columns = (table[name], table[f"{name}_low"], table[f"{name}_high"])
    return [with_interval(value, low, high, digits) for value, low, high in zip(*columns, strict=True)]


def texts(values: pd.Series) -> list[str]:
    """Values as text; empty if missing."""
    return ["" if pd.isna(value) else str(value) for value in values]


def target_lines(targets: Mapping[str, Mapping], withheld: Mapping[str, pd.DataFrame]) -> dict[str, list[str]]:
    """What is said about the target samples: by model, the one sentence, then its conditions.

    Parameters
    ----------
    targets
        target.json by model.
    withheld
        withheld.tsv by model; may be empty.
    """
    lines = {}
    for name, target in targets.items():
        lines[name] = [target["statement"], target["rate"], target["coverage"], *target["cautions"]]
        table = withheld.get(name)
        if table is not None and table["power"].notna().any():
            known = table[table["power"].notna()].sort_values("power")
            least = [f"{row['class']} {percent(row['power'], 0)}" for _, row in known.head(3).iterrows()]
            lines[name].append(
                f"Had a class been new, one pass would have found {percent(known['power'].mean(), 0)} of its cells "
                f"at level {target['level']:g}, on average over the classes; least of {', '.join(least)}."
            )
    return lines
