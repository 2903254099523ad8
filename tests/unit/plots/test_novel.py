"""Novel transcripts beside the annotation: every name is legible, strands and classes are shown."""

import numpy as np

from deepmapper import plots
from deepmapper.plots.novel import MAX_NEIGHBOURS, NovelTranscript

VALUES = {"ctrl": np.array([1.0, 1.5, 2.0]), "stim": np.array([4.0, 4.5])}


def record(**changed):
    return {
        **{"name": "DENOVO_a", "alias": "ABC1.novel1", "rank": 3, "length": 700, "values": VALUES},
        "about": "novel_isoform (j): shares splice junctions with ABC1",
        **changed,
    }


def placed(**changed):
    return record(
        chrom="chr1",
        region=(0, 12_000),
        model=("ABC1.novel1", "+", ((5000, 5400), (6000, 6300))),
        neighbours=[("ABC1 (T1)", "+", ((5000, 5400), (6800, 7000))), ("XYZ (T2)", "-", ((9000, 9500),))],
        **changed,
    )


def drawn(tmp_path, words, *records):
    plots.novel_transcripts([NovelTranscript.of(own) for own in records], tmp_path / "a.svg", unit="log1p TPM")
    return words(tmp_path / "a.svg")


def test_a_transcript_stands_beside_the_annotation_with_its_expression(tmp_path, words):
    found = drawn(tmp_path, words, placed())
    assert {"novel", "ABC1 (T1)", "XYZ (T2)", "ctrl", "stim", "log1p TPM", "chr1, kb"} <= set(found)
    assert "3. ABC1.novel1  (DENOVO_a)" in found
    assert "novel_isoform (j): shares splice junctions with ABC1" in found


def test_coverage_by_class_stands_above_the_exons(tmp_path, words):
    assert "depth" not in drawn(tmp_path, words, placed())
    assert "depth" in drawn(tmp_path, words, placed(coverage={"ctrl": np.arange(300.0), "stim": np.ones(300)}))


def test_a_transcript_without_a_place_is_said_to_have_none(tmp_path, words):
    found = drawn(tmp_path, words, record(), record(name="DENOVO_b", rank=5, values={"ctrl": np.array([]), "stim": []}))
    assert found.count("position in the transcript, bases; it has no place in the genome") == 2


def test_a_crowded_place_says_how_many_transcripts_are_not_drawn(tmp_path, words):
    crowd = [(f"T{i}", "+", ((100 * i, 100 * i + 50),)) for i in range(MAX_NEIGHBOURS + 4)]
    found = drawn(tmp_path, words, {**placed(), "neighbours": crowd})
    assert "chr1, kb; 4 more annotated transcripts not drawn" in found


def test_without_novel_transcripts_the_figure_says_so(tmp_path, words):
    assert "No novel transcript" in drawn(tmp_path, words)
