"""The page to open first: what it says, what it leaves out, and that no name acts in it."""

import json
import re
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from deepmapper.core.nothing import NOTHING_TO_SHOW
from deepmapper.plots.style import saved_figure
from deepmapper.report import points
from deepmapper.report.figures import Figure, figures_of
from deepmapper.report.models import Model
from deepmapper.report.page import error_rate, rate_of
from deepmapper.report.points import ranked_points
from deepmapper.report.start import CAPTIONS, start_page
from deepmapper.report.titles import (
    CHORD_FIGURES,
    FIGURES,
    FILES,
    MODEL_FIGURES,
    START_FIGURES,
    STUDY_FIGURES,
    TABLES,
    TARGET_FIGURES,
)

AUDIT = pd.DataFrame({"choice": ["50 principal components"], "of": ["significant features"], "n": [3], "n_lost": [0.0]})


def model_of(name="cnn_small", features=("g0", "g1", "g2"), signal=True, lost=0.0, unequal=""):
    table = pd.DataFrame({
        "rank": range(1, len(features) + 1), "feature": features, "z": [5.0 - i for i in range(len(features))],
        "significant": [i < 2 for i in range(len(features))], "selection_frequency": 0.5, "median_importance": 0.1,
    })  # fmt: skip
    summary = {
        "model": name, "signal": signal, "statement": "Signal: better than chance.", "n_features": 3, "notes": [],
        "n_controls": 5, "mean_top_k_overlap": 0.9, "top_k": 2,
    }  # fmt: skip
    metrics = {"accuracy": 0.9, "n_test": 50, "not_judged": [], "unequal": unequal}
    convergence = {"reached": True, "level": 0.8}
    return Model(summary, metrics, table, AUDIT.assign(n_lost=lost), {"level": 0.1}, {}, convergence, {})


def page(models=None, names=("g0", "g1", "g2"), **given):
    models = models or [model_of(features=names)]
    recommended = pd.DataFrame({
        "rank": [1, 2, 3], "feature": names, "reported": [True, True, False], "q": [1e-5, 0.04, 0.3],
        "found_by": ["test and networks", "test", ""], "higher_in": ["a", "b", ""],
        "log2_fold_change": [2.5, -1.25, float("nan")],
    })  # fmt: skip
    chords = pd.DataFrame(columns=["chord"])
    usual = {
        "data": {"from": "counts.h5ad", "label": "state", "group": "", "sizes": {"a": 60, "b": 40}},
        "models": models,
        "baseline": {"scheme": "fixed", "n_test": 40, "classes": ["a", "b"], "accuracy": 0.8, "accuracy_low": 0.7},
        "confounders": {"alone": []},
        "screen": {"statement": "No chords."},
        "proof": {"proved": False, "statement": ""},
        "chords": chords,
        "differential": {"statement": "2 of 3 features differ.", "notes": ["1 was not tested."], "confounded": ""},
        "recommended": recommended,
        "recommendation": {"statement": "2 features to report.", "order": "Ordered by z."},
        "figures": {},
        "ranked": ranked_points(models, {}),
        "tested": [],
    }
    return start_page(**usual | given)


def test_where_accuracy_says_little_the_verdict_says_what_is_recognised():
    text = page([model_of(unequal="accuracy says little here; recognised are 0 % of 4 rare.")])
    verdict = text[text.index("<h2 id='signal'>") : text.index("<h2 id='report'>")]
    assert "Signal: better than chance. Accuracy says little here; recognised are 0 % of 4 rare." in verdict
    assert "recognised are 0 % of 4 rare" in text[text.index("<h2 id='distrust'>") :]


def test_question_verdict_list_and_doubts_come_in_this_order_and_in_the_menu():
    text = page()
    headings = re.findall(r"<h2 id='(\w+)'>(.*?)</h2>", text)
    assert [key for key, _ in headings] == ["signal", "report", "single", "chords", "networks", "distrust", "more"]
    menu = text[text.index("<nav") : text.index("</nav>")]
    assert re.findall(r"<a href='#(\w+)'>(.*?)</a>", menu) == headings
    assert "What tells the classes of state apart?" in text
    assert "100 samples × 3 features from counts.h5ad" in text
    assert "<p class='yes'><b>cnn_small</b>: Signal" in text
    assert "2 features to report." in text and "<td>-1.25</td>" in text and "0.3 (n.s.)" not in text
    assert "<p class='no'>" in page([model_of(signal=False)])


