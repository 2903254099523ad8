"""Novel or not: facts of a sequence, alignments added up, and each class on a genome made for it."""

import csv
import io
import random
from dataclasses import replace
from itertools import product
from types import SimpleNamespace

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from deepmapper.errors import InputError
from deepmapper.reads import sequences as reads_sequences
from deepmapper.reads.fasta import read_fasta, write_fasta
from deepmapper.reads.loci import TranscriptIndex, relate
from deepmapper.reads.novelty import screen_novelty
from deepmapper.reads.novelty_classes import Contig, Evidence, NoveltyOptions, decide
from deepmapper.reads.paf import Hit, best_locus, best_target, covered, parts, read_paf, together

dna = st.text("ACGT", min_size=1, max_size=120)
any_dna = st.text("ACGTN", min_size=1, max_size=120)
COMPLEMENT = str.maketrans("ACGTN", "TGCAN")


def other_strand(sequence):
    return sequence.translate(COMPLEMENT)[::-1]


def letters(n, seed):
    return "".join(random.Random(seed).choices("ACGT", k=n))


def mutated(sequence, share, seed=0):
    """Substitutions alone, spread evenly at random."""
    rng = random.Random(seed)
    return "".join(rng.choice([x for x in "ACGT" if x != c]) if rng.random() < share else c for c in sequence)


NOVEL = reads_sequences.canonical(letters(900, "novel"))


# ---- a sequence by itself


@given(any_dna)
def test_both_strands_have_one_name(sequence):
    one, other = reads_sequences.canonical(sequence), reads_sequences.canonical(other_strand(sequence))
    assert one == other
    assert one in (sequence, other_strand(sequence))
    assert reads_sequences.names_of([one]) == reads_sequences.names_of([other])


def test_a_name_is_the_hash_of_the_canonical_strand():
    assert reads_sequences.names_of(["ACGT"]) == {"ACGT": "DENOVO_1dff3e84fe78"}


@given(st.sets(dna, min_size=1, max_size=20))
def test_names_do_not_depend_on_the_company(sequences):
    canonical = {reads_sequences.canonical(sequence) for sequence in sequences}
    together_ = reads_sequences.names_of(canonical)
    assert together_ == {s: reads_sequences.names_of([s])[s] for s in canonical}
    assert len(set(together_.values())) == len(canonical)


def test_names_that_would_be_one_are_told_apart():
    digests = {"a": "0" * 12 + "1111" + "0" * 48, "b": "0" * 12 + "2222" + "0" * 48, "c": "f" * 64}
    assert reads_sequences._told_apart(digests) == {"a": digests["a"][:16], "b": digests["b"][:16], "c": "f" * 12}


def orf_by_force(sequence):
    """Length of the longest run of codons without a stop that starts with ATG or as the first of its frame."""
    longest = 0
    for strand in (sequence, other_strand(sequence)):
        for start in range(len(strand) - 2):
            if start > 2 and strand[start : start + 3] != "ATG":
                continue
            n = 0
            for i in range(start, len(strand) - 2, 3):
                if strand[i : i + 3] in ("TAA", "TAG", "TGA"):
                    break
                n += 1
            longest = max(longest, n)
    return longest


@given(any_dna)
@example("A")
@example("TAATAATAA")
@example("ATGAAATAG" * 3)
def test_the_longest_frame_is_the_one_found_by_force(sequence):
    orf = reads_sequences.longest_orf(sequence)
    assert orf.length == orf_by_force(sequence)
    assert reads_sequences.longest_orf(other_strand(sequence)).length == orf.length
    assert (orf.strand == "") == (orf.length == 0)


def test_a_frame_with_both_its_ends_is_complete():
    inner = "ATG" + "GCC" * 60 + "TAA"
    stops = "TTAATTAATTAA"  # in all six frames
    assert reads_sequences.longest_orf(stops + inner + stops) == (61, "+", True)
    assert reads_sequences.longest_orf(stops + other_strand(inner) + stops) == (61, "-", True)
    assert not reads_sequences.longest_orf(stops + inner[:-3]).complete
    assert not reads_sequences.longest_orf(inner[3:] + stops).complete


