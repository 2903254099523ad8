"""The checked configuration: defaults, conversions, warnings; the examples are valid."""

import copy
import json
import re
import subprocess
import sys
from pathlib import Path

import hypothesis
import pytest
import yaml
from hypothesis import strategies as st

from deepmapper.config import to_config
from deepmapper.core.missing import MISSING_WORDS
from deepmapper.errors import InputError
from deepmapper.novelty.classes import NoveltyOptions
from deepmapper.novelty.homology import COLUMNS
from deepmapper.workflow.schema import load_schema
from deepmapper.workflow.sections import model_settings
from deepmapper.workflow.settings import config_warnings, validate_config

ROOT = Path(__file__).resolve().parents[3]
SCHEMA = load_schema(ROOT / "workflow/schemas/config.schema.yaml")
README = ROOT / "config/README.md"
MINIMAL = "matrix: {path: a.h5ad}\nlabels: {column: state}\n"


# --- what is refused, and how -------------------------------------------------------------------------------------


@pytest.mark.parametrize("config", [None, {}])
def test_an_empty_file_is_named(config):
    with pytest.raises(
        InputError,
        match=r"^my.yaml is empty: give at least `matrix.path` \(the matrix\) or `sample_sheet` \(reads\), and `labels",
    ):
        validate_config(config, SCHEMA, source="my.yaml")


@pytest.mark.parametrize(("config", "found"), [([1], r"\[1\] \(a list\)"), ("matrix", '"matrix" \\(text\\)')])
def test_a_file_without_sections_is_named(config, found):
    with pytest.raises(InputError, match=f"^my.yaml: found {found}; expected sections such as `matrix:`"):
        validate_config(config, SCHEMA, source="my.yaml")


KEYS = [key for section in SCHEMA["properties"].values() for key in section.get("properties", {})]
NAMES = st.sampled_from([*SCHEMA["properties"], *KEYS, "mlp"]) | st.text(max_size=4) | st.booleans() | st.none()
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=4) | st.dates(),
    lambda below: st.lists(below, max_size=3) | st.dictionaries(NAMES, below, max_size=4),
    max_leaves=12,
)


@hypothesis.settings(max_examples=100, deadline=None)
@hypothesis.given(st.dictionaries(st.sampled_from([*SCHEMA["properties"]]), VALUES))
def test_whatever_a_file_holds_is_used_or_refused(config):
    try:
        found = validate_config(config, SCHEMA)
    except InputError:
        return
    assert validate_config(found, SCHEMA) == found


# --- what is filled in and converted ------------------------------------------------------------------------------


