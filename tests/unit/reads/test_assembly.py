"""From captured reads to contigs: the pool, the real assemblers on small seeded reads, and programs that misbehave."""

import csv
import gzip
import io
import os
import random
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import pytest

from deepmapper.errors import BioToolUnavailable, InputError, ToolFailed
from deepmapper.reads import assembly
from deepmapper.reads.assembly import assemble, pool_unaligned
from deepmapper.reads.fasta import read_fasta
from deepmapper.reads.nucleotides import reverse_complement

LENGTH, INSERT = 75, 220


def bases(length, seed):
    return "".join(random.Random(seed).choices("ACGT", k=length))


def draw(sequence, count, seed, error=0.004):
    """Pairs from either strand, with errors; the first and the last are whole, so that the ends are covered."""
    rng = random.Random(seed)

    def misread(piece):
        return "".join(rng.choice("ACGT") if rng.random() < error else base for base in piece)

    starts = [0] * 4 + [len(sequence) - INSERT] * 4 + [rng.randrange(len(sequence) - INSERT) for _ in range(count)]
    for start in starts:
        fragment = sequence[start : start + INSERT]
        fragment = fragment if rng.random() < 0.5 else reverse_complement(fragment)
        yield misread(fragment[:LENGTH]), misread(reverse_complement(fragment)[:LENGTH])


def write(path, records):
    """Names and sequences, in the order of their names, as the alignment leaves them."""
    path.parent.mkdir(parents=True, exist_ok=True)
    lines = "".join(f"@{name}\n{seq}\n+\n{'I' * len(seq)}\n" for name, seq in sorted(records))
    path.write_bytes(gzip.compress(lines.encode()))


def capture(folder, pairs=None, singles=None):
    """Write what the alignment of one sample leaves; returns its folder."""
    if pairs is not None:
        for mate in (0, 1):
            write(folder / f"{mate + 1}.fastq.gz", [(f"r{i}", pair[mate]) for i, pair in enumerate(pairs)])
    if singles is not None:
        write(folder / "single.fastq.gz", singles)
    return folder


def fasta(path):
    lines = gzip.decompress(path.read_bytes()).decode().splitlines()
    return list(zip((line[1:] for line in lines[::2]), lines[1::2], strict=True))


def table(pool):
    with (pool / "samples.tsv").open(newline="") as file:
        return [tuple(row.values()) for row in csv.DictReader(file, delimiter="\t")]


def contigs(path):
    return [record.sequence for record in read_fasta(path)]


def run(pool, out, **options):
    log = io.StringIO()
    count = assemble(pool, out, log=log, **{"max_memory_gb": 2, "hours": 0.1, **options})
    assert count == len(contigs(out))
    assert [record.name for record in read_fasta(out)] == [f"contig_{number}" for number in range(1, count + 1)]
    return log.getvalue()


