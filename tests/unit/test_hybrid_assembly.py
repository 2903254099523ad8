"""The documented functions for novel transcripts: names, tables, each step, and all steps in sequence."""

import gzip
import random
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from deepmapper import hybrid_assembly
from deepmapper.errors import BioToolUnavailable, InputError
from deepmapper.hybrid_assembly import (
    align_capture_unaligned,
    build_hybrid_reference,
    build_sc_table,
    denovo_assemble,
    denovo_fraction,
    merge_reference_and_denovo,
    quantify,
    read_quant,
    run_hybrid_assembly,
    tag_denovo,
)
from deepmapper.reads import alignment, assembly
from deepmapper.reads.denovo import is_denovo
from deepmapper.reads.fasta import read_fasta, write_fasta

names = st.text(st.characters(codec="ascii", categories=("L", "N")), min_size=1, max_size=12)
maybe_tagged = st.one_of(names, names.map(lambda name: f"DENOVO_{name}"))

# ---------------------------------------------------------------------------------------------------------------------
# Names and tables
# ---------------------------------------------------------------------------------------------------------------------


@given(st.lists(maybe_tagged))
def test_tags_are_put_once_and_in_order(given_names):
    tagged = tag_denovo(given_names)
    assert all(map(is_denovo, tagged))
    assert tag_denovo(tagged) == tagged
    assert [name.removeprefix("DENOVO_") for name in tagged] == [name.removeprefix("DENOVO_") for name in given_names]


@given(st.lists(names, unique=True), st.lists(names, unique=True))
def test_merged_names_are_unique_and_the_reference_unchanged(reference, denovo):
    reference = [name for name in reference if not is_denovo(name)]
    merged = merge_reference_and_denovo(reference, denovo)
    assert merged[: len(reference)] == reference
    assert len(set(merged)) == len(merged) == len(reference) + len(denovo)
    assert denovo_fraction(merged) == (len(denovo) / len(merged) if merged else 0.0)


@pytest.mark.parametrize(
    ("reference", "denovo", "message"),
    [
        (["T1", "DENOVO_1"], [], "DENOVO_1 starts with DENOVO_"),
        (["T1", "T1"], [], "T1 occurs more than once"),
        (["T1"], ["a", "DENOVO_a"], "DENOVO_a occurs more than once"),
    ],
)
def test_names_that_collide_are_refused(reference, denovo, message):
    with pytest.raises(InputError, match=message):
        merge_reference_and_denovo(reference, denovo)


def test_a_share_of_nothing_is_zero():
    assert denovo_fraction([]) == 0.0
    assert denovo_fraction(iter(["DENOVO_a", "T1"])) == 0.5


counts = st.dictionaries(names, st.floats(0, 1e6), max_size=6)


@given(st.dictionaries(names, counts, max_size=4))
def test_the_table_holds_every_count_and_zero_elsewhere(per_sample):
    table = build_sc_table(per_sample)
    assert list(table.columns) == list(per_sample)
    assert set(table.index) == {name for counts in per_sample.values() for name in counts}
    assert table.index.is_unique
    assert all(kind == np.float64 for kind in table.dtypes)
    for sample, counts in per_sample.items():
        assert {name: value for name, value in table[sample].items() if name in counts} == counts
        assert all(value == 0 for name, value in table[sample].items() if name not in counts)


def test_the_table_keeps_the_order_of_first_appearance():
    table = build_sc_table({"s2": {"T2": 1, "T1": 2.5}, "s1": {"T1": 3, "A": 4}})
    assert table.index.tolist() == ["T2", "T1", "A"]
    assert table.to_numpy().tolist() == [[1, 0], [2.5, 3], [0, 4]]


def test_counts_are_read_whatever_the_order_of_columns(tmp_path):
    path = tmp_path / "quant.sf"
    path.write_text("NumReads\tName\tTPM\n2.500\tT1\t1\n0.000\tNA\t0\n")
    assert read_quant(str(path)) == {"T1": 2.5, "NA": 0.0}


@pytest.mark.parametrize("text", [None, "", "Name\tTPM\nT1\t1\n", "Name\tNumReads\nT1\n", "Name\tNumReads\nT1\tx\n"])
def test_what_is_no_quant_is_refused(tmp_path, text):
    if text is not None:
        (tmp_path / "quant.sf").write_text(text)
    with pytest.raises(InputError, match=r"quant\.sf: cannot be read as Salmon's quant\.sf"):
        read_quant(str(tmp_path / "quant.sf"))


