"""Counts per transcript: Salmon's index, the measured library, and the counts."""

import gzip
import json
import random
import statistics
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deepmapper.errors import BioToolUnavailable, DeepMapperWarning, InputError, ToolFailed
from deepmapper.reads import quantification
from deepmapper.reads.hybrid_reference import build_hybrid_reference
from deepmapper.reads.nucleotides import reverse_complement
from deepmapper.reads.quantification import (
    Library,
    check_index,
    count_strands_and_lengths,
    index_salmon,
    mean_and_sd,
    quantify_sample,
)
from deepmapper.reads.samples import Unit


def fasta(path, records):
    path.write_text("".join(f">{name}\n{sequence}\n" for name, sequence in records.items()))
    return path


# ---------------------------------------------------------------------------------------------------------------------
# The index
# ---------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("k", [1, 30, 33])
def test_a_kmer_length_that_salmon_does_not_accept_is_rejected(tmp_path, k):
    with pytest.raises(InputError, match=f"k is {k}, expected an odd number from 3 to 31"):
        index_salmon(tmp_path / "x.fa", tmp_path / "index", k=k)


@pytest.fixture
def salmon_1(monkeypatch):
    """As if Salmon 1.10.1 were there."""
    monkeypatch.setattr(quantification, "require", lambda *names: None)
    monkeypatch.setattr(quantification, "_salmon_version", lambda: "1.10.1")


def test_an_index_of_another_major_version_is_refused(tmp_path, salmon_1):
    (tmp_path / "deepmapper.json").write_text('{"salmon": "2.1.0"}')
    with pytest.raises(InputError, match=r"built by Salmon 2\.1\.0, but this is Salmon 1\.10\.1"):
        check_index(tmp_path)


def test_an_index_of_the_same_major_version_is_accepted_with_or_without_our_record(tmp_path, salmon_1):
    (tmp_path / "versionInfo.json").write_text('{"salmonVersion": "1.9.0"}')
    check_index(tmp_path)
    (tmp_path / "deepmapper.json").write_text('{"salmon": "1.10.3"}')
    check_index(tmp_path)


@pytest.mark.parametrize("text", [None, "{", "[]", "{}"])
def test_a_folder_that_is_not_an_index_is_rejected(tmp_path, salmon_1, text):
    if text is not None:
        (tmp_path / "deepmapper.json").write_text(text)
    with pytest.raises(InputError, match="not a Salmon index" if text is None else "is damaged"):
        check_index(tmp_path)


