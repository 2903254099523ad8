"""Searches of databases with the real programs, on tiny databases made here; skipped where a program is missing."""

import gzip
import random
import shutil
import subprocess

import pytest

from deepmapper.errors import InputError
from deepmapper.novelty.homology import COLUMNS, homology_columns, longest_peptide, search
from deepmapper.reads.fasta import write_fasta
from deepmapper.reads.nucleotides import reverse_complement
from deepmapper.reads.sequences import longest_orf

CODONS = {
    "A": "GCT", "C": "TGC", "D": "GAC", "E": "GAA", "F": "TTC", "G": "GGT", "H": "CAC", "I": "ATC", "K": "AAG",
    "L": "CTG", "M": "ATG", "N": "AAC", "P": "CCA", "Q": "CAG", "R": "CGT", "S": "TCC", "T": "ACC", "V": "GTC",
    "W": "TGG", "Y": "TAC",
}  # fmt: skip


def needs(*programs):
    missing = [name for name in programs if shutil.which(name) is None]
    return pytest.mark.skipif(bool(missing), reason=f"not installed: {', '.join(missing)}")


def letters(n, seed, alphabet="ACGT"):
    return "".join(random.Random(seed).choices(alphabet, k=n))


def mutated(sequence, share, seed, alphabet):
    rng = random.Random(seed)
    return "".join(rng.choice(alphabet) if rng.random() < share else letter for letter in sequence)


AMINO_ACIDS = "".join(CODONS)
PROTEIN = "M" + letters(150, "protein", AMINO_ACIDS)
CODING = letters(60, 1) + "".join(CODONS[letter] for letter in PROTEIN) + "TAA" + letters(80, 2)
NOTHING = letters(500, "nothing")
PHAGE = letters(600, "phage")


@pytest.fixture
def fasta(tmp_path):
    """Two transcripts that resemble something, each on another strand, and one that resembles nothing."""
    records = {"DENOVO_p": CODING, "DENOVO_v": reverse_complement(PHAGE[100:500]), "DENOVO_n": NOTHING}
    write_fasta(tmp_path / "denovo.fa", records.items())
    return tmp_path / "denovo.fa"


def run(*command, **settings):
    subprocess.run([str(part) for part in command], check=True, capture_output=True, **settings)


def stockholm(path, name, sequences, structure=""):
    lines = ["# STOCKHOLM 1.0", f"#=GF ID {name}", f"#=GF DE What {name} is"]
    lines += [f"s{i} {sequence}" for i, sequence in enumerate(sequences)]
    lines += [f"#=GC SS_cons {structure}"] if structure else []
    path.write_text("\n".join([*lines, "//", ""]))


def values(found, name):
    return tuple(found[name].values())


@needs("diamond")
def test_best_protein(fasta, tmp_path):
    database = tmp_path / "proteins.fa"
    others = "".join(f">other{i}\n{letters(200, i, AMINO_ACIDS)}\n" for i in range(20))
    database.write_text(f">P1 a kinase of yeast\n{mutated(PROTEIN, 0.1, 3, AMINO_ACIDS)}\n{others}")
    found = search("proteins", fasta, database)
    name, description, identity, coverage, e_value = values(found, "DENOVO_p")
    assert (name, description) == ("P1", "a kinase of yeast")
    assert 0.85 < float(identity) < 1
    assert float(coverage) > 0.95
    assert float(e_value) < 1e-20
    assert values(found, "DENOVO_n") == ("none",) * 5


@needs("hmmbuild", "hmmsearch")
def test_best_domain_of_the_longest_frame(fasta, tmp_path):
    domain = PROTEIN[20:100]
    stockholm(tmp_path / "d.sto", "Kin", [mutated(domain, 0.2, i, AMINO_ACIDS) for i in range(8)])
    run("hmmbuild", "--amino", tmp_path / "d.hmm", tmp_path / "d.sto")
    packed = tmp_path / "d.hmm.gz"
    packed.write_bytes(gzip.compress((tmp_path / "d.hmm").read_bytes()))
    found = search("domains", fasta, packed)
    name, description, e_value = values(found, "DENOVO_p")
    assert (name, description) == ("Kin", "What Kin is")
    assert float(e_value) < 1e-10
    assert values(found, "DENOVO_n") == ("none",) * 3


