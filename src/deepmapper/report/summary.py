"""The summary page: what was analysed, what was found, at which error rate, and reasons for caution."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import pandas as pd
from markupsafe import Markup

from ..core.aliases import readable_names
from ..core.words import at_most_about, confounder_words, count, features_and_chords, percent
from .beyond_words import beyond_single_tests
from .chord_words import chords_in_words
from .enriched_sets import enriched_sets
from .links import links_of, loses
from .models import Model
from .page import number, rate_of, render, with_interval
from .summary_lists import (
    chord_of,
    intervals,
    perturbed_lines,
    target_lines,
    texts,
    top_features,
    top_markers,
    top_recommended,
)

# CSS class of the answer to "Is there signal?"
VERDICTS = {True: "yes", False: "no", None: "open"}

_PREDICTIVE_AUC = 0.7  # chosen by hand: a confounder that was not adjusted for is a concern from this AUC on

_FEW_SAMPLES = 10  # chosen by hand: with fewer evaluated samples per class the page says that intervals are wide

_MAX_CLASSES = 8  # listed with their sizes

_LOW_OVERLAP = 0.5  # chosen by hand: below it the page says that two passes share few of their top features


@dataclass(frozen=True)
class _Line:
    """A statement: its text, the model that it is about, and bold words before the text."""

    text: str
    model: str = ""
    bold: str = ""


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
    differential: Mapping,
    markers: pd.DataFrame,
    recommended: pd.DataFrame,
    recommendation: Mapping,
    baseline_features: pd.DataFrame,
    enrichment: tuple[pd.DataFrame, Mapping] | None = None,
    aliases: Mapping[str, str] | None = None,
    of_symbols: str = "",
    of_data: Sequence[str] = (),
    of_fragments: str = "",
    perturbed: Mapping[str, tuple[pd.DataFrame, Mapping]] | None = None,
    targets: Mapping[str, Mapping] | None = None,
    withheld: Mapping[str, pd.DataFrame] | None = None,
    chart: str = "",
    top: int = 10,
) -> str:
    """Render the page.

    Parameters
    ----------
    data
        Source of the matrix, label and group columns, normalisation, and number of samples of each class: keys "from",
        "label", "group", "normalization", "sizes".
    models
        Results of each model.
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
    differential, markers
        findings/differential.json and findings/markers.tsv.
    recommended, recommendation
        findings/recommended.tsv and findings/recommended.json.
    baseline_features
        features.tsv of logistic regression: `feature`, the first ones first.
    enrichment
        enrichment.tsv and enrichment.json; None without gene sets.
    aliases, of_symbols
        Readable name of every feature that has one, by name, and where symbols come from ("" if there are none).
    of_data
        Cautions about the data (`features.prepare.prepare_features`), shown first.
    of_fragments
        Where the fragments went (`reads.fates.describe_fragments`); "" if the run did not start from reads.
    perturbed
        perturbation.tsv and perturbation.json by model, if features were perturbed.
    targets, withheld
        target.json and withheld.tsv by model, if the run has target samples.
    chart
        SVG of the models side by side.
    top
        Number of features and chords listed.
    """
    alias_of = aliases or {}
    return render(
        "summary.html.j2",
        title="DeepMapper: summary",
        verdicts=VERDICTS,
        data=data,
        models=models,
        baseline=baseline,
        confounders=confounders,
        of_data=of_data,
        of_fragments=of_fragments,
        of_symbols=of_symbols,
        analysed=analysed(data, models, baseline),
        differential=differential,
        recommendation=recommendation,
        recommended=top_recommended(recommended, chord_of(models), top),
        beyond_single=[
            _Line(beyond_single_tests(model, baseline_features, alias_of), model.name)
            for model in models
            if model.tested
        ],
        enrichment=enrichment[1] if enrichment else None,
        enriched=enriched_sets(enrichment[0], enrichment[1]["level"]) if enrichment else [],
        n_features=[_significant_features(model) for model in models],
        novel=[_Line(text, model.name) for model in models if (text := _novel_features(model, top))],
        chords=chords_in_words(screen, proof, chords, alias_of),
        stability=[
            _Line(f" {recommendation['convergence']['statement']}", bold="The list to report."),
            *(_Line(model.convergence["statement"], model.name) for model in models),
        ],
        accuracy=_accuracies(models, baseline, evidence_panel),
        perturbed={name: perturbed_lines(*found) for name, found in (perturbed or {}).items()},
        targets=target_lines(targets or {}, withheld or {}),
        lost_by_filtering={model.name: _lost_by_filtering(model, alias_of) for model in models if loses(model)},
        cautions=cautions_of(models, baseline, confounders, proof, chords, of_data, differential["confounded"]),
        links=links_of(
            models,
            chords,
            from_reads=bool(of_fragments),
            with_sets=enrichment is not None,
            with_target=bool(targets),
            with_withheld=bool(withheld),
            with_perturbed=bool(perturbed),
        ),
        top_features=[top_features(model, top) for model in models],
        markers=top_markers(markers, top),
        aliased=bool(alias_of),
        top_chords=top_chords(chords, top, alias_of),
        model_table=_model_table(table),
        chart=Markup(_inline_svg(chart)),
    )


def analysed(data: Mapping, models: Sequence[Model], baseline: Mapping) -> dict[str, str]:
    """Size of the data, its classes, and which samples evaluate, in words."""
    sizes = data["sizes"]
    classes = ", ".join(f"{name} {n:,}" for name, n in list(sizes.items())[:_MAX_CLASSES])
    if len(sizes) > _MAX_CLASSES:
        classes += f", and {len(sizes) - _MAX_CLASSES} more"
    if baseline["scheme"] == "repeated":
        evaluated = "samples are evaluated by passes that did not train on them"
    else:
        evaluated = f"evaluated on {baseline['n_test']:,} samples that no pass has seen"
    size = f"{sum(sizes.values()):,} samples × {models[0].summary['n_features']:,} features"
    return {"size": size, "classes": classes, "evaluated": evaluated}


def _significant_features(model: Model) -> _Line:
    if model.features.empty:
        return _Line("none, because no pass was accepted.", model.name)
    statement = f"{model.significance['statement']} {model.stability['statement']}"
    if not model.tested:
        return _Line(statement, model.name)
    n, level = int(model.features["significant"].sum()), model.significance["level"]
    if not n:
        return _Line(f". {statement}", model.name, "none significant")
    expected = f" (q ≤ {level:g}); {at_most_about(n * level)} expected to be false. "
    return _Line(expected + statement, model.name, f"{n:,} significant")


def _novel_features(model: Model, top: int) -> str:
    """Say how many of a model's first and of its significant features are novel transcripts; "" if it has none."""
    if "is_denovo" not in model.features or not model.features["is_denovo"].any():
        return ""
    novel = model.features["is_denovo"]
    text = f"novel transcripts: {int(novel.head(top).sum())} of its top {min(top, len(novel))} features"
    if model.tested and (n := int(model.features["significant"].sum())):
        significant = count(n, "significant feature", separator=",")
        text += f", {int(novel[model.features['significant']].sum())} of its {significant}"
    return f"{text}."