def test_without_a_feature_to_report_the_first_of_the_order_are_listed_as_not_significant():
    recommended = pd.DataFrame({
        "rank": [1], "feature": ["g1"], "reported": [False], "q": [0.3], "found_by": [""], "higher_in": ["a"],
        "log2_fold_change": [0.1],
    })  # fmt: skip
    assert "0.3 (n.s.)" in page(recommended=recommended)


def test_sections_without_content_are_left_out():
    assert "Novel transcripts" not in page() and "Gene sets" not in page()
    text = page(of_fragments="Most aligned.", enriched="3 of 9 sets.", of_data=["Two batches."])
    assert "Most aligned." in text and "3 of 9 sets." in text and "Two batches." in text
    assert "reads/qc/multiqc_report.html" in text and "multiqc" not in page()


TARGET = {
    "statement": "30 samples were named.", "rate": "At most 5 % are wrong.", "coverage": "95 % covered.",
    "cautions": ["Another technology."], "level": 0.05,
}  # fmt: skip


def test_named_cells_have_a_section_with_their_conditions_and_links(elements):
    text = page(targets={"cnn_small": TARGET})
    section = text[text.index("id='named'") : text.index("id='single'")]
    for said in ("30 samples were named.", "At most 5 % are wrong.", "95 % covered.", "Another technology."):
        assert said in section
    assert "<a href='#named'>Cells without a label</a>" in text and "id='named'" not in page()
    links = elements(text).links
    of_model = {f"findings/cnn_small/{name}.tsv" for name in ("target", "new_identities", "target_genes")}
    assert of_model | {f"findings/cnn_small/plots/{name}.svg" for name in TARGET_FIGURES} <= set(links)
    assert "findings/cnn_small/withheld.tsv" not in links  # not written with transfer.withhold: false
    withheld = pd.DataFrame({"class": ["a"], "power": [0.5]})
    text = page(targets={"cnn_small": TARGET}, withheld={"cnn_small": withheld})
    assert "findings/cnn_small/withheld.tsv" in elements(text).links and "would have found 50 %" in text


def test_a_rate_that_is_no_number_any_more_is_given_as_a_bound():
    assert [error_rate(q) for q in (0.0, 1e-12, 0.04, float("nan"))] == ["<1e-300", "1e-12", "0.04", ""]
    assert [rate_of("p", p) for p in (0.0, 0.04, None)] == ["p < 1e-300", "p = 0.04", ""]
    rows = pd.DataFrame({"feature": ["g0", "g1"], "p": [0.0, 0.5], "q": [0.0, 0.6]})
    (group,) = points.tested_points([("a against b", rows, np.array([3.0, 0.1]))], 0.1, {})
    assert [point[4] for point in group["points"]] == ["q < 1e-300", "q = 0.6"]


def test_perturbation_and_embeddings_are_linked_where_there_are_any(elements):
    assert "embeddings/pca.svg" in elements(page(embeddings=["pca"])).links and "embeddings" not in page()
    assert "findings/cnn_small/plots/perturbation.svg" in elements(page(with_perturbed=True)).links
    assert "perturbation" not in page()


def test_novel_transcripts_are_listed_by_their_readable_names():
    recommended = pd.DataFrame({
        "rank": [1, 2], "feature": ["g0", "DENOVO_1"], "reported": [True, True], "q": [0.01, 0.02],
        "found_by": ["", ""], "higher_in": ["a", "b"], "log2_fold_change": [1.0, 2.0], "is_denovo": [False, True],
    })  # fmt: skip
    text = page(recommended=recommended, aliases={"DENOVO_1": "GENE.novel1"}, of_fragments="All aligned.")
    assert text.index(">GENE.novel1</td>") > text.index("id='novel'")


def test_what_no_filter_would_have_lost_has_no_link():
    assert "audit.html" not in page() and "audit.svg" not in page()
    text = page([model_of(lost=1.0)])
    assert "findings/cnn_small/audit.html" in text and "findings/cnn_small/plots/audit.svg" in text


