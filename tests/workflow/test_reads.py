"""From reads to findings with the real programs: what was planted comes back, and what is wrong is said once."""

import gzip
import importlib.util
import json
import re
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

pytestmark = [pytest.mark.workflow, pytest.mark.tools]

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="session")
def deep(tmp_path_factory):
    """A study as the embedded one, of eight deep samples in place of many shallow ones: it runs faster."""
    from deepmapper.simulate.reads import make_study

    return make_study(tmp_path_factory.mktemp("deep") / "reads")


@pytest.fixture(scope="session")
def embedded_run(work_directory, deep):
    """Run the study to the end, as the demo does, with fewer passes."""
    directory = work_directory()
    import yaml

    settings = yaml.safe_load((ROOT / "config/config.yaml").read_text())
    directory.settings.clear()
    few = {"passes": {"n_passes": 8, "n_permuted": 3, "n_shadow": 0, "top_k": 12}, "stability": {"n_pairs": 1}}
    here = {name: str(getattr(deep, name)) for name in settings["reference"]}
    few |= {"sample_sheet": str(deep.sheet), "reference": here, "models": {"cnn_small": {}, "linear": {}}}
    few |= {"enrichment": {"gene_sets": [str(deep.gene_sets)]}, "split": {}}
    directory.configure(**{**settings, **few})
    directory.run("all")
    return directory


@pytest.fixture(scope="session")
def truth(deep) -> pd.DataFrame:
    """Fragments of every transcript of the study that no reference lists: transcripts × samples."""
    return pd.concat([pd.read_csv(table, sep="\t", index_col=0) for table in (deep.novel, deep.unlisted)])


@pytest.fixture(scope="session")
def missing(deep) -> dict[str, str]:
    """Sequences of these, whether the genome has them or not."""
    return {**sequences(deep.novel_fasta), **sequences(deep.unlisted_fasta)}


def sequences(path) -> dict[str, str]:
    """Read a FASTA by name."""
    from deepmapper.reads.fasta import read_fasta

    return {record.name: record.sequence for record in read_fasta(path)}


def best_match(contig: str, candidates: dict[str, str]) -> tuple[str, float]:
    """Which sequence shares most 21-letter words with a contig, on either strand, and the share of its words."""
    from Bio.Seq import reverse_complement

    def words(text):
        return {text[i : i + 21] for i in range(len(text) - 20)}

    own = words(contig) | words(reverse_complement(contig))
    shares = {name: len(words(text) & own) / len(words(text)) for name, text in candidates.items()}
    best = max(shares, key=shares.get)
    return best, shares[best]


@pytest.fixture(scope="session")
def recovered(embedded_run, missing) -> dict[str, tuple[str, float]]:
    """For every kept contig of the study the novel transcript behind it, and how much of it there is."""
    kept = sequences(embedded_run.results / "reads/novelty/denovo.fa")
    return {name: best_match(contig, missing) for name, contig in kept.items()}


def test_every_novel_transcript_comes_back_and_nothing_else(recovered, missing):
    found = {novel: share for novel, share in recovered.values() if share >= 0.9}
    assert sorted(found) == sorted(missing)
    assert len(recovered) == 15
    assert all(re.fullmatch(r"DENOVO_[0-9a-f]{12}", name) for name in recovered)


