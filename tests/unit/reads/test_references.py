"""References with matching ids: genome, transcripts, genes of transcripts, splice sites."""

import bz2
import gzip
import io
import lzma
from pathlib import Path

import pytest

from deepmapper.errors import DeepMapperWarning, InputError
from deepmapper.reads.annotation import read_annotation
from deepmapper.reads.fasta import read_fasta
from deepmapper.reads.references import (
    names_genes,
    prepare_genome,
    prepare_transcripts,
    write_splice_sites,
    write_transcript_to_gene,
)

STUDY = Path(__file__).resolve().parents[3] / "resources/demo/reads"

ENSEMBL = (
    ">ENST00000415118.1 cdna chromosome:GRCh38:14:22438547:22438554:1 gene:ENSG00000223997.2 gene_biotype:TR "
    "gene_symbol:TRDD1 description:T cell receptor\nGAAATAGT\n"
    ">ENST00000448914.1 cdna chromosome:GRCh38:14:22449113:22449125:1 gene:ENSG00000228985.3\nACTGGGGGATACG\n"
)
GENCODE = (
    ">ENST00000456328.2|ENSG00000290825.1|OTTHUMG1|OTTHUMT1|DDX11L2-202|DDX11L2|1657|lncRNA|\nGTTAACTT\n"
    ">ENST00000450305.2|ENSG00000223972.6|OTTHUMG2|OTTHUMT2|DDX11L1-201|DDX11L1|632|pseudo|\nGTGTCTGA\n"
)


def write(path, text):
    path.write_bytes(gzip.compress(text.encode()) if path.suffix == ".gz" else text.encode())
    return path


def sequences(path):
    return {record.name: record.sequence for record in read_fasta(path)}


@pytest.fixture
def out(tmp_path):
    return tmp_path / "out" / "out"


def refused(out, match, function, **settings):
    with pytest.raises(InputError, match=match):
        function(out, **settings)
    assert not out.exists()
    assert not out.parent.exists() or list(out.parent.iterdir()) == []


# ---- genome


@pytest.mark.parametrize("name", ["genome.fa", "genome.fa.gz"])
def test_genome(tmp_path, out, name):
    genome = write(tmp_path / name, ">1 dna:chromosome REF\nacgtn\nACGT\n>chr2|x\nRYK\n")
    assert prepare_genome(out, genome=genome) == 2
    assert out.read_text() == ">1\nACGTNACGT\n>chr2|x\nRYK\n"


def test_genome_that_is_refused(tmp_path, out):
    genome = write(tmp_path / "g.fa", ">1 a\nAC\n>2\nAC\n>1 b\nAG\n")
    refused(out, r"g\.fa: 1 id occurs more than once: 1 \('>1 a' and '>1 b'\)", prepare_genome, genome=genome)
    refused(out, "record 1 holds the letter 'E'", prepare_genome, genome=write(tmp_path / "p.fa", ">1\nMKE\n"))
    refused(out, "cannot be read", prepare_genome, genome=tmp_path / "none.fa")


# ---- transcripts


@pytest.mark.parametrize("name", ["t.fa", "t.fa.gz"])
@pytest.mark.parametrize(
    "text, plain, stripped",
    [
        (ENSEMBL, ["ENST00000415118.1", "ENST00000448914.1"], ["ENST00000415118", "ENST00000448914"]),
        (GENCODE, ["ENST00000456328.2", "ENST00000450305.2"], ["ENST00000456328", "ENST00000450305"]),
        (">AT1G01010.1 | NAC\nAC\n>AT1G01010.2\nAG\n", ["AT1G01010.1", "AT1G01010.2"], ["AT1G01010.1", "AT1G01010.2"]),
    ],
)
def test_headers_become_ids(tmp_path, out, name, text, plain, stripped):
    source = write(tmp_path / name, text)
    for strip, names in ((False, plain), (True, stripped)):
        assert prepare_transcripts(out, transcripts=source, strip_versions=strip, log=io.StringIO()) == 2
        assert [line[1:] for line in out.read_text().splitlines() if line.startswith(">")] == names


