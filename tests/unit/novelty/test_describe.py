"""What is said of novel transcripts: alias, nearest gene, reading frame, and tracks that a browser can open."""

import csv
import gzip
import random

import numpy as np
import pytest

from deepmapper.core.reads_schemas import NOVEL
from deepmapper.core.tables import read_table
from deepmapper.novelty.aliases import Named, aliases
from deepmapper.novelty.coding import coding_verdict, longest_frames, orf_p_value
from deepmapper.novelty.describe import Screened, describe_novel
from deepmapper.novelty.nearest import Nearest, NearestGenes
from deepmapper.novelty.tracks import write_bed
from deepmapper.reads.annotation import Transcript, read_annotation, write_gtf
from deepmapper.reads.fasta import write_fasta
from deepmapper.reads.sequences import longest_orf
from deepmapper.workflow.provenance import modules_of


def letters(n, seed):
    return "".join(random.Random(seed).choices("ACGT", k=n))


def at(name, *exons, strand="+", chrom="chr1", gene="", symbol=""):
    return Transcript(name, gene or name, symbol, chrom, strand, exons)


def named(name, kind, *genes, gene_id="", place=None):
    return Named(name, kind, genes, gene_id or name, place)


def test_aliases_say_what_a_transcript_is_by_the_symbol_of_its_gene():
    place = at("D5", (35147, 37610))
    novel = [
        named("D1", "novel_isoform", "g1", gene_id="g1"),
        named("D2", "novel_isoform", "g1", gene_id="g1"),
        named("D3", "antisense", "g1"),
        named("D4", "intronic", "g2"),
        named("D5", "intergenic", place=place),
        named("D6", "unmapped"),
        named("D7", "chimeric", "g1", "g2"),
        named("D8", "partial", "g2"),
        named("D9", "unmapped"),
    ]
    assert list(aliases(novel, {"g1": "TP53", "g2": ""}).values()) == [
        *("TP53.novel1", "TP53.novel2", "TP53-AS1", "g2-IT1", "chr1:35148-37610", "novel1", "TP53::g2", "g2.partial1"),
        "novel2",
    ]


def test_no_alias_is_given_twice_or_is_a_name_of_the_annotation():
    place = at("x", (0, 10))
    novel = [
        named("D1", "antisense", "g1"),
        named("D2", "antisense", "g2"),
        named("D3", "intergenic", place=place),
        named("D4", "intergenic", place=place),
        named("D5", "intergenic", place=place),
    ]
    found = aliases(novel, {"g1": "A", "g2": "A"}, taken={"A", "A-AS1"})
    assert list(found.values()) == ["A-AS2", "A-AS3", "chr1:1-10", "chr1:1-10.2", "chr1:1-10.3"]


def test_transcripts_of_a_new_gene_share_its_alias():
    novel = [
        named("D1", "intronic", "g", gene_id="D2"),
        named("D2", "antisense", "g"),
        named("D3", "antisense", "g", gene_id="D2"),
    ]
    assert aliases(novel, {}) == {"D1": "g-AS1.2", "D2": "g-AS1", "D3": "g-AS1.3"}


GENES = NearestGenes(
    [
        at("long", (100, 200), (5000, 5100), gene="L"),
        at("inner", (1000, 1200), strand="-", gene="I"),
        at("far", (9000, 9500), strand="-", gene="F"),
    ]
)


@pytest.mark.parametrize(
    ("place", "expected"),
    [
        (at("q", (6000, 6100)), Nearest("L", 900, "same")),  # the gene that ends last, not the one that starts last
        (at("q", (8800, 8900), strand="-"), Nearest("F", 100, "same")),
        (at("q", (1100, 1300)), Nearest("I", 0, "opposite")),  # exons in common come before introns
        (at("q", (2000, 2100), strand="."), Nearest("L", 0, "unknown")),
        (at("q", (10, 20)), Nearest("L", 80, "same")),
        (at("q", (10000, 10100)), Nearest("F", 500, "opposite")),
        (at("q", (10, 20), chrom="chr2"), None),
    ],
)
def test_nearest_gene(place, expected):
    assert GENES.nearest(place) == expected


def test_the_gene_that_the_screen_names_is_the_nearest_of_those_that_overlap():
    assert GENES.nearest(at("q", (1100, 1300)), preferred=("L",)) == Nearest("L", 0, "same")


@pytest.mark.parametrize("n", [1, 2, 3, 5, 60, 301, 900])
def test_frames_of_shuffles_are_measured_as_those_of_the_screen(n):
    for seed in range(20):
        sequence = letters(n, f"{n} {seed}")
        codes = np.array([["ACGT".index(letter) for letter in sequence]], dtype=np.int8)
        assert longest_frames(codes)[0] == longest_orf(sequence).length