def covered(transcript, found):
    """Whether a contig holds nine tenths of a transcript, on either strand."""
    middle = transcript[len(transcript) // 20 : -len(transcript) // 20]
    return any(middle in contig or reverse_complement(middle) in contig for contig in found)


# --- the pool ---------------------------------------------------------------------------------------------------------


def test_pool_names_counts_and_order(tmp_path):
    b = capture(tmp_path / "b", [("ACGT", "GGGG"), ("AAAA", "CCCC")])
    a = capture(tmp_path / "a.1", singles=[("x", "TTTT"), ("y", "ACAC")])
    none = capture(tmp_path / "c", [])
    pool_unaligned([b, a, none], tmp_path / "pool")
    assert fasta(tmp_path / "pool" / "left.fa.gz") == [("b|r0/1", "ACGT"), ("b|r1/1", "AAAA")]
    assert fasta(tmp_path / "pool" / "right.fa.gz") == [("b|r0/2", "GGGG"), ("b|r1/2", "CCCC")]
    assert fasta(tmp_path / "pool" / "single.fa.gz") == [("a.1|x/1", "TTTT"), ("a.1|y/1", "ACAC")]
    assert table(tmp_path / "pool") == [("a.1", "0", "2"), ("b", "2", "0"), ("c", "0", "0")]


def test_pool_does_not_depend_on_the_order_of_samples(tmp_path):
    folders = [capture(tmp_path / name, list(draw(bases(500, 1), 20, seed))) for seed, name in enumerate("abc")]
    pool_unaligned(folders, tmp_path / "pool")
    pool_unaligned(folders[::-1], tmp_path / "turned")
    for name in ("left.fa.gz", "right.fa.gz", "single.fa.gz", "samples.tsv"):
        assert (tmp_path / "pool" / name).read_bytes() == (tmp_path / "turned" / name).read_bytes()


def test_names_that_lanes_share_are_numbered(tmp_path):
    folder = capture(tmp_path / "a", singles=[("x", "AAAA"), ("x", "CCCC"), ("x", "CCCC"), ("y", "GGGG")])
    pool_unaligned([folder], tmp_path / "pool")
    assert [name for name, _ in fasta(tmp_path / "pool" / "single.fa.gz")] == ["a|x/1", "a|x#2/1", "a|x#3/1", "a|y/1"]


def test_single_second_mates_are_reverse_complemented(tmp_path):
    folder = capture(tmp_path / "a", singles=[("x/1", "AACG"), ("y/2", "AACG")])
    pool_unaligned([folder], tmp_path / "pool")
    assert fasta(tmp_path / "pool" / "single.fa.gz") == [("a|x/1", "AACG"), ("a|y/1", "CGTT")]


def test_a_faulty_capture_leaves_no_pool(tmp_path):
    folder = capture(tmp_path / "a", [("ACGT", "ACGT")])
    (folder / "2.fastq.gz").write_bytes((folder / "2.fastq.gz").read_bytes()[:-9])
    with pytest.raises(InputError, match="2.fastq.gz: the gzip file is truncated"):
        pool_unaligned([folder], tmp_path / "pool")
    assert [path.name for path in tmp_path.iterdir()] == ["a"]


# --- assemblies by the real programs ----------------------------------------------------------------------------------

PAIRED, SINGLE = bases(800, 21), bases(600, 23)


@pytest.fixture(scope="module")
def mixed(tmp_path_factory):
    """A pool of pairs and singles, with a transcript of which there are pairs alone, and one with singles alone."""
    folder = tmp_path_factory.mktemp("captured")
    pairs = capture(folder / "paired", list(draw(PAIRED, 250, 1)))
    reads = [read for pair in draw(SINGLE, 150, 3) for read in pair]
    singles = capture(folder / "single", singles=[(f"r{i}", read) for i, read in enumerate(reads)])
    pool_unaligned([pairs, singles], folder / "pool")
    return folder / "pool"


@pytest.fixture(scope="module")
def few(tmp_path_factory):
    """Pools that are too small for a contig: one pair, and twenty pairs."""
    folder = tmp_path_factory.mktemp("few")
    drawn = list(draw(bases(5000, 30), 30, 31))
    pools = {"one": drawn[8:9], "twenty": drawn[8:28]}
    for name, pairs in pools.items():
        pool_unaligned([capture(folder / name / "s", pairs)], folder / name / "pool")
    return folder


@pytest.mark.tools
@pytest.mark.parametrize("assembler", assembly.ASSEMBLERS)
def test_pairs_and_singles_give_the_same_contigs_with_any_number_of_threads(tmp_path, mixed, assembler):
    for threads in (1, 2):
        run(mixed, tmp_path / f"{threads}.fa", assembler=assembler, threads=threads)
    assert (tmp_path / "1.fa").read_bytes() == (tmp_path / "2.fa").read_bytes()
    found = contigs(tmp_path / "1.fa")
    assert all(covered(transcript, found) for transcript in (PAIRED, SINGLE))
    assert len(found) == 2
    assert found == sorted(found, key=lambda contig: (-len(contig), contig))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["1.fa", "2.fa"]


@pytest.mark.tools
@pytest.mark.parametrize("assembler", assembly.ASSEMBLERS)
def test_stranded_reads_give_contigs_on_the_strand_of_the_transcript(tmp_path, assembler):
    rng = random.Random(40)
    transcript = bases(800, 41)
    singles = []
    for i in range(300):
        start = rng.randrange(len(transcript) - LENGTH)
        singles.append((f"r{i:03}", reverse_complement(transcript[start : start + LENGTH])))
    pool_unaligned([capture(tmp_path / "s", singles=singles)], tmp_path / "pool")
    out = tmp_path / "results of 1; run" / "contigs.fa"
    log = run(tmp_path / "pool", out, assembler=assembler, strandedness="reverse")
    (contig,) = contigs(out)
    assert contig in transcript
    assert ("--SS_lib_type R " in log) == (assembler == "trinity")
    assert [path.name for path in out.parent.iterdir()] == ["contigs.fa"]


@pytest.mark.tools
@pytest.mark.parametrize("assembler", assembly.ASSEMBLERS)
@pytest.mark.parametrize("pool", ["one", "twenty"])
def test_too_few_reads_give_an_empty_assembly(tmp_path, few, assembler, pool):
    log = run(few / pool / "pool", tmp_path / "contigs.fa", assembler=assembler)
    assert (tmp_path / "contigs.fa").read_text() == ""
    assert "too few to assemble" in log


@pytest.mark.parametrize("pairs", [[], [("ACGT" * 6, "TTTT" * 6)] * 50])
@pytest.mark.parametrize("assembler", assembly.ASSEMBLERS)
def test_a_pool_without_usable_reads_needs_no_assembler(tmp_path, monkeypatch, assembler, pairs):
    pool_unaligned([capture(tmp_path / "a", pairs), capture(tmp_path / "b", singles=[])], tmp_path / "pool")
    monkeypatch.setenv("PATH", "")
    log = run(tmp_path / "pool", tmp_path / "contigs.fa", assembler=assembler)
    assert (tmp_path / "contigs.fa").read_text() == ""
    assert "no reads of 25 or more bases" in log


# --- programs that misbehave ------------------------------------------------------------------------------------------


@pytest.fixture
def pool(tmp_path):
    pool_unaligned([capture(tmp_path / "in" / "s", list(draw(PAIRED, 50, 1)))], tmp_path / "in" / "pool")
    return tmp_path / "in" / "pool"


# What Trinity does as far as it matters: it normalises, then lists the clusters, then assembles each of them.
TRINITY = """
while [ $# -gt 0 ]; do case "$1" in
    --output) out=$2;; --just_normalize_reads) just=1;; --left) left=$2;; --single) single=$2;; --CPU) cpu=$2;;
esac; shift; done
if [ -n "$just" ]; then
    mkdir -p "$out/insilico_read_normalization"; cd "$out/insilico_read_normalization"
    for name in left right single; do printf '>a/1\\nACGT\\n' > $name.norm.fa; done
    exit 0
fi
"""
LIST = """
mkdir -p "$out/read_partitions/Fb_0/CBin_0"; cd "$out"
for i in 1 2 3; do
    echo r > read_partitions/Fb_0/CBin_0/c$i.trinity.reads.fa
    echo "{command} --single \\"$out/read_partitions/Fb_0/CBin_0/c$i.trinity.reads.fa\\"" >> recursive_trinity.cmds
done
"""


@pytest.mark.parametrize(
    ("script", "status", "message"),
    [
        ("echo 'java: not found' >&2; exit 2", 2, r"Trinity failed .exit status 2.*set the assembler to rnaspades"),
        ("exit 0", None, "without an error, but wrote no normalised reads.*does not work on this machine"),
        (f"{TRINITY} exit 0", None, "without an error, but wrote no clusters.*does not work on this machine"),
        (f"{TRINITY} echo 'no memory'; kill -9 $$", -9, "killed by signal 9"),
        (TRINITY + LIST.format(command="broken"), 1, "failed .exit status 1.*no butterfly"),
    ],
)
def test_broken_trinity_is_named_and_leaves_nothing(tmp_path, fake_program, pool, script, status, message):
    fake_program("broken", "echo no butterfly; exit 1")
    fake_program("Trinity", script)
    with pytest.raises(ToolFailed, match=f"(?s){message}") as caught:
        run(pool, tmp_path / "out" / "contigs.fa", threads=2)
    assert caught.value.status == status
    assert list((tmp_path / "out").iterdir()) == []


@pytest.mark.parametrize("script", ["sleep 60", TRINITY + LIST.format(command="hangs")])
def test_hanging_trinity_is_stopped(tmp_path, fake_program, pool, script):
    fake_program("hangs", "sleep 60")
    fake_program("Trinity", script)
    start = time.monotonic()
    with pytest.raises(ToolFailed, match="exceeded its time limit of 1 s and was killed"):
        run(pool, tmp_path / "out" / "contigs.fa", hours=1 / 3600, threads=2)
    assert time.monotonic() - start < 20
    assert list((tmp_path / "out").iterdir()) == []


def test_contigs_of_all_clusters_are_named_by_length_then_sequence(tmp_path, fake_program, pool):
    made = {f"c{i}": bases(length, i) for i, length in ((1, 400), (2, 500), (3, 299))}
    choose = "; ".join(f"[[ $2 == */{name}.* ]] && contig={sequence}" for name, sequence in made.items())
    write = 'mkdir $2.out; printf ">DN0 len\\n$contig\\n" | tee $2.out/Trinity.tmp.fasta > $2.out.Trinity.fasta'
    fake_program("cluster", f"{choose}; {write}")
    fake_program("Trinity", TRINITY + LIST.format(command="cluster"))
    run(pool, tmp_path / "contigs.fa", threads=3)
    assert contigs(tmp_path / "contigs.fa") == [made["c2"], made["c1"]]


def test_a_cluster_without_its_contigs_is_a_failure(tmp_path, fake_program, pool):
    fake_program("cluster", "echo '>c' > $2.out.Trinity.fasta")
    fake_program("Trinity", TRINITY + LIST.format(command="cluster"))
    with pytest.raises(ToolFailed, match="(?s)Trinity.tmp.fasta.*exit status 1"):
        run(pool, tmp_path / "contigs.fa")


@pytest.mark.parametrize("assembler", assembly.ASSEMBLERS)
def test_missing_assembler(tmp_path, monkeypatch, pool, assembler):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(BioToolUnavailable, match="(Trinity|rnaspades.py): not found on PATH"):
        run(pool, tmp_path / "contigs.fa", assembler=assembler)
    assert not (tmp_path / "contigs.fa").exists()


def test_unknown_assembler(tmp_path, pool):
    with pytest.raises(InputError, match="assembler 'velvet', expected one of trinity, rnaspades"):
        run(pool, tmp_path / "contigs.fa", assembler="velvet")


def test_broken_rnaspades_is_named(tmp_path, fake_program, pool):
    fake_program("rnaspades.py", "echo no room on disk; exit 21")
    with pytest.raises(ToolFailed, match=r"(?s)rnaspades.py failed .exit status 21.*no room on disk"):
        run(pool, tmp_path / "contigs.fa", assembler="rnaspades")
    assert not (tmp_path / "contigs.fa").exists()


def test_leftovers_of_a_killed_run_are_deleted_by_the_next(tmp_path, fake_program, pool):
    code = f"""
    import io
    from pathlib import Path
    from deepmapper.reads.assembly import assemble
    assemble(Path({str(pool)!r}), Path({str(tmp_path / "out" / "contigs.fa")!r}), log=io.StringIO())
    """
    fake_program("Trinity", "kill -9 $PPID")
    environment = {**os.environ, "PYTHONPATH": str(Path(assembly.__file__).parents[2])}
    done = subprocess.run([sys.executable, "-c", textwrap.dedent(code)], env=environment)
    assert done.returncode == -9
    left = [path.name for path in (tmp_path / "out").iterdir()]
    assert len(left) == 1
    assert left[0].startswith(".contigs.fa.trinity.")
    fake_program("Trinity", TRINITY + LIST.format(command="true"))
    run(pool, tmp_path / "out" / "contigs.fa")
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["contigs.fa"]
