"""The configuration of a run: missing files and impossible networks are refused."""

import pytest

from deepmapper.errors import InputError
from deepmapper.workflow.run_settings import read_settings


@pytest.fixture
def read(request, tmp_path, monkeypatch):
    """Give a function that reads a configuration in a folder with a matrix."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "matrix.h5ad").touch()
    schema = request.config.rootpath / "workflow/schemas/config.schema.yaml"

    def given(**sections):
        return read_settings({"matrix": {"path": "matrix.h5ad"}, "labels": {"column": "y"}, **sections}, schema)

    return given


def test_defaults_are_filled_in(read):
    assert read(models={"linear": {}})["passes"]["seed"] == 0


def test_files_that_do_not_exist_are_all_named(read, tmp_path):
    with pytest.raises(InputError) as refused:
        read(matrix={"path": "no.h5ad"}, labels={"column": "y", "table": "no.tsv"}, models={"linear": {}})
    assert f"- matrix.path: no.h5ad does not exist (looked for {tmp_path / 'no.h5ad'})" in str(refused.value)
    assert "- labels.table: no.tsv does not exist" in str(refused.value)
    assert "relative to the folder in which snakemake runs" in str(refused.value)


def test_a_network_that_cannot_be_built_is_refused_by_its_name(read):
    with pytest.raises(InputError, match=r"models\.mine: .*hidden"):
        read(models={"mine": {"kind": "linear", "extra": {"hidden": 3}}})


@pytest.mark.parametrize("results", ["link", "link/deeper", "loop"])
def test_results_behind_a_link_that_leads_nowhere_are_refused(read, tmp_path, results):
    (tmp_path / "link").symlink_to("/nowhere/to")
    (tmp_path / "loop").symlink_to("loop")
    place = results.partition("/")[0]
    with pytest.raises(InputError, match=rf"results: {place} is a link to \S+, which does not exist; make that folder"):
        read(results=results, models={"linear": {}})
