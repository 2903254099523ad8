"""The study made from a seed: the committed one is what the generator makes, and the truth says what the reads hold."""

import csv
import gzip
import subprocess
import sys
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from deepmapper.errors import InputError
from deepmapper.reads.annotation import read_annotation
from deepmapper.reads.fasta import read_fasta
from deepmapper.reads.samples import load_samples
from deepmapper.simulate.reads import READ_LENGTH, make_study

ROOT = Path(__file__).resolve().parents[3]
COMMITTED = ROOT / "resources/demo/reads"
SMALL = {"n_genes": 24, "samples_per_condition": 2, "fragments_per_sample": 300}


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    """Small, and read without an error."""
    return make_study(tmp_path_factory.mktemp("study"), error_rate=0, reference_only=["stim_2"], **SMALL)


def content(folder):
    """Every file's content, unpacked, since versions of zlib pack differently; without what people wrote."""
    files = sorted(path for path in Path(folder).rglob("*") if path.is_file() and path.name != "README.md")
    return {
        str(path.relative_to(folder)): gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
        for path in files
    }


def table(path):
    with Path(path).open() as file:
        return list(csv.DictReader(file, delimiter="\t"))


def reads(path):
    lines = gzip.decompress(Path(path).read_bytes()).decode().splitlines()
    assert set(lines[2::4]) == {"+"}
    return lines[0::4], lines[1::4], lines[3::4]


def reverse_complement(sequence):
    return sequence.translate(str.maketrans("ACGT", "TGCA"))[::-1]


def sequences(path):
    return {record.name: record.sequence for record in read_fasta(path)}