def test_defaults_are_filled():
    settings = validate_config(yaml.safe_load(MINIMAL), SCHEMA)
    assert settings["results"] == "results"
    assert settings["matrix"] == {
        "path": "a.h5ad",
        "shards": [],
        "new_samples": [],
        "format": "auto",
        "layer": "X",
        "transpose": False,
        "strandedness": "auto",
        "populations": [],
        "duplicate_names": "refuse",
        "empty_cells": "refuse",
    }
    assert settings["labels"] == {
        **{"column": "state", "table": "", "exclude": [], "missing": "refuse", "group": ""},
        "na_values": list(MISSING_WORDS),
        **{"unlabelled": [], "domain": "", "ontology": {"path": "", "terms": {}, "allowed": []}},
    }
    assert settings["task"] == "train" and settings["predict"] == {"model": "", "embeddings": []}
    assert settings["transfer"] == {
        **{
            "level": 0.05,
            "folds": "auto",
            "calibrate_over": "auto",
            "withhold": True,
            "new_identities": True,
            "align": True,
        },
    }
    assert settings["features"] == {
        "level": "transcript",
        "normalization": "log1p_median",
        "symbols": "auto",
        "symbol_columns": [],
    }
    assert settings["split"] == {"scheme": "auto", "test_size": 0.25, "seed": 0}
    assert settings["passes"] == {
        "n_passes": 30,
        "auto": {"start": 20, "step": 10, "cap": 200, "level": 0.8},
        "seed": 0,
        "n_permuted": 5,
        "n_shadow": 12,
        "top_k": 20,
        "min_accuracy": 0.0,
        "test_size": 0.2,
    }
    assert settings["calibration"] == {"level": 0.1, "min_detected": 0.05, "bootstrap": 200}
    assert settings["stability"] == {"n_pairs": 10, "threshold": 0.75}
    assert list(settings["models"]) == ["cnn_small"]
    assert settings["models"]["cnn_small"] == {
        "kind": "cnn_small",
        "img_size": 0,
        "in_chans": 1,
        "pretrained": False,
        "extra": {},
        "input": "features",
        **settings["training"],
    }
    assert settings["confounders"] == {
        **{"columns": [], "numeric": [], "depth": False, "detected": False, "cell_cycle": False},
        **{"s_genes": [], "g2m_genes": [], "composition": {"shares": [], "signatures": ""}},
    }
    assert settings["chords"] == {
        "enabled": True,
        "permutations": 39,
        "level": 0.05,
        "rate": "family",
        "min_detected": 0.05,
        "triplets": True,
        "max_triplet_features": 150,
        "keep": 1000,
        "memory_mb": 512,
        "max_samples": 20_000,
        "device": "auto",
    }
    assert settings["training"]["chord_pixels"] is False
    assert settings["baseline"] == {"C": 1.0, "max_iter": 5000}
    assert settings["findings"] == {"top": 30, "ece_bins": 10, "bootstrap": 1000}
    assert settings["resources"] == {
        "alignment_threads": 4,
        "assembly_threads": 8,
        "quantification_threads": 4,
        "differential_threads": 4,
        "screen_threads": 2,
        "screen_mem_mb": 3000,
        "screen_runtime": 240,
        "threads_per_pass": 1,
        "pass_mem_mb": 2000,
        "pass_runtime": 60,
        "seeds_per_job": "auto",
        "checkpoint_minutes": 10,
        "gpu": 0,
        "passes_per_gpu": 1,
        "embedding_tasks": 1,
        "embedding_nodes": 1,
        "gpus_per_job": 0,
    }
    not_of_the_screen = ("contaminants", "rrna", "sources", "min_isoform_share", *COLUMNS)
    screen = {key: value for key, value in settings["novelty"].items() if key not in not_of_the_screen}
    assert NoveltyOptions(**screen) == NoveltyOptions()


def test_early_stopping_acts_under_the_defaults():
    settings = validate_config(yaml.safe_load(MINIMAL), SCHEMA)
    assert config_warnings(settings) == []


def test_the_given_configuration_stays_as_it_is():
    given = yaml.safe_load(MINIMAL + "training: {lr: '1e-3'}\nlabels: {column: a, exclude: [1]}\nmodels: {mlp: }\n")
    before = copy.deepcopy(given)
    settings = validate_config(given, SCHEMA)
    settings["models"]["mlp"]["extra"]["x"] = settings["labels"]["exclude"].append("y")
    assert given == before
    assert validate_config(given, SCHEMA)["models"]["mlp"]["extra"] == {}


def test_validating_twice_changes_nothing(read):
    once = read("{models: {mine: {kind: mlp, lr: 1e-4}}, training: {augment: {enabled: true}}, results: ./out/}")
    assert validate_config(once, SCHEMA) == once
    assert json.loads(json.dumps(once)) == once
    assert once["results"] == "out"


@pytest.mark.parametrize("section", SCHEMA["properties"])
def test_a_section_or_option_without_a_value_takes_its_default(read, section):
    plain = validate_config(yaml.safe_load(MINIMAL), SCHEMA)
    if section in ("matrix", "labels"):
        below = dict.fromkeys(SCHEMA["properties"][section]["properties"])
        given = read(json.dumps({section: {**below, **yaml.safe_load(MINIMAL)[section]}}))
    else:
        given = read(f"{section}:")
    assert given == plain


@pytest.mark.parametrize(
    ("written", "key", "value"),
    [
        ("1e-3", "lr", 0.001),
        ("'0.01'", "lr", 0.01),
        ("1", "lr", 1.0),
        ("2E-1", "weight_decay", 0.2),
        ("1e2", "epochs", 100),
        ("50.0", "epochs", 50),
        ("'50'", "epochs", 50),
    ],
)
def test_numbers_are_read_as_numbers(read, written, key, value):
    found = read(f"training: {{{key}: {written}}}")["training"][key]
    assert found == value
    assert type(found) is type(value)


