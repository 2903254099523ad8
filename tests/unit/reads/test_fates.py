"""Where the fragments of every sample went: the four places add up, and the sentence about them says so."""

import json

import pytest

from deepmapper.errors import InputError
from deepmapper.reads.counted import split_counts
from deepmapper.reads.fates import PLACES, describe_fragments, read_fragments, tabulate_fragments


def write_quant(path, counts):
    rows = [f"{name}\t500\t300.000\t1.5\t{n:.3f}" for name, n in counts.items()]
    path.write_text("\n".join(["Name\tLength\tEffectiveLength\tTPM\tNumReads", *rows]) + "\n")
    return path


def test_counts_are_divided_between_known_and_novel_transcripts(tmp_path):
    quant = write_quant(tmp_path / "quant.sf", {"T1": 60.5, "T2": 0.4, "DENOVO_a": 9.2, "DENOVO_b": 0.5, "DENOVO_c": 0})
    assert split_counts(quant, 71) == {"known": 61, "novel": 10, "detected_known": 1, "detected_novel": 2}
    nothing = write_quant(tmp_path / "quant.sf", {"T1": 0, "DENOVO_a": 0})
    assert split_counts(nothing, 0) == {"known": 0, "novel": 0, "detected_known": 0, "detected_novel": 0}
    only_novel = write_quant(tmp_path / "quant.sf", {"T1": 0, "DENOVO_a": 7.5009})
    assert split_counts(only_novel, 7)["known"] == 0


@pytest.fixture
def sample(tmp_path):
    """Give a function that writes what aligning and counting leave of one sample."""

    def write(name, *, fragments=1000, captured=200, known=600, novel=100, captured_counted=90, **changed):
        for folder in ("aligned", "counted"):
            (tmp_path / folder / name).mkdir(parents=True, exist_ok=True)
        counts = {"layout": "paired", "fragments": fragments, "captured": captured}
        (tmp_path / "aligned" / name / "counts.json").write_text(json.dumps(counts))
        record = {"fragments": fragments, "known": known, "novel": novel, "captured": captured}
        record |= {"captured_counted": captured_counted, "detected_known": 50, "detected_novel": 3}
        record |= {"strandedness": "unstranded", "measured": {"strandedness": "unstranded", "judged": True}, **changed}
        (tmp_path / "counted" / name / "quantification.json").write_text(json.dumps(record))

    return write


def tabulate(tmp_path, *names):
    folders = [{name: tmp_path / kind / name for name in names} for kind in ("aligned", "counted")]
    tabulate_fragments(*folders, tmp_path / "fragments.tsv")
    return read_fragments(tmp_path / "fragments.tsv")


def test_the_four_places_add_up_to_all_fragments(tmp_path, sample):
    sample("b")
    sample("a", captured=0, captured_counted=0, known=1000, novel=0)
    sample("z", captured=1000, captured_counted=0, known=0, novel=0)
    rows = tabulate(tmp_path, "b", "a", "z")
    assert [row.sample for row in rows] == ["b", "a", "z"]
    assert [[getattr(row, place) for place in PLACES] for row in rows] == [
        [600, 100, 190, 110],
        [1000, 0, 0, 0],
        [0, 0, 0, 1000],
    ]
    assert [row.aligned_rate for row in rows] == [0.8, 1, 0]
    assert [row.counted_rate for row in rows] == [0.7, 1, 0]
    assert rows[0].aligned_not_counted_rate == 0.19


def test_the_sentence_says_medians_and_range(tmp_path, sample):
    sample("a")
    assert describe_fragments(tabulate(tmp_path, "a"), 1).endswith(
        "60.0 % count on known transcripts, 10.0 % on novel ones (1 novel transcript), 19.0 % align to the genome but "
        "count nowhere, and 11.0 % do neither."
    )
    sample("b", known=650, novel=50)
    text = describe_fragments(tabulate(tmp_path, "a", "b"), 1234)
    assert "62.5 % (60.0 to 65.0) count on known transcripts, 7.5 % (5.0 to 10.0) on novel ones (1,234 novel" in text
    assert text.endswith("and 11.0 % do neither (medians over 2 samples, with their range).")
    assert "none on novel ones, since no novel transcript was found, 19.0 % align" in describe_fragments(
        tabulate(tmp_path, "a"), 0
    )


def test_a_sample_counted_from_other_reads_or_without_its_captured_reads_is_refused(tmp_path, sample):
    sample("a", captured=None, captured_counted=None)
    (tmp_path / "aligned" / "a" / "counts.json").write_text('{"layout": "single", "fragments": 1000, "captured": 5}')
    with pytest.raises(InputError, match="sample a: was counted without its captured reads"):
        tabulate(tmp_path, "a")
    sample("a")
    (tmp_path / "aligned" / "a" / "counts.json").write_text('{"layout": "single", "fragments": 900, "captured": 200}')
    with pytest.raises(
        InputError, match="sample a: 1000 fragments were counted, 200 of them captured, but 900 were al"
    ):
        tabulate(tmp_path, "a")
    assert not (tmp_path / "fragments.tsv").exists()