def test_the_committed_study_is_what_the_script_makes(tmp_path):
    # the sheet names the folder as it was given
    command = [sys.executable, ROOT / "scripts/make_study.py", "resources/demo/reads", "--sheet", "config/samples.tsv"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "48 samples: config/samples.tsv" in done.stdout
    made, committed = content(tmp_path / "resources/demo/reads"), content(COMMITTED)
    assert list(made) == list(committed)
    assert [name for name in made if made[name] != committed[name]] == []
    assert (tmp_path / "config/samples.tsv").read_bytes() == (ROOT / "config/samples.tsv").read_bytes()


def test_the_committed_study_is_small_and_its_sheet_is_accepted(monkeypatch):
    assert sum(path.stat().st_size for path in COMMITTED.rglob("*")) < 3e6
    monkeypatch.chdir(ROOT)
    samples = load_samples("config/samples.tsv", label_column="condition", group_column="donor")
    assert {(sample.columns["condition"], sample.paired) for sample in samples} == {
        ("ctrl", True),
        ("ctrl", False),
        ("stim", True),
        ("stim", False),
    }
    donors = [sample.columns["donor"] for sample in samples]
    assert donors[:24] == donors[24:] and len(set(donors)) == 24


def test_equal_seeds_give_equal_bytes_and_different_seeds_do_not(tmp_path):
    for name, seed in (("a", 0), ("b", 0), ("c", 1)):
        make_study(tmp_path / name, sheet=tmp_path / name / "sheet.tsv", seed=seed, **SMALL)
    raw = [{path.name: path.read_bytes() for path in (tmp_path / n).rglob("*.gz")} for n in "abc"]
    assert raw[0] == raw[1]
    assert all(raw[0][name] != raw[2][name] for name in raw[0])
    # neither time nor name in the gzip header
    assert {content[4:8] for content in raw[0].values()} == {bytes(4)}
    assert {content[3] for content in raw[0].values()} == {0}


def test_the_reference_does_not_depend_on_the_reads(study, tmp_path):
    other = make_study(tmp_path, **{**SMALL, "fragments_per_sample": 50, "samples_per_condition": 3})
    for file in ("genome", "transcripts", "annotation", "novel_fasta", "near_copies_fasta"):
        assert getattr(other, file).read_bytes() == getattr(study, file).read_bytes(), file


def test_annotation_and_genome_give_the_transcripts(study):
    genome, transcripts = sequences(study.genome), sequences(study.transcripts)
    annotated = read_annotation(study.annotation)
    assert [one.id for one in annotated] == list(transcripts)
    assert {one.strand for one in annotated} == {"+", "-"}
    assert {one.chrom for one in annotated} == set(genome) == {"chr1", "chr2", "chr3"}
    for one in annotated:
        sequence = "".join(genome[one.chrom][start:end] for start, end in one.exons)
        assert (sequence if one.strand == "+" else reverse_complement(sequence)) == transcripts[one.id]
        assert len(one.exons) > 1
        for (_, left), (right, _) in pairwise(one.exons):
            intron = genome[one.chrom][left:right]
            intron = intron if one.strand == "+" else reverse_complement(intron)
            assert (intron[:2], intron[-2:]) == ("GT", "AG") and len(intron) >= 80
    genes = [one.gene_id for one in annotated]
    assert len(set(genes)) == 24 and len(genes) == 29  # every fourth has two isoforms, one of which is left out


def test_unlisted_transcripts_are_in_the_genome_only(study):
    """Their exons lie in the genome, in order, on one strand; the annotation has nothing at the places of the genes."""
    genome, annotated = sequences(study.genome), read_annotation(study.annotation)
    truth = {row["transcript"]: row for row in table(study.unlisted)}
    unlisted = sequences(study.unlisted_fasta)
    assert list(truth) == list(unlisted) == ["UNLISTED1.1", "UNLISTED2.1", "GENE024.2"]
    assert {one.id for one in read_annotation(study.unlisted_annotation)} == set(truth)
    assert not {one.id for one in annotated} & set(truth)
    assert [truth[name]["fold"] for name in truth] == ["8", "1", "1"]
    for name, sequence in unlisted.items():
        ends = [
            (chrom, text.find(word))
            for chrom, text in genome.items()
            for strand in (sequence, reverse_complement(sequence))
            for word in (strand[:25], strand[-25:])
            if word in text
        ]
        assert len(ends) == 2 and ends[0][0] == ends[1][0], name
        start, end = sorted(place for _, place in ends)
        beside = [
            one.gene_id
            for one in annotated
            if one.chrom == ends[0][0] and one.exons[0][0] < end + 25 and one.exons[-1][1] > start
        ]
        assert set(beside) == ({"GENE024"} if name == "GENE024.2" else set()), name


def test_novel_transcripts_share_nothing_with_the_reference(study):
    def words(sequence):
        return {sequence[i : i + 25] for i in range(len(sequence) - 24)}

    reference = set().union(*map(words, [*sequences(study.genome).values(), *sequences(study.transcripts).values()]))
    novel = sequences(study.novel_fasta)
    assert len(novel) == 12
    for sequence in novel.values():
        assert 500 <= len(sequence) <= 1500
        assert not reference & (words(sequence) | words(reverse_complement(sequence)))


def test_near_copies_are_what_their_table_says(study):
    transcripts, copies = sequences(study.transcripts), sequences(study.near_copies_fasta)
    rows = table(study.near_copies)
    assert [row["transcript"] for row in rows] == list(copies) == ["near_copy_1", "near_copy_2", "near_copy_3"]
    assert len({row["copy_of"] for row in rows}) == 3
    for row in rows:
        copy, source = copies[row["transcript"]], transcripts[row["copy_of"]]
        assert len(copy) == len(source) == int(row["length"])
        same = np.mean([one == other for one, other in zip(copy, source, strict=True)])
        assert same == pytest.approx(float(row["identity"]), abs=1e-4)
        assert 0.94 < same < 0.97


def test_reads_are_those_that_the_truth_counts(study):
    rows = [row for name in ("reference", "novel", "near_copies", "unlisted") for row in table(getattr(study, name))]
    novel = sequences(study.novel_fasta)
    strands = list(novel.items())
    for path in (study.transcripts, study.near_copies_fasta, study.unlisted_fasta):
        strands += sequences(path).items()
    strands += [(name, reverse_complement(sequence)) for name, sequence in strands]
    for sample in load_samples(str(study.sheet), label_column="condition"):
        fragments = sum(int(row[sample.name]) for row in rows)
        assert 150 < fragments < 450
        length = READ_LENGTH["paired" if sample.paired else "single"]
        mates = []
        for path in sample.files:
            names, bases, qualities = reads(path)
            assert names == [f"@{sample.name}.{i + 1}" for i in range(fragments)]
            assert {len(text) for text in (*bases, *qualities)} == {length}
            assert set("".join(qualities)) <= set(",:F")
            mates.append(bases)
        # mates face each other on one transcript; a single read lies on one
        origins = [origin(fragment, strands) for fragment in zip(*mates, strict=True)]
        assert None not in origins
        for row in table(study.novel):
            assert origins.count(row["transcript"]) == int(row[sample.name])


def origin(fragment, strands):
    """The first transcript that a fragment fits; none but one has the sequence of a novel one."""
    first, last = fragment[0], reverse_complement(fragment[-1]) if len(fragment) == 2 else fragment[0]
    for name, sequence in strands:
        start = sequence.find(first)
        if start >= 0 and 0 <= sequence.find(last, start) - start < 300:
            return name
    return None


def test_a_sample_that_expresses_only_the_reference(study):
    for name in ("novel", "near_copies"):
        assert all(int(row["stim_2"]) == 0 for row in table(getattr(study, name)))
        assert sum(int(row["stim_1"]) for row in table(getattr(study, name))) > 10
    assert sum(int(row["stim_2"]) for row in table(study.reference)) > 100


def test_six_novel_transcripts_differ_and_counts_vary_more_than_poisson(tmp_path):
    study = make_study(tmp_path, n_genes=24, samples_per_condition=5, fragments_per_sample=4000)
    rows = table(study.novel)
    assert [row["higher_in"] for row in rows] == ["ctrl"] * 3 + ["stim"] * 3 + ["none"] * 6
    for row in rows:
        ctrl, stim = (np.mean([int(row[f"{condition}_{i}"]) for i in range(1, 6)]) for condition in ("ctrl", "stim"))
        ratio = {"ctrl": ctrl / stim, "stim": stim / ctrl, "none": max(ctrl / stim, stim / ctrl)}[row["higher_in"]]
        assert ratio > 4 if row["higher_in"] != "none" else ratio < 2
    counts = np.array([[int(row[name]) for name in study.samples] for row in table(study.reference)])
    within = counts[:, :5]
    large = within.mean(1) > 50
    assert np.median(within[large].var(1, ddof=1) / within[large].mean(1)) > 2


def test_the_members_of_the_chord_tell_the_condition_together_and_neither_does_alone(tmp_path):
    study = make_study(tmp_path, n_genes=24, samples_per_condition=12, responders=0.5, chord=True)
    states = table(study.states)
    members = list(states[0])[3:]
    assert members == ["GENE001.1", "novel_07"]
    counts = {row["transcript"]: row for one in (study.reference, study.novel) for row in table(one)}
    assert [counts[name]["higher_in"] for name in members] == ["none", "none"]
    high = {name: [row[name] == "high" for row in states] for name in members}
    for name in members:
        assert sum(high[name][:12]) == sum(high[name][12:]) == 6
        drawn = np.array([int(counts[name][sample]) for sample in study.samples])
        assert np.mean(drawn[high[name]]) > 4 * np.mean(drawn[~np.array(high[name])])
    same = np.array(high[members[0]]) == np.array(high[members[1]])
    assert same.tolist() == [row["condition"] == "stim" for row in states]


def test_only_responders_differ(tmp_path):
    study = make_study(tmp_path, n_genes=24, samples_per_condition=12, responders=0.25, fold_of_genes=6.0)
    states = table(study.states)
    responds = np.array([row["responds"] == "yes" for row in states])
    assert responds.sum() == 3 and not responds[:12].any()
    differ = [row for row in table(study.reference) if row["fold"] == "6"] + table(study.unlisted)[:1]
    assert len(differ) == 3
    for row in differ:
        drawn = np.array([int(row[name]) for name in study.samples])
        ratio = drawn[responds].mean() / drawn[~responds].mean()
        assert 3 < (ratio if row["higher_in"] == "stim" else 1 / ratio) < 14
        assert 0.6 < drawn[12:][~responds[12:]].mean() / drawn[:12].mean() < 1.6


def test_gene_sets_hold_every_gene_once_and_the_differing_ones_together(study):
    sets = [line.split("\t") for line in study.gene_sets.read_text().splitlines()]
    genes = [gene for one in sets for gene in one[2:]]
    assert sorted(genes) == sorted(f"gen{i + 1}" for i in range(24))
    assert sets[0][0] == "Stimulus response" and {"gen6", "gen18"} <= set(sets[0][2:])


def test_errors_have_the_given_rate_and_mostly_a_low_quality(tmp_path):
    settings = {"n_genes": 24, "samples_per_condition": 1, "fragments_per_sample": 500}
    studies = [make_study(tmp_path / name, error_rate=rate, **settings) for name, rate in (("w", 0.02), ("r", 0))]
    wrong, right = (load_samples(str(one.sheet), label_column="condition", min_per_class=1) for one in studies)
    pairs = []
    for one, other in zip(wrong, right, strict=True):
        _, bases, qualities = reads(one.files[0])
        _, true, _ = reads(other.files[0])
        pairs += zip("".join(bases), "".join(true), "".join(qualities), strict=True)
    errors = [quality for base, true, quality in pairs if base != true]
    assert len(errors) / len(pairs) == pytest.approx(0.02, rel=0.1)
    assert np.mean([quality != "F" for quality in errors]) > 0.7


def test_other_files_in_the_folder_are_kept(tmp_path):
    (tmp_path / "README.md").write_text("mine")
    (tmp_path / "fastq").mkdir()
    (tmp_path / "fastq" / "earlier.fastq.gz").write_text("old")
    make_study(tmp_path, **SMALL)
    assert (tmp_path / "README.md").read_text() == "mine"
    assert not (tmp_path / "fastq" / "earlier.fastq.gz").exists()
    assert not list(tmp_path.rglob("*.part*"))


@pytest.mark.parametrize(
    "settings, message",
    [
        ({"reference_only": ["ctrl_9"]}, "ctrl_9.*no such samples"),
        ({"n_novel": 2, "n_differing": 3}, "n_differing=3 with n_novel=2"),
        ({"n_near_copies": 50}, "n_near_copies=50: only"),
    ],
)
def test_inconsistent_numbers_are_rejected(tmp_path, settings, message):
    with pytest.raises(InputError, match=message):
        make_study(tmp_path, **{**SMALL, **settings})
    assert list(tmp_path.iterdir()) == []


def test_a_study_without_novel_transcripts(tmp_path):
    study = make_study(tmp_path, n_novel=0, n_differing=0, n_near_copies=0, **SMALL)
    assert table(study.novel) == table(study.near_copies) == []
    assert study.novel_fasta.read_bytes() == b""
