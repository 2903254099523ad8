"""What the workflow uses of Snakemake beyond its documented interface exists in the installed version."""

import base64
import gzip
import re
import subprocess
import sys
import tomllib
from pathlib import Path
from types import SimpleNamespace

import pytest
from packaging.requirements import Requirement

from deepmapper.workflow import snakemake_internals

snakemake = pytest.importorskip("snakemake")
ROOT = Path(__file__).resolve().parents[3]

# Two rules make the same file: by default the second one, unless the command line names the first.
SNAKEFILE = """
import sys

sys.path.insert(0, {source!r})
from deepmapper.workflow import snakemake_internals as internals


def named():
    asked, everything = internals.requested(workflow)
    return everything or "one" in asked


rule one:
    output:
        "{{n}}.txt",
    threads: 1
    resources:
        runtime=5,
        mem_mb=100,
    shell:
        "echo one > {{output}}"


for n in (1,):

    rule:
        name:
            "several"
        output:
            "1.txt",
            "2.txt",
        threads: 1
        resources:
            runtime=10,
            mem_mb=100,
        shell:
            "echo several | tee {{output}}"


rule another:
    output:
        "another.txt",
    shell:
        "touch {{output}}"


internals.prefer(workflow, "several", "one", unless=named)
internals.run_as(workflow, rules.several, rules.one, 2)
internals.set_default_target(workflow, "another")
print("main", internals.is_main_process(workflow), "here", internals.runs_jobs_here(workflow))
print("name", internals.name_of(rules.one), "deployment", internals.deployment_methods(workflow))
print("jobs", internals.max_jobs(workflow), internals.array_rules(workflow))
print("same code", rules.several.rule.run_func_src == rules.one.rule.run_func_src)
print("at", internals.origin(workflow.current_basedir))


onstart:
    print("planned", sorted(internals.planned_rules(workflow)))
"""


@pytest.fixture
def ask(tmp_path):
    """Give a function that runs Snakemake on two rules for the same file, and returns what it said."""
    (tmp_path / "Snakefile").write_text(SNAKEFILE.format(source=str(ROOT / "src")))

    def run(*arguments: str, fails: bool = False) -> str:
        command = [sys.executable, "-m", "snakemake", "--cores", "4", *arguments]
        done = subprocess.run(
            command, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False
        )
        assert bool(done.returncode) == fails, done.stdout
        return done.stdout

    return run


def test_what_is_read_of_a_run_is_there(ask, tmp_path):
    said = ask()
    assert "main True here True\n" in said
    assert "name one deployment []\n" in said
    assert "jobs None set()\n" in said
    assert f"at Origin(path={tmp_path!r}, git=None, commit='')\n" in said
    assert "same code True\n" in said
    assert "planned ['another']\n" in said  # the default target
    assert (tmp_path / "another.txt").exists()
    assert "deployment ['conda']\n" in ask("--dry-run", "--sdm", "conda")


@pytest.mark.parametrize(
    ("arguments", "rule"),
    [
        (["1.txt"], "several"),
        (["1.txt", "--forcerun", "one"], "one"),
        (["1.txt", "--until", "one"], "one"),
        (["1.txt", "--forceall"], "one"),
        (["3.txt"], "one"),
    ],
)
def test_the_order_of_two_rules_follows_from_the_command_line(ask, arguments, rule):
    said = ask("--dry-run", *arguments)
    assert f"rule {rule}:" in said
    assert said.count("rule one:") + said.count("rule several:") == 1


def test_what_is_set_for_the_one_holds_for_the_several(ask):
    said = ask("--dry-run", "1.txt", "--set-resources", "one:runtime=7", "one:mem_mb=300", "--set-threads", "one=3")
    assert "runtime=14" in said and "mem_mb=300" in said and "threads: 3" in said
    own = ("one:mem_mb=300", "several:mem_mb=400", "one:runtime=7", "several:runtime=9")
    said = ask("--dry-run", "1.txt", "--set-resources", *own, "--set-threads", "one=3", "several=2")
    assert "runtime=9" in said and "mem_mb=400" in said and "threads: 2" in said
    said = ask("1.txt", "--set-resources", "one:runtime=7*attempt", fails=True)
    assert "--set-resources one:runtime=7*attempt: expected the minutes of one pass, a number" in said