def test_every_fragment_is_accounted_for(embedded_run, truth):
    reads = embedded_run.results / "reads"
    table = pd.read_csv(reads / "fragments.tsv", sep="\t", dtype={"measured_strandedness": str}).set_index("sample")
    places = ["known", "novel", "aligned_not_counted", "captured_not_counted"]
    assert (table[places].sum(axis=1) == table["fragments"]).all()
    for name, row in table.iterrows():
        paired = row["layout"] == "paired"
        after = json.loads((reads / "fastp" / name / "fastp.json").read_text())["summary"]["after_filtering"]
        assert row["fragments"] == after["total_reads"] / (2 if paired else 1)
        with gzip.open(reads / "unaligned" / name / ("1.fastq.gz" if paired else "single.fastq.gz")) as file:
            assert sum(1 for _ in file) == 4 * (row["captured_counted"] + row["captured_not_counted"])
        counts = pd.read_csv(reads / "quantification" / name / "quant.sf", sep="\t").set_index("Name")["NumReads"]
        novel = counts.index.str.startswith("DENOVO_")
        assert counts[~novel].sum() == pytest.approx(row["known"], abs=1)
        assert counts[novel].sum() == pytest.approx(row["novel"], abs=1)
        assert row["novel"] == pytest.approx(truth[name].sum(), rel=0.1)
    alignment = pd.read_csv(reads / "alignment.tsv", sep="\t").set_index("sample")
    counted_and_aligned = table["known"] + table["novel"] - table["captured_counted"]
    assert (counted_and_aligned + table["aligned_not_counted"] == alignment["aligned"]).all()

    import anndata

    obs = anndata.read_h5ad(embedded_run.results / "expression.h5ad", backed="r").obs
    shown = ["counted_known", "counted_novel", *places[2:]]
    assert (obs[shown].to_numpy() == table.loc[obs.index, places].to_numpy()).all()
    page = (embedded_run.results / "findings/summary.html").read_text()
    assert re.search(r"% \([0-9. to]+\) on novel ones \(15 novel transcripts\)", page)
    assert "novel transcripts: " in page
    assert "Where the fragments went" in (reads / "qc/multiqc_report.html").read_text()
    assert "counted on novel transcripts" in (reads / "fragments.svg").read_text()


def test_near_copies_are_assembled_and_refused(embedded_run, deep):
    contigs = pd.read_csv(embedded_run.results / "reads/novelty/contigs.tsv", sep="\t")
    assembled = sequences(embedded_run.results / "reads/assembly/contigs.fa")
    copies = sequences(deep.near_copies_fasta)
    behind = {name: best_match(text, copies) for name, text in assembled.items()}
    near = {name: copy for name, (copy, share) in behind.items() if share >= 0.5}
    assert set(near.values()) == set(copies), "a near-copy that is not assembled tests nothing"
    of_near = contigs[contigs["contig"].isin(near)]
    assert not of_near["kept"].astype(str).str.lower().eq("true").any()
    assert of_near["reason"].str.len().min() > 20


def test_the_tutorial_runs_on_these_results(embedded_run, deep):
    spec = importlib.util.spec_from_file_location("run_pages", ROOT / "scripts/run_pages.py")
    run_pages = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(run_pages)
    folder = embedded_run.folder
    shutil.copy(deep.sheet, folder / "config/samples.tsv")
    (folder / "resources/demo/reads").mkdir(parents=True)
    (folder / "resources/demo/reads/truth").symlink_to(deep.novel.parent)
    _, space = run_pages.run_page(ROOT / "docs/tutorials/novel-transcripts.md", folder)
    assert space["matched"]["share found"].min() > 0.9
    assert space["right"][space["differs"]].all()
    assert not space["matched"]["reported as higher in"][~space["differs"]].any()


def test_novel_counts_follow_the_truth(embedded_run, recovered, truth):
    import anndata
    from scipy.stats import spearmanr

    adata = anndata.read_h5ad(embedded_run.results / "expression.h5ad")
    names = list(recovered)
    measured = adata[:, names].X.toarray().T
    expected = truth.loc[[recovered[name][0] for name in names], list(adata.obs_names)].to_numpy()
    assert spearmanr(measured.ravel(), expected.ravel()).statistic >= 0.95
    assert adata.var["is_denovo"].sum() == 15
    assert list(adata.obs["condition"].value_counts()) == [4, 4]
    assert set(adata.layers) >= {"tpm"}


