"""The first page: what was analysed, what was found at which error rate, how far to trust it. One file, plain words."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from html import escape

import pandas as pd

from ._page import between, count, link, number, page

_STYLE = """
body { max-width: 78rem; }
.answers { display: grid; grid-template-columns: minmax(9rem, 13rem) 1fr; margin: 1.2rem 0; }
.answers dt, .answers dd { padding: 0.65rem 0; border-top: 1px solid var(--line); margin: 0; }
.answers dt { font-weight: 600; padding-right: 1rem; } .answers dd > p { margin: 0 0 0.4rem; max-width: 62rem; }
.answers ul + p { margin-top: 0.4rem; } .answers dd > :last-child { margin-bottom: 0; }
.answers ul { margin: 0; padding-left: 1.2rem; max-width: 62rem; }
.yes, .no, .open { border-left: 4px solid var(--blue); background: var(--yes); padding: 0.4rem 0.9rem; }
.no { border-color: var(--edge-no); background: var(--no); }
.open { border-color: var(--edge-open); background: var(--open); }
.lists { display: flex; flex-wrap: wrap; gap: 0.5rem 2.5rem; } .lists > div { max-width: 100%; }
.chords td:nth-child(3) { white-space: normal; min-width: 15rem; text-align: left; }
.lists td, .lists th { font-size: 0.92rem; padding: 0.22rem 0.6rem; }
svg { max-width: 100%; height: auto; background: #fff; }
@media (max-width: 48rem) { .answers { grid-template-columns: 1fr; } .answers dd { border: 0; padding-top: 0; } }
"""

_HOW = {
    "fixed": "Accuracies on the test split, the softmax averaged over passes; intervals are 95 % bootstrap intervals "
    "over the test samples.",
    "repeated": "Accuracies on all samples, each counted once: the softmax averaged over the passes that did not train "
    "on it; intervals are 95 % Wilson intervals over the samples, or over their groups where these were kept together. "
    "One pass: the mean over what each pass left out.",
}
_VERDICTS = {True: "yes", False: "no", None: "open"}
_TELLS = 0.7  # AUC from which on a confounder that was not adjusted for is a reason for doubt
_FEW = 10  # samples of a class that were judged, below which intervals are wide
_SOME_CLASSES = 8  # whose sizes are listed


@dataclass(frozen=True)
class Model:
    """What is known of one model.

    Attributes
    ----------
    summary, metrics, features, audit
        summary.json, metrics.json, features.tsv and audit.tsv.
    significance, stability, convergence, panel
        significance.json, stability.json, convergence.json and panel.json.
    reads_chords
        Whether its networks read chords as pixels.
    """

    summary: Mapping
    metrics: Mapping
    features: pd.DataFrame
    audit: pd.DataFrame
    significance: Mapping
    stability: Mapping
    convergence: Mapping
    panel: Mapping
    reads_chords: bool = False

    @property
    def name(self) -> str:
        """Its name, as HTML."""
        return f"<b>{escape(self.summary['model'])}</b>"

    @property
    def tested(self) -> bool:
        """Whether features have q-values."""
        return "significant" in self.features


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
    answers = {
        "What was analysed?": _analysed(data, models, baseline),
        "Is there signal?": [_verdict(model) for model in models],
        "How many features?": [_found(model) for model in models],
        "How many chords?": [_sentence(screen["statement"], proof["statement"] if len(chords) else "")],
        "How stable?": [_stable(model) for model in models],
        "How well do they predict?": _predicted(models, baseline, evidence_panel),
        "What do confounders alone predict?": [_sentence(confounders["statement"])],
        "What would filtering have lost?": [_would_lose(model) for model in models],
        "What to distrust?": _doubts(models, baseline, confounders, proof, chords),
        "Where to look next?": [_where(models, chords)],
    }
    body = [
        "<h1>DeepMapper: summary</h1>",
        "<dl class='answers'>",
        *(f"<dt>{escape(question)}</dt><dd>{''.join(lines)}</dd>" for question, lines in answers.items()),
        "</dl>",
        "<h2>The first features</h2><div class='lists'>",
        *(_features(model, top) for model in models),
        f"</div><p class='small'>{_reading(models)}</p>",
        *_chords(chords, top),
        "<h2>The models side by side</h2>",
        f"<div class='wide' tabindex='0' role='region' aria-label='models'>{_rows(_model_rows(table))}</div>",
        f"<p class='small'>{_HOW[baseline['scheme']]} ECE: expected calibration error. Always naming the largest class "
        f"reaches {baseline['majority_accuracy']:.3f}.</p>",
        _inline(chart),
    ]
    return page("DeepMapper: summary", _STYLE, body, "")


def _analysed(data: Mapping, models: Sequence[Model], baseline: Mapping) -> list[str]:
    sizes = data["sizes"]
    listed = ", ".join(f"{escape(str(name))} {n:,}" for name, n in list(sizes.items())[:_SOME_CLASSES])
    more = f", and {len(sizes) - _SOME_CLASSES} more" if len(sizes) > _SOME_CLASSES else ""
    group = f", whole groups of <b>{escape(data['group'])}</b> kept on one side of every split" if data["group"] else ""
    judged = (
        f"{baseline['n_test']} samples judged by passes that did not train on them"
        if baseline["scheme"] == "repeated"
        else f"judged on {baseline['n_test']} samples that no pass has seen"
    )
    return [
        f"<p>{sum(sizes.values()):,} samples × {models[0].summary['n_features']:,} features of {escape(data['from'])}, "
        f"{len(sizes)} classes of <b>{escape(data['label'])}</b> ({listed}{more}), "
        f"normalisation {escape(data['normalization'])}; {judged}{group}.</p>",
        f"<p class='small'>{escape(baseline['why'])}</p>",
    ]


def _verdict(model: Model) -> str:
    return f"<p class='{_VERDICTS[model.summary['signal']]}'>{model.name} {escape(model.summary['statement'])}</p>"


def _found(model: Model) -> str:
    if model.features.empty:
        return f"<p>{model.name}: none, since no pass was accepted.</p>"
    told, halves = model.significance, model.stability
    line = escape(told["statement"])
    if model.tested:
        found, level = int(_flags(model.features["significant"]).sum()), told["level"]
        false = f", of which at most {found * level:.1f} are expected to be false (q ≤ {level:g})" if found else ""
        line = f"<b>{found or 'none'} significant</b>{false}. {line}"
    return f"<p>{model.name}: {line} {escape(halves['statement'])}</p>"


def _stable(model: Model) -> str:
    return f"<p>{model.name}: {escape(model.convergence['statement'])}</p>"


def _predicted(models: Sequence[Model], baseline: Mapping, evidence_panel: Mapping) -> list[str]:
    lines = []
    for model in models:
        numbers, panel = model.metrics, model.panel
        if numbers["accuracy"] is None:
            lines.append(f"<p>{model.name}: no pass was accepted, nothing was predicted.</p>")
            continue
        line = f"{model.name}: accuracy {_interval(numbers)}"
        if panel["accuracy"] is not None:
            members = count(panel["n_features"], "significant feature")
            line += f"; a small model on its {members} alone {_interval(panel)}"
        lines.append(f"<p>{line}.</p>")
    beside = (
        f"Beside them: logistic regression on all features {_interval(baseline)}, always the largest class "
        f"{baseline['majority_accuracy']:.3f}."
    )
    if "in blocks" in baseline.get("solver", ""):
        beside += f" Logistic regression was fitted by {baseline['solver']}"
    if evidence_panel["accuracy"] is not None:
        members = count(evidence_panel["n_features"], "feature")
        beside += f" A small model on the first {members} by evidence alone: {_interval(evidence_panel)}."
    return [*lines, f"<p>{beside}</p>"]


def _interval(numbers: Mapping) -> str:
    return between(numbers["accuracy"], numbers["accuracy_low"], numbers["accuracy_high"])


def _would_lose(model: Model) -> str:
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
    listed = "".join(f"<li>{escape(one)}</li>" for one in (*lost, *harmless, *unknown))
    if not listed:
        return f"<p>{model.name}: nothing was found that could be lost.</p>"
    return f"<p>{model.name} would have lost</p><ul>{listed}</ul>"


def _first(lost) -> str:
    """First names of what is lost, in brackets."""
    names = [name for name in lost.split(",") if name] if isinstance(lost, str) else []
    return f" ({', '.join(names[:3])}{', …' if len(names) > 3 else ''})" if names else ""


def _doubts(
    models: Sequence[Model], baseline: Mapping, confounders: Mapping, proof: Mapping, chords: pd.DataFrame
) -> list[str]:
    doubts = [doubt for model in models for doubt in _doubts_of(model, baseline)]
    for record in confounders["alone"]:
        auc = record["macro_auc"]
        if not record["adjusted"] and auc is not None and auc >= _TELLS:
            doubts.append(
                f"{escape(str(record['confounder']))} alone tells the classes (AUC "
                f"{between(auc, record['macro_auc_low'], record['macro_auc_high'], 2)}) and was not adjusted for: what "
                f"follows from it counts as found (confounders)."
            )
    if len(chords) and not proof["proved"]:
        doubts.append("No chord was judged on samples that the screen had not seen.")
    small = baseline["n_test"] / len(baseline["classes"])
    if small < _FEW:
        where = "Judged are" if baseline["scheme"] == "repeated" else "The test split holds"
        doubts.append(f"{where} {small:.0f} samples a class on average: the intervals are wide.")
    if not doubts:
        doubts.append("Nothing that the run itself can see: every setting acted and every reference was passed.")
    return ["<ul>", *(f"<li>{doubt}</li>" for doubt in doubts), "</ul>"]


def _doubts_of(model: Model, baseline: Mapping) -> Iterator[str]:
    summary, numbers = model.summary, model.metrics
    if summary["signal"] is False:
        yield f"{model.name}: no signal; its ranking is not to be read."
    yield from (f"{model.name}: {escape(note)}" for note in summary["notes"])
    if not summary["n_controls"]:
        yield f"{model.name}: no control pass was trained on permuted labels (passes: n_permuted)."
    if model.reads_chords:
        yield (
            f"{model.name}: its passes read chords as pixels, and the screen for chords has seen the samples that "
            f"judge single passes: out-of-bag accuracies are too kind, those on the test split are not."
        )
    if numbers["not_judged"]:
        missed = numbers["not_judged"]
        listed = ", ".join(map(str, missed[:10])) + (", ..." if len(missed) > 10 else "")
        yield (
            f"{model.name}: {len(missed)} sample(s) were out of bag in no pass and are not judged: {escape(listed)}. "
            f"More passes would judge them."
        )
    overlap = summary["mean_top_k_overlap"]
    if model.convergence["reached"] is False:
        yield f"{model.name}: the ranking is not yet stable at {model.convergence['level']:g}; more passes would help."
    elif overlap is not None and overlap < 0.5:
        yield f"{model.name}: two passes share only {overlap:.0%} of their top {summary['top_k']} on average."
    if numbers["accuracy"] is not None and numbers["accuracy"] < baseline["accuracy_low"]:
        yield (
            f"{model.name}: logistic regression is more accurate ({baseline['accuracy']:.3f} against "
            f"{numbers['accuracy']:.3f}); its ranking is in linear_baseline/features.tsv."
        )


def _where(models: Sequence[Model], chords: pd.DataFrame) -> str:
    lines = []
    for model in models:
        folder = model.summary["model"]
        files = {
            "features.html": "all features", "plots/ranking.svg": "ranking",
            "plots/importance_significance.svg": "significance", "plots/evidence.svg": "two rankings",
            "plots/importance_heatmap.svg": "by class",
            "plots/convergence.svg": "stability", "plots/confusion.svg": "confusion", "audit.html": "audit",
            "passes.html": "passes",
        }  # fmt: skip
        lines.append(f"{model.name}: " + ", ".join(link(f"{folder}/{path}", text) for path, text in files.items()))
    shared = {
        "chords.html": "chords",
        "chord_networks.svg": "their networks",
        "chord_scores.svg": "their scores",
    }
    shared = {"models.html": "models", **(shared if len(chords) else {})}
    lines.append("<b>all models</b>: " + ", ".join(link(path, text) for path, text in shared.items()))
    items = "".join(f"<li>{line}</li>" for line in lines)
    return f"<ul>{items}</ul><p class='small' data-moved='In this report the same stands in the menu.'></p>"


def _features(model: Model, top: int) -> str:
    title = f"<div><h3>{escape(model.summary['model'])}</h3>"
    if model.features.empty:
        return title + "<p>No pass was accepted: there is no ranking.</p></div>"
    head = model.features.head(top)
    often = zip(
        head["selection_frequency"], head["selection_frequency_low"], head["selection_frequency_high"], strict=True
    )
    rows = {"feature": head["feature"]}
    if model.tested:
        rows["z"] = [number(value, 1) for value in head["z"]]
        rows["q"] = [
            f"{value:.2g}" + ("" if sure else " (n.s.)")
            for value, sure in zip(head["q"], _flags(head["significant"]), strict=True)
        ]
    else:
        rows["importance"] = [f"{value:.3g}" for value in head["median_importance"]]
    rows["frequency"] = [between(*one, digits=2) for one in often]
    rows["most for"] = [_most_for(row, model.summary["classes"]) for _, row in head.iterrows()]
    if "chord" in head and head["chord"].fillna("").astype(str).str.len().any():
        rows["chord"] = head["chord"].fillna("")
    warning = {
        True: "",
        False: "<p class='no'>No signal: this list is not to be read.</p>",
        None: "<p class='open'>It cannot be told whether there is signal: this list is a lead, not a finding.</p>",
    }[model.summary["signal"]]
    return f"{title}{warning}<div class='wide'>{_rows(pd.DataFrame(rows))}</div></div>"


def _most_for(row: Mapping, classes: Sequence[str]) -> str:
    """Name the class for which a feature matters most, with its direction."""
    of_class = {name: row.get(f"importance[{name}]") for name in classes}
    known = {name: value for name, value in of_class.items() if value is not None and not pd.isna(value)}
    if not known:
        return ""
    name = max(known, key=lambda one: known[one])
    arrow = {"up": " ↑", "down": " ↓"}.get(str(row.get(f"direction[{name}]")), "")
    return f"{name}{arrow}"


def _reading(models: Sequence[Model]) -> str:
    frequency = (
        f"Frequency: share of the accepted passes whose top {models[0].summary['top_k']} held the feature, with its "
        f"95 % Wilson interval over passes. Passes share their samples: the interval says how much more passes could "
        f"change, not what new samples would. ↑ a higher value speaks for the class, ↓ against it."
    )
    tested = "z and q: importance held against that of features that tell nothing; n.s.: not significant. "
    return (tested if any(model.tested for model in models) else "") + frequency


def _chords(chords: pd.DataFrame, top: int) -> list[str]:
    if chords.empty:
        return []
    head = chords.head(top)
    sides = [[_members(row.get(f"side_{k}")) for k in (1, 2, 3)] for _, row in head.iterrows()]
    rows = {
        "chord": head["chord"],
        "tells": head["class"],
        "members": [" × ".join(side for side in members if side) for members in sides],
        "z": [number(value, 1) for value in head["z"]],
        "AUC": _column(head, "auc_chord"),
        "best member": [number(value, 2) for value in head["auc_best_member"]],
        "additive": [number(value, 2) for value in head["auc_additive"]],
        "synergy": _column(head, "synergy"),
    }
    return [
        "<h2>The first chords</h2>",
        "<div class='lists chords'><div class='wide' tabindex='0' role='region' aria-label='chords'>",
        _rows(pd.DataFrame(rows)),
        "</div></div><p class='small'>Members by side; the product of the sides tells the class. AUC of the chord, of "
        "its best single member and of the same members without products, on the test split; synergy is the "
        "difference to the better of the two, with its 95 % bootstrap interval. A chord whose interval reaches 0 adds "
        "nothing that is proved.</p>",
    ]


def _members(side) -> str:
    names = side.split(",") if isinstance(side, str) and side else []
    return ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")


def _column(table: pd.DataFrame, name: str) -> list[str]:
    three = (table[name], table[f"{name}_low"], table[f"{name}_high"])
    return [between(*one, digits=2) for one in zip(*three, strict=True)]


def _model_rows(models: pd.DataFrame) -> pd.DataFrame:
    def measured(metric: str) -> list[str]:
        return [
            between(value, low, high)
            for value, low, high in zip(models[metric], models[f"{metric}_low"], models[f"{metric}_high"], strict=True)
        ]

    return pd.DataFrame(
        {
            "model": models["model"],
            "passes": models["n_passes"],
            "one pass": [number(value) for value in models["per_pass_accuracy_mean"]],
            "accuracy": measured("accuracy"),
            "balanced accuracy": measured("balanced_accuracy"),
            "macro F1": measured("macro_f1"),
            "ECE": [number(value) for value in models["ece"]],
        }
    )


def _sentence(*parts: str) -> str:
    return f"<p>{escape(' '.join(part for part in parts if part))}</p>"


def _flags(values: pd.Series) -> pd.Series:
    return values.astype(str).str.lower() == "true"


def _rows(rows: pd.DataFrame) -> str:
    return rows.to_html(index=False, border=0, escape=True, na_rep="")


def _inline(chart: str) -> str:
    """Strip what an SVG file has before its first element."""
    return chart[chart.index("<svg") :] if "<svg" in chart else ""
