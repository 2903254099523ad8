"""The novelty screen with minimap2: every class on a genome made for it, read support, and what is rejected."""

import csv
import io
import random

import pytest

from deepmapper.errors import InputError
from deepmapper.novelty.classes import NoveltyOptions
from deepmapper.novelty.screen import screen_novelty
from deepmapper.reads.fasta import read_fasta, write_fasta
from deepmapper.reads.nucleotides import reverse_complement
from deepmapper.reads.sequences import canonical, longest_orf


def letters(n, seed):
    return "".join(random.Random(seed).choices("ACGT", k=n))


def mutated(sequence, share, seed=0):
    """Substitutions alone, spread evenly at random."""
    rng = random.Random(seed)
    return "".join(rng.choice([x for x in "ACGT" if x != c]) if rng.random() < share else c for c in sequence)


NOVEL = canonical(letters(900, "novel"))


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
        return sequence if strand == "+" else reverse_complement(sequence)


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
        "reference_copy2": reverse_complement(mutated(t["G1.1"], 0.05)),
        "reference_copy3": t["G2.1"][200:600],
        "reference_copy4": mutated(t["G3.1"][300:600], 0.08),
        "reference_copy5": t["G6.1"],
        "reference_copy6": mutated(t["G1.1"][:400] + t["G1.1"][700:], 0.06),  # too far from it to tell splicing
        "intergenic1": s["chrA"][15000:15800],
        "intergenic2": reverse_complement(world.spliced("chrA", "+", [(17000, 17400), (17800, 18200)])),
        "intronic1": s["chrB"][12000:12600],
        "antisense1": world.spliced("chrB", "-", [(5200, 5700), (7000, 7500)]),
        "novel_isoform1": world.spliced("chrA", "+", [(2000, 2400), (3200, 3700)]),
        "novel_isoform2": world.spliced("chrA", "+", [(2000, 2900), (3200, 3700)]),
        "novel_isoform3": reverse_complement(world.spliced("chrA", "+", [(3300, 3850)])),
        "chimeric1": t["G2.1"][:500] + t["G3.1"][300:700],
        "chimeric2": s["chrA"][3300:4500],
        "unmapped1": NOVEL,
        "unmapped2": mutated(t["G4.1"], 0.25),
        "partial1": t["G3.1"][:300] + letters(600, "rest"),
        "low_complexity1": "A" * 600,
        "low_complexity2": "AC" * 300,
        "too_short1": letters(199, "short"),
        "duplicate1": reverse_complement(NOVEL),
        "contained1": NOVEL[100:700],
        "contained2": mutated(reverse_complement(NOVEL[5:890]), 0.02),
        "hairpin1": letters(300, "fold") + "ACGTTT" + reverse_complement(letters(300, "fold")),
        "hairpin2": s["chrA"][21000:21300] + reverse_complement(s["chrA"][20990:21280]),
        "unmapped3": NOVEL[:300] + NOVEL[500:],  # an isoform of it
    }


@pytest.mark.tools
def test_every_class_is_recognised(screen, contigs, tmp_path):
    rows = screen(contigs)
    found = {row["contig"]: (row["class"], row["reason"]) for row in rows}
    assert list(found) == list(contigs)
    wrong = {name: decided for name, decided in found.items() if decided[0] != name.rstrip("0123456789")}
    assert not wrong
    assert all(row["reason"] for row in rows)
    kept = {row["name"] for row in rows if row["kept"] == "true"}
    assert {record.name for record in read_fasta(tmp_path / "out" / "denovo.fa")} == kept
    written = sorted(path.name for path in (tmp_path / "out").iterdir())
    assert written == ["contigs.tsv", "denovo.fa", "denovo.gtf", "error_rate.json", "support.tsv"]


@pytest.mark.tools
def test_the_table_gives_places_and_shares(screen, contigs, world):
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
    assert int(rows["unmapped1"]["longest_orf"]) == longest_orf(NOVEL).length


@pytest.mark.tools
def test_the_result_is_the_same_with_any_number_of_threads_and_order(screen, contigs, tmp_path):
    rows = screen(contigs)
    fasta = (tmp_path / "out" / "denovo.fa").read_bytes()
    assert screen(contigs, threads=3) == rows
    assert (tmp_path / "out" / "denovo.fa").read_bytes() == fasta
    turned = screen(dict(reversed(contigs.items())))
    assert (tmp_path / "out" / "denovo.fa").read_bytes() == fasta
    assert turned[::-1] == rows


@pytest.mark.tools
def test_an_earlier_result_as_input_gives_the_same(screen, contigs, tmp_path):
    screen(contigs)
    fasta = (tmp_path / "out" / "denovo.fa").read_bytes()
    again = screen([(r.name, r.sequence) for r in read_fasta(tmp_path / "out" / "denovo.fa")])
    assert all(row["name"] == row["contig"] and row["kept"] == "true" for row in again)
    assert (tmp_path / "out" / "denovo.fa").read_bytes() == fasta


