"""The page to open first: question, answer, the list with figures, what to distrust, and where all files are."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from ..core.aliases import readable_names
from .chord_words import chords_in_words
from .figures import Figure
from .links import links_of
from .models import Model
from .page import error_rate, number, render
from .summary import VERDICTS, analysed, cautions_of, top_chords
from .summary_lists import chord_of, target_lines, texts, top_recommended
from .titles import FIGURES

# Captions of the figures on the page.
CAPTIONS = {
    "expression": "the colour of a dot is the mean in a class, from the class with the lowest mean to that with the "
    "highest, and its size is the share of the samples of the class in which the value is above 0. In a heat map each "
    "column is a sample, red above the mean of the feature and blue below.",
    "overlap": "how many features exactly these models and tests find (joined dots), each at its own error rate. A "
    "column of only the test of single features, or of only networks, is what the others miss.",
    "markers": "the first features that are higher in each class than in what it is compared with, when each is tested "
    "alone.",
    "sample_distances": "similar samples, or classes, lie side by side, and dark squares are small distances. A sample "
    "that lies with another class, or with its batch, calls for a look before anything is reported.",
    "chord_members": "one member of each side of a chord against the other, one dot a sample. The class (blue) differs "
    "in how the two values go together, rather than in either alone.",
    "enrichment": "sets that a list has more of than chance gives, or that stand high in a ranking.",
    "pseudo_image": "every feature is one pixel, placed at random, anew in each pass. Left: the sample nearest the "
    "mean of its class; middle: that mean; right: attribution, how much each pixel contributes to the decision for "
    "the class. The features of the largest attribution are named; only those that return pass after pass count.",
    "models": "accuracy of each model on samples that it was not trained on, beside logistic regression and what is "
    "reached without any signal.",
    "feature_maps": "samples that the networks represent alike lie side by side; each map is coloured by one feature "
    "of the list.",
    "target_map": "labelled cells (the reference) and cells without a label (the target). Left: by label, the target "
    "darker; right: the target by verdict. Distances between groups have no meaning on such a map.",
    "target_verdicts": "how many cells without a label got each label, and with which verdict.",
    "novel": "the first novel transcripts beside the annotated ones, with their expression in each sample, and, if the "
    "alignments are kept, with the reads that cover them.",
}  # fmt: skip

_SECTIONS = {
    "signal": "Is there signal?",
    "report": "What to report",
    "novel": "Novel transcripts",
    "named": "Cells without a label",
    "single": "Each feature tested alone",
    "chords": "Chords",
    "sets": "Gene sets",
    "networks": "What the networks see",
    "distrust": "What to distrust",
    "more": "All tables and figures",
}


def start_page(
    *,
    data: Mapping,
    models: Sequence[Model],
    baseline: Mapping,
    confounders: Mapping,
    screen: Mapping,
    proof: Mapping,
    chords: pd.DataFrame,
    differential: Mapping,
    recommended: pd.DataFrame,
    recommendation: Mapping,
    figures: Mapping[str, Figure],
    ranked: Sequence[Mapping[str, Any]],
    tested: Sequence[Mapping[str, Any]],
    aliases: Mapping[str, str] | None = None,
    of_data: Sequence[str] = (),
    of_fragments: str = "",
    enriched: str = "",
    targets: Mapping[str, Mapping] | None = None,
    withheld: Mapping[str, pd.DataFrame] | None = None,
    with_perturbed: bool = False,
    embeddings: Sequence[str] = (),
    top: int = 20,
) -> str:
    """Render the page.

    Parameters
    ----------
    data, models, baseline, confounders, screen, proof, chords, differential, recommended, recommendation
        See `summary.summary_page`.
    figures
        Figures by the names of `CAPTIONS`; those that have nothing to show are left out.
    ranked, tested
        Points to point at (`points.ranked_points`, `points.tested_points`).
    aliases, of_data, of_fragments
        See `summary.summary_page`.
    enriched
        The statement on gene sets; "" without gene sets.
    targets, withheld
        See `summary.summary_page`.
    with_perturbed
        Whether features were perturbed.
    embeddings
        Names of the embeddings of the samples.
    top
        Number of features listed; those to report, if there are any.
    """
    names, novel = aliases or {}, _novel(recommended, aliases or {}, top)
    reported = recommended["reported"].astype(bool)
    shown = {
        key: text
        for key, text in _SECTIONS.items()
        if (key != "novel" or of_fragments or novel) and (key != "sets" or enriched) and (key != "named" or targets)
    }
    return render(
        "start.html.j2",
        title=f"DeepMapper: {data['label']}",
        sections=shown,
        data=data,
        asked=_asked(data, models, baseline),
        of_data=of_data,
        verdicts=[(m.name, VERDICTS[m.summary["signal"]], _verdict(m)) for m in models],
        recommendation=recommendation,
        listed=top_recommended(recommended[reported] if reported.any() else recommended, chord_of(models), top),
        figures=figures,
        ranked=ranked,
        tested=tested,
        novel_said=of_fragments,
        novel=novel,
        named=target_lines(targets or {}, withheld or {}),
        differential=differential,
        volcano_name=FIGURES["volcano"],
        chords=chords_in_words(screen, proof, chords, names),
        top_chords=top_chords(chords, 6, names),
        enriched=enriched,
        cautions=cautions_of(models, baseline, confounders, proof, chords, of_data, differential["confounded"]),
        links=_links(
            models,
            chords,
            from_reads=bool(of_fragments),
            with_sets=bool(enriched),
            with_target=bool(targets),
            with_withheld=bool(withheld),
            with_perturbed=with_perturbed,
            embeddings=embeddings,
        ),
    )


def _verdict(model: Model) -> str:
    unequal = model.metrics["unequal"]
    return f"{model.summary['statement']} {unequal[:1].upper()}{unequal[1:]}".rstrip()


def _asked(data: Mapping, models: Sequence[Model], baseline: Mapping) -> str:
    known = analysed(data, models, baseline)
    together = f"; samples of the same {data['group']} were kept together" if data["group"] else ""
    return (
        f"{known['size']} from {data['from']}, {len(data['sizes'])} classes ({known['classes']}); "
        f"{known['evaluated']}{together}. No feature was filtered out beforehand."
    )


def _novel(recommended: pd.DataFrame, aliases: Mapping[str, str], top: int) -> dict[str, list[str]]:
    """The first novel transcripts of the list to report: heading -> cells of the column."""
    if "is_denovo" not in recommended or not recommended["is_denovo"].any():
        return {}
    rows = recommended[recommended["is_denovo"].astype(bool)].head(top)
    return {
        "place in the list": texts(rows["rank"]),
        "transcript": readable_names(rows["feature"], aliases),
        "to report": ["yes" if value else "no" for value in rows["reported"]],
        "higher in": texts(rows["higher_in"]),
        "log2 fold change": [number(value, 2) for value in rows["log2_fold_change"]],
        "q": [error_rate(q) for q in rows["q"]],
    }


def _links(
    models: Sequence[Model], chords: pd.DataFrame, *, from_reads: bool, embeddings: Sequence[str], **what: bool
) -> dict[str, dict[str, str]]:
    """Every page and figure of the run, and the files to go on with: by model, path -> text of the link."""
    found = links_of(models, chords, from_reads=from_reads, **what)
    files = {name: {f"findings/{path}": text for path, text in of.items()} for name, of in found.items()}
    answers = {"findings/summary.html": "every answer with its conditions"}
    maps = {"embeddings": {f"embeddings/{name}.svg": name for name in embeddings}} if embeddings else {}
    data = {"expression.h5ad": "expression matrix", "run.json": "record of the run"}
    if from_reads:
        data |= {
            "reads/qc/multiqc_report.html": "quality of the reads",
            "reads/novelty/contigs.tsv": "every assembled contig",
            "reads/novelty/novel.tsv": "novel transcripts, table",
        }
    return {"in words": answers, **files, **maps, "data": data}
