"""Names that are written differently on two sides: what is matched, and what is never matched."""

import random
import string

import pytest

from deepmapper.core.match_names import (
    CHROMOSOME_HABITS,
    SAMPLE_HABITS,
    TRANSCRIPT_HABITS,
    chromosome_key,
    match_features,
    match_names,
    strip_version,
)

BARCODES = ["ACGTACGTAC", "TTTTACGTAC", "GGGGACGTAC", "CATGACGTAC"]


def samples(wanted, given):
    return match_names(wanted, given, SAMPLE_HABITS)


@pytest.mark.parametrize(
    ("write", "text"),
    [
        (lambda name: f" {name}\t", "blanks"),
        (lambda name: f"\ufeff{name}\u00a0", "blanks"),
        (str.lower, "upper and lower case"),
        (lambda name: f"{name}-1", "ending"),
        (lambda name: f"{name}.1", "ending"),
        (lambda name: f"{name}-17", "ending"),
        (lambda name: f"sample1_{name}", "beginning"),
        (lambda name: f"{name}-sample1", "ending"),
        (lambda name: f"sample1_{name}-1", "beginning or an ending"),
        (lambda name: f"study.a_{name}.1", "beginning or an ending"),
        (lambda name: f"/data/run 2/{name}.sorted.bam", "a folder or the ending of a file"),
        (lambda name: f"bams/{name}Aligned.sortedByCoord.out.bam", "a folder or the ending of a file"),
        (lambda name: f"salmon/{name}/quant.sf", "beginning or an ending"),
    ],
)
def test_habits_of_samples_on_either_side(write, text):
    written = [write(name) for name in BARCODES]
    for wanted, given in ((BARCODES, written), (written, BARCODES)):
        match = samples(wanted, given[::-1])
        assert match.given == dict(zip(wanted, given, strict=True))
        assert match.exact == 0 and not match.unmatched and not match.unused
        assert text in match.describe("sample") and f"{len(BARCODES)} samples matched" in match.describe("sample")


@pytest.mark.parametrize(
    ("wanted", "given"),
    [
        (["T-1", "T-2", "1a b/c"], ["T.1", "T.2", "X1a.b.c"]),
        (["s_1.x", "s_2-x"], ["s.1.x", "s.2.x"]),
        (["s1_ACGT-1", "s1_TTTT-1"], ["ACGT.1", "TTTT.1"]),
        (["Mu\u0308ller", "Zoe"], ["M\u00fcller", "Zoe"]),
        (["ACGTACGT-1"], ["ACGTACGT"]),
        (["ACGTACGT-1-ctrl", "ACGTACGT-1-stim"], ["ctrl_ACGTACGT-1", "stim_ACGTACGT-1"]),
        (["ACGTACGT-ctrl", "ACGTACGT-stim"], ["ctrl#ACGTACGT", "stim#ACGTACGT"]),
    ],
)
def test_other_habits_of_samples(wanted, given):
    assert samples(wanted, given).given == dict(zip(wanted, given, strict=True))
    assert samples(given, wanted).given == dict(zip(given, wanted, strict=True))


@pytest.mark.parametrize(
    ("wanted", "given"),
    [
        (["ACGT-1", "ACGT-2", "TTTT-1"], ["ACGT", "TTTT", "GGGG"]),  # two samples
        (["ACGT-1", "TTTT-2"], ["ACGT", "TTTT"]),  # two samples
        (["ACGT-1", "TTTT-1"], ["ACGT-2", "TTTT-2"]),  # another sample
        (["ACGTACGT-1_1", "ACGTACGT-1_2"], ["ACGTACGT-1-0", "ACGTACGT-1-1"]),
        (["ACGTACGT-1-a", "ACGTACGT-1-b"], ["ACGTACGT-1", "TTTTACGT-1"]),
        (["ctrl_ACGT", "ctrl_TTTT"], ["stim_ACGT", "stim_TTTT"]),
        (["cell_1", "cell_2", "cell_3"], ["1", "2", "3"]),  # numbers of rows
        (["cell_1", "cell_2", "cell_3"], ["0", "1", "2"]),
        (["X1", "X2"], ["2", "1"]),
        (["ab", "Ab"], ["aB", "c"]),
        (["a/s1.bam", "b/s1.bam"], ["s1", "s2"]),
        (["sample10", "sample11"], ["sample1", "sample2"]),  # similar
        (["s1", "s2"], ["t1", "t2"]),
        (["1", "01"], ["001", "2"]),
    ],
)
def test_never_matched(wanted, given):
    for match in (samples(wanted, given), samples(given, wanted)):
        assert not match.given and not match.habits and match.describe("sample") == ""


def test_exact_first_and_the_rest_by_habit():
    match = samples(["a", "A", "b", "c "], ["a", "A", "B", "c", "d"])
    assert match.given["a"] == "a" and match.given["A"] == "A" and match.given["c "] == "c"
    assert match.exact == 2 and match.unused[-1] == "d"
    text = match_names(["KI270728.1", "chr1", "chrM"], ["1", "MT", "KI270728.1"], CHROMOSOME_HABITS).describe(
        "sequence"
    )
    assert text == (
        "2 sequences matched although the names differ in 'chr' or the name of the mitochondrion ('1' for 'chr1'); "
        "1 sequence matched exactly"
    )