@pytest.mark.parametrize(("written", "value"), [("auto", "auto"), ("40", 40), ("'40'", 40), ("4e1", 40)])
def test_number_of_passes_is_a_number_or_grows(read, written, value):
    found = read(f"passes: {{n_passes: {written}}}")["passes"]["n_passes"]
    assert found == value
    assert type(found) is type(value)


def test_numbers_among_builder_options_keep_their_type(read):
    extra = read("models: {mlp: {extra: {hidden: 64, dropout: 1e-1, norm: true}}}")["models"]["mlp"]["extra"]
    assert extra == {"hidden": 64, "dropout": 0.1, "norm": True}
    assert type(extra["hidden"]) is int
    assert type(extra["norm"]) is bool


def test_numbers_as_labels_become_text(read):
    assert read("labels: {column: a, exclude: [1, '02', 1e-3]}")["labels"]["exclude"] == ["1", "02", "1e-3"]
    both = read("{matrix: {populations: [{path: a, label: 1}, {path: b, label: 2}]}, labels: {}}")
    assert [population["label"] for population in both["matrix"]["populations"]] == ["1", "2"]


def test_populations_name_the_label_column(read):
    text = "{matrix: {populations: [{path: a, label: c}, {path: b, label: d}]}, labels: %s}"
    assert read(text % "{}")["labels"]["column"] == "population"
    assert read(text % "{column: population}")["labels"]["column"] == "population"
    assert read(text % "{column: state, table: cells.csv}")["labels"]["column"] == "state"


def test_a_model_overrides_training(read):
    settings = read(
        "{training: {epochs: 50, augment: {gaussian_noise_std: 0.1}},"
        " models: {cnn_small: , mlp: {epochs: 7, augment: {enabled: true}}, mine: {kind: linear, lr: }}}"
    )
    assert [model["kind"] for model in settings["models"].values()] == ["cnn_small", "mlp", "linear"]
    assert [model["epochs"] for model in settings["models"].values()] == [50, 7, 50]
    assert settings["models"]["mlp"]["augment"] == {"enabled": True, "gaussian_noise_std": 0.1}
    assert settings["models"]["cnn_small"]["augment"] == {"enabled": False, "gaussian_noise_std": 0.1}
    assert settings["models"]["mine"]["lr"] == 0.001


# --- what cannot act ----------------------------------------------------------------------------------------------


def test_early_stopping_that_cannot_act_is_said_per_model(read):
    said = config_warnings(
        read("models: {mlp: {epochs: 5}, linear: {}, cnn: {epochs: 15}, cnn_small: {epochs: 5, early_stop: false}}")
    )
    assert len(said) == 2
    assert said[0].startswith("model `mlp`: early stopping never acts: epochs=5 < min_epochs=10")
    assert said[1].startswith("model `cnn`: early stopping cannot end a pass early: epochs=15")


@pytest.mark.parametrize(
    ("text", "start"),
    [
        ("training: {augment: {enabled: true}}", "model `cnn_small`: augment.enabled=True does nothing"),
        (
            "training: {augment: {gaussian_noise_std: 0.1}}",
            "model `cnn_small`: augment.gaussian_noise_std=0.1 does nothing",
        ),
        ("passes: {n_permuted: 0}", "`passes.n_permuted` is 0: without control passes"),
        ("passes: {n_shadow: 0}", "`passes.n_shadow` is 0: without passes with shadow features"),
    ],
)
def test_settings_that_cannot_act_are_said(read, text, start):
    (said,) = config_warnings(read(text))
    assert said.startswith(start)


def test_a_kind_that_learns_from_the_target_says_when_there_is_none(read):
    (said,) = config_warnings(read("models: {scnym: {}}"))
    assert said.startswith("model `scnym`: the kind scnym learns from cells without a label, and there are none.")
    assert config_warnings(read("models: {scnym: {extra: {adapt: none}}}")) == []
    assert config_warnings(read("{models: {scnym: {}}, labels: {column: y, unlabelled: [Unlabeled]}}")) == []


def test_domains_without_cells_to_be_named_have_no_effect(read):
    (said,) = config_warnings(read("labels: {column: y, domain: study}"))
    assert "`labels.domain` has no effect" in said
    for more in ("group: study", "unlabelled: [Unlabeled]"):  # rates may be over them
        assert config_warnings(read(f"labels: {{column: y, domain: study, {more}}}")) == []


