"""What is told about where the fragments went: what cannot be right, and samples unlike the others."""

import pytest

from deepmapper.errors import DeepMapperWarning
from deepmapper.reads.fates import COLUMNS, PLACES
from deepmapper.reads.fragment_cautions import fragment_cautions, warn_of_fragments


@pytest.fixture
def told(tmp_path):
    """Give a function that writes samples and lists the cautions about them: name -> what differs from the usual."""

    def cautions(half_mapped=None, **samples):
        rows, alignment = ["\t".join(COLUMNS)], ["sample\tfragments\thalf_mapped"]
        for name, changed in samples.items():
            row = {"sample": name, "layout": "paired", "fragments": 10**6, "known": 800, "novel": 50}
            row |= {"aligned_not_counted": 100, "captured_not_counted": 50, "captured_counted": 45}
            row |= {"detected_known": 9, "detected_novel": 1, "strandedness": "reverse"}
            row |= {"measured_strandedness": "reverse", **changed}
            scale = row["fragments"] / 1000
            row |= {f"{place}_rate": row[place] / 1000 for place in PLACES}
            row |= {column: round(row[column] * scale) for column in (*PLACES, "captured_counted")}
            assert sum(row[place] for place in PLACES) == row["fragments"]
            rows.append("\t".join(str(row[column]) for column in COLUMNS))
            alignment.append(
                f"{name}\t{row['fragments']}\t{round((half_mapped or {}).get(name, 0.03) * row['fragments'])}"
            )
        for file, lines in (("fragments.tsv", rows), ("alignment.tsv", alignment)):
            (tmp_path / file).write_text("\n".join(lines) + "\n")
        return fragment_cautions(tmp_path / "fragments.tsv", tmp_path / "alignment.tsv")

    return cautions


def others(n, **changed):
    return {f"o{i}": dict(changed) for i in range(n)}


def moved(**to):
    """Places of the usual sample, with fragments moved to or from the known transcripts; per thousand."""
    places = {"novel": 50, "aligned_not_counted": 100, "captured_not_counted": 50} | to
    return {"known": 1000 - sum(places.values()), **places}


@pytest.mark.parametrize("n", [1, 3, 8, 300])
def test_usual_samples_give_no_caution(told, n):
    samples = {f"s{i}": moved(aligned_not_counted=90 + i % 20, captured_not_counted=40 + i % 15) for i in range(n)}
    assert told(**samples) == []


def test_a_sample_that_hardly_aligns_is_named_with_what_to_do(told):
    (text,) = told(
        a={"known": 10, "novel": 0, "aligned_not_counted": 10, "captured_not_counted": 980, "captured_counted": 0}
    )
    assert text.startswith(
        "sample a (2.0 %): less than half of the fragments align to the genome. Check that the reads"
    )


def test_fragments_that_count_but_fit_no_genome_are_told(told):
    texts = told(
        **{
            f"s{i}": moved(novel=0, aligned_not_counted=0, captured_not_counted=10) | {"captured_counted": 900}
            for i in (1, 2)
        }
    )
    assert any(
        text.startswith(
            "2 of 2 samples (s1 90.0 %, s2 90.0 %): this share of the fragments fits known transcripts, but no"
        )
        for text in texts
    )
    # fragments of novel transcripts do not align either, as they should
    usual = moved(novel=300, aligned_not_counted=0, captured_not_counted=10) | {"captured_counted": 300}
    assert told(a=usual) == []


def test_pairs_of_which_one_mate_aligns_are_told(told):
    (text,) = told({"b": 0.97}, a={}, b={})
    assert text.startswith("sample b (97.0 %): in this share of the pairs only one mate aligns. Check fq1 and fq2")


def test_a_large_share_that_does_not_count_is_told(told):
    (text,) = told(**others(3, **moved(aligned_not_counted=400)))
    assert text.startswith(
        "3 of 3 samples (o0 40.0 %, o1 40.0 %, o2 40.0 %): this share of the fragments aligns to the"
    )
    assert "reference.annotation" in text and "RNA of the other strand" in text
    (text,) = told(a=moved(aligned_not_counted=300) | {"strandedness": "unstranded"})
    assert "other strand" not in text


def test_libraries_of_another_strand_are_told(told):
    (text,) = told(**others(3), x={"measured_strandedness": "unstranded"}, y={"measured_strandedness": ""})
    assert text.startswith(
        "the libraries differ in their strand: 3 of 4 samples are reverse, but not x (unstranded). They"
    )


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        (
            moved(captured_not_counted=150),
            "the share of fragments that align to the genome: x 80.5 % against 90.5 %.",
        ),
        (
            moved(aligned_not_counted=250),
            "the share of fragments that count: x 70.0 % against 85.0 %.",
        ),
        (
            {"fragments": 10**5},
            "the number of fragments: x 100,000 against 1,000,000.",
        ),
    ],
)
def test_a_sample_unlike_the_others_is_named_with_both_values(told, changed, said):
    what, values = said.split(": ")
    texts = told(**others(3), x=changed)
    far = f"{what} is far from that of the other samples (their median): {values}"
    assert any(text.startswith(far) for text in texts)
    assert not [text for text in told(**others(2), x=changed) if "far from" in text], (
        "three samples are too few to tell"
    )


def test_samples_that_vary_much_are_no_outliers(told):
    samples = {f"s{i}": moved(aligned_not_counted=20 + 30 * i) for i in range(9)}
    assert told(**samples) == []


def test_the_log_says_the_same(told, tmp_path):
    told(a=moved(aligned_not_counted=400))
    with pytest.warns(DeepMapperWarning, match=r"sample a \(40\.0 %\): this share of the fragments aligns"):
        warn_of_fragments(tmp_path / "fragments.tsv", tmp_path / "alignment.tsv")
