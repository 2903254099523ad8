"""Alignment with HISAT2: the index, what is captured, and what is rejected."""

import gzip
import io
import json
import os
import random
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from deepmapper.errors import BioToolUnavailable, InputError, ToolFailed
from deepmapper.reads import alignment
from deepmapper.reads.alignment import (
    align_reads,
    build_hisat2_index,
    index_prefix,
    tabulate_alignment,
)
from deepmapper.reads.samples import Unit

NASTY = "a b,c;d'e\"f$(g)"


def bases(length, seed):
    return "".join(random.Random(seed).choices("ACGT", k=length))


GENOME = bases(40_000, 1)
GENOME = GENOME[:21_000] + "GT" + GENOME[21_002:21_998] + "AG" + GENOME[22_000:]
SPLICED = GENOME[20_000:21_000] + GENOME[22_000:23_000]
NOVEL = bases(2_000, 3)
EXON = GENOME[10_000:12_000]


@pytest.fixture(scope="module")
def index(tmp_path_factory):
    folder = tmp_path_factory.mktemp("reference")
    genome = folder / "genome.fa"
    genome.write_text(f">chr1\n{GENOME}\n")
    build_hisat2_index(genome, folder / "index", threads=2, log=io.StringIO())
    return index_prefix(folder / "index")


@pytest.fixture(scope="module")
def pairs(draw_pairs):
    """400 pairs of the genome, 120 of a novel sequence, 30 with one mate of each."""
    drawn = [*draw_pairs(EXON, 400, 4, error=0), *draw_pairs(NOVEL, 120, 5)]
    drawn += [
        (one, two)
        for (one, _), (_, two) in zip(draw_pairs(EXON, 30, 6, error=0), draw_pairs(NOVEL, 30, 7), strict=True)
    ]
    random.Random(8).shuffle(drawn)
    return [(f"read{number}", one, two) for number, (one, two) in enumerate(drawn)]


def align(units, index, folder, **options):
    return align_reads(units, **{"index": index, "folder": folder, "sample": "s1", "log": io.StringIO(), **options})


# --- the index --------------------------------------------------------------------------------------------------------


@pytest.mark.tools
def test_index_is_found_by_prefix_folder_and_file(index):
    folder = Path(index).parent
    assert index_prefix(folder) == index_prefix(f"{index}.1.ht2") == index_prefix(index) == str(folder / "genome")
    assert sorted(path.name for path in folder.iterdir()) == [f"genome.{part}.ht2" for part in range(1, 9)]


@pytest.mark.tools
def test_index_of_a_genome_with_a_nasty_path_is_the_same_with_any_threads(tmp_path, index):
    folder = tmp_path / NASTY
    folder.mkdir()
    (folder / "my, genome.fa").write_text(f">chr1\n{GENOME}\n")
    build_hisat2_index(folder / "my, genome.fa", folder / "index", threads=1, log=io.StringIO())
    for part in range(1, 9):
        assert (folder / "index" / f"genome.{part}.ht2").read_bytes() == Path(f"{index}.{part}.ht2").read_bytes()


def test_an_incomplete_index_is_rejected(tmp_path):
    with pytest.raises(InputError, match="no HISAT2 index here"):
        index_prefix(tmp_path / "genome")
    with pytest.raises(InputError, match="found none"):
        index_prefix(tmp_path)
    (tmp_path / "genome.1.ht2").touch()
    with pytest.raises(InputError, match="genome.2.ht2, .*genome.8.ht2 missing"):
        index_prefix(tmp_path)
    (tmp_path / "other.1.ht2").touch()
    with pytest.raises(InputError, match="found genome, other"):
        index_prefix(tmp_path)


@pytest.mark.tools
def test_a_genome_that_is_not_fasta_leaves_no_index(tmp_path):
    (tmp_path / "genome.fa").write_text("nonsense\n")
    with pytest.raises(ToolFailed, match="Is .*genome.fa a FASTA file"):
        build_hisat2_index(tmp_path / "genome.fa", tmp_path / "index", log=io.StringIO())
    assert [path.name for path in tmp_path.iterdir()] == ["genome.fa"]


# --- alignment --------------------------------------------------------------------------------------------------------