@given(any_dna)
def test_shares_are_shares(sequence):
    for share in (reads_sequences.gc_share, reads_sequences.unknown_share, reads_sequences.simple_share):
        assert 0 <= share(sequence) <= 1
    assert reads_sequences.unknown_share(sequence) == pytest.approx(sequence.count("N") / len(sequence))
    known = sequence.replace("N", "")
    strong = sum(known.count(x) for x in "GC")
    assert reads_sequences.gc_share(sequence) == pytest.approx(strong / len(known) if known else 0)


@pytest.mark.parametrize("simple", ["A" * 400, "AC" * 200, "CAG" * 140, "N" * 400, "T" * 63])
def test_repeats_are_simple(simple):
    assert reads_sequences.simple_share(simple) == 1
    assert reads_sequences.simple_share(other_strand(simple)) == 1


def test_other_sequence_is_not_simple():
    assert max(reads_sequences.simple_share(letters(1000, seed)) for seed in range(100)) == 0
    assert reads_sequences.simple_share(letters(600, 1) + "A" * 400) == pytest.approx(0.4, abs=0.05)


def test_an_adapter_is_seen_at_the_ends_of_either_strand():
    sequence = letters(300, 5)
    for with_adapter in (sequence + "AGATCGGAAGAGCGTC", "ACCGCTCTTCCGATCT" + sequence):
        assert reads_sequences.has_adapter(with_adapter)
        assert reads_sequences.has_adapter(other_strand(with_adapter))
    assert not reads_sequences.has_adapter(sequence + "AGATCGGAAGAGC" + sequence)


# ---- alignments


def hit(start, end, target="t", at=0, strand="+", identity=1.0, length=100, **changed):
    """Give a hit of a query of 100 bases from `start` to `end`, on `target` from `at` on."""
    size = end - start
    values = {
        "query": "q",
        "query_length": length,
        "query_start": start,
        "query_end": end,
        "strand": strand,
        "target": target,
        "target_length": 10**6,
        "start": at,
        "end": at + size,
        "matches": round(size * identity),
        "identity": identity,
        "blocks": ((at, at + size),),
        "longest_gap": 0,
        "spliced": "",
    }
    return Hit(**{**values, **changed})


intervals = st.lists(
    st.tuples(st.integers(0, 60), st.integers(0, 60)).map(lambda pair: tuple(sorted(pair))), max_size=12
)


@given(intervals)
def test_covered_bases_are_those_of_the_union(some):
    assert covered(some) == len({i for start, end in some for i in range(start, end)})


@given(intervals.filter(lambda some: any(a < b for a, b in some)), st.randoms(use_true_random=False))
def test_hits_together_do_not_depend_on_their_order(some, rng):
    hits = [hit(a, b, identity=0.9 + (a % 10) / 100) for a, b in some if a < b]
    match = together(hits)
    assert match.coverage == pytest.approx(covered(some) / 100)
    assert min(h.identity for h in hits) - 1e-9 <= match.identity <= max(h.identity for h in hits) + 1e-9
    rng.shuffle(hits)
    assert together(hits) == match
    assert best_target(hits) == match


def test_the_best_target_is_that_of_all_its_hits():
    hits = [hit(0, 60, "one"), hit(0, 45, "two"), hit(50, 95, "two", at=500)]
    assert best_target(hits).target == "two"
    assert best_target(hits).coverage == pytest.approx(0.9)
    assert best_target([]) is None


def test_a_locus_is_not_both_copies_of_a_repeat():
    copies = [hit(0, 100, "chr", at=0), hit(0, 100, "chr", at=5000)]
    assert len(best_locus(copies, 200_000).hits) == 1
    far = [hit(0, 50, "chr"), hit(50, 100, "chr", at=5000), hit(50, 100, "chr", at=5000, strand="-")]
    assert best_locus(far, 200_000).coverage == 1
    assert best_locus(far, 1000).coverage == 0.5
    assert best_locus([], 1000) is None


def test_parts_are_of_different_places_and_add_something():
    hits = [hit(0, 60, "a"), hit(5, 60, "b"), hit(58, 100, "c"), hit(60, 75, "d")]
    found = parts(hits, least=0.2, place=lambda h: h.target)
    assert [part.target for part in found] == ["a", "c"]
    assert len(parts(hits, least=0.2, place=lambda h: "one")) == 1
    near = [hit(0, 50, "a"), hit(50, 100, "a", at=500)]
    assert len(parts(near, least=0.2, place=lambda h: h.target, reach=1000)) == 1
    assert len(parts(near, least=0.2, place=lambda h: h.target, reach=100)) == 2


