"""An annotation whose sequences have other names than the genome's."""

import io
import warnings

import pytest

from deepmapper.errors import DeepMapperWarning, InputError
from deepmapper.novelty.loci import TranscriptIndex
from deepmapper.reads.chromosomes import cautions, place_annotation, read_places, write_places
from deepmapper.reads.references import prepare_transcripts, write_splice_sites

GENOME = {"chr1": 60, "chr2": 60, "chrM": 60, "KI270728.1": 60}


def write_genome(tmp_path, names=GENOME):
    path = tmp_path / "genome.fa"
    path.write_text("".join(f">{name} description\n{'ACGTT' * 12}\n" for name in names))
    return path


def write_annotation(tmp_path, names, ending=".gtf", newline="\n"):
    """Two genes of two exons on every sequence."""
    path = tmp_path / f"genes{ending}"
    rows = []
    for name in names:
        for start in (1, 31):
            tag = f"{name}_{start}"
            for first, last in ((start, start + 9), (start + 18, start + 27)):
                own = f'transcript_id "t{tag}"; gene_id "g{tag}";' if ending == ".gtf" else f"Parent=t{tag}"
                rows.append(f"{name}\tx\texon\t{first}\t{last}\t.\t+\t.\t{own}")
    path.write_text(newline.join(rows) + newline)
    return path


def place(annotation, genome, **settings):
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        placed = place_annotation(annotation, genome, log=io.StringIO(), **settings)
    return placed, " ".join(str(w.message) for w in said)


def names_of(placed):
    return {place.annotation_name: place.genome_name for place in placed.places}


@pytest.mark.parametrize("ending", [".gtf", ".gff3"])
@pytest.mark.parametrize("newline", ["\n", "\r\n"])
def test_names_without_chr_are_matched_and_said(tmp_path, ending, newline):
    annotation = write_annotation(tmp_path, ["1", "2", "MT", "KI270728.1"], ending, newline)
    placed, said = place(annotation, write_genome(tmp_path))
    assert names_of(placed) == {"1": "chr1", "2": "chr2", "MT": "chrM", "KI270728.1": "KI270728.1"}
    assert {t.chrom for t in placed.within()} == set(GENOME) and len(placed.within()) == 8
    assert "matched 3 sequences with 6 genes to names of" in said and "(1 is chr1 there); 1 has the same name" in said
    assert "reference: {chromosome_names: as_written}" in said
    with pytest.warns(DeepMapperWarning, match="matched 3 sequences"):
        assert write_splice_sites(tmp_path / "s.tsv", annotation=annotation, genome=write_genome(tmp_path)) == 8
    assert {line.split("\t")[0] for line in (tmp_path / "s.tsv").read_text().splitlines()} == set(GENOME)
    assert len(TranscriptIndex(placed.transcripts).overlapping("chr2", 0, 60)) == 2


def test_same_names_say_nothing(tmp_path):
    placed, said = place(write_annotation(tmp_path, GENOME), write_genome(tmp_path))
    assert said == "" and [p.how for p in placed.places] == ["exact"] * 4


def test_names_as_written(tmp_path):
    annotation, genome = write_annotation(tmp_path, ["1", "2", "MT", "KI270728.1"]), write_genome(tmp_path)
    placed, said = place(annotation, genome, chromosome_names="as_written")
    assert {t.chrom for t in placed.within()} == {"KI270728.1"}
    assert "left out 3 sequences with 6 genes that have another name in" in said and "(1 is chr1 there)" in said
    assert "reference: {chromosome_names: auto}" in said
    none = write_annotation(tmp_path, ["1", "2"])
    with pytest.raises(
        InputError, match=r"none of its sequences \(1, 2\) .* set reference: \{chromosome_names: auto\}"
    ):
        place_annotation(none, genome, chromosome_names="as_written")