def test_identical_sequences_are_kept_and_counted(tmp_path, out):
    source = write(tmp_path / "t.fa", ">a\nACGU\n>b\nacgu\n>c\nACGG\n>d\nACGU\n")
    log = io.StringIO()
    assert prepare_transcripts(out, transcripts=source, log=log) == 4
    assert sequences(out) == {"a": "ACGT", "b": "ACGT", "c": "ACGG", "d": "ACGT"}
    assert log.getvalue() == f"{source}: 4 transcripts, 2 of them with the sequence of an earlier one\n"


@pytest.mark.parametrize(
    "text, message",
    [
        (
            ">a x\nAC\n>b\nAC\n>a y\nAC\n",
            r"1 id occurs more than once: a \('>a x' and '>a y'\)\. Expected every id",
        ),
        (">a|1\nAC\n>a|2\nAC\n", r"a \('>a\|1' and '>a\|2'\)"),
        ("".join(f">{i}\nA\n>{i}\nA\n" for i in range(7)), "7 ids occur more than once: 0 .* and 2 more"),
        (">DENOVO_1\nAC\n", "a transcript is called 'DENOVO_1'.*marks novel transcripts"),
        (">|x\nAC\n", "a transcript is called ''"),
        (">p\nMKLV\n", "record p holds the letter 'L', expected nucleotides"),
        (">p\nAC-GT\n", "record p holds the letter '-'"),
        (">p\n>q\nAC\n", "record p has no sequence"),
        ("", "holds no transcripts"),
        ("@r\nAC\n", "the first line of this FASTA file of transcripts is '@r'"),
    ],
)
def test_transcripts_that_are_refused(tmp_path, out, text, message):
    refused(out, message, prepare_transcripts, transcripts=write(tmp_path / "t.fa", text), log=io.StringIO())


def test_ids_that_differ_only_in_version(tmp_path, out):
    text = ">ENST00000335137.3\nAC\n>ENST00000335137.4\nAG\n"
    source = write(tmp_path / "t.fa", text)
    assert prepare_transcripts(out, transcripts=source, log=io.StringIO()) == 2
    out.unlink()
    refused(
        out,
        "1 id occurs more than once: ENST00000335137 ",
        prepare_transcripts,
        transcripts=source,
        strip_versions=True,
    )


def test_no_source_of_transcripts(tmp_path, out):
    for settings in ({}, {"genome": "g.fa"}, {"annotation": "a.gtf"}):
        refused(out, "neither transcripts nor a genome with its annotation", prepare_transcripts, **settings)


@pytest.mark.tools
def test_transcripts_cut_from_the_genome(tmp_path, out):
    log = (tmp_path / "log").open("w+")
    count = prepare_transcripts(out, genome=STUDY / "genome.fa.gz", annotation=STUDY / "annotation.gtf", log=log)
    assert count == 59
    assert sequences(out) == sequences(STUDY / "transcripts.fa.gz")
    assert list(out.parent.iterdir()) == [out]


@pytest.mark.tools
def test_transcripts_cut_from_the_genome_by_a_gff3(tmp_path, out):
    """With what gffread alone does not take: an odd strand, long headers, and names of Ensembl."""
    genome = write(tmp_path / "my genome.fa.gz", ">1 dna\nAACCGGTTAC\nGTACGTACGA\n")
    rows = [
        "1\te\tchromosome\t1\t20\t.\t*\t.\tID=chromosome:1",
        "1\te\tmRNA\t3\t13\t.\t-\t.\tID=transcript:ENST00000335137.4;Parent=gene:G",
        "1\te\texon\t3\t5\t.\t-\t.\tParent=transcript:ENST00000335137.4",
        "1\te\texon\t10\t13\t.\t-\t.\tParent=transcript:ENST00000335137.4",
        "scaffold\te\texon\t10\t13\t.\t-\t.\tParent=elsewhere",
    ]
    annotation = write(tmp_path / "it's.gff3", "\n".join(rows) + "\n")
    with (tmp_path / "log").open("w+") as log:
        assert prepare_transcripts(out, genome=genome, annotation=annotation, strip_versions=True, log=log) == 1
        log.seek(0)
        text = log.read()
    assert sequences(out) == {"ENST00000335137": "TACGCGG"}
    assert f"1 transcripts omitted, their sequences are not in {genome}: scaffold" in text


