"""The second door: reads that align where nothing is annotated come back as novel transcripts, and little else does."""

import csv
import io
import random
import subprocess

import pytest

from deepmapper.errors import InputError
from deepmapper.novelty.classes import Alignments, Contig, NoveltyOptions, is_kept
from deepmapper.novelty.combinations import combined_only
from deepmapper.novelty.loci import TranscriptIndex
from deepmapper.novelty.model_classes import classify_model, is_organelle, model_contig
from deepmapper.novelty.models import Model, assemble_models, merge_models, model_samples, read_models
from deepmapper.novelty.novel_genes import genes_of, placed
from deepmapper.novelty.paf import Match
from deepmapper.novelty.screen import screen_novelty
from deepmapper.reads.alignment import align_reads, build_hisat2_index
from deepmapper.reads.annotation import Transcript, read_annotation, write_gtf
from deepmapper.reads.fasta import read_fasta
from deepmapper.reads.nucleotides import reverse_complement
from deepmapper.reads.references import prepare_genome, write_splice_sites
from deepmapper.reads.samples import Unit
from deepmapper.simulate.reads import make_study

KNOWN = Transcript("T1", "G1", "", "chr1", "+", ((1000, 1200), (2000, 2200), (3000, 3300)))
SECOND = Transcript("T2", "G2", "", "chr1", "+", ((4000, 4400),))
BOTH = TranscriptIndex([KNOWN, SECOND])


def decided(*exons, chrom="chr1", strand="+", seen_in=2, n_samples=8, options=None):
    """Classify a model at these exons."""
    size = sum(end - start for start, end in exons)
    model = Model(Transcript("m", "m", "", chrom, strand, exons), "A" * size, ("a",), seen_in=seen_in)
    contig = model_contig(model, Contig("m", model.sequence, "DENOVO_1", source="aligned"))
    options = options or NoveltyOptions()
    return classify_model(contig, model, Alignments((), (), ()), BOTH, options, n_samples=n_samples)


@pytest.mark.parametrize(
    ("kind", "exons"),
    [
        ("reference_copy", [(1000, 1200), (2000, 2200), (3000, 3500)]),
        ("novel_isoform", [(1000, 1200), (3000, 3300)]),
        ("novel_isoform", [(1000, 2200), (3000, 3300)]),
        ("extension", [(100, 300), (1000, 1200), (2000, 2200), (3000, 3300)]),
        ("extension", [(3100, 3700)]),
        ("unspliced", [(2100, 2600)]),
        ("read_through", [(2000, 2200), (3000, 4400)]),
        ("intergenic", [(7000, 7500)]),
        ("intronic", [(1300, 1700)]),
    ],
)
def test_models_that_would_take_reads_of_known_genes_are_set_aside(kind, exons):
    contig = decided(*exons)
    kept = kind in ("novel_isoform", "intergenic", "intronic")
    assert (contig.kind, is_kept(contig, NoveltyOptions())) == (kind, kept)
    assert contig.reason


def test_strand_organelles_and_rare_splicing():
    assert decided((1000, 1150), (2050, 2200), strand="-").kind == "antisense"
    assert decided((1100, 1200), (2000, 2300), strand="-").kind == "misaligned"
    assert decided((7000, 7500), chrom="chrM").kind == "organelle"
    assert decided((7000, 7500), chrom="chrM", options=NoveltyOptions(organelles=("chrX",))).kind == "intergenic"
    rare = decided((1000, 1200), (3000, 3300), seen_in=1)
    assert rare.kind == "low_support" and "seen in 1 of 8 samples, limit 2" in rare.reason
    assert decided((1000, 1200), (3000, 3300), seen_in=1, n_samples=1).kind == "novel_isoform"


def test_what_lies_at_ribosomal_rna_is_set_aside():
    rrna = Transcript("18S", "RDN", "", "chr1", "+", ((20_000, 21_800),), is_rrna=True)
    small = Transcript("5S", "RDN5", "", "chr1", "+", ((40_000, 40_120),), is_rrna=True)
    index = TranscriptIndex([rrna, small])
    for exons, kind in (
        (((40_500, 41_000),), "intergenic"),  # 5S is no part of the precursor
        (((22_500, 25_000),), "ribosomal"),
        (((21_000, 22_500),), "ribosomal"),
        (((26_000, 27_000),), "intergenic"),
    ):
        model = Model(Transcript("m", "m", "", "chr1", "+", exons), "A" * 300, ("a",))
        contig = model_contig(model, Contig("m", model.sequence, "D", source="aligned"))
        found = classify_model(contig, model, Alignments((), (), ()), index, NoveltyOptions())
        assert found.kind == kind, exons


@pytest.mark.parametrize("name", ["chrM", "MT", "Mt", "ChrC", "Pt", ["mitochondrion", "genome"][0], "chrMT", "Pltd"])
def test_organelles_are_known_by_their_usual_names(name):
    assert is_organelle(name, ["auto"])