def test_sequences_that_the_genome_lacks_are_said(tmp_path):
    annotation, genome = write_annotation(tmp_path, ["chr1", "chr3", "chr4"]), write_genome(tmp_path)
    placed, said = place(annotation, genome)
    assert len(placed.within()) == 2 and len(placed.transcripts) == 6
    assert "left out 4 of 6 genes, since 2 of 3 sequences (chr3, chr4) are not in" in said
    assert "reference: {chromosome_names: names.tsv}" in said
    with pytest.raises(InputError, match=r"none of its sequences .* reference: \{chromosome_names: names.tsv\}"):
        place_annotation(write_annotation(tmp_path, ["NC_000001.11"]), genome)


def test_table_of_names(tmp_path):
    annotation = write_annotation(tmp_path, ["NC_000001.11", "NC_000002.12", "KI270728.1"])
    genome, table = write_genome(tmp_path), tmp_path / "names.tsv"
    table.write_text("# RefSeq\tUCSC\r\nNC_000001.11\tchr1\r\nNC_000002.12\tchr2\r\nNC_000003.12\tchr3\r\n")
    placed, said = place(annotation, genome, chromosome_names=str(table))
    assert {t.chrom for t in placed.within()} == {"chr1", "chr2", "KI270728.1"}
    assert "matched 2 sequences with 4 genes, by the table of names, to names of" in said


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("chr1\tNC_1\n", r"no line has a name of the annotation \(NC_1, NC_2\) and then one of the genome"),
        ("NC_1\tchr1\tx\n", r"names\.tsv line 1: found 3 columns, expected two"),
        ("NC_1\tchr1\nNC_1\tchr2\n", r"line 2: NC_1 is chr1 and chr2, expected one name"),
        ("NC_1\tchr1\nNC_2\tchr1\n", "NC_1 and NC_2 are both chr1, expected one name each"),
    ],
)
def test_table_of_names_that_is_refused(tmp_path, text, message):
    (tmp_path / "names.tsv").write_text(text)
    with pytest.raises(InputError, match=message):
        place_annotation(
            write_annotation(tmp_path, ["NC_1", "NC_2"]),
            write_genome(tmp_path),
            chromosome_names=str(tmp_path / "names.tsv"),
        )


def test_two_sequences_are_never_one(tmp_path):
    genome = write_genome(tmp_path, ["chr1", "Chr1", "chr2"])
    placed, _ = place(write_annotation(tmp_path, ["1", "2"]), genome)
    assert names_of(placed) == {"1": "", "2": "chr2"}


def test_table_for_the_report(tmp_path):
    annotation, genome = write_annotation(tmp_path, ["10", "2", "MT", "chr1"]), write_genome(tmp_path)
    with pytest.warns(DeepMapperWarning):
        write_splice_sites(
            tmp_path / "s.tsv", annotation=annotation, genome=genome, chromosomes=tmp_path / "c.tsv", log=io.StringIO()
        )
    lines = (tmp_path / "c.tsv").read_text().splitlines()
    assert lines == [
        "annotation_name\tgenome_name\thow\tgenes\ttranscripts",
        "2\tchr2\thabit\t2\t2",
        "10\t\tmissing\t2\t2",
        "MT\tchrM\thabit\t2\t2",
        "chr1\tchr1\texact\t2\t2",
    ]
    places = read_places(tmp_path / "c.tsv")
    write_places(tmp_path / "again.tsv", places)
    assert (tmp_path / "again.tsv").read_text().splitlines() == lines
    assert [text.split(",")[0] for text in cautions(places, "The annotation", "the genome")] == [
        "The annotation: matched 2 sequences with 4 genes to names of the genome that differ (2 is chr2 there); 1 has "
        "the same name. To leave them out: reference: {chromosome_names: as_written}",
        "The annotation: left out 2 of 8 genes",
    ]
    write_splice_sites(tmp_path / "s.tsv", chromosomes=tmp_path / "none.tsv")
    assert read_places(tmp_path / "none.tsv") == []


@pytest.mark.tools
def test_transcripts_are_cut_from_renamed_sequences(tmp_path):
    annotation, genome = write_annotation(tmp_path, ["1", "MT"]), write_genome(tmp_path)
    with pytest.warns(DeepMapperWarning, match="matched 2 sequences with 4 genes"):
        assert prepare_transcripts(tmp_path / "t.fa", annotation=annotation, genome=genome, log=io.StringIO()) == 4
