"""The run as an RO-Crate, read back by the library of the specification's authors."""

import json

import pytest
from rocrate.rocrate import ROCrate

from deepmapper.workflow.provenance import PACKAGE
from deepmapper.workflow.run_crate import FILE, run_crate
from deepmapper.workflow.run_record import record_of


@pytest.fixture
def crate(tmp_path):
    """The crate of a run on one sheet with a strange name and one folder."""
    sheet = tmp_path / "my samples#1.tsv"
    sheet.write_text("sample\n")
    record = record_of(
        version="1.2.3",
        settings={"passes": {"n_passes": 2}, "features": {"symbols": ""}},
        seeds={},
        files={"sample_sheet": str(sheet), "novelty.kraken2_database": str(tmp_path), "labels.table": ""},
        programs=["bash"],
        root=PACKAGE.parents[1],
        deployment=[],
    )
    results = tmp_path / "results"
    (results / "findings").mkdir(parents=True)
    for name in ("run.json", "findings/summary.html"):
        (results / name).write_text("{}")
    made = run_crate(record, ["run.json", "findings/summary.html"], published="2026-11-29")
    (results / FILE).write_text(json.dumps(made))
    return made, ROCrate(results)


def test_the_crate_is_one_that_the_library_reads(crate):
    made, read = crate
    assert {entity["@id"] for entity in made["@graph"]} == {entity.id for entity in read.get_entities()}
    assert read.root_dataset["conformsTo"].id == "https://w3id.org/ro/wfrun/process/0.5"
    assert read.root_dataset["datePublished"] == "2026-11-29"


def test_every_reference_is_to_something_that_is_described(crate):
    made, _ = crate
    known = {entity["@id"] for entity in made["@graph"]}
    outside = {"https://w3id.org/ro/crate/1.1", "https://spdx.org/licenses/MIT"}

    def references(value):
        if isinstance(value, dict):
            if set(value) == {"@id"}:
                yield value["@id"]
            for item in value.values():
                yield from references(item)
        elif isinstance(value, list):
            for item in value:
                yield from references(item)

    assert set(references([list(entity.values()) for entity in made["@graph"]])) <= known | outside
    assert len(known) == len(made["@graph"])


def test_the_action_says_what_ran_on_what_and_what_it_made(crate):
    _, read = crate
    run = read.get("#run")
    assert run.type == "CreateAction"
    assert (run["instrument"]["name"], run["instrument"]["softwareVersion"]) == ("DeepMapper", "1.2.3")
    assert {entity["name"] for entity in run["instrument"]["softwareRequirements"]} >= {"numpy", "bash", "Python"}
    assert {entity.id for entity in run["result"]} == {"run.json", "findings/summary.html"}
    settings = {e["name"]: json.loads(e["value"]) for e in run["object"] if e.type == "PropertyValue"}
    assert settings == {"passes.n_passes": 2, "features.symbols": ""}
    sheet = next(entity for entity in run["object"] if entity.type == "File")
    assert sheet["name"] == "my samples#1.tsv"
    assert sheet.id.startswith("file:///") and sheet.id.endswith("/my%20samples%231.tsv")
    assert (sheet["contentSize"], len(sheet["sha256"])) == ("7", 64)