def protein_like(n_codons, seed):
    rng = random.Random(seed)
    codons = [a + b + c for a in "ACGT" for b in "ACGT" for c in "ACGT" if a + b + c not in ("TAA", "TAG", "TGA")]
    return "ATG" + "".join(rng.choices(codons, k=n_codons)) + "TAA"


def test_long_frame_is_told_from_chance():
    coding = letters(100, 1) + protein_like(250, 2) + letters(200, 3)
    assert orf_p_value(coding) <= 0.01
    assert orf_p_value(coding) == orf_p_value(coding)
    p_values = [orf_p_value(letters(800, f"random {seed}")) for seed in range(60)]
    assert sum(p <= 0.05 for p in p_values) <= 8  # 3 are expected
    assert np.mean(p_values) > 0.35


def test_coding_verdicts():
    assert coding_verdict(250, 0.001) == "likely"
    assert coding_verdict(60, 0.001) == "unclear"
    assert coding_verdict(250, 0.2) == "no_evidence"
    assert coding_verdict(60, 0.5, protein_match=True) == "protein_match"


SCREENED = {
    "DENOVO_a": ("novel_isoform", "j", "G1", "G1"),
    "DENOVO_b": ("antisense", "x", "G1", "DENOVO_b"),
    "DENOVO_c": ("unmapped", "", "", "DENOVO_c"),
}


@pytest.fixture
def described(tmp_path):
    """Give a function that describes three novel transcripts and returns the rows of the table."""
    screen_columns = [
        *("contig", "name", "kept", "source", "class", "reason", "length", "gc", "longest_orf", "orf_strand"),
        *("orf_complete", "class_code", "gene", "gene_id", "supporting_reads", "supporting_samples"),
        *("rrna", "rrna_coverage"),
    ]
    sequences = {name: letters(400, name) for name in SCREENED}
    write_fasta(tmp_path / "denovo.fa", sequences.items())
    lines = ["\t".join(screen_columns)]
    for name, (kind, code, gene, gene_id) in SCREENED.items():
        orf = str(longest_orf(sequences[name]).length)
        cells = ["c", name, "true", "aligned", kind, "why", "400", "0.5", orf, "+", "false", code, gene, gene_id, "9"]
        lines.append("\t".join([*cells, "3", "", ""]))
    lines.append("\t".join(["c", "DENOVO_x", "false", "aligned", "duplicate", *[""] * 13]))
    (tmp_path / "contigs.tsv").write_text("\n".join(lines) + "\n")
    places = [
        at("DENOVO_a", (1000, 1100), (1200, 1500), gene="G1"),
        at("DENOVO_b", (1450, 1850), strand="-"),
    ]
    write_gtf(tmp_path / "denovo.gtf", places, "novel")
    write_gtf(
        tmp_path / "a.gtf",
        [
            at("T1", (1000, 1100), (1300, 1600), gene="G1", symbol="ABC1"),
            at("T2", (6800, 6900)),
            at("T3", (6900, 7000)),
        ],
    )
    (tmp_path / "genes.tsv").write_text("transcript_id\tgene_id\tgene_name\nT1\tG1\tABC1\n")

    def run(**settings):
        describe_novel(
            Screened(tmp_path / "contigs.tsv", tmp_path / "denovo.fa", tmp_path / "denovo.gtf"),
            table=tmp_path / "novel.tsv",
            gtf=tmp_path / "novel.gtf",
            bed=tmp_path / "novel.bed",
            neighbours=tmp_path / "neighbours.gtf",
            **{"transcript_to_gene": tmp_path / "genes.tsv", "annotation": tmp_path / "a.gtf", **settings},
        )
        with (tmp_path / "novel.tsv").open() as file:
            return {row["name"]: row for row in csv.DictReader(file, delimiter="\t")}

    return run


def test_every_novel_transcript_has_a_row_that_a_reader_understands(described):
    rows = described()
    assert [row["alias"] for row in rows.values()] == ["ABC1.novel1", "ABC1-AS1", "novel1"]
    isoform, antisense, unmapped = rows.values()
    assert isoform["meaning"] == "shares splice junctions with ABC1"
    assert (isoform["nearest_gene"], isoform["nearest_gene_name"], isoform["nearest_strand"]) == ("G1", "ABC1", "same")
    assert (isoform["place"], isoform["exons"], isoform["gene_name"]) == ("chr1:1001-1500(+)", "2", "ABC1")
    assert antisense["meaning"] == "on the other strand of exons of ABC1"
    assert (antisense["nearest_distance"], antisense["nearest_strand"]) == ("0", "opposite")
    assert antisense["gene_name"] == "ABC1-AS1"
    assert (unmapped["place"], unmapped["nearest_gene"], unmapped["meaning"]) == ("", "", "why")