@pytest.mark.parametrize(("strand", "ts"), product("+-", "+-"))
def test_paf_lines_are_read(tmp_path, strand, ts):
    fields = ["q", 100, 0, 100, strand, "chr", 900, 50, 305, 95, 110, 60, "tp:A:P", "de:f:0.05", f"ts:A:{ts}"]
    path = tmp_path / "x.paf"
    path.write_text("\t".join(map(str, [*fields, "cg:Z:40M3D10M150N50M2I2M"])) + "\n")
    (found,) = read_paf(path)["q"]
    assert found.blocks == ((50, 103), (253, 305))
    assert found.longest_gap == 3
    assert found.identity == pytest.approx(0.95)
    assert found.spliced == ("+" if strand == ts else "-")


def test_a_paf_without_cigar_is_refused(tmp_path):
    (tmp_path / "x.paf").write_text("q\t100\t0\t100\t+\tt\t900\t50\t305\t95\t110\t60\tde:f:0.05\n")
    with pytest.raises(InputError, match="line 1: no PAF with a CIGAR"):
        read_paf(tmp_path / "x.paf")


# ---- a place beside the annotation


class Annotated(SimpleNamespace):
    """What the annotation says of a transcript."""

    __hash__ = object.__hash__


def annotated(name, *exons, strand="+", gene=""):
    return Annotated(id=name, gene_id=gene or name, gene_name="", chrom="chr", strand=strand, exons=exons)


THREE = annotated("T1.1", (1000, 1400), (1600, 1900), (2200, 2700), gene="T1")
NEXT = annotated("T2.1", (2900, 3600), gene="T2")
MINUS = annotated("T3.1", (5000, 6000), (9000, 9500), strand="-", gene="T3")


@pytest.mark.parametrize(
    ("blocks", "spliced", "stranded", "kind", "gene"),
    [
        ([(1000, 1400), (1600, 1900), (2200, 2700)], "+", False, "reference_copy", "T1"),
        ([(1000, 1404), (1604, 1900), (2200, 2500)], "+", False, "reference_copy", "T1"),
        ([(1700, 1900), (2200, 2500)], "+", False, "reference_copy", "T1"),
        ([(1050, 1390)], "", False, "reference_copy", "T1"),
        ([(1000, 1400), (2200, 2700)], "+", False, "novel_isoform", "T1"),
        ([(1000, 1900), (2200, 2700)], "+", False, "novel_isoform", "T1"),
        ([(1000, 1300), (1600, 1900)], "+", False, "novel_isoform", "T1"),
        ([(1300, 1600)], "", False, "novel_isoform", "T1"),
        ([(2300, 3500)], "", False, "chimeric", "T2,T1"),
        ([(5200, 5700), (9100, 9400)], "+", False, "antisense", "T3"),
        ([(5200, 5700)], "", True, "antisense", "T3"),
        ([(5200, 5700)], "", False, "reference_copy", "T3"),
        ([(7000, 7800)], "", False, "intronic", "T3"),
        ([(12000, 12800)], "", False, "intergenic", ""),
        ([(5950, 7000)], "", False, "intronic", "T3"),
    ],
)
def test_a_place_is_classed_by_the_annotation(blocks, spliced, stranded, kind, gene):
    size = sum(b - a for a, b in blocks)
    whole = hit(0, size, "chr", length=size, blocks=tuple(blocks), spliced=spliced)
    locus = together([replace(whole, start=blocks[0][0], end=blocks[-1][1])])
    relation = relate(locus, TranscriptIndex([THREE, NEXT, MINUS]), stranded=stranded, copy=0.8, join=0.2)
    assert (relation.kind, ",".join(relation.genes)) == (kind, gene), relation.reason


def test_a_transcript_is_found_by_its_id_with_or_without_version():
    index = TranscriptIndex([THREE, annotated("ENST1", (0, 10), gene="ENSG1")])
    assert [index.gene(name) for name in ("T1.1", "ENST1.7", "ENST1", "other")] == ["T1", "ENSG1", "ENSG1", "other"]


