"""The summary page: a bad model cannot look like a finding, and nothing on it can break it."""

import re
from dataclasses import replace
from html.parser import HTMLParser
from urllib.parse import quote

import numpy as np
import pandas as pd
import pytest

from deepmapper import plots
from deepmapper.findings import feature_table, metrics, model_table, pass_table, signal_test
from deepmapper.findings import summary as findings_summary
from deepmapper.findings.evaluation import evaluate_ensemble
from deepmapper.findings.ranking import accumulate_passes
from deepmapper.report.models import Model
from deepmapper.report.summary import summary_page

WHY = {"fixed": "A test split was set aside.", "repeated": "No test split was set aside: 12 samples are too few."}
DATA = {"from": "counts.h5ad", "label": "cell_type", "group": "", "normalization": "log1p_cp10k"}
CONFOUNDERS = {"adjusted": [], "alone": [], "statement": "Nothing was adjusted for."}
SCREEN = {"statement": "No screen for chords: the configuration asks for none."}
UNTESTED = {"level": None, "statement": "No error rate: there are no shadows."}
FEW_PASSES = {"statement": "3 accepted passes are too few to tell.", "reached": None, "level": 0.8}
NO_PANEL = {"statement": "No panel: no feature is significant.", "n_features": 0, "accuracy": None}
RESULTS = {
    "significance": UNTESTED,
    "stability": {"statement": "No stability selection."},
    "convergence": FEW_PASSES,
    "panel": NO_PANEL,
}
SINGLE = {
    "statement": "2 of 4 features differ between the classes at q ≤ 0.1.",
    "notes": ["1 was not tested."],
    "confounded": "",
}
MARKERS = pd.DataFrame({
    "within": ["", ""], "class": ["a", "b"], "versus": ["b", "a"], "order": [1, 1], "feature": ["g0", "g3"],
    "log2_fold_change": [2.5, 1.25], "q": [1e-8, 0.04], "detected_class": [1.0, 0.75], "detected_versus": [0.5, 0.25],
})  # fmt: skip
RECOMMENDED = pd.DataFrame({
    "rank": [1, 2, 3, 4], "feature": ["g0", "g3", "g1", "g2"], "reported": [True, True, False, False],
    "q": [1e-5, 0.04, 0.3, np.nan], "found_by": ["test and networks", "test", "", ""], "higher_in": ["a", "b", "a", ""],
    "log2_fold_change": [2.5, -1.25, 0.1, np.nan],
})  # fmt: skip
RECOMMENDATION = {
    "statement": "2 features to report.",
    "order": "Ordered by the networks' z, each by its mean place.",
    "convergence": {"statement": "The first 20 features of the list are stable."},
}
NO_PROOF = {"proved": False, "statement": "There is no chord to prove."}
AUDIT = pd.DataFrame({
    "choice": ["2000 highly variable features, flavour seurat"] * 2 + ["50 principal components"] * 2,
    "of": ["significant features", "chord members"] * 2, "n": [4, 2, 4, 2], "n_lost": [3, 0, np.nan, np.nan],
    "lost": ["g3,g1,g2", np.nan, np.nan, np.nan], "note": ["as scanpy", "as scanpy", "too few samples", "too few"],
})  # fmt: skip
CHORDS = pd.DataFrame({
    "chord": ["chord_1"], "class": ["a"], "z": [12.345], "n_members": [5], "core_1": ["g2,g0"], "core_2": ["g9"],
    "core_3": [np.nan],
    "auc_chord": [0.9], "auc_chord_low": [0.85], "auc_chord_high": [0.94], "auc_best_member": [0.55],
    "auc_additive": [0.56], "synergy": [0.34], "synergy_low": [0.28], "synergy_high": [0.4],
})  # fmt: skip


def summary_of(models, table, baseline, **given):
    """The page with nothing adjusted for and no chord, unless shown otherwise."""
    usual = {"confounders": CONFOUNDERS, "screen": SCREEN, "proof": NO_PROOF, "chords": CHORDS.head(0)}
    usual |= {"evidence_panel": {"accuracy": None}, "differential": SINGLE, "markers": MARKERS.head(0)}
    usual |= {"recommended": RECOMMENDED.head(0), "recommendation": RECOMMENDATION}
    usual |= {"baseline_features": pd.DataFrame({"feature": ["g3", "g1", "g0", "g2"]})}
    data = given.pop("data", None) or {**DATA, "sizes": {"a": 60, "b": 40}}
    return summary_page(data=data, models=models, table=table, baseline=baseline, **{**usual, **given})