# ---------------------------------------------------------------------------------------------------------------------
# What is refused before anything runs
# ---------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("call", "program"),
    [
        (lambda: align_capture_unaligned("r.fq", "index", "out"), "hisat2"),
        (lambda: denovo_assemble("pool.fa", "out"), "Trinity"),
        (lambda: build_hybrid_reference("a.fa", "b.fa", "c.fa", "index"), "salmon"),
        (lambda: quantify({"s": "r.fq"}, "index", "out"), "salmon"),
        (lambda: run_hybrid_assembly({"s": "r.fq"}, "index", "a.fa", "work"), "hisat2, Trinity, minimap2, salmon"),
    ],
)
def test_missing_programs_are_named_and_nothing_is_written(tmp_path, monkeypatch, call, program):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(BioToolUnavailable, match=f"^{program}: not found on PATH"):
        call()
    assert not list(tmp_path.iterdir())


def test_without_biopython_the_message_says_so(monkeypatch):
    monkeypatch.setattr(hybrid_assembly.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(BioToolUnavailable, match=r"biopython: not installed.*deepmapper\[denovo\]"):
        quantify({"s": "r.fq"}, "index", "out")


@pytest.fixture
def all_there(monkeypatch):
    monkeypatch.setattr(hybrid_assembly, "_require", lambda *programs: None)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: align_capture_unaligned("r.fq", "index", "out", "X"), "strandness is 'X', expected F, R or ''"),
        (lambda: quantify({"../s": "r.fq"}, "index", "out"), r"sample '\.\./s': cannot be used as the name"),
        (lambda: run_hybrid_assembly({}, "index", "a.fa", "work"), "reads_by_sample is empty"),
    ],
)
def test_faulty_arguments_are_refused(tmp_path, monkeypatch, all_there, call, message):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InputError, match=message):
        call()
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(("text", "gigabytes"), [("50G", 50), ("1.5 gb", 1.5), ("500M", 0.5), ("2T", 2000)])
def test_memory_is_read_as_trinity_writes_it(text, gigabytes):
    assert hybrid_assembly._gigabytes(text) == pytest.approx(gigabytes)


def test_memory_without_a_unit_is_refused():
    with pytest.raises(InputError, match="max_memory is '50', expected a number and a unit"):
        hybrid_assembly._gigabytes("50")


# ---------------------------------------------------------------------------------------------------------------------
# The whole, with the programs
# ---------------------------------------------------------------------------------------------------------------------

COMPLEMENT = str.maketrans("ACGT", "TGCA")


def draw(rng, length):
    return "".join(rng.choices("ACGT", k=length))


def write_reads(path, sequences, number, seed):
    """Single reads of 75 nucleotides without errors, evenly from the sequences; returns how many each gave."""
    rng = random.Random(seed)
    truth = Counter()
    with gzip.open(path, "wt") as file:
        for i in range(number):
            name = rng.choice(sorted(sequences))
            start = rng.randint(0, len(sequences[name]) - 75)
            read = sequences[name][start : start + 75]
            read = read if rng.random() < 0.5 else read.translate(COMPLEMENT)[::-1]
            file.write(f"@r{i}\n{read}\n+\n{'I' * 75}\n")
            truth[name] += 1
    return truth


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    """Three genes of a genome, a novel transcript that is not in it, and a copy of a gene, worn too much to align."""
    folder = tmp_path_factory.mktemp("study")
    rng = random.Random(5)
    genes = {f"T{i}": draw(rng, 900) for i in range(3)}
    genome = draw(rng, 300).join(["", *genes.values(), ""])
    (folder / "genome.fa").write_text(f">chr1\n{genome}\n")
    (folder / "transcripts.fa").write_text("".join(f">{name} of a gene\n{s}\n" for name, s in genes.items()))
    worn = list(genes["T2"])
    for i in range(8, 900, 16):  # 6 % of the letters
        worn[i] = "ACGT"["ACGT".index(worn[i]) - 1]
    novel = draw(rng, 800)
    expressed = {**genes, "novel": novel, "worn": "".join(worn)}
    alignment.build_hisat2_index(folder / "genome.fa", folder / "hisat2", log=(folder / "log.txt").open("w"))
    reads, truth = {}, {}
    for seed, sample in enumerate(("a", "b", "c")):
        reads[sample] = str(folder / f"{sample}.fastq.gz")
        truth[sample] = write_reads(reads[sample], expressed, 1000, seed)
    return {"folder": folder, "novel": novel, "reads": reads, "truth": truth, "index": str(folder / "hisat2")}


