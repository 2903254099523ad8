"""Mates that are barcodes of single cells, as each kit makes them, and mates that are not."""

import random

import pytest

from deepmapper.reads.cell_barcodes import barcode_caution, barcode_fault

N = 1000
RNG = random.Random(1)


def bases(n):
    return "".join(RNG.choices("ACGT", k=n))


LISTED = [bases(9) for _ in range(96)]
TRANSCRIPTS = [bases(1500) for _ in range(100)]


def piece(length):
    text = RNG.choice(TRANSCRIPTS)
    start = RNG.randrange(len(text) - length)
    return text[start : start + length]


def reads(make):
    return [make().encode() for _ in range(N)]


def listed():
    return RNG.choice(LISTED)


def rhapsody():
    return listed() + "ACTGGCCTGCGA" + listed() + "GGTAGCGGTGACA" + listed() + bases(8) + "T" * 12


def split_seq():
    linkers = ("GTGGCCGATGTTTCGCATCGGCGTACGACT", "ATCCACGTGCTTGAGACTGTGG")
    return bases(10) + listed()[:8] + linkers[0] + listed()[:8] + linkers[1] + listed()[:8]


def new_parse():
    return bases(10) + listed()[:8] + "ATGAGGGGTCAG" + listed()[:8] + "TCCAACCACCTC" + listed()[:8]


def indrop():
    return bases(RNG.randrange(8, 12)) + "GAGTGATTGCTTGTGACGCCTT" + bases(8) + bases(6) + "T" * 40


KITS = {
    "10x v1, UMI": (lambda: bases(10), 98, "10 nt"),
    "10x v1, barcode": (lambda: bases(14), 98, "14 nt"),
    "10x v2": (lambda: bases(26), 98, "26 nt"),
    "10x v3": (lambda: bases(28), 91, "28 nt"),
    "10x v3, long reads": (lambda: bases(28) + "T" * 30 + piece(92), 150, "T from the nucleotide 31"),
    "10x 5'": (lambda: bases(26), 91, "26 nt"),
    "10x 5', both mates long": (lambda: bases(26) + "TTTCTTATATGGG" + piece(111), 150, "10x 5'"),
    "Drop-seq": (lambda: bases(20), 60, "20 nt"),
    "Drop-seq, long reads": (lambda: bases(20) + "T" * 30, 50, "T from the nucleotide 31"),
    "inDrop v3": (lambda: bases(8), 61, "8 nt"),
    "inDrop v2": (indrop, 61, "inDrop"),
    "BD Rhapsody": (rhapsody, 75, "BD Rhapsody"),
    "SPLiT-seq": (split_seq, 66, "SPLiT-seq"),
    "Parse, other linkers": (new_parse, 74, "ATGAGGGGTC"),
    "CEL-Seq2": (lambda: bases(12), 50, "12 nt"),
}


@pytest.mark.parametrize("kit", KITS)
def test_kits_are_recognised(kit):
    make, length, shown = KITS[kit]
    barcodes, cdna = reads(make), reads(lambda: piece(length))
    mate, reason = barcode_fault(barcodes, cdna)
    assert mate == 0 and shown in reason, reason
    assert barcode_fault(cdna, barcodes)[0] == 1


def test_barcodes_from_a_list_call_for_caution_if_nothing_else_tells_them():
    def enhanced():  # BD Rhapsody with enhanced beads: short linkers at four places
        return (
            RNG.choice(["", "A", "GT", "TCA"]) + listed() + "GTGA" + listed() + "GACA" + listed() + bases(8) + piece(20)
        )

    barcodes, cdna = reads(enhanced), reads(lambda: piece(75))
    assert barcode_fault(barcodes, cdna) == (0, "")
    assert "of the first reads of fq1 differ in their first 9 nt" in barcode_caution(barcodes, cdna)
    assert "of the first reads of fq2 differ" in barcode_caution(cdna, barcodes)


@pytest.mark.parametrize("lengths", [(75, 75), (36, 36), (50, 100), (25, 25), (150, 151), (10, 10)])
def test_bulk_reads_are_none(lengths):
    mates = [reads(lambda length=length: piece(length)) for length in lengths]
    assert barcode_fault(*mates) == (0, "")
    assert barcode_caution(*mates) == ""


def test_one_transcript_alone_and_adapters_are_none():
    text = bases(300)
    same = [text[i % 100 : i % 100 + 75].encode() for i in range(N)]
    assert barcode_fault(same, same[::-1]) == (0, "")
    assert barcode_caution(same, same[::-1]) == ""
    adapters = reads(lambda: piece(30) + "AGATCGGAAGAGCACACGTCTGAACTCCAGTCAC" if RNG.random() < 0.3 else piece(64))
    assert barcode_fault(adapters, adapters) == (0, "")