@pytest.mark.parametrize(
    "place, message",
    [
        ("chr2\t1\t4", r"none of its sequences \(chr2\) is in .*g\.fa \(1\), expected an annotation of that genome"),
        ("1\t1\t5", r"transcript t ends at 5, beyond the end of 1 in .*g\.fa \(4\)"),
    ],
)
def test_an_annotation_of_another_genome(tmp_path, out, place, message):
    genome = write(tmp_path / "g.fa", ">1 x\nAC\nGT\n")
    chrom, start, end = place.split("\t")
    annotation = write(tmp_path / "a.gff", f"{chrom}\te\texon\t{start}\t{end}\t.\t+\t.\tParent=t\n")
    settings = {"genome": genome, "annotation": annotation, "log": io.StringIO()}
    refused(out, message, prepare_transcripts, **settings)
    refused(out, message, write_splice_sites, **settings)


def test_one_id_in_two_places_of_an_annotation(tmp_path, out):
    genome = write(tmp_path / "g.fa", ">X\nACGT\n>Y\nACGA\n")
    rows = "".join(f"{chrom}\te\texon\t1\t4\t.\t+\t.\tParent=t\n" for chrom in "XY")
    message = r"a\.gff: 1 transcript id has more than one place: t at X:1 \(\+\) and Y:1 \(\+\)\."
    annotation = write(tmp_path / "a.gff", rows)
    refused(out, message, prepare_transcripts, genome=genome, annotation=annotation, log=io.StringIO())


@pytest.mark.tools
def test_the_shortest_transcripts_that_can_be_cut(tmp_path, out):
    genome = write(tmp_path / "g.fa", ">1\n" + "ACGTT" * 40 + "\n")
    lengths = (1, 8, 10, 11, 12, 30)
    rows = "".join(f"1\te\texon\t{50}\t{49 + n}\t.\t+\t.\tParent=t{n}\n" for n in lengths)
    annotation = write(tmp_path / "a.gff", rows)
    with (tmp_path / "log").open("w+") as log:
        assert prepare_transcripts(out, genome=genome, annotation=annotation, log=log) == 3
        log.seek(0)
        assert f"{annotation}: 3 transcripts of less than 11 nt omitted\n" in log.read()
    assert list(sequences(out)) == ["t11", "t12", "t30"]


# ---- genes


def genes(out, **settings):
    log = io.StringIO()
    count = write_transcript_to_gene(out, log=log, **settings)
    header, *rows = out.read_text().splitlines()
    assert header == "transcript_id\tgene_id\tgene_name"
    assert len(rows) == count
    return [tuple(row.split("\t")) for row in rows], log.getvalue()


def prepared(tmp_path, *names):
    return write(tmp_path / "prepared.fa", "".join(f">{name}\nACGT\n" for name in names))


def gtf(tmp_path, *pairs):
    rows = [
        f'1\te\texon\t{i + 1}\t{i + 1}\t.\t+\t.\ttranscript_id "{name}"; gene_id "{gene}"; gene_name "N{i}";'
        for i, (name, gene) in enumerate(pairs)
    ]
    return write(tmp_path / "a.gtf", "\n".join(rows) + "\n")


def test_genes_of_an_annotation(tmp_path, out):
    fasta = prepared(tmp_path, "AT1G01010.2", "AT1G01010.1", "AT2G1.1")
    annotation = gtf(tmp_path, ("AT1G01010.1", "AT1G01010"), ("AT1G01010.2", "AT1G01010"), ("other.1", "other"))
    rows, log = genes(out, transcripts_fasta=fasta, annotation=annotation)
    assert rows == [("AT1G01010.2", "AT1G01010", "N1"), ("AT1G01010.1", "AT1G01010", "N0")]
    assert log == f"{annotation}: gene known for 2 transcripts, unknown for 1\n"


