"""Annotations in the dialects of their makers: GTF and GFF3 of Ensembl, GENCODE, NCBI, TAIR, gffread."""

import gzip

import pytest

from deepmapper.errors import InputError
from deepmapper.reads.annotation import Transcript, clean_id, read_annotation, read_gtf, write_gtf


def write(path, *rows, head=""):
    """Rows are: chrom type start end strand attributes."""
    lines = []
    for row in rows:
        chrom, kind, start, end, strand, attributes = row.split(" ", 5)
        lines.append("\t".join((chrom, "maker", kind, start, end, ".", strand, ".", attributes)))
    path.write_text(head + "\n".join(lines) + "\n")
    return path


@pytest.fixture
def file(tmp_path):
    return tmp_path / "annotation"


# ---- ids


@pytest.mark.parametrize(
    "header, name, stripped",
    [
        ("AT1G01010.1 | Symbols: NAC001 | Chr1:3631-5899", "AT1G01010.1", "AT1G01010.1"),
        ("ENST00000335137.4 cdna chromosome:GRCh38:1 gene:ENSG00000186092.6", "ENST00000335137.4", "ENST00000335137"),
        ("ENSMUST00000193812.2", "ENSMUST00000193812.2", "ENSMUST00000193812"),
        ("ENST00000456328.2|ENSG00000290825.1|-|-|DDX11L2-202|DDX11L2|1657|", "ENST00000456328.2", "ENST00000456328"),
        ("ENST00000381192.10_PAR_Y|ENSG00000182378.15_PAR_Y|", "ENST00000381192.10_PAR_Y", "ENST00000381192_PAR_Y"),
        ("transcript:ENST00000335137", "ENST00000335137", "ENST00000335137"),
        ("rna-NM_000014.6", "NM_000014.6", "NM_000014"),
        ("rna-XR_7.1-2", "XR_7.1-2", "XR_7.1-2"),
        ("rna-TRNAM1", "rna-TRNAM1", "rna-TRNAM1"),
        ("gi|568815581|ref|NM_000014.6| Homo sapiens", "NM_000014.6", "NM_000014"),
        ("ref|XM_1234.5|", "XM_1234.5", "XM_1234"),
        ("lcl|NC_000001.11_mrna_NM_1", "NC_000001.11_mrna_NM_1", "NC_000001.11_mrna_NM_1"),
        ("MSTRG.5.2", "MSTRG.5.2", "MSTRG.5.2"),
        ("TRINITY_DN0_c0_g1_i1 len=10", "TRINITY_DN0_c0_g1_i1", "TRINITY_DN0_c0_g1_i1"),
        ("ENSEMBL.1", "ENSEMBL.1", "ENSEMBL.1"),
        ("", "", ""),
        ("|x", "", ""),
    ],
)
def test_clean_id(header, name, stripped):
    assert clean_id(header) == name
    assert clean_id(header, strip_versions=True) == stripped
    assert clean_id(name) == name


# ---- GTF


def test_gtf(file):
    write(
        file,
        'chr1 gene 1 90 + gene_id "g"; gene_name "GENE; with \'signs\'";',
        'chr1 transcript 1 90 + gene_id "g"; transcript_id "g.1"; gene_name "GENE; with \'signs\'";',
        'chr1 exon 61 90 + gene_id "g"; transcript_id "g.1"; exon_number "2"; gene_name "GENE; with \'signs\'";',
        'chr1 exon 1 30 + gene_id "g"; transcript_id "g.1"; gene_name "GENE; with \'signs\'";',
        'chr1 CDS 5 30 + gene_id "g"; transcript_id "g.1";',
        "chr2 exon 5 9 - gene_id h; transcript_id h.1;",
        'chr2 exon 5 9 . transcript_id "i"',
        head="#!genome-build x\n\n",
    )
    assert read_annotation(file) == [
        Transcript("g.1", "g", "GENE; with 'signs'", "chr1", "+", ((0, 30), (60, 90))),
        Transcript("h.1", "h", "", "chr2", "-", ((4, 9),)),
        Transcript("i", "", "", "chr2", ".", ((4, 9),)),
    ]


def test_gzip_and_windows_line_ends(file):
    write(file, 'chr1 exon 1 30 + gene_id "g"; transcript_id "g.1";')
    plain = read_annotation(file)
    file.write_bytes(gzip.compress(file.read_bytes().replace(b"\n", b"\r\n")))
    assert read_annotation(file) == plain


def test_exons_that_overlap_or_repeat_are_joined(file):
    rows = [
        f'chr1 exon {place} + gene_id "g"; transcript_id "t";' for place in ("1 30", "1 30", "20 40", "41 50", "60 70")
    ]
    assert read_annotation(write(file, *rows))[0].exons == ((0, 50), (59, 70))


