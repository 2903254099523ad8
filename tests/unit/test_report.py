"""The summary page: a bad model cannot look like a finding, and nothing on it can break it."""

from dataclasses import replace
from html.parser import HTMLParser

import numpy as np
import pandas as pd
import pytest

from deepmapper import findings as tables
from deepmapper import verdict
from deepmapper.evaluate import judge_ensemble
from deepmapper.report import summary_page
from deepmapper.runner import accumulate_passes

WHY = {"fixed": "A test split was set aside.", "repeated": "No test split was set aside: 12 samples are too few."}
DATA = {"from": "counts.h5ad", "label": "cell_type", "group": "", "normalization": "log1p_cp10k"}


class Page(HTMLParser):
    """Text by element, and whether every element that is opened is closed."""

    def __init__(self, text):
        super().__init__()
        self.open, self.cells, self.texts = [], [], []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        if tag not in ("meta", "br", "path"):
            self.open.append(tag)
        if tag == "td":
            self.cells.append("")

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.texts.append(data)
        if self.open and self.open[-1] == "td":
            self.cells[-1] += data


@pytest.fixture
def page(hand_made):
    """Give a function that writes the page of one model, of the accuracies that a test asks for."""

    def write(
        accuracy=0.9,
        *,
        min_accuracy=0.5,
        controls=(0.5,),
        right=0.9,
        baseline_right=0.8,
        names=None,
        importances=None,
        classes=("a", "b"),
        data=None,
        chart="",
        n_test=100,
        note=None,
        signal="told",
        scheme="fixed",
        not_judged=(),
    ):
        importances = importances or [[3, 2, 1, 0]] * 3
        names = names or ["g0", "g1", "g2", "g3"]
        passes = [hand_made(i, accuracy, values, classes=classes) for i, values in enumerate(importances)]
        found = accumulate_passes(passes, 2, min_accuracy, names)
        found.notes += [note] if note else []
        kept = [p for p, good in zip(passes, found.accepted, strict=True) if good]
        control_passes = [hand_made(1000 + i, value, permuted=True) for i, value in enumerate(controls)]
        told = verdict.of_many(found, control_passes)
        told = told if signal == "told" else replace(told, signal=signal)
        agreement = tables.agreement_table(kept, 2)
        summary = tables.summarise("cnn_small", found, told, len(control_passes), agreement, 2)
        truth = np.arange(n_test) % 2

        def numbers_of(share, n_passes):
            hit = np.arange(n_test) < share * n_test
            probability = np.eye(2)[np.where(hit, truth, 1 - truth)] * 0.8 + 0.1
            judged = judge_ensemble([probability] * n_passes, truth, truth, classes, WHY[scheme])
            return tables.metrics(replace(judged, scheme=scheme, not_judged=list(not_judged)), 5, 200, 0)[0]

        numbers, baseline = numbers_of(right, len(kept)), numbers_of(baseline_right, 1)
        models = tables.model_table([summary], [numbers], baseline, {"cnn_small": "cnn_small"})
        return summary_page(
            data=data or DATA,
            models=models,
            summaries=[summary],
            metrics=[numbers],
            baseline=baseline,
            features=[tables.feature_table(found)],
            chart=chart,
        )

    return write


def test_the_page_says_what_was_analysed_and_what_was_found(page):
    text = page()
    read = Page(text)
    assert read.open == []
    said = " ".join(" ".join(read.texts).split())
    assert "4 features of counts.h5ad, 2 classes of cell_type" in said
    assert "normalisation log1p_cp10k; judged on 100 samples that no pass has seen." in said
    assert "Signal: the median out-of-bag accuracy of 3 passes, 0.900" in said
    assert "Always naming the largest class reaches 0.500" in said
    assert "<p class='yes'>" in text
    assert "No signal" not in text
    assert "Nothing that the run itself can see" in text


def test_numbers_carry_their_intervals(page):
    cells = Page(page()).cells
    row = cells[cells.index("cnn_small") :][:4]
    assert row[1] == "3"
    assert row[3].startswith("0.900 (0.8")
    assert row[3].endswith(")")
    assert "linear_baseline" in cells
    frequency = cells[cells.index("g0") + 1]
    assert frequency == "1.00 (0.44–1.00)"  # Wilson's interval of three passes of three


def test_groups_kept_whole_are_mentioned(page):
    assert "whole groups of <b>donor</b> kept on one side" in page(data={**DATA, "group": "donor"})
    assert "whole groups" not in page()