def _accuracies(models: Sequence[Model], baseline: Mapping, evidence_panel: Mapping) -> list[_Line]:
    lines = []
    for model in models:
        metrics, panel = model.metrics, model.panel
        if metrics["accuracy"] is None:
            lines.append(_Line("no pass was accepted, so nothing was predicted.", model.name))
            continue
        line = f"accuracy {_accuracy(metrics)}"
        if panel["accuracy"] is not None:
            members = features_and_chords(panel["n_features"], panel.get("n_chords", 0), "significant ")
            line += f"; a small model on only its {members}: {_accuracy(panel)}"
        lines.append(_Line(f"{line}.", model.name))
    reference = (
        f"For comparison: logistic regression on all features {_accuracy(baseline)}, always predicting the largest "
        f"class {baseline['majority_accuracy']:.3f}."
    )
    if "in blocks" in baseline.get("solver", ""):
        reference += f" Logistic regression was fitted by {baseline['solver']}"
    if evidence_panel["accuracy"] is not None:
        members = count(evidence_panel["n_features"], "feature", separator=",")
        reference += f" A small model on only the first {members} by evidence: {_accuracy(evidence_panel)}."
    return [*lines, _Line(reference)]


def _accuracy(metrics: Mapping) -> str:
    accuracy = with_interval(metrics["accuracy"], metrics["accuracy_low"], metrics["accuracy_high"])
    if not metrics.get("unequal"):
        return accuracy
    names = ("balanced_accuracy", "balanced_accuracy_low", "balanced_accuracy_high")
    return f"{accuracy}, balanced accuracy {with_interval(*(metrics[name] for name in names))}"