def test_usual_and_given_names_of_organelles_go_together():
    assert [is_organelle(name, ["auto", "NC_012920.1"]) for name in ("chrM", "NC_012920.1", "chr1")] == [
        True,
        True,
        False,
    ]
    assert [is_organelle(name, ["NC_012920.1"]) for name in ("chrM", "NC_012920.1")] == [False, True]


@pytest.mark.parametrize("name", ["chr1", "chrX", "2", "CM000663.2", "chrC1", "scaffold_m"])
def test_other_sequences_are_no_organelles(name):
    assert not is_organelle(name, ["auto"])


def test_a_model_that_only_combines_junctions_is_a_combination():
    """From isoforms with the second or the third of four exons, assemblers also make the ones with both and neither."""
    first = Transcript("T", "G", "", "chr1", "+", ((0, 100), (200, 300), (600, 700)))
    chains = {
        "true": ((0, 100), (400, 500), (600, 700)),
        "both": ((0, 100), (200, 300), (400, 500), (600, 700)),
        "again": ((0, 100), (200, 300), (600, 720)),
        "retains": ((0, 300), (600, 700)),
    }
    models = {n: Model(Transcript(n, n, "", "chr1", "+", e), "A" * 300, ("s",), {"s": 9}) for n, e in chains.items()}
    support = {"true": 90, "both": 50, "again": 40, "retains": 30}
    contigs = [
        Contig(n, "A" * 300, n, kind="novel_isoform", genes=("G",), source="aligned", support={"s": support[n]})
        for n in chains
    ]
    found = combined_only(contigs, models, TranscriptIndex([first]))
    assert {c.name: c.kind for c in found} == {"again": "combination"}
    less = [c for c in contigs if c.name != "both"]
    assert [c.name for c in combined_only(less, models, TranscriptIndex([first]))] == ["again"]


def test_new_transcripts_in_one_place_are_one_gene(hit):
    def contig(name, start, end, *, locus=True, kind="intergenic", genes=()):
        own = hit(0, end - start, "chr1", at=start, length=end - start, query=name, spliced="+")
        place = Match((own,), 1.0, 1.0) if locus else None
        return Contig(name, "A" * (end - start), name, kind=kind, genes=genes, locus=place)

    isoform = contig("D_i", 0, 400, kind="novel_isoform", genes=("G9",))
    here, there = contig("D_a", 5000, 5800), contig("D_b", 5500, 5900)
    apart = contig("D_c", 8000, 8300)
    sizes = {"D_x": 900, "D_y": 500, "D_z": 300}
    free, part, mate = (contig(name, 0, size, locus=False, kind="unmapped") for name, size in sizes.items())
    alike = {"D_y": [hit(0, 300, "D_x", length=500, query="D_y", target_length=900)]}
    links = {("D_x", "D_z"): 5, ("D_c", "D_x"): 2}
    genes = genes_of([isoform, here, there, apart, free, part, mate], alike, links)
    assert genes == {"D_i": "G9", "D_a": "D_a", "D_b": "D_a", "D_c": "D_c", "D_x": "D_x", "D_y": "D_x", "D_z": "D_x"}
    assert placed(here, "g").exons == ((5000, 5800),)


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    """The reads of a small study with unlisted genes and isoforms, aligned, as far as the merged models."""
    folder = tmp_path_factory.mktemp("study")
    made = make_study(folder, n_genes=24, samples_per_condition=2, n_unlisted=2, n_unlisted_isoforms=2, seed=3)
    prepare_genome(folder / "genome.fa", genome=made.genome)
    log = io.StringIO()
    build_hisat2_index(folder / "genome.fa", folder / "index", log=log)
    write_splice_sites(
        folder / "sites.tsv", annotation=made.annotation, genome=folder / "genome.fa", gtf=folder / "known.gtf", log=log
    )
    models = {}
    with made.sheet.open() as file:
        for row in csv.DictReader(file, delimiter="\t"):
            name, bam = row["sample"], folder / f"{row['sample']}.bam"
            unit = Unit("1", row["fq1"], row["fq2"])
            index, sites = str(folder / "index/genome"), folder / "sites.tsv"
            align_reads([unit], index=index, folder=folder / name, sample=name, splice_sites=sites, bam=bam, log=log)
            models[name] = folder / f"models_{name}"
            assemble_models(bam, folder / "known.gtf", models[name], paired=unit.paired, log=log)
    merge_models(models, folder / "known.gtf", folder / "genome.fa", folder / "merged", log=log)
    return made, folder


