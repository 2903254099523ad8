"""Every rule's environment holds what the rule needs, by name: through a test double of conda (conda_double.py)."""

import ast
import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import yaml

pytestmark = pytest.mark.workflow

ROOT = Path(__file__).resolve().parents[2]

ENVIRONMENTS = {path.stem: yaml.safe_load(path.read_text()) for path in (ROOT / "envs").glob("*.yaml")}
NAMES = {name: {one.split()[0] for one in about["dependencies"]} for name, about in ENVIRONMENTS.items()}
# what is imported under another name than conda's package has
IMPORTED_FROM = {"torch": "pytorch", "matplotlib": "matplotlib-base", "sklearn": "scikit-learn", "Bio": "biopython"}
IMPORTED_FROM |= {"umap": "umap-learn", "skmisc": "scikit-misc"}
# timm: only for its networks, which docs/backbones.md says to install; the others: in the process of Snakemake
OPTIONAL = {"timm", "jsonschema", "yaml"}


def rules() -> dict[str, tuple[str, str]]:
    """Environment and script of every rule, from the text of the workflow; what `use rule` inherits is the same."""
    found = {}
    for file in (ROOT / "workflow/rules").glob("*.smk"):
        for block in re.split(r"^ *(?=(?:rule|checkpoint|use rule) )", file.read_text(), flags=re.MULTILINE):
            name = re.match(r"(?:rule|checkpoint) (\w+):", block)
            if name:
                environment = re.search(r'conda:\s+"\.\./\.\./envs/(\w+)\.yaml"', block)
                script = re.search(r'script:\s+"\.\./\.\./scripts/([\w/]+\.py)"', block)
                found[name[1]] = (environment and environment[1], script and script[1])
    return found


def imports(path: Path, seen: set[str] | None = None) -> set[str]:
    """Names of what a file imports from outside the package and the standard library, through the package."""
    seen = set() if seen is None else seen
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        modules: list[str] = []
        if isinstance(node, ast.Import):
            modules = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
            modules = [node.module]
            if node.module == "deepmapper":
                modules = [f"deepmapper.{alias.name}" for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            modules = [f"deepmapper.{node.module}"] if node.module else [f"deepmapper.{a.name}" for a in node.names]
        for module in modules:
            top, _, rest = module.partition(".")
            if top == "deepmapper":
                file = ROOT / f"src/deepmapper/{rest.partition('.')[0]}.py"
                if rest and str(file) not in seen and file.exists():
                    seen.add(str(file))
                    found |= imports(file, seen)
            elif top not in sys.stdlib_module_names:
                found.add(top)
    return found


def test_every_rule_has_an_environment_that_exists():
    found = rules()
    assert len(found) > 30
    assert {name for name, (environment, script) in found.items() if environment not in NAMES or not script} == set()


def test_every_environment_is_pinned_whole():
    for name, about in ENVIRONMENTS.items():
        assert about["channels"] == ["conda-forge", "bioconda", "nodefaults"], name
        assert [one for one in about["dependencies"] if not re.fullmatch(r"[a-z0-9-]+ =[0-9][0-9.]*", one)] == [], name
        assert "python =3.11" in about["dependencies"], name


@pytest.mark.parametrize("environment", sorted(NAMES))
def test_environment_names_what_its_rules_import(environment):
    wanted: set[str] = set()
    for of_rule, script in rules().values():
        if of_rule == environment:
            wanted |= imports(ROOT / "scripts" / script)
    missing = {IMPORTED_FROM.get(name, name) for name in wanted - OPTIONAL} - NAMES[environment]
    assert missing == set()


def test_conda_and_pip_name_the_same_libraries_in_versions_that_the_package_allows():
    from packaging.requirements import Requirement

    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    extras = project["optional-dependencies"]
    wanted = [Requirement(one) for one in (*project["dependencies"], *extras["io"], *extras["denovo"])]
    by_conda = dict(one.split(" =") for one in ENVIRONMENTS["python"]["dependencies"])
    lines = (ROOT / "envs/requirements.txt").read_text().splitlines()
    by_pip = dict(line.lower().split("==") for line in lines if re.match(r"[\w-]+==", line))
    of_pypi = {"torch": "pytorch", "matplotlib": "matplotlib-base"}
    for need in wanted:
        for pins, name in ((by_conda, of_pypi.get(need.name, need.name)), (by_pip, need.name)):
            assert name in pins, f"{name} is not pinned"
            assert need.specifier.contains(pins[name]), f"{name} {pins[name]} is not what pyproject.toml allows"


def run(directory, base: Path, *targets: str, fails: bool = False) -> str:
    """Run with the double, from an environment in which there is Snakemake and nothing else."""
    command = [base / "bin/python", "-m", "snakemake", "--snakefile", directory.pipeline / "Snakefile", "--cores", "2"]
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    environment |= {"PATH": str(base / "bin"), "PYTHONNOUSERSITE": "1"}
    ended = subprocess.run(
        [*command, "--sdm", "conda", "--conda-prefix", base / "made", *targets],
        cwd=directory.folder,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=600,
        check=False,
    )
    assert bool(ended.returncode) == fails, ended.stdout
    return ended.stdout


@pytest.fixture(scope="module")
def double(tmp_path_factory):
    """Install the double; its environments are shared by the tests, as conda's are."""
    base = tmp_path_factory.mktemp("conda") / "base"
    subprocess.run([sys.executable, Path(__file__).with_name("conda_double.py"), base, "install"], check=True)
    return base


def activated(base: Path) -> set[str]:
    """Names of the yamls whose environments were activated."""
    texts = {(ROOT / f"envs/{name}.yaml").read_text(): name for name in NAMES}
    folders = set((base / "activated").read_text().split())
    return {texts[Path(f"{folder}.yaml").read_text()] for folder in folders}


def test_matrix_run_in_the_environment_of_its_rules(work_directory, double):
    directory = work_directory()
    run(directory, double, "results/passes/linear/0.npz", "results/findings/audit_features.tsv")
    assert activated(double) == {"python"}


@pytest.mark.tools
def test_reads_run_in_the_environments_of_their_rules(work_directory, double):
    from deepmapper.simulate.reads import make_study

    directory = work_directory()
    few = {"n_genes": 12, "n_novel": 3, "n_differing": 2, "n_near_copies": 1, "samples_per_condition": 2}
    study = make_study(directory.folder / "study", **few, fragments_per_sample=1500)
    directory.configure(
        matrix={},
        sample_sheet=str(study.sheet),
        reference={"genome": str(study.genome), "annotation": str(study.annotation)},
        labels={"column": "condition"},
        features={"normalization": "log1p_tpm"},
        # Trinity calls itself by its place on this machine, around the double
        assembly={"assembler": "rnaspades"},
    )
    run(directory, double, "expression")
    assert activated(double) == set(NAMES) - {"sra", "homology"}  # no sample is a run of the SRA, no database is given


def test_what_the_yaml_does_not_name_is_missed(work_directory, copy_pipeline, double, tmp_path):
    directory = work_directory()
    directory.pipeline = copy_pipeline(tmp_path / "deepmapper", directory.pipeline)
    file = directory.pipeline / "envs/python.yaml"
    lines = file.read_text().splitlines(keepends=True)
    with_anndata = ("  - anndata", "  - scanpy", "  - pytximport", "  - pydeseq2")  # the others need it
    file.write_text("".join(line for line in lines if not line.startswith(with_anndata)))
    said = run(directory, double, "results/expression.h5ad", fails=True)
    assert "No module named 'anndata'" in said