@pytest.mark.parametrize("annotated", ["ENST00000335137", "ENST00000335137.3", "ENST00000335137.4"])
@pytest.mark.parametrize("asked", ["ENST00000335137", "ENST00000335137.4"])
def test_genes_match_with_and_without_versions(tmp_path, out, annotated, asked):
    annotation = gtf(tmp_path, (annotated, "ENSG00000186092.6"))
    fasta = prepared(tmp_path, asked)
    assert genes(out, transcripts_fasta=fasta, annotation=annotation)[0] == [(asked, "ENSG00000186092.6", "N0")]
    rows, _ = genes(out, transcripts_fasta=fasta, annotation=annotation, strip_versions=True)
    assert rows == [(asked, "ENSG00000186092", "N0")]


def test_an_exact_match_comes_before_one_without_version_and_isoforms_are_not_merged(tmp_path, out):
    annotation = gtf(tmp_path, ("ENST00000335137.3", "old"), ("ENST00000335137.4", "new"), ("AT1G01010.1", "x"))
    fasta = prepared(tmp_path, "ENST00000335137.4", "AT1G01010.2", "AT1G01010")
    assert genes(out, transcripts_fasta=fasta, annotation=annotation)[0] == [("ENST00000335137.4", "new", "N1")]


@pytest.mark.parametrize(
    "text, expected",
    [
        (ENSEMBL, [("ENSG00000223997.2", "TRDD1"), ("ENSG00000228985.3", "")]),
        (GENCODE, [("ENSG00000290825.1", "DDX11L2"), ("ENSG00000223972.6", "DDX11L1")]),
        (">a gene=g1 CDS=1-3\nAC\n>b [gene=g2] [x=y]\nAC\n", [("g1", ""), ("g2", "")]),
    ],
)
def test_genes_of_headers(tmp_path, out, text, expected):
    source = write(tmp_path / "t.fa.gz", text)
    clean = tmp_path / "clean.fa"
    prepare_transcripts(clean, transcripts=source, strip_versions=True, log=io.StringIO())
    assert names_genes(source)
    assert not names_genes(clean)
    rows, _ = genes(out, transcripts_fasta=clean, transcripts=source)
    assert [row[0] for row in rows] == list(sequences(clean))
    assert [row[1:] for row in rows] == expected
    rows, _ = genes(out, transcripts_fasta=source)  # its own headers, under its own names
    assert [row[1:] for row in rows] == (expected if "|" not in text else [])


def test_a_table_without_genes_is_only_a_header(tmp_path, out):
    rows, log = genes(out, transcripts_fasta=prepared(tmp_path, "a", "b"))
    assert rows == []
    assert log.endswith("gene known for 0 transcripts, unknown for 2\n")


def test_whether_headers_name_genes(tmp_path):
    assert not names_genes("")
    assert not names_genes(tmp_path / "none.fa")
    assert not names_genes(write(tmp_path / "x.fa", "no fasta"))
    assert not names_genes(write(tmp_path / "y.fa", ">AT1G01010.1 | transgene: x | a|b\nAC\n"))


# ---- splice sites


def test_splice_sites(tmp_path, out):
    rows = [
        "2\te\texon\t{}\t{}\t.\t-\t.\tParent=b",
        "1\te\texon\t{}\t{}\t.\t+\t.\tParent=a",
        "1\te\texon\t{}\t{}\t.\t+\t.\tParent=a2",
        "1\te\texon\t{}\t{}\t.\t.\t.\tParent=unknown",
    ]
    text = "".join(row.format(*place) + "\n" for row in rows for place in ((31, 40), (1, 10), (45, 50), (100, 120)))
    assert write_splice_sites(out, annotation=write(tmp_path / "a.gff3.gz", text)) == 4
    # the gap of 4 from 41 to 44 is no intron, what two transcripts share is there once
    assert out.read_text() == "1\t9\t30\t+\n1\t49\t99\t+\n2\t9\t30\t-\n2\t49\t99\t-\n"