@pytest.mark.parametrize("model", ["cnn_small", "linear"])
def test_differing_novel_transcripts_head_the_ranking(embedded_run, recovered, truth, deep, model):
    from deepmapper.simulate.reads import CONDITIONS

    sheet = pd.read_csv(deep.sheet, sep="\t").set_index("sample")
    means = [
        truth[[s for s in sheet.index if sheet.condition[s] == condition]].mean(axis=1) for condition in CONDITIONS
    ]
    differ = set(np.abs(np.log2(means[0] / means[1])).nlargest(7).index)
    names = {name for name, (novel, _) in recovered.items() if novel in differ}
    assert len(names) == 7 and "UNLISTED1.1" in differ
    table = pd.read_csv(embedded_run.results / f"findings/{model}/features.tsv", sep="\t")
    assert set(table["feature"].head(7)) == names


def test_genes_that_only_the_annotation_lacks_are_new_genes_and_isoforms_belong_to_theirs(embedded_run, recovered):
    import anndata

    contigs = pd.read_csv(embedded_run.results / "reads/novelty/contigs.tsv", sep="\t").query("kept").set_index("name")
    genes = anndata.read_h5ad(embedded_run.results / "genes.h5ad")
    behind = {novel: name for name, (novel, _) in recovered.items()}
    isoform = contigs.loc[behind["GENE048.2"]]
    assert (isoform["source"], isoform["class"], isoform["gene_id"]) == ("aligned", "novel_isoform", "GENE048")
    assert genes.var.loc["GENE048", ["transcripts", "novel_transcripts"]].tolist() == [2, 1]
    for name in (behind["UNLISTED1.1"], behind["UNLISTED2.1"]):
        assert contigs.loc[name, ["source", "class", "gene_id"]].tolist() == ["aligned", "intergenic", name]
        assert name in genes.var_names
    page = (embedded_run.results / "findings/summary.html").read_text()
    assert json.loads((embedded_run.results / "reads/novelty/error_rate.json").read_text())["statement"] in page
    assert not (embedded_run.results / "reads/aligned").exists() or not list(
        (embedded_run.results / "reads/aligned").iterdir()
    ), "alignments are temporary"


def test_novel_transcripts_have_a_meaning(embedded_run, recovered):
    novel = pd.read_csv(embedded_run.results / "reads/novelty/novel.tsv", sep="\t").set_index("name")
    assert set(novel.index) == set(recovered)
    assert novel["alias"].is_unique
    behind = {found: name for name, (found, _) in recovered.items()}
    isoform, gene = novel.loc[behind["GENE048.2"]], novel.loc[behind["UNLISTED1.1"]]
    assert (isoform["alias"], isoform["gene_name"], isoform["nearest_distance"]) == ("gen48.novel1", "gen48", 0)
    assert gene["place"].startswith(gene["alias"])
    assert set(novel["protein"]) == {"not asked"}
    counts = pd.read_csv(embedded_run.results / "reads/counts.tsv.gz", sep="\t", index_col="feature").loc[novel.index]
    assert novel["counted_fragments"].to_numpy() == pytest.approx(counts.sum(axis=1).to_numpy(), abs=0.06)
    assert (novel["counted_samples"] == (counts >= 0.5).sum(axis=1)).all()
    assert novel["rrna"].isna().all()
    bed = (embedded_run.results / "reads/novelty/novel.bed").read_text().splitlines()
    assert {line.split("\t")[3] for line in bed} == set(novel["alias"][novel["place"].notna()])
    for model in ("cnn_small", "linear"):
        features = pd.read_csv(embedded_run.results / f"findings/{model}/features.tsv", sep="\t", index_col="feature")
        assert features.loc[novel.index, "alias"].tolist() == novel["alias"].tolist()
        assert features.loc["GENE018.1", "alias"] == "gen18"
        assert "gen48.novel1" in (embedded_run.results / f"findings/{model}/plots/novel.svg").read_text()
    assert "gen48.novel1" in (embedded_run.results / "findings/cnn_small/features.html").read_text()


