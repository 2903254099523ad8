"""Every block of code in README, manual and guides is run, or checked, or says why not."""

import importlib.util
import re
import shlex
import subprocess
from pathlib import Path

import anndata as ad
import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
import yaml

from deepmapper.features.inputs import as_labels
from deepmapper.features.prepare import prepare_features
from deepmapper.features.store import write_features
from deepmapper.io.align import scale_of
from deepmapper.passes.train import train_pass
from deepmapper.transfer import model_folder
from deepmapper.transfer.model import fit_model
from deepmapper.workflow.schema import load_schema
from deepmapper.workflow.settings import config_warnings, validate_config

ROOT = Path(__file__).resolve().parents[3]
spec = importlib.util.spec_from_file_location("run_pages", ROOT / "scripts/run_pages.py")
run_pages = importlib.util.module_from_spec(spec)
spec.loader.exec_module(run_pages)

PAGES = sorted(
    [
        *(ROOT / name for name in ("README.md", "config/README.md", "benchmarks/README.md")),
        *(ROOT / "docs").rglob("*.md"),
        *(ROOT / ".github").glob("*.md"),
        *(ROOT / ".claude").rglob("*.md"),
        *(ROOT / "resources/demo").glob("*/README.md"),
    ]
)
BLOCKS = [(page, block) for page in PAGES for block in run_pages.blocks(page)]
RUN_ELSEWHERE = (
    *("docs/concepts.md", "docs/tutorials"),  # test_run_pages.py
    *("docs/models.md", ".claude/skills/deepmapper/SKILL.md"),  # models/test_documentation.py, cli/test_guides.py
    "resources/demo/matrix/README.md",  # io/test_read.py
)
RUN_HERE = ("README.md", "docs/api.md", "docs/transfer.md", "docs/outputs.md", "docs/how-to.md")


def of(language):
    return [
        pytest.param(page, block.code, id=f"{page.relative_to(ROOT)}-{number}")
        for number, (page, block) in enumerate(BLOCKS)
        if block.language == language and block.mark != "not run"
    ]


def test_no_block_is_left_out():
    known = {"python", "bash", "yaml", "text", "", "{toctree}", "{eval-rst}"}
    assert {block.language for _, block in BLOCKS} <= known
    for page, block in BLOCKS:
        if block.language == "python" and block.mark != "not run":
            assert str(page.relative_to(ROOT)).startswith((*RUN_ELSEWHERE, *RUN_HERE)), (page, block.code)


# --- settings -----------------------------------------------------------------------------------------------------

MINIMAL = {"matrix": {"path": "a.h5ad"}, "labels": {"column": "state"}}
READS = {"sample_sheet": "a.tsv", "reference": {"genome": "g.fa", "transcripts": "t.fa"}, "labels": {"column": "state"}}


@pytest.mark.parametrize(("page", "code"), of("yaml"))
def test_printed_settings_are_valid(page, code):
    given = yaml.safe_load(code)
    reads = {"samples", "sample_sheet", "reference", "assembly", "novelty", "reads", "quantification"} & set(given)
    base = READS if reads and "matrix" not in given else MINIMAL
    if "populations" not in given.get("matrix", {}):  # whose labels are the folders
        given = {**base, **given, "labels": {**base["labels"], **given.get("labels", {})}}
    settings = validate_config(given, load_schema(ROOT / "workflow/schemas/config.schema.yaml"))
    if "predict" not in given:
        assert config_warnings(settings) == []


# --- commands -----------------------------------------------------------------------------------------------------

# what a block may call besides the commands that are checked below
USUAL = {
    "cat",
    "cd",
    "cut",
    "echo",
    "export",
    "grep",
    "ls",
    "mkdir",
    "pip",
    "sed",
    "snakedeploy",
    "source",
    "$EDITOR",
    "STAR",
}


def command_lines(code):
    """The commands of a block: joined lines without comments, divided at &&."""
    for line in re.sub(r"\\\n\s*", " ", code).splitlines():
        for part in re.sub(r"(^|\s)#.*", "", line).split("&&"):
            if part.strip():
                yield part.strip()