@pytest.mark.tools
def test_what_only_the_annotation_lacks_comes_back(study, tmp_path):
    made, folder = study
    counts = screen_novelty(
        None,
        transcripts=made.transcripts,
        genome=folder / "genome.fa",
        annotation=made.annotation,
        models=folder / "merged",
        folder=tmp_path / "out",
        log=io.StringIO(),
    )
    truth = {record.name: record.sequence for record in read_fasta(made.unlisted_fasta)}
    kept = {record.name: record.sequence for record in read_fasta(tmp_path / "out/denovo.fa")}
    with (tmp_path / "out/contigs.tsv").open() as file:
        rows = {row["name"]: row for row in csv.DictReader(file, delimiter="\t") if row["kept"] == "true"}
    assert len(truth) == 4 and len(kept) == sum(counts.get(kind, 0) for kind in ("novel_isoform", "intergenic"))
    # ends are known to a few bases, since reads there are few
    found = {name: [d for d, s in kept.items() if s[20:-20] in t or t[20:-20] in s] for name, t in truth.items()}
    assert all(len(names) == 1 for names in found.values()), found
    assert len(kept) == 4
    with made.unlisted.open() as file:
        for row in csv.DictReader(file, delimiter="\t"):
            own = rows[found[row["transcript"]][0]]
            is_isoform = row["gene"].startswith("GENE")
            assert own["source"] == "aligned"
            assert own["gene_id"] == (row["gene"] if is_isoform else own["name"])
            drawn = sum(int(row[sample]) for sample in made.samples)
            if not is_isoform:
                assert float(own["supporting_reads"]) == pytest.approx(drawn, rel=0.25)
            assert own["supporting_samples"] == "4"
    places = {transcript.id: transcript for transcript in read_annotation(tmp_path / "out/denovo.gtf")}
    assert places.keys() == kept.keys()
    genome = {record.name: record.sequence for record in read_fasta(folder / "genome.fa")}
    for name, place in places.items():
        sequence = "".join(genome[place.chrom][start:end] for start, end in place.exons)
        assert kept[name] == (sequence if place.strand == "+" else reverse_complement(sequence))


@pytest.mark.tools
def test_models_are_the_same_in_any_order_and_read_back(study):
    made, folder = study
    names = list(made.samples)
    random.Random(1).shuffle(names)
    again = {name: folder / f"models_{name}" for name in names}
    merge_models(again, folder / "known.gtf", folder / "genome.fa", folder / "again", log=io.StringIO())
    first, second = read_models(folder / "merged"), read_models(folder / "again")
    assert [(m.transcript, m.sequence, sorted(m.samples), m.support, m.seen_in) for m in first] == [
        (m.transcript, m.sequence, sorted(m.samples), m.support, m.seen_in) for m in second
    ]


@pytest.mark.tools
def test_samples_that_each_show_a_part_of_an_isoform_support_it_together(tmp_path):
    """The first sample has the whole isoform, of the others each one of its two introns, or neither."""
    (tmp_path / "genome.fa").write_text(">chr1\n" + "ACGTTGCA" * 500 + "\n")
    known = Transcript("T", "G", "", "chr1", "+", ((500, 800), (1500, 1800), (2500, 2800)))
    write_gtf(tmp_path / "known.gtf", [known], "test")
    whole = ((500, 900), (1400, 1700), (2400, 2800))
    parts = {"a": whole, "b": whole[:2], "c": whole[1:], "d": known.exons}

    def merged(*samples):
        for sample in samples:
            folder = tmp_path / f"models_{sample}"
            folder.mkdir(exist_ok=True)
            (folder / "library.json").write_text('{"read_length": 100, "mates": 2}\n')
            write_gtf(folder / "models.gtf", [Transcript("m", "m", "", "chr1", "+", parts[sample])], "StringTie")
            lines = (folder / "models.gtf").read_text().splitlines()
            (folder / "models.gtf").write_text("".join(f'{line} cov "9"; FPKM "9"; TPM "9";\n' for line in lines))
        folders = {sample: tmp_path / f"models_{sample}" for sample in samples}
        merge_models(folders, tmp_path / "known.gtf", tmp_path / "genome.fa", tmp_path / "out", log=io.StringIO())
        return {model.transcript.exons: model for model in read_models(tmp_path / "out")}[whole]

    found = merged("a", "b", "c", "d")
    assert (found.samples, found.seen_in) == (("a",), 2)
    assert model_samples(tmp_path / "out") == ["a", "b", "c", "d"]
    assert merged("a", "b", "d").seen_in == 1  # its second intron is in one sample only
    assert merged("a", "d").seen_in == 1


@pytest.mark.tools
def test_no_alignments_give_no_models(tmp_path, study):
    _, folder = study
    empty = tmp_path / "empty.bam"
    header = "@HD\tVN:1.0\tSO:coordinate\n@SQ\tSN:chr1\tLN:1000\n"
    subprocess.run(["samtools", "view", "-b", "-o", empty, "-"], input=header, text=True, check=True)
    assert assemble_models(empty, folder / "known.gtf", tmp_path / "m", log=io.StringIO()) == 0
    assert merge_models({"s": tmp_path / "m"}, folder / "known.gtf", folder / "genome.fa", tmp_path / "all") == 0
    assert read_models(tmp_path / "all") == []


def test_support_cannot_be_asked_for_without_reads(tmp_path):
    (tmp_path / "c.fa").write_text(">a\nACGT\n")
    with pytest.raises(InputError, match="min_fragments and min_samples need"):
        options = NoveltyOptions(min_samples=1)
        screen_novelty(tmp_path / "c.fa", transcripts=tmp_path / "c.fa", options=options, folder=tmp_path / "o")
