"""The error rate of novelty: what is hidden, what counts as false, and that the stated number bounds the true one."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deepmapper.novelty.classes import Contig, NoveltyOptions
from deepmapper.novelty.controls import (
    Hidden,
    Judged,
    choose_hidden,
    false_rates,
    judge,
    q_values,
    read_hidden,
    sensitivity,
    write_hidden,
)
from deepmapper.novelty.error_rate import estimate, kind_of, strain_decoys
from deepmapper.novelty.models import Model
from deepmapper.novelty.paf import Match
from deepmapper.reads.annotation import Transcript, read_annotation, write_gtf

EXONS = ((1000, 1200), (2000, 2200), (3000, 3300))


def gene(i, n_isoforms=1):
    shifted = tuple((start + 10_000 * i, end + 10_000 * i) for start, end in EXONS)
    chains = [shifted, (shifted[0], shifted[2])][:n_isoforms]
    return [Transcript(f"T{i}.{k}", f"G{i}", "", "chr1", "+", chain) for k, chain in enumerate(chains, 1)]


ANNOTATION = [t for i in range(200) for t in gene(i, 1 + i % 2)]


def test_a_quarter_of_the_genes_is_hidden_and_isoforms_of_the_others(tmp_path):
    write_gtf(tmp_path / "all.gtf", ANNOTATION)
    hidden = write_hidden(tmp_path / "all.gtf", tmp_path / "rest.gtf", tmp_path / "hidden.tsv")
    assert read_hidden(tmp_path / "hidden.tsv") == hidden
    genes = set(hidden.genes.values())
    assert 35 <= len(genes) <= 65
    assert not genes & set(hidden.isoforms.values())
    assert set(hidden.isoforms) == {t.id for t in ANNOTATION if t.id.endswith(".2") and t.gene_id not in genes}
    left = {t.id for t in read_annotation(tmp_path / "rest.gtf")}
    assert left == {t.id for t in ANNOTATION} - hidden.genes.keys() - hidden.isoforms.keys()


def test_the_choice_does_not_depend_on_other_genes():
    whole, part = choose_hidden(ANNOTATION), choose_hidden(ANNOTATION[:60])
    assert part.genes.items() <= whole.genes.items()
    assert part.isoforms.items() <= whole.isoforms.items()


def test_genes_that_overlap_another_are_not_hidden():
    twice = [
        *ANNOTATION,
        *(Transcript(f"X{t.id}", f"X{t.gene_id}", "", t.chrom, t.strand, t.exons) for t in ANNOTATION),
    ]
    assert choose_hidden(twice) == Hidden({}, {})


def test_an_empty_annotation_hides_nothing(tmp_path):
    (tmp_path / "none.gtf").touch()
    assert write_hidden(tmp_path / "none.gtf", tmp_path / "rest.gtf", tmp_path / "h.tsv") == Hidden({}, {})
    assert (tmp_path / "rest.gtf").read_text() == ""


def test_models_are_judged_by_what_was_hidden():
    """Of a gene most of the model has to be in its exons; of an isoform, the introns have to be the same."""
    (whole,), (first, second), third = gene(0), gene(1, 2), gene(2)[0]
    hidden = Hidden({whole.id: "G0"}, {second.id: "G1"})
    chains = {
        "right": whole.exons,
        "wrong": ((1100, 1900),),
        "isoform": second.exons,
        "other": ((11_000, 11_100), (13_000, 13_300)),
        "elsewhere": third.exons,
    }
    models = {n: Model(Transcript(n, n, "", "chr1", "+", e), "A" * 300, ("s",), {"s": 30}) for n, e in chains.items()}
    kinds = {"isoform": "novel_isoform", "other": "novel_isoform"}
    kept = [
        Contig(n, "A" * 300, n, kind=kinds.get(n, "intergenic"), source="aligned", support={"s": 30}) for n in chains
    ]
    judged = judge(kept, models, [whole, first, second, third], hidden)
    assert {one.name: (one.what, one.is_true) for one in judged} == {
        "right": ("gene", True),
        "wrong": ("gene", False),
        "isoform": ("isoform", True),
        "other": ("isoform", False),
    }
    expressed = {whole.id: 100, second.id: 50, first.id: 80, third.id: 80}
    assert sensitivity(judged, expressed, hidden) == (2, 2)
    assert sensitivity(judged, {**expressed, second.id: 3}, hidden) == (1, 1)


@given(st.lists(st.tuples(st.integers(0, 1000), st.booleans()), min_size=1, max_size=60))
def test_rates_fall_with_the_support_and_stay_above_zero(controls):
    judged = [Judged(str(i), support, true, "gene", "") for i, (support, true) in enumerate(controls)]
    rates = false_rates(judged, {str(n): n for n in range(0, 1200, 50)})
    values = list(rates.values())
    assert all(0 < value <= 1 for value in values)
    assert values == sorted(values, reverse=True)
    n_false = sum(not true for _, true in controls)
    own = false_rates(judged, {one.name: one.support for one in judged})
    assert sum(own.values()) >= n_false * (1 - 1e-9)  # never less than what is known to be false


def test_q_is_the_mean_rate_up_to_each():
    assert q_values({"a": 0.1, "b": 0.3, "c": 0.1}) == pytest.approx({"a": 0.1, "c": 0.1, "b": 0.5 / 3})
    assert q_values({}) == {}


def novel(n, kind="intergenic", source="aligned"):
    names = [f"D_{kind}_{source}_{i}" for i in range(n)]
    return [Contig(name, "A" * 300, name, kind=kind, source=source, support={"s": 50}) for name in names]


def settings(**changed):
    given = {"judged": [], "decoys": [], "n_copies": 0}
    return {**given, "options": NoveltyOptions(), **changed}


def test_with_few_controls_nothing_is_told(tmp_path):
    rate = estimate(novel(3), **settings(judged=[Judged("x", 9, True, "gene", "T")] * 9))
    assert rate.rates == {} and rate.expected_false["genes"] is None
    assert "not known how many are false" in rate.statement
    mixed = estimate(
        [*novel(3), *novel(1, "novel_isoform")], **settings(judged=[Judged("x", 9, True, "gene", "T")] * 99)
    )
    assert mixed.statement == (
        "At most about 1 of 3 novel transcripts is false; for 1 model of a new isoform this is not known, for lack of "
        "controls."
    )
    rate.write(tmp_path / "rate.json")
    assert json.loads((tmp_path / "rate.json").read_text())["statement"] == rate.statement
    assert estimate([], **settings()).statement == "No novel transcripts were found."


def test_each_kind_has_controls_of_its_own():
    isoforms = [Judged(f"x{i}", 9, i > 1, "isoform", "") for i in range(20)]
    genes = [Judged(f"y{i}", 9, True, "gene", "") for i in range(39)]
    kept = [*novel(40, "novel_isoform"), *novel(80)]
    rate = estimate(kept, **settings(judged=[*isoforms, *genes]))
    assert rate.expected_false["isoforms"] == pytest.approx(40 * 3 / 21, rel=0.02)
    assert rate.expected_false["genes"] == pytest.approx(80 * 1 / 40, rel=0.05)
    assert rate.statement == "At most about 8 of 120 novel transcripts are false."


def test_contigs_are_judged_by_changed_copies():
    decoys = [Contig(f"d{i}", "A", f"d{i}", kind="unmapped" if i < 20 else "reference_copy") for i in range(199)]
    kept = novel(50, "unmapped", "unaligned")
    rate = estimate(kept, **settings(decoys=decoys, n_copies=30))
    share = 20.5 / 200
    assert rate.expected_false["contigs"] == pytest.approx(30 * share / (1 - share), abs=0.01)
    assert estimate(kept, **settings(decoys=decoys, n_copies=0)).expected_false["contigs"] == 0


def test_decoys_differ_as_the_copies_do(hit):
    transcripts = {f"T{i}": "ACGTTGCA" * 100 for i in range(3)}
    copy = Match((hit(0, 100, identity=0.95),), 1.0, 0.95)
    contigs = [Contig(f"c{i}", "A" * 500, f"c{i}", kind="reference_copy", transcript=copy) for i in range(5)]
    decoys = strain_decoys(transcripts, contigs)
    assert len(decoys) == 200 and {len(decoy.sequence) for decoy in decoys} == {500}
    whole = transcripts["T0"] + transcripts["T0"]

    def changed(decoy):
        return min(sum(a != b for a, b in zip(decoy, whole[k : k + 500], strict=True)) for k in range(8))

    assert sum(changed(decoy.sequence) for decoy in decoys) / (500 * len(decoys)) == pytest.approx(0.05, abs=0.012)
    assert [d.sequence for d in strain_decoys(transcripts, contigs)] == [d.sequence for d in decoys]
    assert strain_decoys(transcripts, [Contig("c", "A" * 500, "c", kind="unmapped")]) == []


def test_what_is_given_has_no_controls():
    assert [kind_of(c) for c in (novel(1)[0], novel(1, "novel_isoform")[0], novel(1, "unmapped", "given")[0])] == [
        "genes",
        "isoforms",
        "",
    ]