def _lost_by_filtering(model: Model, aliases: Mapping[str, str]) -> list[str]:
    """Filters that lose findings, with names; then those that lose none, and those that could not be applied."""
    lost, harmless, unavailable = [], [], []
    for choice, rows in model.audit[model.audit["n"] > 0].groupby("choice", sort=False):
        known = rows[rows["n_lost"].notna()]
        if known.empty:
            unavailable.append(f"{choice}: not available ({rows['note'].iloc[0]})")
        elif known["n_lost"].sum():
            parts = [
                f"{row['n_lost']:,.0f} of {row['n']:,} {row['of']}{_first_names(row['lost'], aliases)}"
                for _, row in known.iterrows()
            ]
            lost.append(f"{choice}: {' and '.join(parts)}")
        else:
            harmless.append(choice)
    if harmless:
        lost.append(f"none with {'; '.join(harmless)}")
    return [*lost, *unavailable]


def _first_names(lost, aliases: Mapping[str, str]) -> str:
    """First names of the lost findings, in brackets."""
    names = readable_names(lost.split(",") if isinstance(lost, str) and lost else [], aliases)
    return f" ({', '.join(names[:3])}{', …' if len(names) > 3 else ''})" if names else ""


def cautions_of(
    models: Sequence[Model],
    baseline: Mapping,
    confounders: Mapping,
    proof: Mapping,
    chords: pd.DataFrame,
    of_data: Sequence[str],
    confounded: str,
) -> list[_Line]:
    """What the run itself found to be cautious about; first a column that nothing tells from the classes."""
    cautions = [_Line(f"{confounded} This goes for the accuracies and for every list.")] if confounded else []
    cautions += [_Line(text, model.name) for model in models for text in _cautions_about(model, baseline, chords)]
    for record in confounders["alone"]:
        auc = record["macro_auc"]
        if not record["adjusted"] and auc is not None and auc >= _PREDICTIVE_AUC:
            interval = with_interval(auc, record["macro_auc_low"], record["macro_auc_high"], 2)
            name = confounder_words(record["confounder"])
            text = (
                f"{name[0].upper()}{name[1:]} alone predicts the classes with an AUC of {interval} and was not "
                f"adjusted for, so findings may reflect it rather than the classes (setting: confounders)."
            )
            cautions.append(_Line(text))
    if len(chords) and not proof["proved"]:
        cautions.append(_Line("No chord was tested on samples that the screen had not used."))
    judged = [model.metrics["n_test"] for model in models if model.metrics["accuracy"] is not None]
    per_class = min([baseline["n_test"], *judged]) / len(baseline["classes"])
    if per_class < _FEW_SAMPLES:
        text = f"On average only {per_class:.2g} samples per class were evaluated, so the intervals are wide."
        cautions.append(_Line(text))
    if not cautions and of_data:
        cautions.append(_Line("What is said about the data at the top of this page."))
    elif not cautions:
        text = "Nothing that the run itself can detect: every setting took effect, and every reference was exceeded."
        cautions.append(_Line(text))
    return cautions