@pytest.mark.tools
def test_from_reads_to_the_table(study, tmp_path):
    work, reference = tmp_path / "work", str(study["folder"] / "transcripts.fa")
    two = {sample: study["reads"][sample] for sample in ("a", "b")}
    table = run_hybrid_assembly(two, study["index"], reference, str(work))
    assert list(table.columns) == ["a", "b"]
    (novel,) = [name for name in table.index if is_denovo(name)]  # the worn copy is screened out
    assert table.index.tolist() == ["T0", "T1", "T2", novel]
    for sample in two:
        assert table.loc[novel, sample] == pytest.approx(study["truth"][sample]["novel"], rel=0.03)
        assert table.loc["T0", sample] == pytest.approx(study["truth"][sample]["T0"], rel=0.03)
    contigs = (work / "novelty" / "contigs.tsv").read_text()
    assert "\treference_copy\t" in contigs


@pytest.mark.tools
def test_a_second_call_replaces_the_results_of_the_first(study, tmp_path, monkeypatch):
    """With given contigs, to save the time of an assembly."""

    def assemble(pool, out, **options):
        return write_fasta(out, [("contig_1", study["novel"])])

    monkeypatch.setattr(hybrid_assembly, "_require", lambda *programs: None)
    monkeypatch.setattr(assembly, "assemble", assemble)
    reference = str(study["folder"] / "transcripts.fa")
    for samples in ("a", "ac"):
        reads = {sample: study["reads"][sample] for sample in samples}
        table = run_hybrid_assembly(reads, study["index"], reference, str(tmp_path))
        assert list(table.columns) == list(samples)
    assert sorted(path.name for path in (tmp_path / "pool").iterdir()) == [
        "left.fa.gz",
        "right.fa.gz",
        "samples.tsv",
        "single.fa.gz",
    ]


@pytest.mark.tools
def test_step_by_step_as_the_manual_has_it(study, tmp_path, monkeypatch):
    reads = study["reads"]["a"]
    unaligned = align_capture_unaligned(reads, study["index"], str(tmp_path / "un"), "F")
    assert Path(unaligned) == tmp_path / "un" / "unaligned_a.fasta"
    captured = [record.sequence for record in read_fasta(unaligned)]
    novel = study["novel"]
    both = novel + novel.translate(COMPLEMENT)[::-1]
    assert sum(read in both for read in captured) == study["truth"]["a"]["novel"]

    pools = []

    def assemble(pool, out, *, max_memory_gb, threads):
        pools.append([record.sequence for record in read_fasta(pool / "single.fa.gz")])
        assert (max_memory_gb, threads) == (2, 3)
        return write_fasta(out, [("contig_1", novel), ("contig_2", novel.translate(COMPLEMENT)[::-1])])

    monkeypatch.setattr(hybrid_assembly, "_require", lambda *programs: None)
    with monkeypatch.context() as context:
        context.setattr(assembly, "assemble", assemble)
        denovo = denovo_assemble(unaligned, str(tmp_path / "assembly"), max_memory="2G", cpu=3)
    assert pools == [captured]
    (record,) = read_fasta(denovo)  # both strands are one transcript
    assert is_denovo(record.name)
    assert sorted(path.name for path in (tmp_path / "assembly").iterdir()) == ["contigs.fa", "denovo.fa"]

    index = str(tmp_path / "index")
    reference = str(study["folder"] / "transcripts.fa")
    assert build_hybrid_reference(reference, denovo, str(tmp_path / "hybrid.fa"), index) == index
    quants = quantify({"a": reads}, index, str(tmp_path / "counts"), threads=1)
    assert quants == {"a": str(tmp_path / "counts" / "quant_a" / "quant.sf")}
    found = read_quant(quants["a"])
    assert list(found) == ["T0", "T1", "T2", record.name]
    assert found[record.name] == pytest.approx(study["truth"]["a"]["novel"], rel=0.03)


def test_a_pool_without_reads_gives_no_contigs(tmp_path, all_there):
    (tmp_path / "pool.fa").touch()
    denovo = denovo_assemble(str(tmp_path / "pool.fa"), str(tmp_path / "out"))
    assert Path(denovo).read_text() == ""