def mangle(rng, names):
    """Change names as programs do, and drop, add and shuffle some."""
    change = rng.choice(
        [
            str.upper,
            str.lower,
            str.swapcase,
            lambda name: f" {name} ",
            lambda name: f"{name}-1",
            lambda name: f"p_{name}",
            lambda name: f"x/{name}.bam",
            lambda name: f"{name}-{rng.randint(1, 2)}",
            lambda name: name.replace("-", "."),
            lambda name: name[:2],
        ]
    )
    changed = [change(name) if rng.random() < rng.choice([0.1, 0.5, 1.1]) else name for name in names]
    changed += ["".join(rng.choices("aAbB.-_1 ", k=3)) for _ in range(rng.randint(0, 4))]
    changed = [name for name in dict.fromkeys(changed) if rng.random() < 0.9]
    rng.shuffle(changed)
    return changed


@pytest.mark.parametrize("matcher", [samples, match_features])
def test_properties(matcher):
    rng = random.Random(0)
    for _ in range(1500):
        names = ["".join(rng.choices(string.ascii_letters[:4] + "12.-_", k=rng.randint(1, 6))) for _ in range(8)]
        wanted = list(dict.fromkeys(names))
        given = mangle(rng, wanted)
        match = matcher(wanted, given)
        assert len(set(match.given.values())) == len(match.given)  # never two to one
        assert set(match.given) <= set(wanted) and set(match.given.values()) <= set(given)
        assert all(match.given[name] == name for name in set(wanted) & set(given))  # exact first
        assert [*match.unmatched] == [name for name in wanted if name not in match.given]
        assert {*match.unused} == set(given) - set(match.given.values())
        assert match.exact + sum(n for _, n, _, _ in match.habits) == len(match.given)
        other = matcher(rng.sample(wanted, len(wanted)), rng.sample(given, len(given)))
        assert other.given == match.given and other.habits == match.habits  # free of the order
        same = matcher(wanted, wanted[::-1])
        assert same.given == {name: name for name in wanted} and same.describe("sample") == ""


def test_features():
    ids = [f"ENSG{i:011}" for i in range(4)]
    versions = [f"{name}.{i + 2}" for i, name in enumerate(ids)]
    assert match_features(ids, versions).given == dict(zip(ids, versions, strict=True))
    others = [f"{name}.{i + 5}" for i, name in enumerate(ids)]
    assert match_features(versions, others).given == dict(zip(versions, others, strict=True))
    par = ["ENSG00000000001.4", "ENSG00000000001.4_PAR_Y"]
    assert match_features(["ENSG00000000001"], par).given == {"ENSG00000000001": par[0]}
    assert not match_features(["ENSG00000000001"], ["ENSG00000000001.4", "ENSG00000000001.5"]).given
    assert match_features(["HLA-A", "TP53", "ACTB"], ["HLA.A", "TP53", "ACTB"]).given["HLA-A"] == "HLA.A"
    isoforms = ["AT1G01010.1", "AT1G01010.2"]
    assert not match_features(["AT1G01010"], isoforms).given


def test_case_of_features_only_where_the_rest_matches():
    human = ["ACTB", "GAPDH", "TP53", "C1orf112"]
    assert not match_features(human, ["Actb", "Gapdh", "Trp53", "Myc"]).given
    assert match_features(human, ["ACTB", "GAPDH", "TP53", "C1ORF112"]).given["C1orf112"] == "C1ORF112"


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("chr1", "1"),
        ("Chr1", "1"),
        ("chrX", "X"),
        ("chrM", "MT"),
        ("MT", "M"),
        ("chrM", "Mito"),
        ("ChrC", "Pt"),
        ("chrIV", "IV"),
        ("chr16_KI270728v1_random", "KI270728.1"),
        ("chrUn_GL000220v1", "GL000220.1"),
        ("gi|556503834|ref|NC_000913.3|", "NC_000913.3"),
        ("chromosome_2", "2"),
    ],
)
def test_chromosomes(one, other):
    assert chromosome_key(one) == chromosome_key(other)
    match = match_names([one, "KI270731.1"], [other, "KI270731.1"], CHROMOSOME_HABITS)
    assert match.given == {one: other, "KI270731.1": "KI270731.1"}


def test_different_chromosomes():
    names = ["1", "10", "11", "I", "M", "X", "Y", "C", "Un", "KI270728.1", "KI270728.2", "NC_000001.10", "NC_000001.11"]
    assert len({chromosome_key(name) for name in names}) == len(names)
    assert not match_names(["1"], ["chr1", "Chr1"], CHROMOSOME_HABITS).given


def test_transcripts_and_versions():
    match = match_names(["ENST00000456328.2", "t1"], ["t1", "ENST00000456328"], TRANSCRIPT_HABITS)
    assert match.given == {"ENST00000456328.2": "ENST00000456328", "t1": "t1"}
    assert strip_version("NM_000014.6") == "NM_000014" and strip_version("AT1G01010.1") == "AT1G01010.1"


ALIQUOTS = [f"TCGA-A1-A0S{i}-01A-11R-A034-07" for i in range(4)]


@pytest.mark.parametrize(
    "write",
    [
        lambda name: name[:15],
        lambda name: name[:16].replace("-", "."),
        lambda name: name[:12].lower(),
        lambda name: name.lower().replace("-", "."),
    ],
)
def test_barcodes_of_tcga_of_another_length(write):
    written = [write(name) for name in ALIQUOTS]
    for wanted, given in ((ALIQUOTS, written), (written, ALIQUOTS)):
        assert samples(wanted, given[::-1]).given == dict(zip(wanted, given, strict=True))


def test_tumour_and_normal_tissue_of_a_patient_are_not_matched():
    normal = [name.replace("-01A-", "-11A-") for name in ALIQUOTS]
    assert not samples(ALIQUOTS, normal).given
    assert not samples(ALIQUOTS, [name[:15] for name in normal]).given
    assert not samples(ALIQUOTS + normal, [name[:12] for name in normal]).given