def _cautions_about(model: Model, baseline: Mapping, chords: pd.DataFrame) -> Iterator[str]:
    summary, metrics = model.summary, model.metrics
    if summary["signal"] is False:
        yield "no signal, so its ranking should not be interpreted."
    if metrics["unequal"]:
        yield metrics["unequal"]
    yield from map(str, summary["notes"])
    if not summary["n_controls"]:
        yield "no control passes were trained on permuted labels (setting: passes.n_permuted)."
    if model.reads_chords and chords.empty:
        yield "its networks read the features alone, since there are no chords (setting: chord_pixels)."
    elif model.reads_chords:
        split = "" if baseline["scheme"] == "repeated" else ", accuracies on the test split are not"
        yield (
            "its networks read chords, and the screen that found the chords used the samples on which single passes "
            f"are evaluated: out-of-bag accuracies are too optimistic{split}."
        )
    if metrics["not_judged"]:
        missed = metrics["not_judged"]
        names = ", ".join(map(str, missed[:10])) + (", ..." if len(missed) > 10 else "")
        yield (
            f"{count(len(missed), 'sample was', 'samples were')} never out of bag and could not be evaluated: {names}. "
            f"More passes would include them."
        )
    overlap = summary["mean_top_k_overlap"]
    if model.convergence["reached"] is False:
        yield f"the ranking is not yet stable at {model.convergence['level']:g}; more passes would help."
    elif overlap is not None and overlap < _LOW_OVERLAP:
        yield f"two passes share only {percent(overlap, 0)} of their top {summary['top_k']} features on average."
    if metrics["accuracy"] is not None and metrics["accuracy"] < baseline["accuracy_low"]:
        yield (
            f"logistic regression is more accurate ({baseline['accuracy']:.3f} against {metrics['accuracy']:.3f}); "
            f"its ranking is in linear_baseline/features.tsv."
        )


def top_chords(chords: pd.DataFrame, top: int, aliases: Mapping[str, str]) -> dict[str, list[str]]:
    """The first chords: heading -> cells of the column."""
    if chords.empty:
        return {}
    rows = chords.head(top)
    cores = [[_names(row.get(f"core_{k}"), aliases) for k in (1, 2, 3)] for _, row in rows.iterrows()]
    more = rows["n_members"] - [sum(map(len, core)) for core in cores]
    return {
        "chord": texts(rows["chord"]),
        "predicts": texts(rows["class"]),
        "members": [
            " × ".join(", ".join(side) for side in core if side) + (f" and {left:.0f} more" if left > 0 else "")
            for core, left in zip(cores, more, strict=True)
        ],
        "z": [number(value, 1) for value in rows["z"]],
        "AUC": intervals(rows, "auc_chord", 2),
        "best member": [number(value, 2) for value in rows["auc_best_member"]],
        "without products": [number(value, 2) for value in rows["auc_additive"]],
        "synergy": intervals(rows, "synergy", 2),
    }


def _names(cell, aliases: Mapping[str, str]) -> list[str]:
    """Readable names in a cell of ids."""
    return readable_names(cell.split(",") if isinstance(cell, str) and cell else [], aliases)


def _model_table(models: pd.DataFrame) -> dict[str, list[str]]:
    """The models side by side: heading -> cells of the column."""
    return {
        "model": texts(models["model"]),
        "passes": texts(models["n_passes"]),
        "single pass": [number(value) for value in models["per_pass_accuracy_mean"]],
        "accuracy": intervals(models, "accuracy"),
        "balanced accuracy": intervals(models, "balanced_accuracy"),
        "macro F1": intervals(models, "macro_f1"),
        "ECE": [number(value) for value in models["ece"]],
        "this : logistic": [
            ""
            if pd.isna(row["p_against_linear"])
            else f"{row['only_this']:.0f} : {row['only_linear']:.0f}, {rate_of('p', row['p_against_linear'])}"
            for _, row in models.iterrows()
        ],
    }


def _inline_svg(chart: str) -> str:
    """An SVG file from its first element on. It need not be escaped: matplotlib, which wrote it, escapes its texts."""
    return chart[chart.index("<svg") :] if "<svg" in chart else ""