def test_aligned_and_captured_are_all(embedded_run, deep):
    table = pd.read_csv(embedded_run.results / "reads/alignment.tsv", sep="\t")
    assert len(table) == 8
    assert (table["aligned"] + table["captured"] == table["fragments"]).all()
    sheet = pd.read_csv(deep.sheet, sep="\t").set_index("sample")
    for sample in table.itertuples():
        with gzip.open(embedded_run.folder / sheet.fq1[sample.sample]) as file:
            given = sum(1 for _ in file) / 4
        assert 0.9 * given < sample.fragments <= given, "trimming drops a few"
    assert not list(embedded_run.results.rglob("*.sam"))


def test_every_table_follows_its_schema(embedded_run):
    assert embedded_run.table_faults() == []


def test_report_holds_the_reads(embedded_run, tmp_path):
    embedded_run.run("--report", tmp_path / "report.html")
    page = (tmp_path / "report.html").read_text()
    assert "0 Reads" in page
    assert (embedded_run.results / "reads/qc/multiqc_report.html").stat().st_size > 100_000
    summary = (embedded_run.results / "findings/summary.html").read_text()
    assert "features from their reads" in summary


def table_of(directory) -> pd.DataFrame:
    """Counts and TPM of every sample and feature."""
    import anndata

    adata = anndata.read_h5ad(directory.results / "expression.h5ad")
    counts = pd.DataFrame(adata.X.toarray(), adata.obs_names, adata.var_names)
    return counts.join(pd.DataFrame(adata.layers["tpm"].toarray(), adata.obs_names, adata.var_names), rsuffix="_tpm")


def test_same_table_with_one_thread_and_with_two(small_run, reads_directory):
    alone, _ = small_run
    directory, _ = reads_directory()
    directory.run("expression", cores=2)
    pd.testing.assert_frame_equal(table_of(alone), table_of(directory))
    for name in ("novelty/contigs.tsv", "novelty/denovo.fa", "assembly/contigs.fa", "alignment.tsv"):
        assert (alone.results / "reads" / name).read_bytes() == (directory.results / "reads" / name).read_bytes()
    assert alone.outputs()["expression.h5ad"] is not None


def test_every_read_is_aligned_or_captured(small_run):
    directory, study = small_run
    table = pd.read_csv(directory.results / "reads/alignment.tsv", sep="\t")
    sheet = pd.read_csv(study.sheet, sep="\t").set_index("sample")
    for sample in table.itertuples():
        with gzip.open(sheet.fq1[sample.sample]) as file:
            assert sum(1 for _ in file) == 4 * (sample.aligned + sample.captured)


def test_nothing_runs_twice(small_run):
    directory, _ = small_run
    assert directory.would_run("expression") == {}


def test_adding_a_sample_to_an_existing_assembly(small_run, tmp_path):
    directory, study = small_run
    directory = directory.branch(tmp_path / "work")
    shutil.copy(directory.results / "reads/novelty/denovo.fa", directory.folder / "denovo.fa")
    directory.configure(assembly={"fasta": "denovo.fa"})
    directory.run("expression")
    names = set(sequences(directory.results / "reads/novelty/denovo.fa"))
    assert names == set(sequences(directory.folder / "denovo.fa")), "names come from the sequences"
    fastq = study.sheet.parent / "fastq"
    shutil.copy(fastq / "ctrl_1_R1.fastq.gz", directory.folder / "added.fastq.gz")
    added = {"sample": "added", "condition": "ctrl", "fq1": "added.fastq.gz"}
    directory.configure(samples=[added])
    jobs = directory.would_run("expression")
    assert jobs.pop("expression", 1) == 1
    assert jobs == {
        "trim_reads": 1,
        "align_reads": 1,
        "quantify_sample": 1,
        "tabulate_alignment": 1,
        "tabulate_fragments": 1,
        "plot_fragments": 1,
        "summarise_quality": 1,
        "build_expression": 1,
        "summarise_genes": 1,
        "describe_novel": 1,  # which says how many of all reads speak for a novel transcript
    }
    directory.run("expression")
    assert "added" in table_of(directory).index


