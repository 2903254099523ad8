"""A change runs again what it affects and nothing else: counted from the job tables of dry runs."""

import shutil
from pathlib import Path

import pytest

pytestmark = pytest.mark.workflow

TRAIN_ALL = {"train_pass": 6, "train_permuted_pass": 3}
TRAIN_ONE = {"train_pass": 2, "train_permuted_pass": 1}
RECORD = {"record_run": 1}
TELL = dict.fromkeys(("compare_models", "plot_models", "record_run", "write_shared_tables", "write_summary"), 1)
EVIDENCE = {"weigh_evidence": 1, "fit_evidence_panel": 1}
PREPARE = {
    "prepare_features": 1,
    "stream_statistics": 1,
    "audit_filtering": 1,
    "test_differential": 1,
    **EVIDENCE,
}
CHORDS = dict.fromkeys(("screen_chords", "prove_chords", "plot_chords"), 1)
BASELINE = {"fit_linear_baseline": 1}


def judge(n_models: int, of: int = 3) -> dict[str, int]:
    """Jobs between the passes of some models and the summary; all models share one order of the features."""
    judging = ("evaluate_ensemble", "judge_convergence", "calibrate_features")
    return {**progress(n_models, of), **dict.fromkeys(judging, n_models)}


def progress(n_models: int, of: int = 3) -> dict[str, int]:
    """Jobs that follow from another ranking, with the predictions as they were."""
    return {**join(of), "accumulate_passes": n_models, **TELL}


def join(n_models: int) -> dict[str, int]:
    """Jobs that follow where the ranking is as it was, and something that is joined to it is not."""
    joining = ("join_features", "annotate_expression", "audit_findings", "fit_panel", "plot_findings", "write_tables")
    return {"recommend_features": 1, **dict.fromkeys(joining, n_models), "plot_study": 1, "write_summary": 1}


def changed(directory, section: str, **options) -> None:
    """Give options of one section of the configuration other values."""
    directory.configure(**{section: {**directory.settings.get(section, {}), **options}})


def edited(directory, *files: str, edit=lambda text: text + "\n_EDITED = True\n") -> None:
    """Change files of the package: Python code, unless another edit is given."""
    for file in files:
        path = directory.pipeline / "src/deepmapper" / file
        text = path.read_text()
        assert edit(text) != text
        path.write_text(edit(text))


def with_new_samples(directory) -> None:
    """Add a file of new samples; the passes draw as they did."""
    matrix = directory.settings["matrix"]
    new = Path(directory.folder / matrix["path"]).with_name("new.h5ad")
    shutil.copyfile(directory.folder / matrix["path"], new)
    directory.configure(matrix={**matrix, "path": [matrix["path"], str(new)]}, transfer={"folds": "never"})


def redescribed(directory) -> None:
    """Change a description in the schema of the configuration."""
    path = directory.pipeline / "workflow/schemas/config.schema.yaml"
    text = path.read_text()
    assert "description: " in text
    path.write_text(text.replace("description: ", "description: In other words. ", 1))


def commented(directory) -> None:
    path = directory.folder / "config/config.yaml"
    path.write_text("# one\n" + path.read_text().replace("models:", "\n# two\nmodels:  # three"))


def defaults_written_out(directory) -> None:
    directory.configure(baseline={"C": 1.0}, split={"test_size": 0.25, "seed": 0})
    changed(directory, "training", weight_decay=1e-2, augment={"enabled": False})


def comments_in_the_package(directory) -> None:
    for edit in (
        lambda text: text.replace("\n\n\n", "\n\n\n\n# a comment\n", 1),
        lambda text: text.replace('"""', '"""In other words: ', 1),
    ):
        edited(directory, "training/loop.py", edit=edit)


def gene_sets(directory) -> None:
    (directory.folder / "sets.gmt").write_text("A\t\tg1\tg2\n")
    directory.configure(enrichment={"gene_sets": ["sets.gmt"]})