@pytest.mark.parametrize(("other", "kind"), [("T1.2", "novel_isoform"), ("T2.1", "chimeric")])
def test_parts_of_one_gene_are_an_isoform_and_of_two_a_chimera(other, kind):
    """Without a genome: halves of two transcripts, either of one gene or not."""
    index = TranscriptIndex([THREE, annotated("T1.2", (1000, 1500), gene="T1"), NEXT])
    contig = Contig("given", NOVEL[:100], "DENOVO_0")
    decided = decide(
        contig, Evidence([hit(0, 52, "T1.1"), hit(50, 100, other)], (), ()), index, NoveltyOptions(), stranded=False
    )
    assert decided.kind == kind
    assert "T1.1" in decided.reason
    assert other in decided.reason


@pytest.mark.parametrize(
    "wrong", [{"min_length": -1}, {"transcript_identity": 90}, {"part_share": 0}, {"drop": ["chimera"]}]
)
def test_options_out_of_bounds_are_refused(wrong):
    with pytest.raises(InputError, match=next(iter(wrong))):
        NoveltyOptions(**wrong)


# ---- the whole, with minimap2


class World:
    """A genome of two chromosomes with six genes; transcripts of all but the last, which only the annotation has."""

    genes = {
        "G1": ("chrA", "+", [(2000, 2400), (2600, 2900), (3200, 3700)]),
        "G2": ("chrA", "-", [(8000, 8500), (8800, 9300)]),
        "G3": ("chrB", "+", [(5000, 6000)]),
        "G4": ("chrB", "+", [(10000, 10600), (15600, 16200)]),
        "G5": ("chrA", "+", [(3900, 4600)]),
        "G6": ("chrB", "+", [(20000, 20900)]),
    }
    introns = [("chrA", 17400, 17800, "+"), ("chrB", 5700, 7000, "-"), ("chrA", 2400, 3200, "+")]

    def __init__(self, folder):
        sites = [(c, a[1], b[0], s) for c, s, e in self.genes.values() for a, b in zip(e, e[1:], strict=False)]
        chromosomes = {name: bytearray(letters(30000, name), "ascii") for name in ("chrA", "chrB")}
        for name, start, end, strand in [*sites, *self.introns]:
            ends = (b"GT", b"AG") if strand == "+" else (b"CT", b"AC")
            chromosomes[name][start : start + 2], chromosomes[name][end - 2 : end] = ends
        self.sequence = {name: bytes(letters_).decode() for name, letters_ in chromosomes.items()}
        self.transcripts = {f"{gene}.1": self.spliced(*place) for gene, place in self.genes.items()}
        self.genome, self.fasta, self.annotation = folder / "genome.fa", folder / "transcripts.fa", folder / "a.gff3"
        write_fasta(self.genome, self.sequence.items())
        write_fasta(self.fasta, [t for t in self.transcripts.items() if t[0] != "G6.1"])
        lines = ["##gff-version 3"]
        for gene, (chrom, strand, exons) in self.genes.items():
            ends = f"{exons[0][0] + 1}\t{exons[-1][1]}\t.\t{strand}\t."
            lines += [f"{chrom}\tx\tgene\t{ends}\tID={gene}", f"{chrom}\tx\tmRNA\t{ends}\tID={gene}.1;Parent={gene}"]
            lines += [f"{chrom}\tx\texon\t{a + 1}\t{b}\t.\t{strand}\t.\tParent={gene}.1" for a, b in exons]
        self.annotation.write_text("\n".join(lines) + "\n")

    def spliced(self, chrom, strand, exons):
        sequence = "".join(self.sequence[chrom][a:b] for a, b in exons)
        return sequence if strand == "+" else other_strand(sequence)


@pytest.fixture(scope="session")
def world(tmp_path_factory):
    return World(tmp_path_factory.mktemp("world"))


@pytest.fixture
def screen(world, tmp_path):
    """Give a function that screens contigs given by name and returns the rows of the table."""

    def run(contigs, *, bare=False, threads=1, options=None, **settings):
        path = tmp_path / "contigs.fa"
        write_fasta(path, contigs.items() if isinstance(contigs, dict) else contigs)
        reference = {"genome": world.genome, "annotation": str(world.annotation)} if not bare else {}
        screen_novelty(
            path,
            transcripts=world.fasta,
            folder=tmp_path / "out",
            threads=threads,
            options=NoveltyOptions(**options or {}),
            log=io.StringIO(),
            **{**reference, **settings},
        )
        return table(tmp_path / "out" / "contigs.tsv")

    return run