class Page(HTMLParser):
    """Text by element, and whether every element that is opened is closed."""

    def __init__(self, text):
        super().__init__()
        self.open, self.cells, self.texts, self.links = [], [], [], []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        if tag not in ("meta", "br", "path"):
            self.open.append(tag)
        if tag == "td":
            self.cells.append("")
        if tag == "a":
            self.links.append(dict(attrs)["href"])

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
        signal="computed",
        scheme="fixed",
        not_judged=(),
        tested=None,
        significance=None,
        of_model=None,
        model="cnn_small",
        **given,
    ):
        importances = importances or [[3, 2, 1, 0]] * 3
        names = names or ["g0", "g1", "g2", "g3"]
        passes = [hand_made(i, accuracy, values, classes=classes) for i, values in enumerate(importances)]
        found = accumulate_passes(passes, 2, min_accuracy, names)
        found.notes += [note] if note else []
        kept = [p for p, good in zip(passes, found.accepted, strict=True) if good]
        control_passes = [hand_made(1000 + i, value, permuted=True) for i, value in enumerate(controls)]
        tested_signal = signal_test.compare_with_controls(found, control_passes)
        if signal != "computed":
            tested_signal = replace(tested_signal, signal=signal)
        agreement = pass_table.agreement_table(kept, 2)
        summary = findings_summary.summarise_model(model, found, tested_signal, len(control_passes), agreement, 2)
        truth = np.arange(n_test) % 2

        def numbers_of(share, n_passes):
            hit = np.arange(n_test) < share * n_test
            probability = np.eye(2)[np.where(hit, truth, 1 - truth)] * 0.8 + 0.1
            evaluated = evaluate_ensemble([probability] * n_passes, truth, truth, classes, WHY[scheme])
            evaluated = replace(evaluated, scheme=scheme, not_judged=list(not_judged))
            return metrics.compute_metrics(evaluated, 5, 200, 0).numbers

        numbers, baseline = numbers_of(right, len(kept)), numbers_of(baseline_right, 1)
        models = model_table.model_table([summary], [numbers], baseline, {model: "cnn_small"}, [None])
        ranking = feature_table.feature_table(found).assign(**(tested or {}))
        results = {**RESULTS, "significance": significance or UNTESTED, **(of_model or {})}
        known = Model(summary, numbers, ranking, AUDIT, **results)
        data = {**DATA, "sizes": dict(zip(classes, (60, 40), strict=True)), **(data or {})}
        return summary_of([known], models, baseline, data=data, chart=chart, **given)

    return write


def test_the_page_says_what_was_analysed_and_what_was_found(page):
    text = page()
    read = Page(text)
    assert read.open == []
    shown = plain(text)
    assert "100 samples × 4 features from counts.h5ad, 2 classes of cell_type (a 60, b 40)" in shown
    assert "normalisation log1p_cp10k; evaluated on 100 samples that no pass has seen." in shown
    assert "Signal: the median out-of-bag accuracy of 3 passes, 0.900" in shown
    assert "Always predicting the largest class reaches 0.500" in shown
    assert "<p class='yes'>" in text
    assert "No signal" not in text
    assert "Nothing that the run itself can detect" in text


def test_numbers_carry_their_intervals(page):
    cells = Page(page()).cells
    row = cells[cells.index("cnn_small") :][:4]
    assert row[1] == "3"
    assert row[3].startswith("0.900 (0.8")
    assert row[3].endswith(")")
    assert "linear_baseline" in cells
    frequency = cells[cells.index("g0") + 2]
    assert frequency == "1.00 (0.44–1.00)"  # Wilson's interval of three passes of three


def test_groups_kept_whole_are_mentioned(page):
    assert "samples of the same <b>donor</b> were never split" in page(data={"group": "donor"})
    assert "never split" not in page()