# What is changed, and the jobs that follow.
CASES = {
    "comments in the configuration": (commented, {}),
    "defaults written out": (defaults_written_out, {}),
    "resources of a pass": (
        lambda d: d.configure(
            resources={
                "threads_per_pass": 2,
                "pass_mem_mb": 3000,
                "gpu": 1,
                "checkpoint_minutes": 0,
                "seeds_per_job": 2,
            }
        ),
        {},
    ),
    "2 more passes": (lambda d: changed(d, "passes", n_passes=4), {"train_pass": 6, **judge(3)}),
    "1 more control pass": (lambda d: changed(d, "passes", n_permuted=2), {"train_permuted_pass": 3, **progress(3)}),
    "top_k": (lambda d: changed(d, "passes", top_k=5), {**progress(3), "judge_convergence": 3, "select_stable": 3}),
    "features in figures": (
        lambda d: changed(d, "findings", top=10),
        {"plot_findings": 3, "write_summary": 1, **RECORD},
    ),
    "learning rate of one model": (lambda d: changed(d, "models", mlp={"lr": 0.02}), {**TRAIN_ONE, **judge(1)}),
    "a model more": (
        lambda d: changed(d, "models", wide={"kind": "mlp", "extra": {"hidden": 32}}),
        {**TRAIN_ONE, **judge(1, of=4), "select_stable": 1},
    ),
    "more shadows beside the evidence": (
        lambda d: d.configure(evidence={"draws": 5}),
        {**EVIDENCE, **join(3), **RECORD},
    ),
    "another test of single features": (
        lambda d: d.configure(differential={"test": "linear"}),
        {"test_differential": 1, "write_shared_tables": 1, **join(3), **RECORD},
    ),
    "other symbols": (
        lambda d: d.configure(features={**d.settings.get("features", {}), "symbols": "none"}),
        {
            **dict.fromkeys(("name_features", "test_differential", "prove_chords", "plot_chords"), 1),
            **{**EVIDENCE, **BASELINE, **join(3), **TELL},
        },
    ),
    "gene sets": (
        gene_sets,
        {
            **dict.fromkeys(("match_gene_sets", "enrich_features", "plot_enrichment"), 1),
            **{"write_shared_tables": 1, "write_summary": 1, **RECORD},
        },
    ),
    "a model less": (lambda d: d.configure(models={"cnn_small": {}, "linear": {}}), {**join(2), **TELL}),
    "another split": (
        lambda d: d.configure(split={"seed": 1}),
        {**PREPARE, **CHORDS, **BASELINE, **TRAIN_ALL, **judge(3), "select_stable": 3},
    ),
    "comments in the package": (comments_in_the_package, {}),
    # no pass, since none reads them
    "new samples": (
        with_new_samples,
        {
            **dict.fromkeys(("import_target", "prepare_target", "write_summary"), 1),
            **dict.fromkeys(("export_model", "judge_target", "attribute_target", "map_target", "plot_target"), 3),
            "train_withheld_pass": 3,
            **RECORD,
        },
    ),
    # every pass and what reads one, and nothing that reads none
    "code of the training": (lambda d: edited(d, "training/loop.py"), {**TRAIN_ALL, **judge(3)}),
    "code of one network": (
        lambda d: edited(d, "backbones/default_cnn_small.py"),
        # the evaluation restores networks of any kind
        {**TRAIN_ONE, **judge(1), "evaluate_ensemble": 3},
    ),
    "code of the plots": (
        lambda d: edited(d, "plots/style.py"),
        {"plot_findings": 3, "plot_models": 1, "plot_chords": 1, "plot_study": 1, "write_summary": 1},
    ),
    "code of the normalisation": (
        lambda d: edited(d, "io/normalize.py"),
        {**PREPARE, **CHORDS, **BASELINE, **TRAIN_ALL, **judge(3), "select_stable": 3},
    ),
    "code that checks the configuration": (
        lambda d: edited(
            d, *(f"workflow/{name}.py" for name in ("settings", "schema", "cross_checks", "run_settings"))
        ),
        {},
    ),
    "a description of the configuration's schema": (redescribed, {}),
    "a template of the pages": (
        lambda d: edited(d, "report/templates/page.css", edit=lambda text: text + "\np {}\n"),
        {"write_tables": 3, "write_shared_tables": 1, "write_summary": 1},
    ),
}