def test_arrays_and_jobs_of_a_cluster_are_read():
    workflow = SimpleNamespace(
        executor_settings=SimpleNamespace(array_jobs="a, b"), resource_settings=SimpleNamespace(nodes=3)
    )
    assert snakemake_internals.array_rules(workflow) == {"a", "b"}
    assert snakemake_internals.max_jobs(workflow) == 3
    workflow.executor_settings = None
    assert snakemake_internals.array_rules(workflow) == set()


def test_files_out_of_git_are_known_by_their_commit():
    hosted = SimpleNamespace(hosted_repo=SimpleNamespace(repo_clone="/clone"), ref="v1")
    assert snakemake_internals.origin(hosted) == (None, Path("/clone"), "v1")
    assert snakemake_internals.origin(SimpleNamespace(repo_path="/here", ref="main")) == (None, Path("/here"), "main")


def test_this_version_is_tested_and_others_are_named():
    assert snakemake_internals.untested(snakemake.__version__) is None
    assert snakemake_internals.untested("9.19.0") is snakemake_internals.untested("9.27.9.dev3") is None
    assert snakemake_internals.untested("9.28.0").startswith(
        "this is Snakemake 9.28.0; the workflow was tested with 9.19 to 9.27."
    )
    for version in ("9.18.2", "8.30.0", "10.0.0"):
        with pytest.raises(RuntimeError, match=rf"Snakemake {version}, .* tested with 9\.19 to 9\.27: .*>=9\.19,<10"):
            snakemake_internals.untested(version)


def test_what_is_tested_is_what_may_be_installed():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    (need,) = (one for one in map(Requirement, project["optional-dependencies"]["workflow"]) if one.name == "snakemake")
    (major, oldest), (_, newest) = snakemake_internals.TESTED
    assert need.specifier == Requirement(f"snakemake>={major}.{oldest},<{major + 1}").specifier
    assert f'min_version("{major}.{oldest}")' in (ROOT / "workflow/Snakefile").read_text()
    assert f"\nsnakemake=={major}.{newest}." in (ROOT / "envs/requirements.txt").read_text()


def test_rules_leave_the_rest_of_snakemake_alone():
    """Private names, and what no documentation of Snakemake names, stand in this one module."""
    private = ("_ruleorder", "overwrite_", "_cores", "run_func", "dag_settings", "needrun", "exec_mode", "hosted_repo")
    files = [ROOT / "Snakefile", ROOT / "workflow/Snakefile", *(ROOT / "workflow/rules").glob("*.smk")]
    found = {(file.name, name) for file in files for name in private if name in file.read_text()}
    assert found == set()


REPORTED = """
import sys

sys.path.insert(0, {source!r})
from deepmapper.core.nothing import shows_nothing
from deepmapper.workflow import snakemake_internals as internals

internals.shape_report("out/first.html", shows_nothing)


rule all:
    output:
        report("out/first.html", category="1"),
        report("out/empty.svg", category="2"),
    shell:
        "echo '<p>first</p>' > {{output[0]}}; echo '<svg>deepmapper: nothing to show</svg>' > {{output[1]}}"
"""


def test_the_report_opens_on_a_result_and_leaves_out_what_shows_nothing(tmp_path):
    (tmp_path / "Snakefile").write_text(REPORTED.format(source=str(ROOT / "src")))
    for arguments in ([], ["--report", "page.html"]):
        command = [sys.executable, "-m", "snakemake", "--cores", "1", *arguments]
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
    page = (tmp_path / "page.html").read_text()
    assert '"out/first.html": {' in page and '"out/empty.svg": {' not in page
    assert page.index('const path = "out/first.html"') > page.index("class App extends")
    packed = re.search(r'"data_uri": "data:text/html;[^,]*;base64,", "packed": "([^"]+)"', page)[1]
    assert gzip.decompress(base64.b64decode(packed)) == b"<p>first</p>\n"