@pytest.mark.parametrize("controls", [(), (0.95,)])
def test_a_model_without_signal_is_not_dressed_up(page, controls):
    text = page(0.5 if not controls else 0.9, min_accuracy=0.0, controls=controls)
    assert "<p class='no'><b>cnn_small</b>: No signal" in text
    assert "no signal, so its ranking should not be interpreted" in text
    assert "No signal: this list should not be interpreted." in text
    assert "<p class='yes'>" not in text


def test_an_undecided_signal_is_neither_signal_nor_none(page):
    text = page(signal=None)
    assert "<p class='open'><b>cnn_small</b>" in text
    assert "Whether there is signal is undecided" in text
    assert "<p class='no'>" not in text
    assert "<p class='yes'>" not in text


def test_the_page_says_how_few_samples_were_evaluated(page):
    text = page(scheme="repeated", n_test=12, not_judged=(3, 7), right=1.0)
    shown = plain(text)
    assert "samples are evaluated by passes that did not train on them" in shown
    assert WHY["repeated"] in shown
    assert "each counted once" in shown
    assert "test split," not in shown
    assert "1.000 (0.758–1.000)" in shown  # Wilson's interval of twelve of twelve, where a bootstrap has no width
    assert "2 samples were never out of bag and could not be evaluated: 3, 7." in shown
    assert "only 6 samples per class were evaluated" in shown
    assert WHY["fixed"] in page()


def test_when_no_pass_was_accepted_there_is_no_list(page):
    text = page(min_accuracy=0.99)
    assert "No pass was accepted: there is no ranking." in text
    assert "No pass of 3 was accepted" in text
    assert Page(text).open == []
    assert "g0" not in text
    assert "nan" not in " ".join(Page(text).texts).lower().split()


@pytest.mark.parametrize(
    ("settings", "caution"),
    [
        ({"controls": ()}, "no control passes were trained on permuted labels"),
        ({"importances": [[3, 2, 1, 0], [0, 1, 2, 3], [3, 0, 2, 1]]}, "two passes share only 33 % of their top 2"),
        ({"right": 0.6, "baseline_right": 0.95}, "logistic regression is more accurate (0.950 against 0.600)"),
        ({"n_test": 10}, "only 5 samples per class were evaluated"),
        ({"note": "early stopping never acts"}, "early stopping never acts"),
    ],
)
def test_reasons_for_caution_are_given(page, settings, caution):
    text = page(**settings)
    assert caution in text
    assert "Nothing that the run itself can detect" not in text
    assert caution not in page()


def test_names_cannot_break_the_page(page):
    evil = "<script>alert(1)</script>&"
    text = page(names=[evil, "a<b", '"q"', "g3"], classes=("<i>", "b"), data={"from": evil, "group": evil}, note=evil)
    read = Page(text)
    assert "<script>alert" not in text
    assert read.open == []
    assert evil in read.cells


def test_no_name_acts_in_the_page(page, hostile, elements):
    """As a feature, class, sample, file, column, confounder, chord and filter, and in what is shown of them."""

    def written(word):
        evidence = {"confounder": word, "adjusted": False, "macro_auc": 0.91, "macro_auc_low": 0.85}
        statement = {"statement": word}
        return page(
            names=[word, "g1", "g2", "g3"],
            classes=(word, "b"),
            data={"from": word, "label": word, "group": word, "normalization": word},
            note=word,
            not_judged=(word,),
            chords=CHORDS.assign(chord=word, core_1=word, **{"class": word}),
            proof={"proved": False, **statement},
            screen=statement,
            confounders={"adjusted": [word], "alone": [{**evidence, "macro_auc_high": 0.95}], **statement},
            significance={"level": 0.1, **statement},
            tested=TESTED,
            differential={"statement": word, "notes": [word], "confounded": word},
            markers=MARKERS.assign(within=word, feature=word, **{"class": word, "versus": word}),
            of_model={
                "stability": statement,
                "convergence": {"reached": None, "level": 0.8, **statement},
            },
        )

    read, harmless = elements(written(hostile)), elements(written("k"))
    assert read.counts == harmless.counts
    assert read.counts["script"] == 1
    assert read.attributes == harmless.attributes
    assert read.links == harmless.links
    cells = Page(written(hostile)).cells
    assert cells.count(hostile) == 5  # the feature, two markers, the chord and its class
    assert f"{hostile} ↑" in cells
    assert f"({hostile} 60, b 40)" in read.text