# Edits of what is made of passes, and some of the jobs that follow: whatever these are, no pass is among them.
AFTER_PASSES = {
    "code of the calibration": (
        lambda d: edited(d, "findings/q_values.py"),
        {"calibrate_features": 3, **join(3)},
    ),
    "code of the tables": (
        lambda d: edited(d, "findings/feature_table.py"),
        {"accumulate_passes": 3, "annotate_expression": 3, "plot_findings": 3, "compare_models": 1},
    ),
    "the schemas of the tables": (
        lambda d: edited(d, "core/table_schemas.py"),
        {"accumulate_passes": 3, "plot_findings": 3, "compare_models": 1, "write_tables": 3},
    ),
    "the writer of the tables": (
        lambda d: edited(d, "core/tables.py"),
        {"accumulate_passes": 3, "plot_findings": 3, "compare_models": 1, "write_tables": 3},
    ),
    "code of the screen": (lambda d: edited(d, "chords/screen.py"), CHORDS),
    "code of the evidence": (lambda d: edited(d, "evidence/rank.py"), {**EVIDENCE, **join(3)}),
    "code of the alignment": (lambda d: edited(d, "reads/alignment.py"), {}),
}


@pytest.fixture(scope="module")
def dry_runs(finished, copy_pipeline, side_by_side, tmp_path_factory):
    """Dry runs after each change, in copies of the finished run and of the pipeline."""

    def after(case: str):
        folder = tmp_path_factory.mktemp("rerun")
        directory = finished.branch(folder / "work", copy_pipeline(folder / "deepmapper", finished.pipeline))
        {**CASES, **AFTER_PASSES}[case][0](directory)
        return directory.run("--dry-run")

    return side_by_side(after, {**CASES, **AFTER_PASSES})


@pytest.mark.parametrize("case", CASES)
def test_change_runs_again_what_it_affects(dry_runs, case):
    assert dry_runs[case].result().jobs == CASES[case][1]


@pytest.mark.parametrize("case", AFTER_PASSES)
def test_edits_of_what_reads_passes_train_none(dry_runs, case):
    jobs = dry_runs[case].result().jobs
    assert AFTER_PASSES[case][1].items() <= jobs.items()
    assert {name for name in jobs if name.startswith(("train_", "import_", "prepare_"))} == set()


@pytest.mark.parametrize(
    ("case", "passes"),
    [
        ("2 more passes", [f"Pass {seed} of {model}" for seed in (2, 3) for model in ("cnn_small", "linear", "mlp")]),
        ("learning rate of one model", ["Control pass 0 of mlp (permuted labels)", "Pass 0 of mlp", "Pass 1 of mlp"]),
        ("a model more", ["Control pass 0 of wide (permuted labels)", "Pass 0 of wide", "Pass 1 of wide"]),
    ],
)
def test_change_trains_these_passes(dry_runs, case, passes):
    lines = dry_runs[case].result().said.splitlines()
    assert sorted(line.partition(": ")[2] for line in lines if "ass " in line and line.startswith("Job ")) == passes


def test_an_edit_of_the_training_runs_passes_of_every_kind(finished, copy_pipeline, tmp_path):
    directory = finished.branch(tmp_path / "work", copy_pipeline(tmp_path / "deepmapper", finished.pipeline))
    changed(directory, "passes", n_shadow=1)
    changed(directory, "stability", n_pairs=1)
    passes = Path("results/passes/linear")
    targets = [passes / name for name in ("0.npz", "permuted/0.npz", "shadow/0.npz", "half/0.npz")]
    assert directory.run(*targets).jobs == {"train_shadow_pass": 1, "train_half_pass": 1}
    edited(directory, "findings/q_values.py", "core/table_schemas.py", "core/tables.py", "workflow/settings.py")
    assert directory.would_run(*targets) == {}
    edited(directory, "training/loop.py")
    kinds = ("train_pass", "train_permuted_pass", "train_shadow_pass", "train_half_pass")
    assert directory.would_run(*targets) == dict.fromkeys(kinds, 1)


def test_one_pass_by_its_name_runs_alone_and_is_the_same_again(ranked, tmp_path):
    directory = ranked.branch(tmp_path / "work")
    target = "results/passes/linear/2.npz"
    before = directory.outputs()
    assert directory.would_run("--force", target) == {"train_pass": 1}
    (directory.folder / target).unlink()
    assert directory.run(target, cores=4).jobs == {"train_pass": 1}
    assert directory.outputs() == before
    assert directory.would_run("results/passes/linear/9.npz") == {"train_pass": 1}