@pytest.mark.tools
def test_unaligned_pairs_are_captured_with_any_number_of_threads(tmp_path, index, pairs, write_pairs, read_records):
    unit = write_pairs(tmp_path, pairs)
    counts = align([unit], index, tmp_path / "one", threads=1)
    align([unit], index, tmp_path / "two", threads=2)
    assert counts["fragments"] == 550 == counts["aligned"] + counts["captured"]
    assert counts["captured"] == 120
    assert counts["half_mapped"] == 30
    assert counts["concordant"] + counts["discordant"] == 400
    assert counts["rate"] == round(430 / 550, 6)
    assert sorted(path.name for path in (tmp_path / "one").iterdir()) == [
        "1.fastq.gz",
        "2.fastq.gz",
        "counts.json",
        "hisat2.txt",
    ]
    for name in ("1.fastq.gz", "2.fastq.gz", "counts.json"):
        assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "two" / name).read_bytes()
    one, two = (read_records(tmp_path / "one" / f"{mate}.fastq.gz") for mate in (1, 2))
    names = [name for name, _ in one]
    assert names == [name for name, _ in two] == sorted(names)
    given = {name: (first, second) for name, first, second in pairs}
    assert all(given[name] == (first, second) for (name, first), (_, second) in zip(one, two, strict=True))
    assert json.loads((tmp_path / "one" / "counts.json").read_text()) == counts
    assert "HISAT2 summary stats" in (tmp_path / "one" / "hisat2.txt").read_text()


@pytest.mark.tools
def test_spliced_reads_do_not_depend_on_the_threads(tmp_path, index, write_fastq, draw_pairs):
    drawn = draw_pairs(SPLICED, 3000, 10, length=40, insert=41, error=0.01)
    path = write_fastq(tmp_path / "r.fastq.gz", [(f"r{i}", one) for i, (one, _) in enumerate(drawn)])
    counts = [align([Unit("1", path)], index, tmp_path / str(threads), threads=threads) for threads in (1, 2, 4)]
    assert counts[0]["captured"] > 20  # those with little on one side of the intron, which HISAT2 could learn to place
    assert counts[0] == counts[1] == counts[2]
    contents = {(tmp_path / str(threads) / "single.fastq.gz").read_bytes() for threads in (1, 2, 4)}
    assert len(contents) == 1


@pytest.mark.tools
def test_known_splice_sites_place_more_reads(tmp_path, index, write_fastq, draw_pairs):
    drawn = draw_pairs(SPLICED, 1000, 11, length=40, insert=41, error=0)
    unit = Unit("1", write_fastq(tmp_path / "r.fastq.gz", [(f"r{i}", one) for i, (one, _) in enumerate(drawn)]))
    sites = tmp_path / "sites.tsv"
    sites.touch()
    without = align([unit], index, tmp_path / "without", splice_sites=sites)
    sites.write_text("chr1\t20999\t22000\t+\n")
    known = align([unit], index, tmp_path / "known", splice_sites=sites)
    assert known["captured"] < without["captured"]


@pytest.mark.tools
def test_mates_that_align_alone_are_kept_on_request(tmp_path, index, pairs, write_pairs, read_records):
    counts = align([write_pairs(tmp_path, pairs)], index, tmp_path / "out", keep_half_mapped=True)
    assert counts["kept_mates"] == counts["half_mapped"] == 30
    kept = read_records(tmp_path / "out" / "single.fastq.gz")
    given = {f"{name}/2": two for name, _, two in pairs}
    assert len(kept) == 30
    assert all(given[name] == sequence for name, sequence in kept)


@pytest.mark.tools
def test_lanes_of_single_reads_with_shared_names_are_all_kept(tmp_path, index, write_fastq, draw_pairs, read_records):
    lanes = [
        [
            (f"r{i}/1", one)
            for i, (one, _) in enumerate([*draw_pairs(NOVEL, 40, seed), *draw_pairs(EXON, 60, seed, error=0)])
        ]
        for seed in (1, 2)
    ]
    units = [Unit(str(n), write_fastq(tmp_path / f"lane{n}.fastq", lane)) for n, lane in enumerate(lanes)]
    counts = align(units, index, tmp_path / "out", strandedness="reverse")
    align(units[::-1], index, tmp_path / "turned", strandedness="reverse")
    assert (counts["layout"], counts["fragments"], counts["captured"]) == ("single", 200, 80)
    captured = read_records(tmp_path / "out" / "single.fastq.gz")
    assert sorted(sequence for _, sequence in captured) == sorted(one for lane in lanes for _, one in lane[:40])
    assert captured[0][0] == captured[1][0] == "r0"
    # equal names are ordered by their sequence
    assert (tmp_path / "out" / "single.fastq.gz").read_bytes() == (tmp_path / "turned" / "single.fastq.gz").read_bytes()


