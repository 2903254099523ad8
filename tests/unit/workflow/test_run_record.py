"""The record of a run: what it says, and what it says when there is nothing to say."""

import hashlib
import json
import subprocess

import pytest

from deepmapper.workflow.provenance import PACKAGE
from deepmapper.workflow.run_record import git_state, record_of, record_run


@pytest.fixture
def checkout(tmp_path):
    """Make a git checkout with one commit."""

    def git(*arguments):
        who = ("-c", "user.name=a", "-c", "user.email=a@b")
        return subprocess.run(
            ["git", *who, *arguments], cwd=tmp_path, check=True, capture_output=True, text=True
        ).stdout

    (tmp_path / "Snakefile").write_text("one\n")
    git("init", "--quiet")
    git("add", "Snakefile")
    git("commit", "--quiet", "-m", "one")
    return tmp_path, git("rev-parse", "HEAD").strip()


def test_git_state_names_the_commit_and_what_differs(checkout):
    folder, commit = checkout
    assert git_state(folder) == {"commit": commit, "dirty": False, "changed": []}
    (folder / "results").mkdir()  # not under version control: no difference
    (folder / "Snakefile").write_text("two\n")
    assert git_state(folder) == {"commit": commit, "dirty": True, "changed": ["Snakefile"]}


def test_a_folder_inside_another_checkout_has_no_state_of_its_own(checkout):
    inside = checkout[0] / "workflow"
    inside.mkdir()
    assert git_state(inside) is None


def test_record_holds_versions_files_and_settings(tmp_path):
    sheet = tmp_path / "samples.tsv"
    sheet.write_text("sample\n")
    record = record_of(
        version="1.2.3",
        settings={"passes": {"n_passes": 2}},
        seeds={"passes": {"linear": [0, 1]}},
        files={"sample_sheet": str(sheet), "matrix.path": str(tmp_path), "labels.table": ""},
        programs=["bash", "no-such-program"],
        root=PACKAGE.parents[1],
        deployment=["conda"],
    )
    assert json.loads(json.dumps(record)) == record
    assert record["deepmapper"]["version"] == "1.2.3"
    assert len(record["deepmapper"]["source"]) == 16
    assert record["libraries"]["numpy"].count(".") == 2
    assert "bash" in record["programs"]["bash"]
    assert record["programs"]["no-such-program"] is None
    assert "python =3.11" in record["environments"]["python"]
    digest = hashlib.sha256(b"sample\n").hexdigest()
    assert record["files"] == {
        "sample_sheet": {"path": str(sheet), "bytes": 7, "sha256": digest},
        "matrix.path": {"path": str(tmp_path)},
    }
    assert record["seeds"] == {"passes": {"linear": [0, 1]}}
    assert record["deployment"] == ["conda"]


def test_the_record_of_a_run_tells_settings_from_what_else_the_rule_is_given():
    params = {
        "passes": {"seed": 5, "n_passes": 2},
        "models": {"linear": {}, "mlp": {}},
        "seeds": {"permuted": [5]},
        "files": {},
        "programs": [],
        "deployment": [],
        "source": "0123",
    }
    record = record_run(params, [2, 3], version="1", resources={"gpu": True}, results="out")
    assert set(record["settings"]) == {"passes", "models", "resources", "results"}
    assert (record["settings"]["resources"], record["settings"]["results"]) == ({"gpu": True}, "out")
    assert record["seeds"] == {"passes": {"linear": [5, 6], "mlp": [5, 6, 7]}, "permuted": [5]}
