"""A change runs again what it affects and nothing else: counted from the job tables of dry runs."""

import pytest

pytestmark = pytest.mark.workflow

TRAIN_ALL = {"train_pass": 6, "train_permuted_pass": 3}
TRAIN_ONE = {"train_pass": 2, "train_permuted_pass": 1}
RECORD = {"record_run": 1}
TELL = dict.fromkeys(("compare_models", "plot_models", "record_run", "write_shared_tables", "write_summary"), 1)
EVIDENCE = {"weigh_evidence": 1, "fit_evidence_panel": 1}
PREPARE = {"prepare_features": 1, "audit_filtering": 1, **EVIDENCE}
CHORDS = dict.fromkeys(("screen_chords", "prove_chords", "plot_chords"), 1)
BASELINE = {"fit_linear_baseline": 1}


def judge(n_models: int) -> dict[str, int]:
    """Jobs between the passes of some models and the summary."""
    judging = ("evaluate_ensemble", "judge_convergence", "calibrate_features")
    return {**tell(n_models), **dict.fromkeys(judging, n_models)}


def tell(n_models: int) -> dict[str, int]:
    """Jobs that follow from another ranking, with the predictions as they were."""
    telling = ("accumulate_passes", "annotate_expression", "audit_findings", "fit_panel", "plot_findings")
    return {**dict.fromkeys((*telling, "write_tables"), n_models), **TELL}


def changed(directory, section: str, **options) -> None:
    """Give options of one section of the configuration other values."""
    directory.configure(**{section: {**directory.settings.get(section, {}), **options}})


def edited(directory, module: str, old: str, new: str) -> None:
    """Replace text that occurs once in a module of the package."""
    path = directory.pipeline / f"src/deepmapper/{module}.py"
    text = path.read_text()
    assert text.count(old) == 1, f"{module} holds {old!r} {text.count(old)} times"
    path.write_text(text.replace(old, new))


def commented(directory) -> None:
    path = directory.folder / "config/config.yaml"
    path.write_text("# one\n" + path.read_text().replace("models:", "\n# two\nmodels:  # three"))


def defaults_written_out(directory) -> None:
    directory.configure(baseline={"C": 1.0}, split={"test_size": 0.25, "seed": 0})
    changed(directory, "training", weight_decay=1e-2, augment={"enabled": False})


def comments_in_the_package(directory) -> None:
    edited(directory, "training", "import math\n", "import math  # for infinity\n\n\n")
    edited(directory, "training", '"""How a training went.', '"""How a training went on.')


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
    "1 more control pass": (lambda d: changed(d, "passes", n_permuted=2), {"train_permuted_pass": 3, **tell(3)}),
    "top_k": (lambda d: changed(d, "passes", top_k=5), {**tell(3), "judge_convergence": 3, "select_stable": 3}),
    "features in figures": (lambda d: changed(d, "findings", top=10), {"plot_findings": 3, **RECORD}),
    "learning rate of one model": (lambda d: changed(d, "models", mlp={"lr": 0.02}), {**TRAIN_ONE, **judge(1)}),
    "a model more": (
        lambda d: changed(d, "models", wide={"kind": "mlp", "extra": {"hidden": 32}}),
        {**TRAIN_ONE, **judge(1), "select_stable": 1},
    ),
    "more shadows beside the evidence": (lambda d: d.configure(evidence={"draws": 5}), {**EVIDENCE, **tell(3)}),
    "a model less": (lambda d: d.configure(models={"cnn_small": {}, "linear": {}}), TELL),
    "another split": (
        lambda d: d.configure(split={"seed": 1}),
        {**PREPARE, **CHORDS, **BASELINE, **TRAIN_ALL, **judge(3), "select_stable": 3},
    ),
    "comments in the package": (comments_in_the_package, {}),
    "code of the training": (
        lambda d: edited(d, "training", "if len(starts) > 1 and", "if len(starts) > 2 and"),
        {**CHORDS, **EVIDENCE, **BASELINE, **TRAIN_ALL, **judge(3), "select_stable": 3},
    ),
    "code of the tables": (
        lambda d: edited(d, "findings", 'DIRECTIONS = {1: "up"', 'DIRECTIONS = {1: "higher"'),
        {"prove_chords": 1, "plot_chords": 1, **EVIDENCE, **BASELINE, **judge(3), "select_stable": 3},
    ),
    "code of the plots": (
        lambda d: edited(d, "_plot_parts", "BAR = 1.6", "BAR = 1.7"),
        {"plot_findings": 3, "plot_models": 1, "plot_chords": 1, "write_summary": 1},
    ),
    "code of the readers": (
        lambda d: edited(d, "io", "LARGEST_LOG = 30.0", "LARGEST_LOG = 31.0"),
        {"import_matrix": 1, **PREPARE, **CHORDS, **BASELINE, **TRAIN_ALL, **judge(3), "select_stable": 3},
    ),
}


@pytest.fixture(scope="module")
def dry_runs(finished, copy_pipeline, side_by_side, tmp_path_factory):
    """Dry runs after each change, in copies of the finished run and of the pipeline."""

    def after(case: str):
        folder = tmp_path_factory.mktemp("rerun")
        directory = finished.branch(folder / "work", copy_pipeline(folder / "deepmapper", finished.pipeline))
        CASES[case][0](directory)
        return directory.run("--dry-run")

    return side_by_side(after, CASES)


@pytest.mark.parametrize("case", CASES)
def test_change_runs_again_what_it_affects(dry_runs, case):
    assert dry_runs[case].result().jobs == CASES[case][1]


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


def test_one_pass_by_its_name_runs_alone_and_is_the_same_again(ranked, tmp_path):
    directory = ranked.branch(tmp_path / "work")
    target = "results/passes/linear/2.npz"
    before = directory.outputs()
    assert directory.would_run("--force", target) == {"train_pass": 1}
    (directory.folder / target).unlink()
    assert directory.run(target, cores=4).jobs == {"train_pass": 1}
    assert directory.outputs() == before
    assert directory.would_run("results/passes/linear/9.npz") == {"train_pass": 1}