def test_without_salmon_the_message_names_it(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(BioToolUnavailable, match="salmon: not found on PATH"):
        quantify_sample([Unit("1", "a.fq")], index=tmp_path, folder=tmp_path / "out", sample="a")


# ---------------------------------------------------------------------------------------------------------------------
# What is measured
# ---------------------------------------------------------------------------------------------------------------------


@given(st.dictionaries(st.integers(20, 1000), st.integers(1, 10**6), min_size=1, max_size=30))
def test_mean_and_deviation_are_those_of_the_lengths(counts):
    mean, sd = mean_and_sd(Counter(counts))
    total = sum(counts.values())
    exact = sum(length * count for length, count in counts.items()) / total
    variance = sum(count * (length - exact) ** 2 for length, count in counts.items()) / total
    assert abs(mean - exact) <= 0.5
    assert abs(sd - max(1, variance**0.5)) <= 0.501


def test_mean_and_deviation_of_a_few_lengths():
    values = [180, 200, 220, 260]
    assert mean_and_sd(Counter(values)) == (215, round(statistics.pstdev(values)))


def record(name, flag, length):
    return f"{name}\t{flag}\tT1\t10\t1\t50M\t=\t60\t{length}\tACGT\t*\n".encode()


fragments = st.lists(
    st.lists(st.tuples(st.sampled_from([99, 83]), st.integers(50, 1200)), min_size=1, max_size=3), max_size=20
)


@given(fragments, st.randoms(use_true_random=False))
def test_measurements_do_not_depend_on_the_order_of_fragments(fragments, rng):
    def measure(order):
        strands, lengths = Counter(), Counter()
        sam = [b"@SQ\tSN:T1\tLN:500\n"]
        for i in order:
            for flag, length in fragments[i]:
                mate = 147 if flag == 99 else 163
                sam += [record(f"r{i}", flag, length), record(f"r{i}", mate, -length)]
        count_strands_and_lengths(sam, True, strands, lengths)
        return strands, lengths

    strands, lengths = measure(range(len(fragments)))
    assert measure(rng.sample(range(len(fragments)), len(fragments))) == (strands, lengths)
    one_strand = [{flag == 83 for flag, _ in places} for places in fragments]
    assert strands == Counter(found.pop() for found in one_strand if len(found) == 1)
    one_length = [{length for _, length in places} for places in fragments]
    assert lengths == Counter(length for found in one_length if len(found) == 1 for length in found if length <= 1000)


def test_single_mates_and_single_reads_have_no_length():
    strands, lengths = Counter(), Counter()
    count_strands_and_lengths([record("r1", 1 | 8 | 64, 0)], True, strands, lengths)
    assert not strands
    count_strands_and_lengths([record("r1", 0, 0), record("r2", 16, 0)], False, strands, lengths)
    assert strands == Counter([False, True])
    assert not lengths


@pytest.mark.parametrize(
    ("fragments", "forward", "strandedness"),
    [
        (1000, 0.97, "forward"),
        (1000, 0.8, "forward"),
        (1000, 0.79, "unstranded"),
        (1000, 0.21, "unstranded"),
        (1000, 0.03, "reverse"),
        (99, 1.0, "unstranded"),
        (0, None, "unstranded"),
    ],
)
def test_a_library_is_stranded_from_80_percent_on(fragments, forward, strandedness):
    assert Library(fragments, forward, 250, 25).strandedness == strandedness


# ---------------------------------------------------------------------------------------------------------------------
# Counts, with Salmon
# ---------------------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="session")
def transcripts():
    """Twelve genes, half of them with an isoform that skips an exon; a copy, a very short one and a novel one."""
    rng = random.Random(1)
    made = {f"G{i}.1": "".join(rng.choices("ACGT", k=rng.randint(600, 1200))) for i in range(12)}
    made |= {f"G{i}.2": made[f"G{i}.1"][:200] + made[f"G{i}.1"][350:] for i in range(6)}
    return made | {"copy": made["G7.1"], "short": "ACGTTGCATTACGGCATCA"}


@pytest.fixture(scope="session")
def novel():
    return {"DENOVO_1": "".join(random.Random(2).choices("ACGT", k=700))}


@pytest.fixture(scope="session")
def index(tmp_path_factory, transcripts, novel):
    folder = tmp_path_factory.mktemp("index")
    out = folder / "hybrid.fa"
    build_hybrid_reference(fasta(folder / "ref.fa", transcripts), fasta(folder / "new.fa", novel), out)
    index_salmon(out, folder / "salmon", decoys=folder / "decoys.txt")
    return folder / "salmon"


def write_reads(folder, sources, n, *, paired=True, forward=0.5, seed=0, name="reads"):
    """Fragments of 200 ± 30 from sequences drawn evenly; returns one unit and how many each gave."""
    rng = random.Random(seed)
    truth = Counter()
    mates = ["", ""]
    for i in range(n):
        source = rng.choice(sorted(sources))
        sequence = sources[source]
        length = max(80, min(len(sequence), round(rng.gauss(200, 30))))
        start = rng.randint(0, len(sequence) - length)
        fragment = sequence[start : start + length]
        if rng.random() >= forward:
            fragment = reverse_complement(fragment)
        truth[source] += 1
        for mate, read in enumerate((fragment[:60], reverse_complement(fragment)[:60])):
            mates[mate] += f"@r{i}/{mate + 1}\n{read}\n+\n{'I' * len(read)}\n"
    unit = []
    for mate, text in enumerate(mates if paired else mates[:1], 1):
        path = folder / f"{name}_{mate}.fq"
        path.write_text(text)
        unit.append(str(path))
    return Unit("1", *unit), truth


def counts_of(folder):
    rows = [line.split("\t") for line in (folder / "quant.sf").read_text().splitlines()[1:]]
    return {row[0]: float(row[4]) for row in rows}


@pytest.mark.tools
@pytest.mark.parametrize("paired", [True, False])
def test_counts_equal_the_truth_with_any_number_of_threads(tmp_path, index, transcripts, novel, paired):
    expressed = {name: s for name, s in (transcripts | novel).items() if name not in ("short", "copy")}
    unit, truth = write_reads(tmp_path, expressed, 4000, paired=paired)
    results = [
        quantify_sample([unit], index=index, folder=tmp_path / f"out{i}", sample="a", threads=threads)
        for i, threads in enumerate((1, 2))
    ]
    assert results[0] == results[1]
    assert (tmp_path / "out0" / "quant.sf").read_bytes() == (tmp_path / "out1" / "quant.sf").read_bytes()
    result, counts = results[0], counts_of(tmp_path / "out0")
    assert (result["fragments"], result["layout"]) == (4000, "paired" if paired else "single")
    assert result["mapped"] >= 3960
    assert result["library_type"] == ("IU" if paired else "U")
    assert sum(counts.values()) == pytest.approx(result["mapped"], abs=0.1)
    assert set(counts) == {*transcripts, *novel}
    assert counts["DENOVO_1"] == pytest.approx(truth["DENOVO_1"], rel=0.03)
    for i in range(12):  # isoforms apart differ by chance; a gene's sum does not
        found = sum(counts.get(f"G{i}.{n}", 0) for n in (1, 2)) + (counts["copy"] if i == 7 else 0)
        assert found == pytest.approx(truth[f"G{i}.1"] + truth[f"G{i}.2"], rel=0.03)
    assert counts["copy"] == pytest.approx(counts["G7.1"])
    if paired:
        assert result["measured"]["length_mean"] == pytest.approx(200, abs=3)
        assert result["measured"]["length_sd"] == pytest.approx(30, abs=3)


@pytest.mark.tools
@pytest.mark.parametrize(("paired", "forward", "found"), [(True, 0.98, "ISF"), (False, 0.02, "SR")])
def test_the_strand_of_a_library_is_found(tmp_path, index, transcripts, paired, forward, found):
    unit, _ = write_reads(tmp_path, {"G8.1": transcripts["G8.1"]}, 400, paired=paired, forward=forward)
    result = quantify_sample([unit], index=index, folder=tmp_path / "out", sample="a")
    assert result["library_type"] == found
    assert result["mapping_rate"] == pytest.approx(0.98, abs=0.015)
    assert result["note"] == ""


@pytest.mark.tools
def test_a_strandedness_that_the_reads_contradict_is_used_and_noted(tmp_path, index, transcripts):
    unit, _ = write_reads(tmp_path, {"G8.1": transcripts["G8.1"]}, 400, forward=0.02)
    with pytest.warns(DeepMapperWarning, match="sample a: its strandedness is given as forward, but 3 % of 400"):
        result = quantify_sample([unit], index=index, folder=tmp_path / "out", sample="a", strandedness="forward")
    assert result["library_type"] == "ISF"
    assert "so it is reverse" in result["note"]


@pytest.mark.tools
def test_units_add_up_and_paths_may_hold_what_a_shell_or_salmon_would_split(tmp_path, index, transcripts):
    folder = tmp_path / "a b,c;'d"
    folder.mkdir()
    sources = {"G8.1": transcripts["G8.1"]}
    units = [write_reads(folder, sources, n, seed=n, name=f"lane,{n}")[0] for n in (300, 200)]
    for mate in (0, 1):  # the second lane is gzipped, whatever its name says
        path = Path(units[1].files[mate])
        path.write_bytes(gzip.compress(path.read_bytes()))
    result = quantify_sample(units, index=index, folder=folder / "out", sample="a")
    assert (result["fragments"], result["mapped"]) == (500, 500)
    assert counts_of(folder / "out")["G8.1"] == pytest.approx(500)
    written = [file.read_text(errors="replace") for file in (folder / "out").rglob("*") if file.is_file()]
    assert not [text for text in written if str(tmp_path) in text]


@pytest.mark.tools
def test_if_nothing_maps_counts_are_zero_with_a_note(tmp_path, index, transcripts, novel):
    unit, _ = write_reads(tmp_path, {"x": "".join(random.Random(9).choices("ACGT", k=900))}, 50)
    with pytest.warns(DeepMapperWarning, match="none of 50 fragments maps"):
        result = quantify_sample([unit], index=index, folder=tmp_path / "out", sample="a")
    assert (result["mapped"], result["mapping_rate"]) == (0, 0.0)
    assert counts_of(tmp_path / "out") == dict.fromkeys([*transcripts, *novel], 0.0)
    assert json.loads((tmp_path / "out" / "quantification.json").read_text()) == result


@pytest.mark.tools
@pytest.mark.parametrize("paired", [True, False])
def test_captured_fragments_that_count_are_told_from_those_that_do_not(tmp_path, index, transcripts, novel, paired):
    strange = {"strange": "".join(random.Random(7).choices("ACGT", k=900))}
    parts = {  # name -> sources, number, share on the forward strand
        "known": ({"G8.1": transcripts["G8.1"]}, 400, 1.0),
        "other_strand": ({"G8.1": transcripts["G8.1"]}, 40, 0.0),
        "aligned_only": (strange, 30, 1.0),
        "novel": (novel, 70, 1.0),
        "novel_other_strand": (novel, 9, 0.0),
        "captured_only": (strange, 20, 1.0),
    }
    made = {
        name: write_reads(tmp_path, sources, n, paired=paired, forward=forward, seed=n, name=name)[0]
        for name, (sources, n, forward) in parts.items()
    }
    captured = tmp_path / "captured"
    captured.mkdir()
    of_captured = [made[name] for name in ("novel", "novel_other_strand", "captured_only")]
    for mate, file in enumerate(("1", "2") if paired else ("single",)):
        text = "".join(Path(unit.files[mate]).read_text() for unit in of_captured)
        (captured / f"{file}.fastq.gz").write_bytes(gzip.compress(text.encode()))
    if paired:  # the single mates of half-mapped pairs are no fragments of their own
        (captured / "single.fastq.gz").write_bytes(gzip.compress(Path(made["known"].fq1).read_bytes()))
    (captured / "counts.json").write_text('{"captured": 99}')
    units = list(made.values())
    result = quantify_sample(units, index=index, folder=tmp_path / "out", sample="a", captured=captured)
    assert (result["strandedness"], result["fragments"]) == ("forward", 569)
    assert (result["known"], result["novel"], result["mapped"]) == (400, 70, 470)
    assert (result["captured"], result["captured_counted"]) == (99, 70)
    assert (result["detected_known"], result["detected_novel"]) == (1, 1)
    alone = quantify_sample(units, index=index, folder=tmp_path / "alone", sample="a")
    assert (tmp_path / "alone" / "quant.sf").read_bytes() == (tmp_path / "out" / "quant.sf").read_bytes()
    assert alone["captured_counted"] is None
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == sorted(
        path.name for path in (tmp_path / "alone").iterdir()
    )


@pytest.mark.tools
def test_without_captured_fragments_none_of_them_counts(tmp_path, index, transcripts):
    unit, _ = write_reads(tmp_path, {"G8.1": transcripts["G8.1"]}, 30)
    (tmp_path / "counts.json").write_text('{"captured": 0}')
    result = quantify_sample([unit], index=index, folder=tmp_path / "out", sample="a", captured=tmp_path)
    assert (result["captured"], result["captured_counted"], result["known"]) == (0, 0, 30)


@pytest.mark.tools
def test_three_fragments_are_enough(tmp_path, index, transcripts):
    unit, _ = write_reads(tmp_path, {"G8.1": transcripts["G8.1"]}, 3)
    result = quantify_sample([unit], index=index, folder=tmp_path / "out", sample="a")
    assert counts_of(tmp_path / "out")["G8.1"] == 3
    assert (result["measured"]["length_mean"], result["measured"]["length_sd"]) == (250, 25)


@pytest.mark.tools
def test_faulty_reads_are_refused_and_leave_nothing(tmp_path, index, transcripts):
    unit, _ = write_reads(tmp_path, transcripts | {"short": transcripts["G8.1"]}, 50)
    (tmp_path / "empty.fq").touch()
    (tmp_path / "cut.fq.gz").write_bytes(gzip.compress(Path(unit.fq1).read_bytes())[:-40])
    short = tmp_path / "short.fq"
    short.write_text("".join(Path(unit.fq2).read_text().splitlines(keepends=True)[:-4]))
    faulty = {
        "holds no reads": Unit("1", str(tmp_path / "empty.fq")),
        "truncated": Unit("1", str(tmp_path / "cut.fq.gz")),
        "holds 50 reads but .* holds 49": Unit("1", unit.fq1, str(short)),
    }
    before = set(tmp_path.iterdir())
    for message, bad in faulty.items():
        with pytest.raises(InputError, match=message):
            quantify_sample([bad], index=index, folder=tmp_path / "out", sample="a")
    with pytest.raises(InputError, match="strandedness 'rf', expected one of auto, unstranded"):
        quantify_sample([unit], index=index, folder=tmp_path / "out", sample="a", strandedness="rf")
    assert set(tmp_path.iterdir()) == before


@pytest.mark.tools
def test_a_failure_of_salmon_keeps_the_earlier_result(tmp_path, index, transcripts):
    unit, _ = write_reads(tmp_path, {"G8.1": transcripts["G8.1"]}, 10)
    broken = tmp_path / "broken"
    broken.mkdir()
    (broken / "deepmapper.json").write_text((index / "deepmapper.json").read_text())
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "quant.sf").write_text("earlier")
    with pytest.raises(ToolFailed, match="salmon"):
        quantify_sample([unit], index=broken, folder=tmp_path / "out", sample="a")
    assert [file.name for file in (tmp_path / "out").iterdir()] == ["quant.sf"]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["broken", "out", "reads_1.fq", "reads_2.fq"]