def table(path):
    with path.open(newline="") as file:
        return list(csv.DictReader(file, delimiter="\t"))


def classes(rows):
    return {row["contig"]: row["class"] for row in rows}


@pytest.fixture
def contigs(world):
    """Contigs by their class: the name up to the first number is what each should be called."""
    t, s = world.transcripts, world.sequence
    return {
        "reference_copy1": t["G1.1"],
        "reference_copy2": other_strand(mutated(t["G1.1"], 0.05)),
        "reference_copy3": t["G2.1"][200:600],
        "reference_copy4": mutated(t["G3.1"][300:600], 0.08),
        "reference_copy5": t["G6.1"],
        "reference_copy6": mutated(t["G1.1"][:400] + t["G1.1"][700:], 0.06),  # too far from it to tell splicing
        "intergenic1": s["chrA"][15000:15800],
        "intergenic2": other_strand(world.spliced("chrA", "+", [(17000, 17400), (17800, 18200)])),
        "intronic1": s["chrB"][12000:12600],
        "antisense1": world.spliced("chrB", "-", [(5200, 5700), (7000, 7500)]),
        "novel_isoform1": world.spliced("chrA", "+", [(2000, 2400), (3200, 3700)]),
        "novel_isoform2": world.spliced("chrA", "+", [(2000, 2900), (3200, 3700)]),
        "novel_isoform3": other_strand(world.spliced("chrA", "+", [(3300, 3850)])),
        "chimeric1": t["G2.1"][:500] + t["G3.1"][300:700],
        "chimeric2": s["chrA"][3300:4500],
        "unmapped1": NOVEL,
        "unmapped2": mutated(t["G4.1"], 0.25),
        "partial1": t["G3.1"][:300] + letters(600, "rest"),
        "low_complexity1": "A" * 600,
        "low_complexity2": "AC" * 300,
        "too_short1": letters(199, "short"),
        "duplicate1": other_strand(NOVEL),
        "contained1": NOVEL[100:700],
        "contained2": mutated(other_strand(NOVEL[5:890]), 0.02),
        "hairpin1": letters(300, "fold") + "ACGTTT" + other_strand(letters(300, "fold")),
        "hairpin2": s["chrA"][21000:21300] + other_strand(s["chrA"][20990:21280]),
        "unmapped3": NOVEL[:300] + NOVEL[500:],  # an isoform of it
    }


@pytest.mark.tools
def test_every_class_is_recognised(screen, contigs, tmp_path):
    rows = screen(contigs)
    found = {row["contig"]: (row["class"], row["reason"]) for row in rows}
    assert list(found) == list(contigs)
    wrong = {name: given_ for name, given_ in found.items() if given_[0] != name.rstrip("0123456789")}
    assert not wrong
    assert all(row["reason"] for row in rows)
    kept = {row["name"] for row in rows if row["kept"] == "true"}
    assert {record.name for record in read_fasta(tmp_path / "out" / "denovo.fa")} == kept
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["contigs.tsv", "denovo.fa", "support.tsv"]


@pytest.mark.tools
def test_the_table_says_where_and_how_much(screen, contigs, world):
    rows = {row["contig"]: row for row in screen(contigs)}
    isoform = rows["novel_isoform1"]
    assert (isoform["best_transcript"], isoform["gene"], isoform["introns"]) == ("G1.1", "G1", "1")
    assert isoform["genome_locus"] == "chrA:2001-3700(+)"
    copy = rows["reference_copy2"]
    assert float(copy["transcript_coverage"]) > 0.95
    assert float(copy["transcript_identity"]) == pytest.approx(0.95, abs=0.015)
    assert "G1.1 covers" in copy["reason"]
    assert rows["chimeric1"]["gene"] == "G2,G3"
    assert rows["low_complexity1"]["low_complexity"] == "true"
    assert rows["unmapped1"]["supporting_reads"] == ""
    assert int(rows["unmapped1"]["longest_orf"]) == orf_by_force(NOVEL)