@pytest.mark.parametrize("controls", [(), (0.95,)])
def test_a_model_without_signal_is_not_dressed_up(page, controls):
    text = page(0.5 if not controls else 0.9, min_accuracy=0.0, controls=controls)
    assert "<p class='no'><b>cnn_small</b> No signal" in text
    assert "No signal: this list is not to be read." in text
    assert "<p class='yes'>" not in text


def test_what_cannot_be_told_is_neither_signal_nor_none(page):
    text = page(signal=None)
    assert "<p class='open'><b>cnn_small</b>" in text
    assert "It cannot be told whether there is signal: this list is a lead, not a finding." in text
    assert "<p class='no'>" not in text
    assert "<p class='yes'>" not in text


def test_the_page_says_how_few_samples_were_judged(page):
    text = page(scheme="repeated", n_test=12, not_judged=(3, 7), right=1.0)
    said = " ".join(" ".join(Page(text).texts).split())
    assert "12 samples judged by passes that did not train on them" in said
    assert WHY["repeated"] in said
    assert "each counted once" in said
    assert "test split," not in said
    assert "1.000 (0.758–1.000)" in said  # Wilson's interval of twelve of twelve, where a bootstrap has no width
    assert "2 sample(s) were out of bag in no pass and are not judged: 3, 7." in said
    assert "Judged are 6 samples a class on average" in said
    assert WHY["fixed"] in page()


def test_when_no_pass_was_accepted_there_is_no_list(page):
    text = page(min_accuracy=0.99)
    assert "No pass was accepted: there is no ranking." in text
    assert "No pass of 3 was accepted" in text
    assert Page(text).open == []
    assert "g0" not in text
    assert "nan" not in " ".join(Page(text).texts).lower().split()


@pytest.mark.parametrize(
    ("settings", "doubt"),
    [
        ({"controls": ()}, "no control pass was trained on permuted labels"),
        ({"importances": [[3, 2, 1, 0], [0, 1, 2, 3], [3, 0, 2, 1]]}, "two passes share only 33% of their top 2"),
        ({"right": 0.6, "baseline_right": 0.95}, "logistic regression is more accurate (0.950 against 0.600)"),
        ({"n_test": 10}, "The test split holds 5 samples a class on average"),
        ({"note": "early stopping never acts"}, "early stopping never acts"),
    ],
)
def test_what_is_to_be_doubted_is_said(page, settings, doubt):
    text = page(**settings)
    assert doubt in text
    assert "Nothing that the run itself can see" not in text
    assert doubt not in page()


def test_names_cannot_break_the_page(page):
    evil = "<script>alert(1)</script>&"
    text = page(
        names=[evil, "a<b", '"q"', "g3"], classes=("<i>", "b"), data={**DATA, "from": evil, "group": evil}, note=evil
    )
    read = Page(text)
    assert "<script>" not in text
    assert read.open == []
    assert evil in read.cells


def test_the_chart_is_put_in_without_what_stands_before_it(page):
    text = page(chart='<?xml version="1.0"?>\n<!DOCTYPE svg>\n<svg id="chart"></svg>')
    assert '<svg id="chart"></svg>' in text
    assert "<?xml" not in text
    assert text.count("<!DOCTYPE") == 1


def test_the_page_needs_nothing_from_elsewhere(page):
    assert not any(word in page() for word in ("http:", "https:", "src=", "@import"))


def test_several_models_are_told_apart(page):
    """One verdict and one list a model."""
    table = pd.DataFrame({"feature": []})
    summary = {
        **{"model": "x", "signal": False, "statement": "No signal.", "classes": ["a"], "n_features": 1, "top_k": 1},
        **{"notes": [], "n_controls": 1, "mean_top_k_overlap": None},
    }
    numbers = {"accuracy": None, "not_judged": []}
    baseline = {"accuracy": 0.5, "accuracy_low": 0.4, "n_test": 50, "classes": ["a"], "majority_accuracy": 0.5}
    baseline |= {"scheme": "fixed", "why": WHY["fixed"]}
    columns = [f"{m}{e}" for m in ("accuracy", "balanced_accuracy", "macro_f1") for e in ("", "_low", "_high")]
    models = pd.DataFrame([dict.fromkeys(["model", "n_passes", "per_pass_accuracy_mean", "ece", *columns])] * 3)
    text = summary_page(
        data=DATA,
        models=models,
        summaries=[summary, {**summary, "model": "y"}],
        metrics=[numbers, numbers],
        baseline=baseline,
        features=[table, table],
    )
    assert text.count("<p class='no'>") == 2
    assert "<h3>x</h3>" in text
    assert "<h3>y</h3>" in text