def test_other_options(reads_directory):
    """rnaSPAdes, trimming, decoys, BAM files, transcripts cut from the genome, genes as features, a built index."""
    directory, study = reads_directory(
        assembly={"assembler": "rnaspades"},
        reads={"trim": True, "keep_alignments": True, "keep_half_mapped": True},
        quantification={"decoys": True, "k": 25},
        features={"normalization": "log1p_tpm", "level": "gene"},
        split={"scheme": "repeated"},
    )
    reference = {"genome": str(study.genome), "annotation": str(study.annotation)}
    directory.configure(reference=reference)
    directory.run("results/features", "expression")
    reads = directory.results / "reads"
    assert len(sequences(reads / "novelty/denovo.fa")) >= 3
    assert not (reads / "trimmed").exists() or not list((reads / "trimmed").iterdir())
    assert len(list(reads.rglob("*.bam"))) == 4
    features = json.loads((directory.results / "features/features.json").read_text())
    assert any(name.startswith("DENOVO_") for name in features["names"])
    assert features["shape"][0] == 4

    built = directory.folder / "built"
    shutil.copytree(reads / "reference/hisat2", built)
    transcripts = str(reads / "reference/transcripts.fa")
    shutil.copy(transcripts, directory.folder / "transcripts.fa")
    directory.configure(
        reference={"hisat2_index": "built/genome", "transcripts": "transcripts.fa"},
        features={"normalization": "log1p_tpm"},
        quantification={},
        results="again",
    )
    jobs = directory.would_run("expression")
    assert "build_hisat2_index" not in jobs
    assert "prepare_genome" not in jobs


# --------------------------------------------------------------------------------------------------------------------
# What is wrong
# --------------------------------------------------------------------------------------------------------------------


def first_fastq(study) -> Path:
    """The single-end file of a sample that has one."""
    return sorted(study.sheet.parent.glob("fastq/*_2.fastq.gz"))[0]


def empty_fastq(directory, study):
    first_fastq(study).write_bytes(gzip.compress(b""))


def truncated_fastq(directory, study):
    path = first_fastq(study)
    path.write_bytes(path.read_bytes()[:-500])


def unequal_mates(directory, study):
    path = sorted(study.sheet.parent.glob("fastq/*_R2.fastq.gz"))[0]
    lines = gzip.decompress(path.read_bytes()).splitlines(keepends=True)
    path.write_bytes(gzip.compress(b"".join(lines[:-8])))


def duplicate_transcript(directory, study):
    text = gzip.decompress(study.transcripts.read_bytes())
    first = text.split(b">")[1]
    study.transcripts.write_bytes(gzip.compress(text + b">" + first))


def one_sample_in_a_class(directory, study):
    rows = study.sheet.read_text().splitlines()
    study.sheet.write_text("\n".join(rows[:-1]) + "\n")


def missing_fastq(directory, study):
    first_fastq(study).unlink()


def no_reference(directory, study):
    directory.configure(reference={})


def both_doors(directory, study):
    directory.configure(matrix={"path": "matrix.h5ad"})


def sheet_as_samples(directory, study):
    directory.configure(samples="samples.tsv")


# What is wrong, the stage that must refuse it ("" for before any job), and what it must say.
CASES = {
    empty_fastq: ("", r"row 3.*fq1.*_2\.fastq\.gz.*(empty|no reads?)"),
    truncated_fastq: ("align_reads", r"\.fastq\.gz.*(cut short|truncated|damaged)"),
    unequal_mates: ("align_reads", r"_R1\.fastq\.gz.*_R2\.fastq\.gz"),
    duplicate_transcript: ("prepare_transcripts", r"transcripts\.fa\.gz.*(twice|more than once|duplicate|2 times)"),
    one_sample_in_a_class: ("", r"stim.*(at least 2|fewer than 2)"),
    missing_fastq: ("", r"samples\.tsv row 3, fq1: there is no file .*ctrl_2\.fastq\.gz"),
    no_reference: ("", r"`reference\.genome` is empty.*write `reference: none`"),
    both_doors: ("", r"samples .* and a `matrix` are both given"),
    sheet_as_samples: ("", r"`samples`: found \"samples\.tsv\".*goes in `sample_sheet`"),
}
NAMED = {case.__name__: case for case in CASES}