def test_the_points_are_those_of_the_list_and_named():
    data = re.search(r"<script type='application/json'>(.*?)</script>", page(), re.DOTALL)[1]
    (group,) = json.loads(data)["groups"]
    assert group["title"] == "cnn_small" and group["y"] == "importance, z"
    assert group["points"][0] == ["g0", 1, 5.0, 1, "selected by 50 % of the passes"]
    assert [point[3] for point in group["points"]] == [1, 1, 0]


def test_no_name_acts_in_the_page(hostile, elements):
    def written(word):
        models = [model_of(word, (word, "g1", "g2"))]
        data = {"from": word, "label": word, "group": word, "sizes": {word: 60, "b": 40}}
        figure = Figure(f"findings/{word}/plots/feature_maps.svg", "maps", "a caption", "data:image/svg+xml;,")
        return page(models, (word, "g1", "g2"), data=data, figures={"feature_maps": figure}, aliases={"g1": word},
                    of_data=[word], tested=[{"title": word, "y": "p", "points": [[word, 1, 2, 1, "q"]]}])  # fmt: skip

    read, harmless = elements(written(hostile)), elements(written("k"))
    assert read.counts == harmless.counts
    assert read.counts["script"] == 3  # points twice, and what draws them
    assert read.attributes == harmless.attributes
    assert not [link for link in read.links if re.search("[:<>\"']", link.removeprefix("data:image/svg+xml;,"))]
    (listed, tested) = re.findall(r"application/json'>(.*?)</script>", written(hostile), re.DOTALL)
    assert json.loads(listed)["groups"][0]["title"] == json.loads(tested)["groups"][0]["points"][0][0] == hostile


def test_figures_that_do_not_fit_in_are_linked_and_those_without_content_are_not(tmp_path):
    for name, content in (("a", "<svg>1</svg>"), ("b", "<svg>" + "x" * 2_000_000), ("c", NOTHING_TO_SHOW)):
        (tmp_path / f"{name}.svg").write_text(content)
    paths = {name: tmp_path / f"{name}.svg" for name in "abc"}
    found = figures_of(paths, tmp_path, dict.fromkeys("abc", "name"), dict.fromkeys("abc", "text"))
    assert list(found) == ["a", "b"]
    assert found["a"].source.startswith("data:image/svg+xml;base64,") and found["b"].source == ""
    assert found["b"].path == "b.svg"
    named = dict.fromkeys("abc", "name"), dict.fromkeys("abc", "text")
    assert figures_of(paths, tmp_path, *named, room=10)["a"].source == ""


def test_a_figure_has_the_width_that_it_was_drawn_in(tmp_path):
    with saved_figure(tmp_path / "a.svg") as figure:
        figure.add_axes((0, 0, 8, 1))
    (found,) = figures_of({"expression": tmp_path / "a.svg"}, tmp_path, FIGURES, CAPTIONS).values()
    assert 8 * 72 < found.width < 9 * 72
    assert f"<figure style='--width: {found.width}pt'>" in page(figures={"expression": found})
    assert "--width" not in page(figures={"expression": replace(found, width=0)}).partition("<body>")[2]


def test_words_are_aligned_at_the_left_and_numbers_at_the_right():
    text = page()
    assert "<th class='text'>higher in</th>" in text
    assert "<th>log2 fold change</th>" in text and "<th>q</th>" in text


@pytest.mark.parametrize("name", START_FIGURES)
def test_every_figure_of_the_page_has_its_caption_and_name(name):
    assert CAPTIONS[name] and FIGURES[name]
    figure = Figure("findings/x.svg", FIGURES[name], CAPTIONS[name], "data:image/svg+xml;base64,AAAA")
    text = page(figures={name: figure}, enriched="sets", of_fragments="reads", targets={"cnn_small": TARGET})
    assert text.count("<img ") == 1 and FIGURES[name] in text


def test_every_figure_has_one_name():
    known = (*MODEL_FIGURES, *STUDY_FIGURES, *CHORD_FIGURES, *TARGET_FIGURES, "models", "novel", "enrichment")
    assert sorted((*known, "perturbation")) == sorted(FIGURES)
    names = [*FIGURES.values(), *TABLES.values(), *FILES.values()]
    assert len(set(names)) == len(names)
