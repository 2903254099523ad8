"""The summary page: what was analysed, is there signal, which features, what to distrust. Plain HTML in one file."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

import pandas as pd

_STYLE = """
body { font: 16px/1.5 system-ui, sans-serif; color: #1c2430; max-width: 70rem; margin: 2rem auto; padding: 0 1.5rem; }
h1 { font-size: 1.6rem; margin-bottom: 0.2rem; } h2 { font-size: 1.15rem; margin: 2rem 0 0.5rem; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; } .wide { overflow-x: auto; }
th, td { padding: 0.3rem 0.7rem; text-align: right; border-bottom: 1px solid #dfe4ea; white-space: nowrap; }
th { font-weight: 600; color: #55606e; } th:first-child, td:first-child { text-align: left; }
.yes, .no, .open { border-left: 4px solid #0072b2; background: #eef5fa; padding: 0.5rem 0.9rem; margin: 0.6rem 0; }
.no { border-color: #d55e00; background: #fdf1e8; } .open { border-color: #e69f00; background: #fdf6e5; }
.small { color: #55606e; font-size: 0.9rem; }
.lists { display: flex; flex-wrap: wrap; gap: 2rem; } svg { max-width: 100%; height: auto; }
"""


_HOW = {
    "fixed": "Accuracies on the test split, the softmax averaged over passes; intervals are 95 % bootstrap intervals "
    "over the test samples.",
    "repeated": "Accuracies on all samples, each counted once: the softmax averaged over the passes that did not train "
    "on it; intervals are 95 % Wilson intervals over the samples, or over their groups where these were kept together. "
    "One pass: the mean over what each pass left out.",
}
_VERDICTS = {True: "yes", False: "no", None: "open"}


def summary_page(
    *,
    data: dict,
    models: pd.DataFrame,
    summaries: Sequence[dict],
    metrics: Sequence[dict],
    baseline: dict,
    features: Sequence[pd.DataFrame],
    chart: str = "",
    top: int = 12,
) -> str:
    """Write the page.

    Parameters
    ----------
    data
        Where the matrix came from, its label and group columns and the normalisation: keys "from", "label", "group",
        "normalization".
    models
        models.tsv.
    summaries, metrics, features
        summary.json, metrics.json and features.tsv of every model, in one order.
    baseline
        metrics.json of logistic regression.
    chart
        An SVG of the models side by side.
    top
        Features listed for each model.
    """
    classes, repeated = summaries[0]["classes"], baseline["scheme"] == "repeated"
    group = f", whole groups of <b>{escape(data['group'])}</b> kept on one side of every split" if data["group"] else ""
    parts = [
        "<!DOCTYPE html><html lang='en'><head><meta charset='utf-8'><title>DeepMapper: summary</title>",
        f"<meta name='viewport' content='width=device-width, initial-scale=1'><style>{_STYLE}</style></head><body>",
        "<h1>DeepMapper: summary</h1>",
        f"<p>{summaries[0]['n_features']:,} features of {escape(data['from'])}, {len(classes)} classes of "
        f"<b>{escape(data['label'])}</b>, normalisation {escape(data['normalization'])}; "
        + (
            f"{baseline['n_test']} samples judged by passes that did not train on them"
            if repeated
            else f"judged on {baseline['n_test']} samples that no pass has seen"
        )
        + f"{group}.</p><p>{escape(baseline['why'])}</p>",
        "<h2>Is there signal?</h2>",
        *(_verdict(summary) for summary in summaries),
        "<h2>How good are the models?</h2>",
        f"<div class='wide'>{_table(_model_rows(models))}</div>",
        f"<p class='small'>{_HOW[baseline['scheme']]} ECE: expected calibration error. Always naming the largest class "
        f"reaches {baseline['majority_accuracy']:.3f}.</p>",
        _inline(chart),
        "<h2>Which features?</h2><div class='lists'>",
        *(_features(summary, table, top) for summary, table in zip(summaries, features, strict=True)),
        "</div><p class='small'>Frequency: share of the accepted passes whose top "
        f"{summaries[0]['top_k']} held the feature, with its 95 % Wilson interval over passes. Passes share their "
        "samples: the interval says how much more passes could change, not what new samples would. Whole tables: "
        "features.tsv.</p>",
        "<h2>What to distrust</h2>",
        *_doubts(summaries, metrics, baseline),
        "</body></html>\n",
    ]
    return "\n".join(parts)


def _verdict(summary: dict) -> str:
    found = _VERDICTS[summary["signal"]]
    return f"<p class='{found}'><b>{escape(summary['model'])}</b> {escape(summary['statement'])}</p>"


def _model_rows(models: pd.DataFrame) -> pd.DataFrame:
    def measured(metric: str) -> list[str]:
        return [
            _between(value, low, high)
            for value, low, high in zip(models[metric], models[f"{metric}_low"], models[f"{metric}_high"], strict=True)
        ]

    return pd.DataFrame(
        {
            "model": models["model"],
            "passes": models["n_passes"],
            "one pass": [_number(value) for value in models["per_pass_accuracy_mean"]],
            "accuracy": measured("accuracy"),
            "balanced accuracy": measured("balanced_accuracy"),
            "macro F1": measured("macro_f1"),
            "ECE": [_number(value) for value in models["ece"]],
        }
    )


def _features(summary: dict, table: pd.DataFrame, top: int) -> str:
    title = f"<div><h3>{escape(summary['model'])}</h3>"
    if table.empty:
        return title + "<p>No pass was accepted: there is no ranking.</p></div>"
    head = table.head(top)
    frequencies = zip(
        head["selection_frequency"], head["selection_frequency_low"], head["selection_frequency_high"], strict=True
    )
    rows = pd.DataFrame(
        {
            "feature": head["feature"],
            "frequency": [_between(*frequency, digits=2) for frequency in frequencies],
            "importance": [f"{value:.3g}" for value in head["median_importance"]],
        }
    )
    warning = {
        True: "",
        False: "<p class='no'>No signal: this list is not to be read.</p>",
        None: "<p class='open'>It cannot be told whether there is signal: this list is a lead, not a finding.</p>",
    }[summary["signal"]]
    return f"{title}{warning}{_table(rows)}</div>"


def _doubts(summaries: Sequence[dict], metrics: Sequence[dict], baseline: dict) -> list[str]:
    doubts = []
    for summary, numbers in zip(summaries, metrics, strict=True):
        name = f"<b>{escape(summary['model'])}</b>"
        doubts += [f"{name}: {escape(note)}" for note in summary["notes"]]
        if not summary["n_controls"]:
            doubts.append(f"{name}: no control pass was trained on permuted labels (passes: n_permuted).")
        if numbers["not_judged"]:
            missed = numbers["not_judged"]
            listed = ", ".join(map(str, missed[:10])) + (", ..." if len(missed) > 10 else "")
            doubts.append(
                f"{name}: {len(missed)} sample(s) were out of bag in no pass and are not judged: {escape(listed)}. "
                f"More passes would judge them."
            )
        overlap = summary["mean_top_k_overlap"]
        if overlap is not None and overlap < 0.5:
            doubts.append(f"{name}: two passes share only {overlap:.0%} of their top {summary['top_k']} on average.")
        if numbers["accuracy"] is not None and numbers["accuracy"] < baseline["accuracy_low"]:
            doubts.append(
                f"{name}: logistic regression is more accurate ({baseline['accuracy']:.3f} against "
                f"{numbers['accuracy']:.3f}); its ranking is in linear_baseline/features.tsv."
            )
    small = baseline["n_test"] / len(baseline["classes"])
    if small < 10:
        where = "Judged are" if baseline["scheme"] == "repeated" else "The test split holds"
        doubts.append(f"{where} {small:.0f} samples a class on average: the intervals are wide.")
    if not doubts:
        doubts.append("Nothing that the run itself can see: every setting acted and every reference was passed.")
    return ["<ul>", *(f"<li>{doubt}</li>" for doubt in doubts), "</ul>"]


def _table(rows: pd.DataFrame) -> str:
    return rows.to_html(index=False, border=0, escape=True, na_rep="")


def _number(value: float, digits: int = 3) -> str:
    return "" if pd.isna(value) else f"{value:.{digits}f}"


def _between(value: float, low: float, high: float, digits: int = 3) -> str:
    return "" if pd.isna(value) else f"{value:.{digits}f} ({low:.{digits}f}–{high:.{digits}f})"


def _inline(chart: str) -> str:
    """Strip what an SVG file has before its first element."""
    return chart[chart.index("<svg") :] if "<svg" in chart else ""
