"""The hybrid reference: order, decoys, and names that collide."""

import gzip

import pytest

from deepmapper.errors import InputError
from deepmapper.reads.hybrid_reference import build_hybrid_reference


def fasta(path, records):
    path.write_text("".join(f">{name}\n{sequence}\n" for name, sequence in records.items()))
    return path


def test_reference_comes_first_then_novel_then_decoys(tmp_path, capsys):
    with gzip.open(tmp_path / "ref.fa.gz", "wt") as file:
        file.write(">T1 gene=x\nACGT\n>T/2\nAC\nGG\n")
    novel = fasta(tmp_path / "new.fa", {"DENOVO_a": "ACGT", "DENOVO_b": "TTTT"})
    genome = fasta(tmp_path / "genome.fa", {"chr1": "ACGTACGT"})
    out = tmp_path / "hybrid" / "hybrid.fa"
    assert build_hybrid_reference(tmp_path / "ref.fa.gz", novel, out, decoys=genome) == 4
    assert out.read_text() == ">T1\nACGT\n>T/2\nACGG\n>DENOVO_a\nACGT\n>DENOVO_b\nTTTT\n>chr1\nACGTACGT\n"
    assert (out.parent / "decoys.txt").read_text() == "chr1\n"
    assert "2 transcripts share their sequence" in capsys.readouterr().err


def test_without_novel_transcripts_or_decoys_the_reference_stands_alone(tmp_path):
    reference, empty = fasta(tmp_path / "ref.fa", {"T1": "ACGT"}), fasta(tmp_path / "new.fa", {})
    assert build_hybrid_reference(reference, empty, tmp_path / "out.fa") == 1
    assert (tmp_path / "decoys.txt").read_text() == ""


@pytest.mark.parametrize(
    ("reference", "novel", "decoys", "message"),
    [
        ({"T1": "AC"}, {"x": "AC"}, {}, "x is a novel transcript, expected a name that starts with DENOVO_"),
        (
            {"DENOVO_1": "AC"},
            {},
            {},
            "DENOVO_1 is a reference transcript, expected a name that does not start with DENOVO_",
        ),
        ({"T1": "AC", "chr1": "AG"}, {}, {"chr1": "ACGT"}, "genome.fa: chr1 occurs a second time"),
        ({}, {}, {"chr1": "ACGT"}, "hold no transcripts"),
    ],
)
def test_names_that_collide_are_refused_and_nothing_is_written(tmp_path, reference, novel, decoys, message):
    files = [fasta(tmp_path / f"{name}.fa", given) for name, given in (("ref", reference), ("new", novel))]
    genome = fasta(tmp_path / "genome.fa", decoys)
    with pytest.raises(InputError, match=message):
        build_hybrid_reference(*files, tmp_path / "out.fa", decoys=genome)
    assert not (tmp_path / "out.fa").exists()


def test_a_name_twice_in_one_file_is_refused(tmp_path):
    (tmp_path / "ref.fa").write_text(">T1\nAC\n>T1\nAG\n")
    with pytest.raises(InputError, match="T1 occurs a second time"):
        build_hybrid_reference(tmp_path / "ref.fa", fasta(tmp_path / "new.fa", {}), tmp_path / "out.fa")