def test_coding_parts_replace_missing_exons(file):
    attributes = 'gene_id "g"; transcript_id "t";'
    write(
        file,
        f"chr1 five_prime_utr 1 9 + {attributes}",
        f"chr1 CDS 10 30 + {attributes}",
        f"chr1 CDS 51 57 + {attributes}",
        f"chr1 stop_codon 58 60 + {attributes}",
    )
    assert read_annotation(file)[0].exons == ((0, 30), (50, 60))


def test_one_id_in_two_places_is_two_transcripts(file):
    attributes = 'gene_id "g"; transcript_id "t";'
    write(file, f"chrX exon 1 9 + {attributes}", f"chrY exon 1 9 + {attributes}", f"chrX exon 20 30 + {attributes}")
    assert [(one.chrom, one.exons) for one in read_annotation(file)] == [
        ("chrX", ((0, 9), (19, 30))),
        ("chrY", ((0, 9),)),
    ]


def test_ncbi_gtf_with_other_gene_names_and_genes_without_transcripts(file):
    write(
        file,
        'chr1 gene 1 9 + gene_id "A2M"; transcript_id ""; gene "A2M"; ',
        'chr1 exon 1 9 + gene_id "A2M_1"; transcript_id "NM_000014.6"; gene "A2M"; product "alpha; beta"; ',
    )
    assert read_annotation(file) == [Transcript("NM_000014.6", "A2M_1", "A2M", "chr1", "+", ((0, 9),))]


# ---- GFF3


def test_tair(file):
    """Old header, strand '*', proteins as parents, exons of several transcripts, pseudogenes and transposons."""
    write(
        file,
        "Chr1 chromosome 1 100 * ID=Chr1;Name=Chr1",
        "Chr1 gene 1 90 + ID=AT1G01010;Note=protein_coding_gene;Name=NAC%3B001",
        "Chr1 mRNA 1 90 + ID=AT1G01010.1;Parent=AT1G01010;Name=AT1G01010.1",
        "Chr1 mRNA 1 90 + ID=AT1G01010.2;Parent=AT1G01010;Name=AT1G01010.2",
        "Chr1 protein 5 70 + ID=AT1G01010.1-Protein;Derives_from=AT1G01010.1",
        "Chr1 exon 1 30 + Parent=AT1G01010.1,AT1G01010.2",
        "Chr1 CDS 5 30 + Parent=AT1G01010.1,AT1G01010.1-Protein;",
        "Chr1 exon 61 90 + Parent=AT1G01010.1",
        "Chr1 pseudogene 5 9 - ID=P;Name=P",
        "Chr1 pseudogenic_transcript 5 9 - ID=P.1;Parent=P",
        "Chr1 pseudogenic_exon 5 9 - Parent=P.1",
        "Chr1 transposable_element_gene 5 9 - ID=TE",
        "Chr1 mRNA_TE_gene 5 9 - ID=TE.1;Parent=TE",
        "Chr1 exon 5 9 - Parent=TE.1",
        head="##gff-version 1\n",
    )
    assert read_annotation(file) == [
        Transcript("AT1G01010.1", "AT1G01010", "NAC;001", "Chr1", "+", ((0, 30), (60, 90))),
        Transcript("AT1G01010.2", "AT1G01010", "NAC;001", "Chr1", "+", ((0, 30),)),
        Transcript("P.1", "P", "P", "Chr1", "-", ((4, 9),)),
        Transcript("TE.1", "TE", "", "Chr1", "-", ((4, 9),)),
    ]


def test_ensembl_gff3_with_parents_after_their_exons_and_a_sequence_at_the_end(file):
    write(
        file,
        "1 exon 5 9 - Parent=transcript:ENST00000335137;Name=ENSE1",
        "1 mRNA 5 9 - ID=transcript:ENST00000335137;Parent=gene:ENSG00000186092;version=4",
        "1 gene 5 9 - ID=gene:ENSG00000186092;Name=OR4F5",
    )
    file.write_text(file.read_text() + "##FASTA\n>1\nACGT\n")
    assert read_annotation(file) == [Transcript("ENST00000335137", "ENSG00000186092", "OR4F5", "1", "-", ((4, 9),))]


def test_ncbi_gff3_with_genes_transcripts_and_parts_of_parts(file):
    write(
        file,
        "NC_1 gene 1 90 + ID=gene-A2M;Dbxref=GeneID:2;Name=A2M;gene=A2M",
        "NC_1 mRNA 1 90 + ID=rna-NM_000014.6;Parent=gene-A2M;gene=A2M;transcript_id=NM_000014.6",
        "NC_1 exon 1 90 + ID=exon-NM_000014.6-1;Parent=rna-NM_000014.6",
        "NC_1 gene 1 9 + ID=gene-MIR1;gene=MIR1",
        "NC_1 primary_transcript 1 9 + ID=rna-NR_1.1;Parent=gene-MIR1",
        "NC_1 miRNA 1 5 + ID=rna-MIR1;Parent=rna-NR_1.1",
        "NC_1 exon 1 5 + Parent=rna-MIR1",
    )
    assert [(one.id, one.gene_id, one.gene_name) for one in read_annotation(file)] == [
        ("NM_000014.6", "A2M", "A2M"),
        ("rna-MIR1", "MIR1", "MIR1"),
    ]