@pytest.mark.tools
def test_pairs_of_lanes_with_shared_names_stay_together(tmp_path, index, write_pairs, draw_pairs, read_records):
    lanes = [list(draw_pairs(NOVEL, 30, seed)) for seed in (1, 2)]
    units = []
    for number, lane in enumerate(lanes):
        (tmp_path / f"{number}").mkdir()
        units.append(write_pairs(tmp_path / f"{number}", [(f"r{i}", *pair) for i, pair in enumerate(lane)]))
    assert align(units, index, tmp_path / "out")["captured"] == 60
    one, two = (read_records(tmp_path / "out" / f"{mate}.fastq.gz") for mate in (1, 2))
    given = {(f"r{i}", *pair) for lane in lanes for i, pair in enumerate(lane)}
    assert {(name, first, second) for (name, first), (_, second) in zip(one, two, strict=True)} == given


@pytest.mark.tools
def test_nasty_paths_work(tmp_path, index, pairs, write_pairs):
    place = tmp_path / NASTY
    place.mkdir()
    unit = write_pairs(place, pairs, " x,y;'z.fastq.gz")
    moved = place / "in dex"
    moved.mkdir()
    for part in range(1, 9):
        (moved / f"g,.{part}.ht2").symlink_to(f"{index}.{part}.ht2")
    sites = place / "splice sites.tsv"
    sites.write_text("chr1\t20999\t22000\t+\n")
    counts = align([unit], index_prefix(moved), place / "out", splice_sites=sites)
    assert counts["captured"] == 120
    assert sorted(path.name for path in place.iterdir() if path.name.startswith(".")) == []


@pytest.mark.tools
def test_gzip_is_recognised_by_content_not_by_name(tmp_path, index, fastq_bytes, draw_pairs):
    path = tmp_path / "reads.fastq"
    path.write_bytes(
        gzip.compress(fastq_bytes([(f"r{i}", one) for i, (one, _) in enumerate(draw_pairs(EXON, 50, 1, error=0))]))
    )
    assert align([Unit("1", str(path))], index, tmp_path / "out")["aligned"] == 50


@pytest.mark.tools
def test_no_captured_reads_are_no_error(tmp_path, index, write_pairs, draw_pairs, read_records):
    known = [(f"r{i}", *pair) for i, pair in enumerate(draw_pairs(EXON, 50, 1, error=0))]
    counts = align([write_pairs(tmp_path, known)], index, tmp_path / "out")
    assert counts["captured"] == 0
    assert read_records(tmp_path / "out" / "1.fastq.gz") == read_records(tmp_path / "out" / "2.fastq.gz") == []


@pytest.mark.tools
def test_reads_of_every_length_are_accounted_for(tmp_path, index, write_fastq, read_records):
    rng = random.Random(9)
    records = []
    for i, length in enumerate([0, 1, 5, 19, *range(20, 251, 5)]):
        start = rng.randrange(10_000)
        records += [(f"g{i}", GENOME[start : start + length]), (f"n{i}", NOVEL[start % 1700 : start % 1700 + length])]
    records.append(("allN", "N" * 80))
    counts = align([Unit("1", write_fastq(tmp_path / "r.fastq", records))], index, tmp_path / "out")
    assert counts["fragments"] == len(records)
    captured = dict(read_records(tmp_path / "out" / "single.fastq.gz"))
    assert all(captured[name] == sequence for name, sequence in records if name[0] == "n" and len(sequence) >= 30)
    assert not any(name in captured for name, sequence in records if name[0] == "g" and len(sequence) >= 30)


@pytest.mark.tools
def test_alignments_are_kept_on_request(tmp_path, index, pairs, write_pairs):
    unit = write_pairs(tmp_path, pairs)
    counts = align([unit], index, tmp_path / "with", bam=tmp_path / "aligned" / "s1.bam", threads=2)
    assert counts == align([unit], index, tmp_path / "without")
    assert (tmp_path / "with" / "1.fastq.gz").read_bytes() == (tmp_path / "without" / "1.fastq.gz").read_bytes()
    bam = tmp_path / "aligned" / "s1.bam"
    assert bam.with_name("s1.bam.bai").exists()
    count = subprocess.run(["samtools", "view", "-c", "-F", "256", bam], capture_output=True, text=True, check=True)
    assert int(count.stdout) == 2 * 400 + 30
    assert not list(tmp_path.rglob("*.sam"))


