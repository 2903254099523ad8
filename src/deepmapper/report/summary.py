"""The summary page: what was analysed, what was found, at which error rate, and how far to trust it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import pandas as pd
from markupsafe import Markup

from ..core.words import count
from .models import Model
from .page import between, number, render

_VERDICTS = {True: "yes", False: "no", None: "open"}

_TELLS = 0.7  # AUC from which on a confounder that was not adjusted for is a reason for doubt

_FEW = 10  # samples of a class that were judged, below which intervals are wide

_SOME_CLASSES = 8  # whose sizes are listed


@dataclass(frozen=True)
class _Line:
    """A statement: its text, the model that it is about, and words before the text that stand out."""

    text: str
    model: str = ""
    strong: str = ""


def summary_page(
    *,
    data: Mapping,
    models: Sequence[Model],
    table: pd.DataFrame,
    baseline: Mapping,
    confounders: Mapping,
    screen: Mapping,
    proof: Mapping,
    chords: pd.DataFrame,
    evidence_panel: Mapping,
    chart: str = "",
    top: int = 10,
) -> str:
    """Write the page.

    Parameters
    ----------
    data
        Where the matrix came from, its label and group columns, the normalisation and the samples of each class: keys
        "from", "label", "group", "normalization", "sizes".
    models
        What is known of each model.
    table
        models.tsv.
    baseline
        metrics.json of logistic regression.
    confounders
        confounders.json.
    screen, proof, chords
        chords/screen.json, findings/chords.json and findings/chords.tsv.
    evidence_panel
        findings/evidence_panel.json.
    chart
        An SVG of the models side by side.
    top
        Features and chords listed.
    """
    return render(
        "summary.html.j2",
        title="DeepMapper: summary",
        verdicts=_VERDICTS,
        data=data,
        models=models,
        baseline=baseline,
        confounders=confounders,
        analysed=_analysed(data, models, baseline),
        found=[_found(model) for model in models],
        about_chords=" ".join(filter(None, [screen["statement"], proof["statement"] if len(chords) else ""])),
        stable=[_Line(model.convergence["statement"], model.name) for model in models],
        predicted=_predicted(models, baseline, evidence_panel),
        would_lose={model.name: _would_lose(model) for model in models},
        doubts=_doubts(models, baseline, confounders, proof, chords),
        where=_where(models, chords),
        first_features=[_features(model, top) for model in models],
        first_chords=_chords(chords, top),
        side_by_side=_side_by_side(table),
        chart=Markup(_inline(chart)),
    )


def _analysed(data: Mapping, models: Sequence[Model], baseline: Mapping) -> dict[str, str]:
    sizes = data["sizes"]
    listed = ", ".join(f"{name} {n:,}" for name, n in list(sizes.items())[:_SOME_CLASSES])
    more = f", and {len(sizes) - _SOME_CLASSES} more" if len(sizes) > _SOME_CLASSES else ""
    judged = (
        f"{baseline['n_test']} samples judged by passes that did not train on them"
        if baseline["scheme"] == "repeated"
        else f"judged on {baseline['n_test']} samples that no pass has seen"
    )
    size = f"{sum(sizes.values()):,} samples × {models[0].summary['n_features']:,} features"
    return {"size": size, "classes": listed + more, "judged": judged}


def _found(model: Model) -> _Line:
    if model.features.empty:
        return _Line("none, since no pass was accepted.", model.name)
    told = model.significance
    line, strong = f"{told['statement']} {model.stability['statement']}", ""
    if model.tested:
        found, level = int(model.features["significant"].sum()), told["level"]
        false = f", of which at most {found * level:.1f} are expected to be false (q ≤ {level:g})" if found else ""
        line, strong = f"{false}. {line}", f"{found or 'none'} significant"
    return _Line(line, model.name, strong)


def _predicted(models: Sequence[Model], baseline: Mapping, evidence_panel: Mapping) -> list[_Line]:
    lines = []
    for model in models:
        numbers, panel = model.metrics, model.panel
        if numbers["accuracy"] is None:
            lines.append(_Line("no pass was accepted, nothing was predicted.", model.name))
            continue
        line = f"accuracy {_interval(numbers)}"
        if panel["accuracy"] is not None:
            members = count(panel["n_features"], "significant feature", separator=",")
            line += f"; a small model on its {members} alone {_interval(panel)}"
        lines.append(_Line(f"{line}.", model.name))
    beside = (
        f"Beside them: logistic regression on all features {_interval(baseline)}, always the largest class "
        f"{baseline['majority_accuracy']:.3f}."
    )
    if "in blocks" in baseline.get("solver", ""):
        beside += f" Logistic regression was fitted by {baseline['solver']}"
    if evidence_panel["accuracy"] is not None:
        members = count(evidence_panel["n_features"], "feature", separator=",")
        beside += f" A small model on the first {members} by evidence alone: {_interval(evidence_panel)}."
    return [*lines, _Line(beside)]


def _interval(numbers: Mapping) -> str:
    return between(numbers["accuracy"], numbers["accuracy_low"], numbers["accuracy_high"])


def _would_lose(model: Model) -> list[str]:
    """Choices that lose something, with names; then those that lose nothing and those that could not be made."""
    lost, harmless, unknown = [], [], []
    for choice, rows in model.audit[model.audit["n"] > 0].groupby("choice", sort=False):
        known = rows[rows["n_lost"].notna()]
        if known.empty:
            unknown.append(f"{choice}: cannot be said ({rows['note'].iloc[0]})")
        elif known["n_lost"].sum():
            parts = [
                f"{row['n_lost']:.0f} of {row['n']} {row['of']}{_first(row['lost'])}" for _, row in known.iterrows()
            ]
            lost.append(f"{choice}: {' and '.join(parts)}")
        else:
            harmless.append(choice)
    if harmless:
        harmless = [f"nothing by {', '.join(harmless)}"]
    return [*lost, *harmless, *unknown]


def _first(lost) -> str:
    """First names of what is lost, in brackets."""
    names = [name for name in lost.split(",") if name] if isinstance(lost, str) else []
    return f" ({', '.join(names[:3])}{', …' if len(names) > 3 else ''})" if names else ""


def _doubts(
    models: Sequence[Model], baseline: Mapping, confounders: Mapping, proof: Mapping, chords: pd.DataFrame
) -> list[_Line]:
    doubts = [_Line(doubt, model.name) for model in models for doubt in _doubts_of(model, baseline)]
    for record in confounders["alone"]:
        auc = record["macro_auc"]
        if not record["adjusted"] and auc is not None and auc >= _TELLS:
            doubts.append(
                _Line(
                    f"{record['confounder']} alone tells the classes (AUC "
                    f"{between(auc, record['macro_auc_low'], record['macro_auc_high'], 2)}) and was not adjusted for: "
                    f"what follows from it counts as found (confounders)."
                )
            )
    if len(chords) and not proof["proved"]:
        doubts.append(_Line("No chord was judged on samples that the screen had not seen."))
    small = baseline["n_test"] / len(baseline["classes"])
    if small < _FEW:
        where = "Judged are" if baseline["scheme"] == "repeated" else "The test split holds"
        doubts.append(_Line(f"{where} {small:.0f} samples a class on average: the intervals are wide."))
    if not doubts:
        doubts.append(_Line("Nothing that the run itself can see: every setting acted and every reference was passed."))
    return doubts


def _doubts_of(model: Model, baseline: Mapping) -> Iterator[str]:
    summary, numbers = model.summary, model.metrics
    if summary["signal"] is False:
        yield "no signal; its ranking is not to be read."
    yield from map(str, summary["notes"])
    if not summary["n_controls"]:
        yield "no control pass was trained on permuted labels (passes: n_permuted)."
    if model.reads_chords:
        yield (
            "its passes read chords as pixels, and the screen for chords has seen the samples that judge single "
            "passes: out-of-bag accuracies are too kind, those on the test split are not."
        )
    if numbers["not_judged"]:
        missed = numbers["not_judged"]
        listed = ", ".join(map(str, missed[:10])) + (", ..." if len(missed) > 10 else "")
        yield (
            f"{len(missed)} sample(s) were out of bag in no pass and are not judged: {listed}. "
            f"More passes would judge them."
        )
    overlap = summary["mean_top_k_overlap"]
    if model.convergence["reached"] is False:
        yield f"the ranking is not yet stable at {model.convergence['level']:g}; more passes would help."
    elif overlap is not None and overlap < 0.5:
        yield f"two passes share only {overlap:.0%} of their top {summary['top_k']} on average."
    if numbers["accuracy"] is not None and numbers["accuracy"] < baseline["accuracy_low"]:
        yield (
            f"logistic regression is more accurate ({baseline['accuracy']:.3f} against {numbers['accuracy']:.3f}); "
            f"its ranking is in linear_baseline/features.tsv."
        )


def _where(models: Sequence[Model], chords: pd.DataFrame) -> dict[str, dict[str, str]]:
    """Files to look at next, their names by their paths from the page: of every model, and of all models."""
    of_model = {
        "features.html": "all features", "plots/ranking.svg": "ranking",
        "plots/importance_significance.svg": "significance", "plots/evidence.svg": "two rankings",
        "plots/importance_heatmap.svg": "by class",
        "plots/convergence.svg": "stability", "plots/confusion.svg": "confusion", "audit.html": "audit",
        "passes.html": "passes",
    }  # fmt: skip
    of_chords = {
        "chords.html": "chords",
        "chord_networks.svg": "their networks",
        "chord_scores.svg": "their scores",
    }
    files = {model.name: {f"{model.name}/{path}": text for path, text in of_model.items()} for model in models}
    return {**files, "all models": {"models.html": "models", **(of_chords if len(chords) else {})}}


def _features(model: Model, top: int) -> dict[str, list[str]]:
    """The first features, the cells of each column by its heading."""
    if model.features.empty:
        return {}
    head = model.features.head(top)
    often = zip(
        head["selection_frequency"], head["selection_frequency_low"], head["selection_frequency_high"], strict=True
    )
    columns = {"feature": _texts(head["feature"])}
    if model.tested:
        columns["z"] = [number(value, 1) for value in head["z"]]
        columns["q"] = [
            f"{value:.2g}" + ("" if sure else " (n.s.)")
            for value, sure in zip(head["q"], head["significant"], strict=True)
        ]
    else:
        columns["importance"] = [f"{value:.3g}" for value in head["median_importance"]]
    columns["frequency"] = [between(*one, digits=2) for one in often]
    columns["most for"] = [_max_for(row, model.summary["classes"]) for _, row in head.iterrows()]
    if "chord" in head and any(chords := _texts(head["chord"])):
        columns["chord"] = chords
    return columns


def _max_for(row: Mapping, classes: Sequence[str]) -> str:
    """Name the class for which a feature matters most, with its direction."""
    of_class = {name: row.get(f"importance[{name}]") for name in classes}
    known = {name: value for name, value in of_class.items() if value is not None and not pd.isna(value)}
    if not known:
        return ""
    name = max(known, key=lambda one: known[one])
    arrow = {"up": " ↑", "down": " ↓"}.get(str(row.get(f"direction[{name}]")), "")
    return f"{name}{arrow}"


def _chords(chords: pd.DataFrame, top: int) -> dict[str, list[str]]:
    """The first chords, the cells of each column by its heading."""
    if chords.empty:
        return {}
    head = chords.head(top)
    sides = [[_members(row.get(f"side_{k}")) for k in (1, 2, 3)] for _, row in head.iterrows()]
    return {
        "chord": _texts(head["chord"]),
        "tells": _texts(head["class"]),
        "members": [" × ".join(side for side in members if side) for members in sides],
        "z": [number(value, 1) for value in head["z"]],
        "AUC": _column(head, "auc_chord", 2),
        "best member": [number(value, 2) for value in head["auc_best_member"]],
        "additive": [number(value, 2) for value in head["auc_additive"]],
        "synergy": _column(head, "synergy", 2),
    }


def _members(side) -> str:
    names = side.split(",") if isinstance(side, str) and side else []
    return ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")


def _column(table: pd.DataFrame, name: str, digits: int = 3) -> list[str]:
    """Numbers with their intervals."""
    three = (table[name], table[f"{name}_low"], table[f"{name}_high"])
    return [between(*one, digits=digits) for one in zip(*three, strict=True)]


def _side_by_side(models: pd.DataFrame) -> dict[str, list[str]]:
    """The models, the cells of each column by its heading."""
    return {
        "model": _texts(models["model"]),
        "passes": _texts(models["n_passes"]),
        "one pass": [number(value) for value in models["per_pass_accuracy_mean"]],
        "accuracy": _column(models, "accuracy"),
        "balanced accuracy": _column(models, "balanced_accuracy"),
        "macro F1": _column(models, "macro_f1"),
        "ECE": [number(value) for value in models["ece"]],
    }


def _texts(values: pd.Series) -> list[str]:
    """Values as text; nothing where there is none."""
    return ["" if pd.isna(value) else str(value) for value in values]


def _inline(chart: str) -> str:
    """Strip what an SVG file has before its first element. Its text is escaped by matplotlib, which wrote it."""
    return chart[chart.index("<svg") :] if "<svg" in chart else ""