@needs("cmbuild", "cmcalibrate", "cmsearch")
def test_family_of_structured_rna(tmp_path):
    left = letters(16, "stem")
    hairpin = f"{left}GAAA{reverse_complement(left)}{letters(12, 'tail')}"
    structure = "<" * 16 + "...." + ">" * 16 + "." * 12
    stockholm(tmp_path / "f.sto", "Hairpin", [hairpin, mutated(hairpin, 0.03, 1, "ACGT"), hairpin], structure)
    run("cmbuild", "-F", tmp_path / "f.cm", tmp_path / "f.sto")
    run("cmcalibrate", "-L", "0.05", "--cpu", "1", tmp_path / "f.cm")
    write_fasta(tmp_path / "d.fa", {"DENOVO_h": letters(90, 1) + hairpin + letters(90, 2), "DENOVO_n": NOTHING}.items())
    found = search("rna_families", tmp_path / "d.fa", tmp_path / "f.cm")
    assert values(found, "DENOVO_h")[:2] == ("Hairpin", "What Hairpin is")
    assert float(values(found, "DENOVO_h")[2]) < 1e-3
    assert values(found, "DENOVO_n") == ("none",) * 3


@needs("kraken2", "kraken2-build")
def test_taxon(fasta, tmp_path):
    database = tmp_path / "kraken"
    (database / "taxonomy").mkdir(parents=True)
    rows = [
        ("1", "1", "no rank", "root"),
        ("10239", "1", "superkingdom", "Viruses"),
        ("7", "10239", "species", "Phage"),
    ]
    nodes = "".join(f"{own}\t|\t{parent}\t|\t{rank}\t|\t\t|\n" for own, parent, rank, _ in rows)
    (database / "taxonomy/nodes.dmp").write_text(nodes)
    names = "".join(f"{own}\t|\t{name}\t|\t\t|\tscientific name\t|\n" for own, _, _, name in rows)
    (database / "taxonomy/names.dmp").write_text(names)
    (database / "taxonomy/nucl_gb.accession2taxid").write_text("")
    (tmp_path / "phage.fa").write_text(f">phage|kraken:taxid|7\n{PHAGE}\n")
    run("kraken2-build", "--add-to-library", tmp_path / "phage.fa", "--no-masking", "--db", database)
    run("kraken2-build", "--build", "--no-masking", "--threads", "1", "--db", database)
    found = search("kraken2_database", fasta, database)
    assert values(found, "DENOVO_v") == ("Phage (taxid 7)",)
    assert values(found, "DENOVO_n") == ("none",)


@pytest.mark.parametrize("kind", [kind for kind in COLUMNS if kind != "kraken2_database"])
def test_file_of_another_format_is_refused_with_what_was_expected(kind, fasta, tmp_path):
    (tmp_path / "x").write_text("LOCUS something\n")
    with pytest.raises(InputError, match=rf"starts with 'LOCUS something', expected .*novelty\.{kind}"):
        search(kind, fasta, tmp_path / "x")


def test_folder_that_is_no_kraken_database_is_refused(fasta, tmp_path):
    with pytest.raises(InputError, match=r"hash\.k2d.*novelty\.kraken2_database"):
        search("kraken2_database", fasta, tmp_path)


def test_no_novel_transcripts_need_no_program(tmp_path):
    (tmp_path / "none.fa").write_text("")
    (tmp_path / "p.fa").write_text(">p\nMKV\n")
    assert search("proteins", tmp_path / "none.fa", tmp_path / "p.fa") == {}


def test_a_database_that_was_not_given_is_not_asked():
    columns = homology_columns({"domains": {"a": dict.fromkeys(COLUMNS["domains"], "none")}}, "a")
    assert {columns[name] for name in COLUMNS["domains"]} == {"none"}
    assert {columns[name] for kind, own in COLUMNS.items() if kind != "domains" for name in own} == {"not asked"}


@pytest.mark.parametrize("seed", range(30))
def test_peptide_is_the_frame_that_the_screen_measures(seed):
    for sequence in (letters(3 * seed + 5, seed), letters(700, f"long {seed}")):
        assert len(longest_peptide(sequence)) == longest_orf(sequence).length
    assert PROTEIN in longest_peptide(CODING)