def test_no_name_of_a_model_acts_in_the_page(page, hostile, elements):
    def written(word):
        return page(model=word)

    read, harmless = elements(written(hostile)), elements(written("k"))
    assert read.counts == harmless.counts
    assert read.attributes == harmless.attributes
    assert len(read.links) == len(harmless.links)
    assert not [link for link in read.links if re.search(r"[:<>\"']", link)]
    assert f"{quote(hostile)}/features.html" in read.links


def test_no_name_acts_in_the_chart(hostile, elements, tmp_path):
    columns = [f"{m}{e}" for m in ("accuracy", "balanced_accuracy", "macro_f1") for e in ("", "_low", "_high")]
    rest = ["per_pass_accuracy_mean", "ece", "majority_accuracy", "control_accuracy_mean", "signal", "n_passes"]
    models = pd.DataFrame([dict.fromkeys([*columns, *rest], 0.5) | {"model": one, "kind": "mlp"} for one in "kl"])
    counts = []
    for word in (hostile, "k"):
        plots.model_comparison(models.replace({"model": {"k": word}}), tmp_path / "models.svg")
        counts.append(elements((tmp_path / "models.svg").read_text()))
    read, harmless = counts
    assert "script" not in read.counts
    assert set(read.counts) == set(harmless.counts)
    assert read.attributes == harmless.attributes


def test_the_chart_is_put_in_without_what_stands_before_it(page):
    text = page(chart='<?xml version="1.0"?>\n<!DOCTYPE svg>\n<svg id="chart"></svg>')
    assert '<svg id="chart"></svg>' in text
    assert "<?xml" not in text
    assert text.count("<!DOCTYPE") == 1


def test_the_page_loads_nothing_from_elsewhere(page):
    assert not any(word in page() for word in ("http:", "https:", "src=", "@import", "url("))


def test_several_models_have_their_own_verdicts_and_lists(page):
    """One verdict and one list a model."""
    table = pd.DataFrame({"feature": []})
    summary = {
        **{"model": "x", "signal": False, "statement": "No signal.", "classes": ["a"], "n_features": 1, "top_k": 1},
        **{"notes": [], "n_controls": 1, "mean_top_k_overlap": None},
    }
    numbers = {"accuracy": None, "not_judged": [], "unequal": ""}
    baseline = {
        "accuracy": 0.5,
        "accuracy_low": 0.4,
        "accuracy_high": 0.6,
        "n_test": 50,
        "classes": ["a"],
        "majority_accuracy": 0.5,
    }
    baseline |= {"scheme": "fixed", "why": WHY["fixed"]}
    columns = [f"{m}{e}" for m in ("accuracy", "balanced_accuracy", "macro_f1") for e in ("", "_low", "_high")]
    models = pd.DataFrame(
        [dict.fromkeys(["model", "n_passes", "per_pass_accuracy_mean", "ece", "p_against_linear", *columns])] * 3
    )
    models["only_this"], models["only_linear"], models["p_against_linear"] = 40, 2, [0.0, 1.2345e-9, np.nan]
    both = [Model(one, numbers, table, AUDIT.head(0), **RESULTS) for one in (summary, {**summary, "model": "y"})]
    text = summary_of(both, models, baseline)
    assert text.count("<p class='no'>") == 2
    assert "<td>40 : 2, p &lt; 1e-300</td>" in text and "<td>40 : 2, p = 1.2e-09</td>" in text
    assert "<h3>x</h3>" in text
    assert "<h3>y</h3>" in text


# What was found, and at which error rate.


def plain(text):
    """The text of a page without its elements."""
    return " ".join(" ".join(Page(text).texts).split())


TESTED = {"z": [9.0, 5.0, 1.0, 0.1], "q": [0.004, 0.04, 0.6, 1.0], "significant": [True, True, False, False]}
TESTED["differential_q"] = [0.01, 0.3, np.nan, 1.0]


