"""Another repository takes the workflow as a module, from a folder or out of git, with a configuration of its own."""

import os
import subprocess
import sys

import pytest
import yaml

pytestmark = pytest.mark.workflow

SNAKEFILE = """
configfile: "settings.yaml"


module deepmapper:
    snakefile:
        {snakefile}
    config:
        config["deepmapper"]


use rule * from deepmapper{renamed}


rule ours:
    default_target: True
    input:
        "found/passes/linear/0.npz",
    output:
        "ours.txt",
    shell:
        "wc -l {{input}} > {{output}}"
"""


@pytest.fixture(scope="module")
def tagged(pipeline, tmp_path_factory):
    """Keep the pipeline in git under the tag v1, bare, where Snakemake caches the clones of GitHub; gives the cache."""
    work, cache = tmp_path_factory.mktemp("git") / "work", tmp_path_factory.mktemp("cache")
    subprocess.run(["cp", "-a", pipeline, work], check=True)
    commands = (
        ["init", "--quiet"],
        ["add", "."],
        ["-c", "user.name=a", "-c", "user.email=a@b", "commit", "--quiet", "-m", "all"],
        ["tag", "v1"],
    )
    for command in commands:
        subprocess.run(["git", *command], cwd=work, check=True)
    clone = cache / "snakemake/snakemake/source-cache/snakemake-git-cache/github.com/someone/deepmapper"
    subprocess.run(["git", "clone", "--quiet", "--bare", work, clone], check=True)
    return cache


def elsewhere(folder, settings: dict, snakefile: str, renamed: str = "") -> None:
    """Write a repository that takes the workflow from somewhere."""
    (folder / "workflow").mkdir()
    (folder / "workflow/Snakefile").write_text(SNAKEFILE.format(snakefile=snakefile, renamed=renamed))
    (folder / "settings.yaml").write_text(yaml.safe_dump({"deepmapper": {**settings, "results": "found"}}))


def run(folder, cache, *arguments: str) -> str:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    environment |= {
        "XDG_CACHE_HOME": str(cache),
        "http_proxy": "http://127.0.0.1:9",
        "https_proxy": "http://127.0.0.1:9",
    }
    done = subprocess.run(
        [sys.executable, "-m", "snakemake", "--cores", "2", *arguments],
        cwd=folder,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=600,
        check=False,
    )
    assert done.returncode == 0, done.stdout
    return done.stdout


@pytest.mark.parametrize("where", ["folder", "github"])
def test_module_of_another_repository(work_directory, pipeline, tagged, where):
    directory = work_directory()
    (directory.folder / "config/config.yaml").unlink()
    snakefile = {
        "folder": f'"{pipeline}/workflow/Snakefile"',
        "github": 'github("someone/deepmapper", path="workflow/Snakefile", tag="v1")',
    }[where]
    elsewhere(directory.folder, directory.settings, snakefile, " as dm_*" if where == "folder" else "")
    run(directory.folder, tagged)
    assert (directory.folder / "ours.txt").exists()
    assert not (directory.folder / "results").exists()
    assert "Nothing to be done" in run(directory.folder, tagged)
    # the rest of the workflow, with its captions and scripts, can be planned
    whole = run(directory.folder, tagged, "--dry-run", "dm_all" if where == "folder" else "all")
    assert "write_summary" in whole
