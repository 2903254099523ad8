"""Class codes: each case of gffcompare's figure, drawn as exons on a line."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deepmapper.novelty.class_codes import ORDER, class_code, compare
from deepmapper.novelty.loci import TranscriptIndex
from deepmapper.reads.annotation import Transcript

THREE = ((1000, 1200), (2000, 2200), (3000, 3300))


def transcript(*exons, strand="+", name="m", gene="G"):
    return Transcript(name, gene, "", "chr", strand, exons)


@pytest.mark.parametrize(
    ("code", "model"),
    [
        ("=", transcript(*THREE)),
        ("=", transcript((900, 1200), (2000, 2200), (3000, 3500))),  # other ends
        ("c", transcript((2050, 2200), (3000, 3200))),
        ("c", transcript((2010, 2190))),
        ("k", transcript((100, 300), *THREE)),
        ("m", transcript((1000, 2200), (3000, 3300))),
        ("m", transcript((1100, 3100))),
        ("j", transcript((1000, 1200), (2000, 2150), (3000, 3300))),
        ("j", transcript((1000, 1200), (2000, 2200), (2500, 2600))),
        ("n", transcript((900, 2300), (2700, 2800))),
        ("e", transcript((2100, 2500))),
        ("o", transcript((1000, 1150), (3100, 3300))),
        ("o", transcript((3100, 3600))),
        ("s", transcript((1100, 1200), (2000, 2300), strand="-")),
        ("x", transcript((1100, 1500), strand="-")),
        ("i", transcript((1400, 1700))),
        ("i", transcript((1400, 1700), strand="-")),
        ("y", transcript((100, 500), (4000, 4500))),
        ("p", transcript((3500, 3900))),
        ("u", transcript((3500, 3900), strand="-")),
        ("u", transcript((6000, 6400))),
    ],
)
def test_each_code(code, model):
    assert class_code(model, transcript(*THREE, name="T")) == code


def test_the_gene_that_a_model_shares_most_with_is_told():
    """A small gene in an exon of a large one does not take its isoforms."""
    large = transcript((1000, 2000), (3000, 4000), (5000, 6000), name="L", gene="LARGE")
    small = transcript((3300, 3400), name="S", gene="SMALL")
    model = transcript((1000, 2000), (3000, 4000), (5200, 6000))
    found = compare(model, TranscriptIndex([large, small]))
    assert (found.code, found.transcript.id) == ("j", "L")
    assert compare(large, TranscriptIndex([large, small])).code == "="
    assert compare(transcript((9000, 9300)), TranscriptIndex([large, small])).code == "u"


@st.composite
def exons(draw):
    cuts = sorted(draw(st.sets(st.integers(1, 400), min_size=2, max_size=8)))
    cuts = cuts[: len(cuts) // 2 * 2]
    return tuple((10 * a, 10 * b) for a, b in zip(cuts[::2], cuts[1::2], strict=True))


@given(exons(), exons(), st.sampled_from("+-."))
def test_every_pair_has_a_code_and_its_own_is_equal(a, b, strand):
    one, other = transcript(*a, strand=strand), transcript(*b, name="T")
    assert class_code(one, other) in ORDER
    assert class_code(one, transcript(*a, strand=strand, name="T")) == "="
    mirrored = [
        Transcript(t.id, t.gene_id, "", "chr", t.strand, tuple((5000 - e, 5000 - s) for s, e in t.exons[::-1]))
        for t in (one, other)
    ]
    assert class_code(*mirrored) == class_code(one, other)