def test_to_config_carries_every_setting(read):
    model = model_settings(
        read(
            "{models: {m: {kind: mlp, img_size: 8, extra: {hidden: 4}, epochs: 3, baseline: zero, weight_decay: 0.5}},"
            " passes: {test_size: 0.4}, training: {augment: {enabled: true, gaussian_noise_std: 0.2}}}"
        ),
        "m",
    )
    config = to_config(model, seed=7)
    config.check()
    assert (config.seed, config.epochs, config.test_size, config.baseline, config.weight_decay) == (
        7,
        3,
        0.4,
        "zero",
        0.5,
    )
    assert (config.backbone.kind, config.backbone.img_size, config.backbone.extra) == ("mlp", 8, {"hidden": 4})
    assert (config.augment.enabled, config.augment.gaussian_noise_std) == (True, 0.2)
    config.backbone.extra["hidden"] = 5
    assert model["extra"] == {"hidden": 4}


def test_what_the_schema_accepts_at_its_bounds_the_package_accepts(read):
    for name, bounds in SCHEMA["properties"]["training"]["properties"].items():
        for bound in (bounds[key] for key in ("minimum", "maximum") if key in bounds):
            to_config(model_settings(read(f"training: {{{name}: {bound}}}"), "cnn_small")).check()


# --- the schema, the example and the tables -----------------------------------------------------------------------


def test_a_network_of_timm_is_taken(read):
    settings = read(
        "models: {mine: {kind: timm:mobilevit_xxs, extra: {drop_rate: 0.1}}, vit_cct: {attribution: chefer}}"
    )
    assert to_config(model_settings(settings, "mine")).backbone.kind == "timm:mobilevit_xxs"
    assert to_config(model_settings(settings, "vit_cct")).attribution == "chefer"


def test_the_example_is_valid():
    settings = validate_config(yaml.safe_load((ROOT / "config/config.yaml").read_text()), SCHEMA)
    assert list(settings["models"]) == ["cnn_small", "with_chords"]
    assert config_warnings(settings) == []
    matrix = validate_config(yaml.safe_load((ROOT / "resources/demo/matrix/config/config.yaml").read_text()), SCHEMA)
    assert config_warnings(matrix) == []


@pytest.mark.parametrize("block", re.findall(r"```yaml\n(.*?)```", README.read_text(), flags=re.DOTALL))
def test_the_examples_of_the_readme_are_valid(block):
    given = yaml.safe_load(block)
    reads = {"sample_sheet": "a.tsv", "matrix": {}, "reference": {"genome": "g.fa", "transcripts": "t.fa"}}
    if "matrix" in given or "sample_sheet" in given:
        settings = validate_config(given, SCHEMA)
    else:
        settings = validate_config(
            {**yaml.safe_load(MINIMAL), **(reads if "samples" in given else {}), **given}, SCHEMA
        )
    assert config_warnings(settings) == []


@pytest.mark.parametrize(("reference", "none"), [("none", True), ("{transcripts: t.fa}", False)])
def test_reads_need_no_genome(reference, none):
    given = {"sample_sheet": "a.tsv", "labels": {"column": "state"}, "models": {"mlp": {}}}
    settings = validate_config({**given, "reference": yaml.safe_load(reference)}, SCHEMA)
    assert settings["reference"]["none"] is none
    assert validate_config(settings, SCHEMA) == settings


def test_settings_of_the_alignment_have_no_effect_without_a_reference():
    reads = (
        "{sample_sheet: a.tsv, reference: none, reads: {keep_alignments: true}, labels: {column: c}, models: {mlp: {}}}"
    )
    (text,) = config_warnings(validate_config(yaml.safe_load(reads), SCHEMA))
    assert text == "`reads.keep_alignments` has no effect: with `reference: none` nothing is aligned."


def test_importing_the_settings_needs_the_standard_library_alone():
    block = "import sys; sys.modules.update(dict.fromkeys(['yaml', 'jsonschema', 'numpy', 'torch']))"
    subprocess.run(
        [sys.executable, "-c", f"{block}; import deepmapper.workflow.settings"],
        check=True,
        env={"PYTHONPATH": str(ROOT / "src")},
    )