@pytest.mark.tools
def test_the_result_is_the_same_for_any_threads_and_order(screen, contigs, tmp_path):
    rows = screen(contigs)
    fasta = (tmp_path / "out" / "denovo.fa").read_bytes()
    assert screen(contigs, threads=3) == rows
    assert (tmp_path / "out" / "denovo.fa").read_bytes() == fasta
    turned = screen(dict(reversed(contigs.items())))
    assert (tmp_path / "out" / "denovo.fa").read_bytes() == fasta
    assert turned[::-1] == rows


@pytest.mark.tools
def test_an_earlier_result_fed_again_is_the_same(screen, contigs, tmp_path):
    screen(contigs)
    fasta = (tmp_path / "out" / "denovo.fa").read_bytes()
    again = screen([(r.name, r.sequence) for r in read_fasta(tmp_path / "out" / "denovo.fa")])
    assert all(row["name"] == row["contig"] and row["kept"] == "true" for row in again)
    assert (tmp_path / "out" / "denovo.fa").read_bytes() == fasta


@pytest.mark.tools
def test_without_a_genome_the_transcripts_decide(screen, contigs):
    found = classes(screen(contigs, bare=True))
    assert found["reference_copy2"] == "reference_copy"
    assert found["chimeric1"] == "chimeric"
    assert found["partial1"] == "partial"
    assert found["novel_isoform1"] == "reference_copy"  # nothing says that the gap is an exon left out
    assert found["intergenic1"] == found["unmapped1"] == "unmapped"


@pytest.mark.tools
def test_without_an_annotation_what_the_genome_has_is_genomic(screen, contigs):
    found = classes(screen(contigs, annotation=""))
    assert {found[n] for n in ("intergenic1", "intronic1", "antisense1", "reference_copy5")} == {"genomic"}
    assert found["chimeric2"] == found["chimeric1"] == "chimeric"
    assert found["reference_copy1"] == "reference_copy"


@pytest.mark.tools
def test_strand_tells_antisense_where_contigs_have_one(screen, world):
    antisense = {"sense": world.transcripts["G3.1"], "anti": other_strand(world.transcripts["G3.1"][100:800])}
    assert classes(screen(antisense)) == {"sense": "reference_copy", "anti": "reference_copy"}
    for bare in (False, True):
        found = classes(screen(antisense, stranded=True, bare=bare))
        assert found == {"sense": "reference_copy", "anti": "antisense"}


@pytest.mark.tools
def test_names_given_twice_and_small_letters_are_no_matter(screen, tmp_path):
    rows = screen([("same", NOVEL.lower()), ("same", letters(500, "x").lower()), ("same", NOVEL)])
    assert [row["class"] for row in rows] == ["unmapped", "unmapped", "duplicate"]
    assert rows[0]["name"] == rows[2]["name"] != rows[1]["name"]
    assert [r.sequence for r in read_fasta(tmp_path / "out" / "denovo.fa")] == [NOVEL, letters(500, "x")]


@pytest.mark.tools
def test_no_contigs_give_empty_tables(screen, tmp_path):
    assert screen({}) == []
    assert (tmp_path / "out" / "denovo.fa").read_text() == ""
    assert (tmp_path / "out" / "contigs.tsv").read_text().startswith("contig\tname\tkept\tclass\treason\t")


@pytest.mark.tools
def test_no_contigs_but_samples_give_a_table_of_no_rows(screen, tmp_path):
    pool = make_pool(tmp_path, [], [], {"s1": "", "s2": ""})
    assert screen({}, pool=pool) == []
    assert (tmp_path / "out" / "support.tsv").read_text() == "name\ts1\ts2\n"


@pytest.mark.tools
def test_contaminants_are_dropped_or_flagged(screen, tmp_path):
    vector = letters(2000, "vector")
    write_fasta(tmp_path / "vectors.fa", [("pUC", vector)])
    given_ = {"most": vector[:600] + letters(300, "y"), "little": vector[:200] + letters(600, "z")}
    rows = screen(given_, contaminants=tmp_path / "vectors.fa")
    assert [(r["class"], r["contaminant"], r["kept"]) for r in rows] == [
        ("contaminant", "pUC", "false"),
        ("unmapped", "", "true"),
    ]
    rows = screen(given_, contaminants=tmp_path / "vectors.fa", options={"drop_contaminants": False})
    assert [(r["class"], r["contaminant"], r["kept"]) for r in rows] == [
        ("unmapped", "pUC", "true"),
        ("unmapped", "", "true"),
    ]