@pytest.mark.tools
def test_decoys_keep_genomic_reads_off_the_transcripts(tmp_path, transcripts):
    rng = random.Random(3)
    exon = transcripts["G8.1"]
    # the genome holds a worn copy of the transcript as well: reads from there fit it better
    worn = "".join(rng.choice("ACGT") if rng.random() < 0.04 else letter for letter in exon)
    genome = {"chr1": "".join(rng.choices("ACGT", k=500)) + worn + "".join(rng.choices("ACGT", k=500))}
    reference = fasta(tmp_path / "ref.fa", {"G8.1": exon, "G9.1": transcripts["G9.1"]})
    unit, _ = write_reads(tmp_path, {"worn": worn}, 200, paired=False)
    mapped = {}
    for name, decoys in (("with", fasta(tmp_path / "genome.fa", genome)), ("without", None)):
        folder = tmp_path / name
        build_hybrid_reference(reference, fasta(tmp_path / "new.fa", {}), folder / "hybrid.fa", decoys=decoys)
        index_salmon(folder / "hybrid.fa", folder / "index", k=15, decoys=folder / "decoys.txt")
        result = quantify_sample([unit], index=folder / "index", folder=folder / "out", sample="a", strandedness="auto")
        mapped[name] = result["mapped"]
        assert set(counts_of(folder / "out")) == {"G8.1", "G9.1"}
    assert mapped["without"] > 120
    assert mapped["with"] < 20


@pytest.mark.tools
def test_transcripts_that_are_all_too_short_are_refused(tmp_path):
    with pytest.raises(InputError, match="no sequence is longer than k = 31"):
        index_salmon(fasta(tmp_path / "x.fa", {"T1": "ACGT" * 7}), tmp_path / "index")
    assert not (tmp_path / "index").exists()