@pytest.mark.parametrize(("page", "code"), of("bash"))
def test_printed_commands_are_commands(page, code):
    done = subprocess.run(["bash", "-n"], input=code, text=True, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr
    if "awk" in code:
        return  # a program of several lines, which tests/workflow/test_single_cells.py runs
    for line in command_lines(code):
        words = shlex.split(line.split("|")[0])
        if words[0] == "taskset":
            words = words[3:]
        if words[0] == "srun":
            words = words[2:]
        if words[0] in ("python", "bash"):
            source = (ROOT / words[1]).read_text()
            for option in (word.partition("=")[0] for word in words if word.startswith("--")):
                assert option in source, f"{words[1]} has no {option}"
        elif words[0] == "snakemake":
            understood_by_snakemake(words[1:])
        else:
            assert words[0] in USUAL | {"deepmapper"}, line  # of deepmapper: tests/unit/cli/test_guides.py


def understood_by_snakemake(words):
    from snakemake.cli import get_argument_parser

    try:
        targets = get_argument_parser().parse_args([word for word in words if word != "..."]).targets
    except SystemExit:
        pytest.fail(f"Snakemake does not take {shlex.join(words)}")
    rules = (ROOT / "workflow/Snakefile").read_text()
    for target in targets:
        assert target.startswith("results/") or re.search(rf"^\s*rule {target}:", rules, re.MULTILINE), target


# --- Python -------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def prepared(tmp_path_factory, quick):
    """A folder with what the pages read, and the variables that they take for given."""
    folder = tmp_path_factory.mktemp("pages")
    rng = np.random.default_rng(0)
    types = np.array(["B", "NK", "T"])[np.arange(90) % 3]
    rates = np.full((90, 40), 1.0)
    for code, name in enumerate(("B", "NK", "T")):
        rates[np.ix_(types == name, range(4 * code, 4 * code + 4))] = 8
    obs = pd.DataFrame({"cell_type": types}, index=[f"cell{i}" for i in range(90)])
    var = pd.DataFrame(index=[f"gene{i}" for i in range(40)])
    cells = ad.AnnData(sp.csr_matrix(rng.poisson(rates), dtype=np.float32), obs=obs, var=var)
    cells.write_h5ad(folder / "blood.h5ad")

    features = prepare_features(cells, label_column="cell_type", split_scheme="repeated")
    write_features(folder / "results/features", features)
    config = quick("linear", test_size=0.2, attribution="saliency")
    passes = [train_pass(features.development_samples, config, seed, folds=True) for seed in range(5)]
    (folder / "results/passes/cnn_small").mkdir(parents=True)
    passes[0].save(folder / "results/passes/cnn_small/7.npz")
    model = fit_model(features, passes, scale_of(cells, "log1p_median", np.arange(90)), signal=True)
    model_folder.save(model, folder / "results/model/cnn_small")

    annotated = cells.copy()
    annotated.var["deepmapper_rank"] = np.arange(40)
    annotated.obs["deepmapper_label"] = annotated.obs["deepmapper_prediction"] = pd.Categorical(types)
    annotated.obsm["X_deepmapper_umap"], annotated.obsm["X_scvi"] = rng.normal(size=(90, 2)), rng.normal(size=(90, 4))
    (folder / "results/findings/cnn_small").mkdir(parents=True)
    for name, part in (("annotated", annotated), ("target", annotated[60:])):  # target cells of the same matrix
        part.write_h5ad(folder / f"results/findings/cnn_small/{name}.h5ad")
    codes, classes = as_labels(types, 90)
    values = features.development_samples.X
    return folder, {"adata": cells, "X": values, "y": codes, "classes": classes, "genes": list(var.index)}


@pytest.mark.parametrize("page", RUN_HERE)
@pytest.mark.filterwarnings("ignore")
def test_the_code_of_the_page_runs(page, prepared, monkeypatch):
    folder, variables = prepared
    monkeypatch.setenv("MPLBACKEND", "Agg")
    monkeypatch.chdir(folder)
    space = dict(variables)
    for block in run_pages.blocks(ROOT / page):
        if block.language == "python" and not block.mark:
            # as printed, but for the time that passes take
            code = block.code.replace("epochs=100, min_epochs=10, patience=10", "epochs=25, min_epochs=5, patience=5")
            exec(compile(code, page, "exec"), space)
    if page in ("README.md", "docs/api.md"):
        assert {name for name, *_ in space["findings"].ranking(12)} == {f"gene{i}" for i in range(12)}
    if page == "docs/api.md":
        assert space["stable"].summary["statement"]
        assert set(np.flatnonzero(space["rates"].significant)) >= set(range(8))
        assert set(space["table"]["label"]) == {"B", "NK", "T"}
    if page == "docs/transfer.md":
        assert len(space["table"]) == len(space["both"]) == 90
