"""Contigs and models of the precursor of ribosomal RNA, by their place: beside annotated rRNA, or what is like rRNA."""

from dataclasses import replace

import pytest

from deepmapper.novelty.class_codes import compare
from deepmapper.novelty.classes import Contig, NoveltyOptions
from deepmapper.novelty.loci import TranscriptIndex
from deepmapper.novelty.novel_genes import placed
from deepmapper.novelty.paf import combine
from deepmapper.novelty.precursors import at_ribosomal, of_precursors
from deepmapper.reads.annotation import Transcript

INDEX = TranscriptIndex(
    [
        Transcript("18S", "RDN", "", "chr1", "+", ((20_000, 21_800),), is_rrna=True),
        Transcript("5S", "RDN5", "", "chr2", "+", ((20_000, 20_120),), is_rrna=True),
        Transcript("M", "GENE", "", "chr1", "+", ((23_000, 23_300), (23_600, 24_000))),
        Transcript("S", "SMALL", "", "chr1", "+", ((22_100, 22_200),)),
    ]
)


@pytest.fixture
def contig(hit):
    """Give a function that places a contig of 500 bases, 100 bases of it elsewhere if it is `partly` there."""

    def make(name, chrom, start, *, strand="", kind="intergenic", partly=False):
        end = 300 if partly else 500
        spliced = hit(0, end, target=chrom, at=start, length=500, spliced=strand)
        made = Contig(name, "A" * 500, name, kind=kind, locus=combine([spliced]))
        return replace(made, code=compare(placed(made), INDEX).code)

    return make


def classes(*contigs):
    found = {c.name: c for c in of_precursors(contigs, INDEX, NoveltyOptions())}
    return {c.name: found.get(c.name, c).kind for c in contigs}, found


def test_what_lies_beside_annotated_rrna_is_of_its_precursor(contig):
    kinds, found = classes(
        contig("upstream", "chr1", 18_000),
        contig("downstream", "chr1", 22_000, strand="+"),
        contig("other_strand", "chr1", 22_000, strand="-"),
        contig("far", "chr1", 30_000),
        contig("uncertain", "chr1", 22_000, partly=True),
        contig("isoform", "chr1", 23_200, kind="novel_isoform"),
        contig("over_small", "chr1", 21_900, kind="novel_isoform"),
        contig("overlapping", "chr1", 21_500, kind="novel_isoform"),
    )
    assert kinds == {
        "upstream": "ribosomal",
        "downstream": "ribosomal",
        "other_strand": "intergenic",
        "far": "intergenic",
        "uncertain": "intergenic",
        "isoform": "novel_isoform",
        "over_small": "ribosomal",
        "overlapping": "ribosomal",
    }
    assert found["overlapping"].reason == (
        "at or beside 18S, ribosomal RNA, and so perhaps of its precursor; it was novel_isoform"
    )


def test_what_lies_beside_a_contig_that_is_rrna_is_of_its_precursor(contig):
    profile = contig("28S", "chr3", 50_000, kind="ribosomal")
    kinds, _ = classes(profile, contig("spacer", "chr3", 52_000), contig("far", "chr3", 53_000))
    assert kinds == {"28S": "ribosomal", "spacer": "ribosomal", "far": "intergenic"}


def test_what_lies_beside_5s_is_not(contig):
    """5S has a promoter of its own; in many genomes its copies lie scattered between genes."""
    beside, over = contig("beside", "chr2", 21_000), contig("over", "chr2", 19_900)
    assert classes(beside, over)[0] == {"beside": "intergenic", "over": "ribosomal"}
    assert [at_ribosomal(compare(placed(c), INDEX)) for c in (beside, over)] == [False, True]
    around = Transcript("m", "m", "", "chr2", "+", ((19_000, 19_500), (21_000, 21_500)))
    assert not at_ribosomal(compare(around, INDEX))  # within an intron


def test_dropped_contigs_stay_what_they_are(contig):
    assert classes(contig("a", "chr1", 22_000, kind="low_support"))[0] == {"a": "low_support"}