def test_gff3_without_genes_without_transcripts_and_without_parents(file):
    write(
        file,
        "c transcript 1 9 + ID=t;geneID=g;gene_name=G",
        "c exon 1 9 + Parent=t",
        "c gene 20 29 + ID=bare;gene=B",
        "c exon 20 29 + Parent=bare",
        "c exon 30 39 + Parent=unheard",
        "c CDS 40 49 + ID=cds1",
        "c mRNA 50 59 + ID=a;Parent=b",
        "c mRNA 50 59 + ID=b;Parent=a",
        "c exon 50 59 + Parent=a",
    )
    assert [(one.id, one.gene_id, one.gene_name) for one in read_annotation(file)] == [
        ("t", "g", "G"),
        ("bare", "bare", "B"),
        ("unheard", "unheard", ""),
        ("cds1", "cds1", ""),
        ("a", "b", ""),  # a circle of parents ends
    ]


def test_a_comma_in_an_id_does_not_start_a_second_parent(file):
    write(file, "c mRNA 1 9 + ID=a%2Cb;Parent=g", "c exon 1 9 + Parent=a%2Cb")
    assert read_annotation(file)[0].id == "a,b"


# ---- what is refused


@pytest.mark.parametrize(
    "content, message",
    [
        (">chr1\nACGT\n", r"line 1: has 1 columns \(it starts with '>chr1'\), expected the 9 columns of GTF or GFF3"),
        ("c 1 9 x\n", "line 1: has 1 columns"),
        (
            "#\nc\tm\texon\t9\t1\t.\t+\t.\tParent=a\n",
            "line 2: runs from '9' to '1', expected two whole numbers",
        ),
        ("c\tm\texon\t0\t1\t.\t+\t.\tParent=a\n", "from '0' to '1'"),
        ("c\tm\texon\tx\t1\t.\t+\t.\tParent=a\n", "from 'x' to '1'"),
        ("c\tm\texon\t1\t2\t.\t+\t.\tName=a\n", "line 1: this exon has no Parent"),
        ('c\tm\texon\t1\t2\t.\t+\t.\tgene_id "a";\n', "line 1: this exon has no transcript_id .found 'gene_id"),
        ("c\tm\tgene\t1\t2\t.\t+\t.\tID=a\n", "holds no exons"),
        ("", "holds no exons"),
    ],
)
def test_files_that_are_not_annotations(file, content, message):
    file.write_text(content)
    with pytest.raises(InputError, match=message) as raised:
        read_annotation(file)
    assert str(file) in str(raised.value)


def test_files_that_cannot_be_read(file):
    with pytest.raises(InputError, match="cannot be read .No such file"):
        read_annotation(file)
    file.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(InputError, match="is not text"):
        read_annotation(file)
    file.write_bytes(gzip.compress(b"#" * 10000)[:-10])
    with pytest.raises(InputError, match="truncated or damaged"):
        read_annotation(file)


def test_ribosomal_rna_is_known_by_its_type(tmp_path):
    (tmp_path / "a.gff3").write_text(
        "c\tx\tgene\t1\t90\t.\t+\t.\tID=g\nc\tx\trRNA\t1\t90\t.\t+\t.\tID=r;Parent=g\n"
        "c\tx\texon\t1\t90\t.\t+\t.\tParent=r\nc\tx\tmRNA\t1\t90\t.\t+\t.\tID=m;Parent=g\n"
        "c\tx\texon\t1\t90\t.\t+\t.\tParent=m\n"
    )
    assert {t.id: t.is_rrna for t in read_annotation(tmp_path / "a.gff3")} == {"r": True, "m": False}
    kinds = {"a": 'gene_biotype "rRNA"', "b": 'transcript_type "Mt_rRNA"', "c": 'gene_type "protein_coding"'}
    lines = [f'c\tx\texon\t1\t90\t.\t+\t.\tgene_id "g"; transcript_id "{t}"; {kind};\n' for t, kind in kinds.items()]
    (tmp_path / "a.gtf").write_text("".join(lines))
    assert {t.id: t.is_rrna for t in read_annotation(tmp_path / "a.gtf")} == {"a": True, "b": True, "c": False}


def test_what_is_written_is_read_back(tmp_path):
    """Values that would end the attribute lose what ends it; a file without transcripts is empty."""
    one = Transcript("t", "g", 'a "b"', "c", "+", ((0, 9), (20, 30)))
    write_gtf(tmp_path / "a.gtf", [one], attributes={"t": {"alias": "x", "none": ""}})
    assert read_gtf(tmp_path / "a.gtf") == [Transcript("t", "g", "a 'b'", "c", "+", ((0, 9), (20, 30)))]
    assert 'alias "x";' in (tmp_path / "a.gtf").read_text() and "none" not in (tmp_path / "a.gtf").read_text()
    write_gtf(tmp_path / "empty.gtf", [])
    assert read_gtf(tmp_path / "empty.gtf") == []