@pytest.mark.tools
def test_table_of_samples(tmp_path, index, pairs, write_fastq, write_pairs):
    align([write_pairs(tmp_path, pairs)], index, tmp_path / "a", sample="a")
    align([Unit("1", write_fastq(tmp_path / "r.fastq", [("r", NOVEL[:80])]))], index, tmp_path / "b", sample="b")
    tabulate_alignment([tmp_path / "a" / "counts.json", tmp_path / "b" / "counts.json"], tmp_path / "out.tsv")
    header, *rows = (line.split("\t") for line in (tmp_path / "out.tsv").read_text().splitlines())
    table = [dict(zip(header, row, strict=True)) for row in rows]
    assert [(row["sample"], row["layout"], row["captured"]) for row in table] == [
        ("a", "paired", "120"),
        ("b", "single", "1"),
    ]


# --- what is refused, with nothing left behind ------------------------------------------------------------------------


@pytest.mark.tools
def test_a_truncated_file_is_rejected(tmp_path, index, pairs, write_pairs):
    unit = write_pairs(tmp_path, pairs)
    content = Path(unit.fq2).read_bytes()
    Path(unit.fq2).write_bytes(content[: len(content) * 2 // 3])
    with pytest.raises(InputError, match="2.fastq.gz: the gzip file is truncated"):
        align([unit], index, tmp_path / "out")
    assert not (tmp_path / "out").exists()


@pytest.mark.tools
def test_an_empty_file_is_rejected_with_its_sample(tmp_path, index):
    path = tmp_path / "none.fastq.gz"
    path.write_bytes(gzip.compress(b""))
    with pytest.raises(InputError, match="sample s1: .*none.fastq.gz holds no reads"):
        align([Unit("1", str(path))], index, tmp_path / "out")


@pytest.mark.tools
def test_unknown_strandedness(tmp_path, index):
    with pytest.raises(InputError, match="strandedness 'sideways', expected one of"):
        align([Unit("1", "a")], index, tmp_path / "out", strandedness="sideways")


def test_missing_hisat2(tmp_path, monkeypatch):
    for part in range(1, 9):
        (tmp_path / f"genome.{part}.ht2").touch()
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(BioToolUnavailable, match="hisat2: not found"):
        align([Unit("1", "a")], str(tmp_path / "genome"), tmp_path / "out")
    assert not (tmp_path / "out").exists()


@pytest.mark.tools
@pytest.mark.parametrize(
    ("script", "message"),
    [
        ("echo 'Error: index is broken' >&2; exit 1", "index is broken"),
        ("touch hisat2.txt; printf 'r0\\t4\\t*\\t0\\t0\\t*\\t*\\t0\\t0\\tAC\\tII\\n'", "expected 3 in total"),
        ("printf 'r0\\t4\\t*\\t0\\t0\\t*\\t*\\t0\\t0\\tAC\\tII\\n'; kill -9 $$", "killed by signal 9"),
    ],
)
def test_hisat2_that_fails_or_loses_reads_leaves_nothing(tmp_path, index, fake_program, script, message, write_fastq):
    path = write_fastq(tmp_path / "r.fastq", [(f"r{i}", "ACGT") for i in range(3)])
    fake_program("hisat2", script)
    with pytest.raises(ToolFailed, match=message):
        align([Unit("1", path)], index, tmp_path / "out")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["bin", "r.fastq"]


@pytest.mark.tools
def test_a_killed_run_leaves_no_result(tmp_path, index, pairs, fake_program, write_pairs):
    unit = write_pairs(tmp_path, pairs)
    # HISAT2 gives half of its output, then takes its caller with it
    script = 'hisat2=$(PATH=${PATH#*:} command -v hisat2); $hisat2 "$@" | head -n 100; kill -9 $PPID'
    code = f"""
    import io
    from pathlib import Path
    from deepmapper.reads.alignment import align_reads
    from deepmapper.reads.samples import Unit
    align_reads([{unit!r}], index={index!r}, folder=Path({str(tmp_path / "out")!r}), sample="s1", log=io.StringIO())
    """
    fake_program("hisat2", script)
    environment = {**os.environ, "PYTHONPATH": str(Path(alignment.__file__).parents[2])}
    done = subprocess.run([sys.executable, "-c", textwrap.dedent(code)], env=environment)
    assert done.returncode == -9
    assert not (tmp_path / "out").exists()
    (tmp_path / "bin" / "hisat2").unlink()
    assert align([unit], index, tmp_path / "out")["captured"] == 120