def test_the_questions_are_answered_in_one_order(page):
    questions = [
        "What was analysed?", "Is there signal?", "Which features differ when each is tested alone?",
        "How many features are significant to the networks?", "How many chords?",
        "How stable is the ranking?", "How well do the models predict?", "How well do confounders alone predict?",
        "What would filtering have lost?", "What calls for caution?", "Where to look next?",
    ]  # fmt: skip
    text = plain(page())
    places = [text.index(question) for question in questions]
    assert places == sorted(places)


def test_the_test_of_single_features_comes_with_its_notes_and_markers(page):
    text = page(tested=TESTED, significance={"level": 0.1, "statement": ""}, markers=MARKERS)
    shown = plain(text)
    assert SINGLE["statement"] in shown
    assert "1 was not tested." in shown
    assert "1 of its 2 significant features is not found by this test (g1); logistic regression has them among" in shown
    beyond = page(
        tested=TESTED,
        significance={"level": 0.1, "statement": ""},
        baseline_features=pd.DataFrame({"feature": ["g3", "g0", "g1"]}),
    )
    assert "not found by this test, nor among the first 2 of logistic regression: g1. Less than one is" in plain(beyond)
    cells = Page(text).cells
    assert cells[cells.index("2.50") - 1 :][:4] == ["g0", "2.50", "1e-08", "100 % / 50 %"]
    assert "b against a (1)" in shown


def test_what_the_networks_find_beyond_single_tests_is_said(page):
    level = {"level": 0.1, "statement": ""}
    found = {**TESTED, "differential_q": [0.01, 0.05, np.nan, 1.0]}
    text = "this test finds its 2 significant features, too, so the network adds an order, but no feature."
    assert text in plain(page(tested=found, significance=level))
    none = {**TESTED, "significant": [False] * 4}
    assert "no significant feature to compare with this test." in plain(page(tested=none, significance=level))


@pytest.mark.parametrize(
    ("first", "said"),
    [
        (["g3", "g2"], "2 of its 2 significant features are not among the first 2 of logistic regression: g0, g1."),
        (["g3", "g0"], "1 of its 2 significant features is not among the first 2 of logistic regression: g1."),
        (["g1", "g0"], "logistic regression has its 2 significant features among its first 2."),
    ],
)
def test_without_a_list_of_single_features_none_of_them_is_said_to_be_missed(page, first, said):
    untested = {**TESTED, "differential_q": [np.nan] * 4}
    baseline = pd.DataFrame({"feature": first})
    text = plain(page(tested=untested, significance={"level": 0.1, "statement": ""}, baseline_features=baseline))
    assert f"no list of this test to compare with; {said}" in text
    assert "not found by this test" not in text


def test_features_are_counted_with_their_error_rate(page):
    calibration = {"level": 0.1, "statement": "2 are significant, held against 40 shadow features."}
    text = page(tested=TESTED, significance=calibration)
    assert "cnn_small : 2 significant (q ≤ 0.1); less than one is expected to be false." in plain(text)
    assert "held against 40 shadow features. No stability selection." in plain(text)
    cells = Page(text).cells
    assert cells[cells.index("g1") :][:3] == ["g1", "5.0", "0.04"]
    assert cells[cells.index("g2") :][:3] == ["g2", "1.0", "0.6 (n.s.)"]


def test_the_page_says_when_nothing_is_significant(page):
    none = {**TESTED, "significant": [False] * 4}
    text = plain(page(tested=none, significance={"level": 0.1, "statement": "0 of 4 are significant."}))
    assert "cnn_small : none significant . 0 of 4 are significant." in text


def test_without_a_null_there_is_no_error_rate(page):
    assert "cnn_small : No error rate: there are no shadows." in plain(page(controls=()))


def test_chords_are_listed_with_their_proof(page):
    text = page(
        chords=CHORDS,
        screen={"statement": "1 chords: 9 significant pairs."},
        proof={"proved": True, "statement": "1 of 1 chords tell more than their members."},
    )
    assert "1 chords: 9 significant pairs. 1 of 1 chords tell more than their members." in plain(text)
    cells = Page(text).cells
    row = cells[cells.index("chord_1") :][:8]
    assert row == [
        "chord_1", "a", "g2, g0 × g9 and 2 more", "12.3", "0.90 (0.85–0.94)", "0.55", "0.56", "0.34 (0.28–0.40)"
    ]  # fmt: skip
    assert "chord_networks.svg" in Page(text).links
    assert "chord_networks.svg" not in Page(page()).links