@pytest.mark.tools
def test_without_a_genome_only_the_transcripts_count(screen, contigs):
    found = classes(screen(contigs, bare=True))
    assert found["reference_copy2"] == "reference_copy"
    assert found["chimeric1"] == "chimeric"
    assert found["partial1"] == "partial"
    assert found["novel_isoform1"] == "reference_copy"  # nothing says that the gap is an exon left out
    assert found["intergenic1"] == found["unmapped1"] == "unmapped"


@pytest.mark.tools
def test_without_an_annotation_contigs_of_the_genome_are_genomic(screen, contigs):
    found = classes(screen(contigs, annotation=""))
    assert {found[n] for n in ("intergenic1", "intronic1", "antisense1", "reference_copy5")} == {"genomic"}
    assert found["chimeric2"] == found["chimeric1"] == "chimeric"
    assert found["reference_copy1"] == "reference_copy"


@pytest.mark.tools
def test_stranded_contigs_can_be_antisense(screen, world):
    antisense = {"sense": world.transcripts["G3.1"], "anti": reverse_complement(world.transcripts["G3.1"][100:800])}
    assert classes(screen(antisense)) == {"sense": "reference_copy", "anti": "reference_copy"}
    for bare in (False, True):
        found = classes(screen(antisense, stranded=True, bare=bare))
        assert found == {"sense": "reference_copy", "anti": "antisense"}


@pytest.mark.tools
def test_repeated_names_and_lower_case_are_accepted(screen, tmp_path):
    rows = screen([("same", NOVEL.lower()), ("same", letters(500, "x").lower()), ("same", NOVEL)])
    assert [row["class"] for row in rows] == ["unmapped", "unmapped", "duplicate"]
    assert rows[0]["name"] == rows[2]["name"] != rows[1]["name"]
    assert [r.sequence for r in read_fasta(tmp_path / "out" / "denovo.fa")] == [NOVEL, letters(500, "x")]


@pytest.mark.tools
def test_no_contigs_give_empty_tables(screen, tmp_path):
    assert screen({}) == []
    assert (tmp_path / "out" / "denovo.fa").read_text() == ""
    assert (tmp_path / "out" / "contigs.tsv").read_text().startswith("contig\tname\tkept\tsource\tclass\treason\t")


@pytest.mark.tools
def test_no_contigs_give_a_support_table_without_rows(screen, tmp_path):
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
def test_ribosomal_rna_is_dropped_or_flagged(screen, ribosomal_rna, profiles):
    subunit = ribosomal_rna["18S_rRNA"]
    given_ = {
        "most": subunit[:600] + letters(300, "y"),
        "precursor": letters(1500, "a") + subunit + letters(1500, "b"),
        "little": letters(900, "z") + subunit[300:600],
        "none": letters(800, "n"),
    }
    rows = screen(given_, rrna=profiles)
    assert [(r["class"], r["rrna"], r["kept"]) for r in rows] == [
        ("ribosomal", "18S_rRNA", "false"),
        ("ribosomal", "18S_rRNA", "false"),
        ("unmapped", "18S_rRNA", "true"),
        ("unmapped", "", "true"),
    ]
    assert rows[0]["reason"] == f"{float(rows[0]['rrna_coverage']):.2f} of it is ribosomal RNA, 18S_rRNA"
    assert float(rows[2]["rrna_coverage"]) == pytest.approx(0.25, abs=0.02)
    rows = screen(given_, rrna=profiles, options={"drop_contaminants": False})
    assert [(r["class"], r["kept"]) for r in rows] == [("unmapped", "true")] * 4


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
            left, right = contig[start : start + 75], reverse_complement(contig[start + 175 : start + 250])
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
def test_minimum_support_needs_reads(screen):
    with pytest.raises(InputError, match="need the pool"):
        screen({"a": NOVEL}, options={"min_fragments": 3})


@pytest.mark.tools
def test_an_annotation_of_another_genome_is_refused(screen, world, tmp_path):
    wrong = tmp_path / "wrong.gff3"
    wrong.write_text(world.annotation.read_text().replace("chr", "contig"))
    with pytest.raises(
        InputError, match=r"none of its sequences \(contigA, contigB\) is in .*genome.fa \(chrA, chrB\)"
    ):
        screen({"a": NOVEL}, annotation=str(wrong))
    assert not (tmp_path / "out").exists()


@pytest.mark.tools
def test_proteins_are_refused(screen):
    with pytest.raises(InputError, match="contig p holds 'E', expected nucleotides"):
        screen({"p": "MTEYKLVVVG" * 30})