@pytest.fixture(scope="module")
def refusals(reads_directory, side_by_side):
    """Runs with one thing wrong in each."""

    def refuse(case: str):
        directory, study = reads_directory()
        NAMED[case](directory, study)
        done = directory.run("results/expression.h5ad", "--retries", "0", "--keep-going", fails=True)
        return directory, done

    return side_by_side(refuse, NAMED)


@pytest.mark.parametrize("case", NAMED)
def test_refused_with_a_message(refusals, case):
    stage, message = CASES[NAMED[case]]
    directory, done = refusals[case].result()
    assert re.search(message, done.said.replace("\n", " ")), done.said
    assert "Traceback" not in done.said
    if not stage:
        assert "Job stats" not in done.said
        assert not directory.results.exists()
        return
    assert f"Error in {stage}: " in done.said
    reads = directory.results / "reads"
    assert not list(directory.results.rglob("*.part*")), "nothing half-written is left"
    assert not (directory.results / "expression.h5ad").exists()
    if stage == "align_reads":
        assert len(list((reads / "unaligned").iterdir())) == 3, "what was finished is kept"


# A study in which the annotation lacks nothing that the genome has.
ALL_LISTED = {"n_unlisted": 0, "n_unlisted_isoforms": 0}


def test_sample_without_unaligned_reads(reads_directory):
    directory, _ = reads_directory({"reference_only": ("ctrl_1",), "error_rate": 0.0, **ALL_LISTED})
    directory.run("expression")
    table = pd.read_csv(directory.results / "reads/alignment.tsv", sep="\t").set_index("sample")
    assert table.captured["ctrl_1"] == 0
    assert table.captured.drop("ctrl_1").min() > 0
    kept = table_of(directory)
    assert kept.loc["ctrl_1", [name for name in kept if name.startswith("DENOVO_")]].sum() == 0


def test_nothing_novel_at_all(reads_directory):
    everyone = tuple(f"{condition}_{i}" for condition in ("ctrl", "stim") for i in (1, 2))
    directory, _ = reads_directory({"reference_only": everyone, "error_rate": 0.0, **ALL_LISTED})
    directory.run("expression")
    assert sequences(directory.results / "reads/novelty/denovo.fa") == {}
    assert len(table_of(directory)) == 4


def test_missing_program_is_named_before_the_first_job(reads_directory, monkeypatch, tmp_path):
    import sys

    directory, _ = reads_directory()
    for name in ("bash", "sh", "env", "which"):  # the plugin for Slurm calls the last one as soon as it is imported
        (tmp_path / name).symlink_to(shutil.which(name))
    monkeypatch.setenv("PATH", f"{tmp_path}:{Path(sys.executable).parent}")
    done = directory.run("results/expression.h5ad", fails=True)
    assert re.search(r"hisat2.*samtools.*not found on PATH", done.said.replace("\n", " "))
    assert "Traceback" not in done.said
    assert "Finished jobid" not in done.said


def test_samples_in_the_configuration_and_strange_paths(reads_directory):
    """Paths with spaces, quotes, commas and semicolons work; nothing is handed to a shell."""
    directory, study = reads_directory()
    strange = directory.folder / "odd; touch pwned, 'dir' $(x)"
    shutil.copytree(study.sheet.parent / "fastq", strange)
    rows = pd.read_csv(study.sheet, sep="\t", dtype=str).fillna("").to_dict("records")
    for row in rows:
        for key in ("fq1", "fq2"):
            row[key] = str(strange / Path(row[key]).name) if row[key] else ""
    samples = [{key: value for key, value in row.items() if value} for row in rows]
    directory.configure(sample_sheet="", samples=samples)
    directory.run("results/reads/alignment.tsv", "results/reads/quantification/ctrl_1")
    assert len(pd.read_csv(directory.results / "reads/alignment.tsv", sep="\t")) == 4
    assert not list(directory.folder.rglob("pwned"))