def test_a_chord_of_two_features_is_told_in_words(page):
    pair = CHORDS.assign(n_members=2, core_1="g2")
    together = plain(page(chords=pair, aliases={"g2": "CD4"}))
    assert "chord_1 is CD4 with g9: in a both are high or both are low; elsewhere, more often one is high" in together
    assert "the two together predict a with an AUC of 0.90, the better one alone with 0.55." in together
    apart = plain(page(chords=pair.assign(z=-5.0, auc_chord=np.nan)))
    assert "in a one is high where the other is low; elsewhere, more often both are high or both are low." in apart
    assert "chord_1 is" not in plain(page(chords=CHORDS))


def test_chords_without_a_test_split_call_for_caution(page):
    unproved = CHORDS.assign(**dict.fromkeys([c for c in CHORDS if c.startswith(("auc", "synergy"))], np.nan))
    text = page(chords=unproved, proof={"proved": False, "statement": "Nothing is proved."})
    assert "No chord was tested on samples that the screen had not used." in plain(text)
    assert "nan" not in plain(text).lower().split()


def test_how_stable_comes_from_the_convergence_of_the_passes(page):
    unstable = {"statement": "The top 2 is stable at 0.8 from about 40 passes.", "reached": False, "level": 0.8}
    text = plain(page(of_model={"convergence": unstable}))
    assert "The top 2 is stable at 0.8 from about 40 passes." in text
    assert "the ranking is not yet stable at 0.8" in text
    assert "not yet stable" not in plain(page(of_model={"convergence": {**unstable, "reached": True}}))


def test_the_small_model_stands_beside_the_passes(page):
    panel = {"n_features": 2, "accuracy": 0.88, "accuracy_low": 0.8, "accuracy_high": 0.93}
    text = plain(page(of_model={"panel": panel}))
    assert "a small model on only its 2 significant features: 0.880 (0.800–0.930)" in text
    assert "by evidence" not in text
    text = plain(page(of_model={"panel": {**panel, "n_features": 0, "n_chords": 1}}))
    assert "a small model on only its 1 chord: 0.880" in text
    text = plain(page(evidence_panel={**panel, "n_features": 40}))
    assert "A small model on only the first 40 features by evidence: 0.880 (0.800–0.930)." in text


def test_a_confounder_that_predicts_the_classes_calls_for_caution_unless_adjusted_for(page):
    record = {
        "confounder": "depth",
        "adjusted": False,
        "macro_auc": 0.91,
        "macro_auc_low": 0.85,
        "macro_auc_high": 0.95,
    }
    depth = {"adjusted": [], "alone": [record], "statement": "Depth alone names the class right in 0.80."}
    text = plain(page(confounders=depth))
    assert "Depth alone names the class right in 0.80." in text
    assert "Depth alone predicts the classes with an AUC of 0.91 (0.85–0.95) and was not adjusted for" in text
    assert "Taken as" not in text
    types = {**depth, "types": "batch: 3 categories; age: numbers"}
    assert "Taken as: batch: 3 categories; age: numbers." in plain(page(confounders=types))
    for harmless in ({"adjusted": True}, {"macro_auc": 0.6}, {"macro_auc": None}):
        assert "Depth alone predicts" not in plain(page(confounders={**depth, "alone": [{**record, **harmless}]}))


def test_what_filtering_would_have_lost_is_named(page):
    text = plain(page())
    assert "flavour seurat: 3 of 4 significant features (g3, g1, g2) and 0 of 2 chord members" in text
    assert "50 principal components: not available (too few samples)" in text


def test_passes_that_read_chords_are_optimistic(page):
    reading = {"reads_chords": True}
    text = plain(page(of_model=reading, chords=CHORDS))
    assert "out-of-bag accuracies are too optimistic, accuracies on the test split are not." in text
    without_split = plain(page(of_model=reading, chords=CHORDS, scheme="repeated"))
    assert "out-of-bag accuracies are too optimistic." in without_split
    assert "too optimistic" not in plain(page(chords=CHORDS))