def test_fragments_are_those_that_count_on_it_not_only_those_that_it_was_assembled_from(described, tmp_path):
    with gzip.open(tmp_path / "counts.tsv.gz", "wt") as file:
        file.write("feature\ts1\ts2\ts3\nT1\t5\t0\t1\nDENOVO_a\t10.25\t0.4\t0.5\nDENOVO_b\t0\t0\t0\n")
    rows = described(counts=tmp_path / "counts.tsv.gz")
    assert (rows["DENOVO_a"]["counted_fragments"], rows["DENOVO_a"]["counted_samples"]) == ("11.2", "2")
    assert (rows["DENOVO_b"]["counted_fragments"], rows["DENOVO_b"]["counted_samples"]) == ("0.0", "0")
    assert rows["DENOVO_c"]["counted_fragments"] == described()["DENOVO_a"]["counted_fragments"] == ""


def test_what_was_not_asked_is_told_from_what_was_not_found(described):
    found = {name: {"taxon": "none"} for name in SCREENED}
    rows = described(homology={"kraken2_database": {**found, "DENOVO_a": {"taxon": "Homo sapiens (taxid 9606)"}}})
    assert [row["taxon"] for row in rows.values()] == ["Homo sapiens (taxid 9606)", "none", "none"]
    assert {row[column] for row in rows.values() for column in ("protein", "domain_evalue", "rna_family")} == {
        "not asked"
    }


def test_a_protein_that_is_like_it_counts_more_than_the_frame(described):
    columns = ("protein", "protein_description", "protein_identity", "protein_coverage", "protein_evalue")
    hits = {name: dict.fromkeys(columns, "none") for name in SCREENED}
    hits["DENOVO_c"] = dict(zip(columns, ("P1", "a kinase", "0.9", "0.8", "1e-50"), strict=True))
    rows = described(homology={"proteins": hits})
    assert rows["DENOVO_c"]["coding"] == "protein_match"
    assert rows["DENOVO_a"]["coding"] != "protein_match"


def test_tracks_hold_the_same_exons_with_aliases_and_classes(described, tmp_path):
    described()
    by_name = {place.id: place for place in read_annotation(tmp_path / "novel.gtf")}
    assert by_name["DENOVO_a"].gene_name == "ABC1"
    text = (tmp_path / "novel.gtf").read_text()
    assert 'alias "ABC1-AS1"; class "antisense"; class_code "x";' in text
    lines = [line.split("\t") for line in (tmp_path / "novel.bed").read_text().splitlines()]
    assert [cells[3] for cells in lines] == ["ABC1.novel1", "ABC1-AS1"]
    for cells, place in zip(lines, by_name.values(), strict=True):
        assert blocks(cells) == place.exons
        assert (cells[0], cells[5]) == (place.chrom, place.strand)


def blocks(cells):
    """Exons of a line of BED12, checked as browsers do."""
    assert len(cells) == 12
    start, end = int(cells[1]), int(cells[2])
    sizes, starts = ([int(x) for x in cells[i].rstrip(",").split(",")] for i in (10, 11))
    assert len(sizes) == len(starts) == int(cells[9])
    assert starts[0] == 0 and start + starts[-1] + sizes[-1] == end
    assert all(a + n < b for a, n, b in zip(starts, sizes, starts[1:], strict=False))
    return tuple((start + a, start + a + n) for a, n in zip(starts, sizes, strict=True))


def test_lines_of_bed_are_in_order_and_names_without_spaces(tmp_path):
    places = [at("b", (500, 600), (700, 800)), at("a", (100, 200)), at("c", (5, 9), chrom="chr0", strand=".")]
    write_bed(tmp_path / "x.bed", places, {"a": "my gene", "b": "b", "c": "c"})
    lines = [line.split("\t") for line in (tmp_path / "x.bed").read_text().splitlines()]
    assert [cells[3] for cells in lines] == ["c", "my_gene", "b"]
    assert blocks(lines[2]) == ((500, 600), (700, 800))


def test_without_any_reference_there_is_no_nearest_gene(described, tmp_path):
    rows = described(transcript_to_gene=None, annotation="")
    assert {row["nearest_gene"] for row in rows.values()} == {""}
    assert (tmp_path / "neighbours.gtf").read_text() == ""


def test_what_is_annotated_within_5_kb_is_kept_for_figures(described, tmp_path):
    described()
    assert [near.id for near in read_annotation(tmp_path / "neighbours.gtf")] == ["T1", "T2"]


def test_the_table_has_the_columns_of_its_schema(described, tmp_path):
    described()
    table = read_table(tmp_path / "novel.tsv")
    assert list(table.columns) == [column.name for column in NOVEL.columns]
    assert table["exons"].fillna(0).tolist() == [2, 1, 0]


@pytest.mark.parametrize(
    "script", ["screen_novelty", "quantify_sample", "build_expression", "prepare_features", "train_pass"]
)
def test_no_wording_about_novel_transcripts_counts_or_trains_again(script):
    described = {f"novelty.{name}" for name in ("aliases", "coding", "describe", "homology", "nearest", "tracks")}
    assert described <= set(modules_of("describe_novel"))
    assert not described & set(modules_of(script))