@pytest.mark.tools
def test_classes_to_drop_are_dropped_and_flags_may_be_kept(screen, contigs):
    rows = {r["contig"]: r for r in screen(contigs, options={"drop": ["chimeric"], "drop_low_complexity": False})}
    assert (rows["chimeric1"]["class"], rows["chimeric1"]["kept"]) == ("chimeric", "false")
    assert rows["chimeric1"]["reason"].endswith("of a class to drop")
    assert (rows["low_complexity1"]["low_complexity"], rows["low_complexity1"]["kept"]) == ("true", "true")


def make_pool(folder, pairs, singles, samples):
    """Write a pool of reads; `pairs` and `singles` are (name, sequence, ...) tuples."""
    pool = folder / "pool"
    pool.mkdir()
    write_fasta(pool / "left.fa", [(f"{name}/1", left) for name, left, _ in pairs])
    write_fasta(pool / "right.fa", [(f"{name}/2", right) for name, _, right in pairs])
    write_fasta(pool / "single.fa", [(f"{name}/1", read) for name, read in singles])
    (pool / "samples.tsv").write_text("sample\tpairs\tsingles\n" + "".join(f"{s}\t0\t0\n" for s in samples))
    return pool


@pytest.mark.tools
def test_fragments_are_counted_once_for_the_contig_they_match(screen, tmp_path):
    other = letters(800, "other")

    def fragments(sample, contig, n, seed):
        rng = random.Random(seed)
        for i in range(n):
            start = rng.randrange(len(contig) - 250)
            left, right = contig[start : start + 75], other_strand(contig[start + 175 : start + 250])
            yield f"{sample}|r{seed}.{i}", left, right

    pairs = [*fragments("a", NOVEL, 40, 1), *fragments("b", other, 25, 2), *fragments("b", letters(900, "no"), 10, 3)]
    pairs += [("b|half", NOVEL[:75], letters(75, "half"))]
    singles = [(name, left) for name, left, _ in fragments("c", NOVEL, 15, 4)]
    pool = make_pool(tmp_path, sorted(pairs), sorted(singles), ["a", "b", "c", "d"])
    given_ = {"novel": NOVEL, "other": other, "piece": NOVEL[100:700]}
    rows = {row["contig"]: row for row in screen(given_, pool=pool)}
    support = (tmp_path / "out" / "support.tsv").read_text()
    assert support.splitlines() == [
        "name\ta\tb\tc\td",
        f"{rows['novel']['name']}\t40\t1\t15\t0",
        f"{rows['other']['name']}\t0\t25\t0\t0",
    ]
    assert [(rows[n]["supporting_reads"], rows[n]["supporting_samples"]) for n in given_] == [
        ("56", "3"),
        ("25", "1"),
        ("", ""),
    ]
    screen(given_, pool=pool, threads=3)
    assert (tmp_path / "out" / "support.tsv").read_text() == support
    rows = {row["contig"]: row for row in screen(given_, pool=pool, options={"min_samples": 2})}
    assert [(rows[n]["class"], rows[n]["kept"]) for n in given_] == [
        ("unmapped", "true"),
        ("low_support", "false"),
        ("contained", "false"),
    ]


@pytest.mark.tools
def test_least_support_needs_reads(screen):
    with pytest.raises(InputError, match="need the pool"):
        screen({"a": NOVEL}, options={"min_fragments": 3})


@pytest.mark.tools
def test_an_annotation_of_another_genome_is_refused(screen, world, tmp_path):
    wrong = tmp_path / "wrong.gff3"
    wrong.write_text(world.annotation.read_text().replace("chr", ""))
    with pytest.raises(InputError, match=r"none of its sequences \(A, B\) is in .*genome.fa \(chrA, chrB\)"):
        screen({"a": NOVEL}, annotation=str(wrong))
    assert not (tmp_path / "out").exists()


@pytest.mark.tools
def test_proteins_are_refused(screen):
    with pytest.raises(InputError, match="contig p holds 'E', expected letters of nucleotides"):
        screen({"p": "MTEYKLVVVG" * 30})