def test_a_model_that_could_read_no_chord_is_not_said_to_read_chords(page):
    text = plain(page(of_model={"reads_chords": True}))
    assert "too optimistic" not in text
    assert "its networks read the features alone, since there are no chords (setting: chord_pixels)" in text
    assert "every setting took effect" not in text


def test_links_are_relative_and_of_files_beside_the_page(page):
    links = Page(page(chords=CHORDS, proof={"proved": True, "statement": ""})).links
    assert len(links) > 8
    assert not [link for link in links if link.startswith(("/", "..")) or ":" in link]
    assert {"cnn_small/features.html", "models.html", "chords.html", "cnn_small/plots/ranking.svg"} <= set(links)


def test_perturbed_features_are_named_with_what_they_change(page):
    table = pd.DataFrame({
        "item": ["g1", "g1", "g0", "g1"], "item_alias": ["NKG7", "NKG7", np.nan, "NKG7"],
        "how": ["deletion", "deletion", "deletion", "mask"], "class": ["a", "b", "a", "a"],
        "change": [0.05, -0.12, -0.01, np.nan], "q": [0.2, 0.003, np.nan, np.nan],
    })  # fmt: skip
    found = page(perturbed={"cnn_small": (table, {"statement": "2 perturbed items in 3 passes."})})
    text = plain(found)
    assert "cnn_small : 2 perturbed items in 3 passes." in text
    assert "Deletion, the largest changes: NKG7 (b -0.120, q = 0.003), g0 (a -0.010)." in text
    assert {"cnn_small/perturbation.tsv", "cnn_small/plots/perturbation.svg"} <= set(Page(found).links)
    assert "erturb" not in page()


def test_the_class_for_which_a_feature_matters_is_named_with_its_direction(page):
    cells = Page(page()).cells
    assert cells[cells.index("g0") + 3] == "a ↑"


def test_a_run_from_reads_says_where_the_fragments_went(page):
    said = "Of the fragments (read pairs or single reads), 80.0 % count on known transcripts."
    assert said in plain(page(of_fragments=said))
    assert "fragments" not in plain(page())
    assert "cnn_small/plots/novel.svg" in page(of_fragments=said)
    assert "plots/novel.svg" not in page()


def test_novel_transcripts_among_the_features_are_counted(page):
    text = plain(
        page(names=("DENOVO_a", "g1", "DENOVO_b", "g3"), tested=TESTED, significance=UNTESTED | {"level": 0.1})
    )
    assert "cnn_small : novel transcripts: 2 of its top 4 features, 1 of its 2 significant features." in text
    assert "assembled from the reads and is in no annotation" in text
    assert "novel transcripts: 1 of its top 2 features." in plain(page(names=("DENOVO_a", "g1", "g2", "g3"), top=2))
    text = plain(page(names=("DENOVO_a", "g1", "DENOVO_b", "g3")))
    assert "cnn_small : novel transcripts: 2 of its top 4 features." in text
    assert "novel" not in plain(page())


def test_cautions_about_the_data_are_said_first(page):
    said = "Nothing found here can be told apart from differences in the column '<b>batch</b>'."
    text = page(of_data=[said, "2 samples have no counts."])
    first = text.index("Before anything else")
    assert first < text.index("What was analysed?")
    assert "can be told apart from differences in the column &#39;&lt;b&gt;batch&lt;/b&gt;&#39;." in text[first:]
    assert "Nothing that the run itself can detect" not in text
    Page(text)
    assert "Before anything else" not in page()


def test_a_batch_that_is_the_class_is_the_first_doubt(page):
    text = plain(page(differential={**SINGLE, "confounded": "All of it may come from 'batch'."}))
    assert "caution? All of it may come from 'batch'. This goes for the accuracies and for every list." in text
    assert "Nothing that the run itself can detect" not in text


NAMED = {"level": 0.1, "statement": ""}