def test_splice_sites_of_the_study_are_introns(out):
    genome = sequences(STUDY / "genome.fa.gz")
    annotation = STUDY / "annotation.gtf"
    count = write_splice_sites(out, annotation=annotation, genome=STUDY / "genome.fa.gz")
    rows = [line.split("\t") for line in out.read_text().splitlines()]
    assert len(rows) == count > 100
    for chrom, left, right, strand in rows:
        intron = genome[chrom][int(left) + 1 : int(right)]
        assert (intron[:2], intron[-2:]) == (("GT", "AG") if strand == "+" else ("CT", "AC"))


def test_no_annotation_gives_no_splice_sites(out):
    assert write_splice_sites(out) == 0
    assert out.read_text() == ""


# ---- files that are given for one another


@pytest.mark.parametrize(
    ("name", "pack"), [("g.fa", bytes), ("g.fa.bz2", bz2.compress), ("g.fa.xz", lzma.compress), ("g.fa", gzip.compress)]
)
def test_references_packed_in_any_way_and_with_a_byte_order_mark(tmp_path, out, name, pack):
    (tmp_path / name).write_bytes(pack(b"\xef\xbb\xbf>1 a\r\nACGT\r\n"))
    assert prepare_genome(out, genome=tmp_path / name) == 1
    assert out.read_text() == ">1\nACGT\n"
    rows = "\ufeff1\te\texon\t1\t4\t.\t+\t.\tParent=t\r\n"
    (tmp_path / f"a.{name}").write_bytes(pack(rows.encode()))
    assert read_annotation(tmp_path / f"a.{name}")[0].chrom == "1"


def test_genome_and_transcripts_given_for_one_another(tmp_path, out):
    transcripts = write(tmp_path / "t.fa", ENSEMBL)
    refused(
        out, "t.fa: holds transcripts .*Give this file as reference.transcripts", prepare_genome, genome=transcripts
    )
    for header, n in ((">chr1", 1_000_001), (">1 dna:chromosome chromosome:GRCh38:1:1:8:1 REF", 8)):
        genome = write(tmp_path / "g.fa", f"{header}\n{'A' * n}\n")
        message = f"g.fa: holds a genome .* has {n} nt.*Give this file as reference.genome"
        refused(out, message, prepare_transcripts, transcripts=genome, log=io.StringIO())
    refused(out, "holds no sequences", prepare_genome, genome=write(tmp_path / "e.fa", "\n"))
    (tmp_path / "z.fa").write_bytes(b"PK\x03\x04....")
    refused(out, "z.fa is a zip file, expected a genome", prepare_genome, genome=tmp_path / "z.fa")


def test_annotation_of_other_transcripts_is_refused(tmp_path, out):
    prepared = write(tmp_path / "p.fa", ">ENST00000456328.2\nACGT\n>t2\nACGT\n")
    row = '1\te\texon\t1\t4\t.\t+\t.\ttranscript_id "{}"; gene_id "g";\n'
    other = write(tmp_path / "a.gtf", row.format("NM_000014.6"))
    message = (
        r"a\.gtf: has no gene for 2 of the 2 transcripts of .*p\.fa \(ENST00000456328.2, t2\).* called NM_000014.6"
    )
    refused(out, message, write_transcript_to_gene, transcripts_fasta=prepared, annotation=other, log=io.StringIO())
    versions = write(tmp_path / "b.gtf", row.format("ENST00000456328"))
    with pytest.warns(DeepMapperWarning, match="has no gene for 1 of the 2 transcripts .* a gene of its own"):
        rows, log = genes(out, transcripts_fasta=prepared, annotation=versions)
    assert rows == [("ENST00000456328.2", "g", "")] and "1 matched although the version of the id differs" in log