def test_features_and_markers_are_listed_with_their_aliases(page):
    alias = {"alias": ["TP53.novel1", None, "BRCA1", None]}
    markers = MARKERS.assign(alias=["TP53.novel1", ""])
    text = page(tested={**TESTED, **alias}, significance=NAMED, markers=markers, aliases={"g0": "TP53.novel1"})
    cells = Page(text).cells
    assert cells[cells.index("2.50") - 1 :][:5] == ["TP53.novel1", "2.50", "1e-08", "100 % / 50 %", "g0"]
    assert "BRCA1" in cells
    assert "Name: symbol of the gene" in plain(text)
    assert "Name: " not in plain(page(tested=TESTED, significance=NAMED))


def test_sentences_and_chords_name_features_by_their_symbols(page):
    aliases = {"g0": "CD79A", "g1": "MS4A1", "g2": "NKG7", "g3": "<b>NKG7</b>", "g9": "GNLY"}
    said = "Symbols of 4 of 4 features are shown beside their ids, from the column gene_symbols of the matrix."
    text = plain(page(tested=TESTED, significance=NAMED, chords=CHORDS, aliases=aliases, of_symbols=said))
    assert said in text
    assert "NKG7, CD79A × GNLY and 2 more" in text
    assert "3 of 4 significant features (<b>NKG7</b>, MS4A1, NKG7)" in text


def test_features_of_one_symbol_are_told_apart(page):
    text = plain(page(chords=CHORDS, aliases={"g0": "CD79A", "g2": "CD79A"}))
    assert "CD79A (g2), CD79A (g0) × g9 and 2 more" in text


def test_the_list_to_report_comes_first_and_names_what_is_not_significant(page):
    text = page(recommended=RECOMMENDED)
    shown = plain(text)
    assert RECOMMENDATION["statement"] in shown
    assert RECOMMENDATION["order"] in shown
    assert shown.index("test and networks") < shown.index("Which features differ when each is tested alone?")
    cells = Page(text).cells
    assert cells[cells.index("2.50") - 2 :][:5] == ["g0", "a", "2.50", "1e-05", "test and networks"]
    assert cells[cells.index("-1.25") - 2 :][:4] == ["g3", "b", "-1.25", "0.04"]
    assert "0.3 (n.s.)" in cells


def test_enriched_sets_are_named_only_if_sets_are_given(page):
    table = pd.DataFrame({
        "test": ["list"], "of": ["recommended"], "within": [None], "class": ["a"], "versus": [None],
        "set": ["<i>MHC</i>"], "q": [0.001], "z": [np.nan], "n_found": [2.0], "n_set": [9], "similar_to": [None],
        "members": ["CD74,<b>X</b>"],
    })  # fmt: skip
    summary = {
        "statement": "1 of 4 gene sets is enriched.",
        "notes": ["7 sets were left out."],
        "level": 0.1,
        "n_enriched": 1,
    }
    text = page(enrichment=(table, summary))
    assert "higher in a : &lt;i&gt;MHC&lt;/i&gt; (CD74, &lt;b&gt;X" in text.replace("</b>:", " :")
    assert {"1 of 4 gene sets is enriched.", "7 sets were left out."} <= set(Page(text).texts)
    assert "enrichment.html" in Page(text).links
    assert "gene set" not in plain(page()) and "enrichment.html" not in Page(page()).links

    assert "Name: " not in plain(page(tested=TESTED, significance={"level": 0.1, "statement": ""}))


def test_what_is_said_of_target_cells_has_its_rate_or_why_there_is_none(page):
    assert "Which cells were named" not in page()
    target = {
        "statement": "Of 9 unlabelled cells, 5 have one label.",
        "rate": "Rates are withheld: a classifier tells them apart.",
        "coverage": "In every class, 95 %.",
        "cautions": ["new lacks 3 of 4 features."],
        "level": 0.05,
    }
    withheld = pd.DataFrame({"class": ["a", "b", "c"], "power": [0.9, 0.3, np.nan]})
    text = page(targets={"cnn_small": target}, withheld={"cnn_small": withheld})
    shown = plain(text)
    assert "Of 9 unlabelled cells, 5 have one label." in shown and "Rates are withheld" in shown
    assert "one pass would have found 60 % of its cells at level 0.05" in shown and "least of b 30 %, a 90 %" in shown
    assert "cnn_small/target.tsv" in Page(text).links
