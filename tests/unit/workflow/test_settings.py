"""The workflow's settings: defaults, refusals and their messages, the schema and the tables made from it."""

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
from jsonschema import Draft202012Validator

from deepmapper.backbones import registry
from deepmapper.config import ATTRIBUTION_METHODS, BASELINES, to_config
from deepmapper.errors import InputError
from deepmapper.io import formats, normalize
from deepmapper.reads.novelty_classes import NoveltyOptions
from deepmapper.workflow.schema import expected, load_schema
from deepmapper.workflow.sections import model_settings
from deepmapper.workflow.settings import config_warnings, validate_config

ROOT = Path(__file__).resolve().parents[3]
SCHEMA = load_schema(ROOT / "workflow/schemas/config.schema.yaml")
README = ROOT / "config/README.md"
MINIMAL = "matrix: {path: a.h5ad}\nlabels: {column: state}\n"


def read(text: str) -> dict:
    """Validate the minimal configuration with the sections of `text` put over it."""
    return validate_config({**yaml.safe_load(MINIMAL), **yaml.safe_load(text)}, SCHEMA)


def faults(text: str) -> list[str]:
    with pytest.raises(InputError) as caught:
        read(text)
    first, *lines = str(caught.value).splitlines()
    assert re.fullmatch(r"config/config.yaml has (1 fault|\d+ faults); nothing was run:", first)
    assert first.startswith(f"config/config.yaml has {len(lines)} fault")
    assert all(line.startswith("  - ") for line in lines)
    return [line[4:] for line in lines]


# --- what is refused, and how -------------------------------------------------------------------------------------

KINDS = "linear, mlp, cnn_small, cnn, resnet18, resnet18_s, resnet34_s, resnet50_s, vit_cct, conv_vae, timm:NAME"
FITTING = "one of integrated_gradients, saliency, input_x_gradient, occlusion, or the kind vit_cct"

BAD = {
    "unknown key": ("passes: {n_pases: 3}", "unknown key `passes.n_pases`; did you mean `n_passes`?"),
    "unknown section": ("model: {mlp: {}}", "unknown key `model`; did you mean `models`?"),
    "unknown in other case": ("training: {LR: 0.1}", "unknown key `training.LR`; did you mean `lr`?"),
    "unknown with hyphen": (
        "training: {batch-size: 8}",
        "unknown key `training.batch-size`; did you mean `batch_size`?",
    ),
    "unknown by its description": (
        "training: {learning_rate: 1}",
        "unknown key `training.learning_rate`; did you mean `lr`?",
    ),
    "unknown without a value": ("training: {epoch: }", "unknown key `training.epoch`; did you mean `epochs`?"),
    "key of another section": ("passes: {lr: 0.1}", "unknown key `passes.lr`; `lr` belongs under `training`"),
    "key of two other sections": (
        "training: {seed: 1}",
        "unknown key `training.seed`; `seed` belongs under `split` or `passes`",
    ),
    "key at the left margin": ("n_passes: 60", "unknown key `n_passes`; `n_passes` belongs under `passes`"),
    "key of a model": ("training: {kind: mlp}", "unknown key `training.kind`; `kind` belongs under `models.<name>`"),
    "section within a section": (
        "passes: {training: {}}",
        "unknown key `passes.training`; `training` belongs at the left margin",
    ),
    "misspelt in another section": (
        "passes: {epoch: 3}",
        "unknown key `passes.epoch`; did you mean `training.epochs`?",
    ),
    "nothing like it": (
        "training: {augment: {xyz: 3}}",
        "unknown key `training.augment.xyz`; known here: `enabled`, `gaussian_noise_std`",
    ),
    "number as a key": (
        "findings: {25: 3}",
        "unknown key `findings.25`; known here: `top`, `ece_bins`, `bootstrap`",
    ),
    "text for a number": (
        "training: {lr: fast}",
        '`training.lr`: found "fast" (text); expected a number above 0 and up to 1',
    ),
    "decimal comma": (
        "split: {test_size: '0,25'}",
        '`split.test_size`: found "0,25" (text); expected a number above 0 and below 0.9; write a decimal point',
    ),
    "broken number": (
        "training: {epochs: 100 epochs}",
        '`training.epochs`: found "100 epochs" (text); expected a whole number of at least 1',
    ),
    "fraction for a whole number": (
        "training: {epochs: 1.5}",
        "`training.epochs`: found 1.5 (a number); expected a whole number of at least 1",
    ),
    "true for a number": (
        "passes: {n_passes: yes}",
        "`passes.n_passes`: found true (yes/no); expected a whole number of at least 1, or auto",
    ),
    "nan": (
        "training: {min_delta: .nan}",
        "`training.min_delta`: found nan (a number); expected a number of at least 0",
    ),
    "infinite": (
        "training: {min_delta: 1e999}",
        "`training.min_delta`: found inf (a number); expected a number of at least 0",
    ),
    "too small": (
        "passes: {n_passes: 0}",
        "`passes.n_passes`: found 0 (a whole number); expected a whole number of at least 1, or auto",
    ),
    "word that is not auto": (
        "passes: {n_passes: Auto}",
        '`passes.n_passes`: found "Auto" (text); expected a whole number of at least 1, or auto',
    ),
    "fraction for a whole number or a word": (
        "passes: {n_passes: 2.5}",
        "`passes.n_passes`: found 2.5 (a number); expected a whole number of at least 1, or auto",
    ),
    "growing from above the cap": (
        "passes: {n_passes: auto, auto: {start: 50, cap: 30}}",
        "`passes.auto.start` (50) is above `passes.auto.cap` (30); raise the cap or start lower",
    ),
    "at an open bound": (
        "split: {test_size: 0.9}",
        "`split.test_size`: found 0.9 (a number); expected a number above 0 and below 0.9",
    ),
    "percent for a share": (
        "passes: {min_accuracy: 80}",
        "`passes.min_accuracy`: found 80.0 (a number); expected a number from 0 to 1",
    ),
    "negative seed": (
        "split: {seed: -1}",
        "`split.seed`: found -1 (a whole number); expected a whole number from 0 to 2147483647",
    ),
    "not in the list": (
        "features: {normalization: log1p_cp10}",
        '`features.normalization`: found "log1p_cp10" (text); expected one of none, log1p_median, log1p_cp10k, '
        "log1p_cpm, log1p_tpm; did you mean `log1p_cp10k`?",
    ),
    "quoted true": (
        "training: {early_stop: 'no'}",
        '`training.early_stop`: found "no" (text); expected true or false, without quotes',
    ),
    "number for text": (
        "matrix: {path: 5}",
        "`matrix.path`: found 5 (a whole number); expected text; put it in quotes",
    ),
    "empty text": ("results: ''", '`results`: found "" (text); expected text that is not empty'),
    "list for text": ("results: [a]", "`results`: found ['a'] (a list); expected text"),
    "text for a section": (
        "baseline: fast",
        '`baseline`: found "fast" (text); expected a section: its options below it, indented, one `option: value` '
        "a line",
    ),
    "yes/no as excluded label": (
        "labels: {column: a, exclude: [b, no]}",
        "`labels.exclude` (entry 2): found false (yes/no); expected text; put it in quotes",
    ),
    "nothing as excluded label": (
        "labels: {column: a, exclude: [null]}",
        "`labels.exclude` (entry 1): found nothing; expected text; put it in quotes",
    ),
    "date as excluded label": (
        "labels: {column: a, exclude: [2024-01-31]}",
        "`labels.exclude` (entry 1): found 2024-01-31 (date); expected text; put it in quotes",
    ),
    "text for a list": (
        "labels: {column: a, exclude: unknown}",
        '`labels.exclude`: found "unknown" (text); expected a list, such as [a, b]; put it in square '
        "brackets: [unknown]",
    ),
    "yes/no as population": (
        "matrix: {populations: [{path: a, label: on}, {path: b, label: c}]}",
        "`matrix.populations.label` (entry 1): found true (yes/no); expected text; put it in quotes",
    ),
    "population without a label": (
        "matrix: {populations: [{path: a, label: c}, {path: b}]}",
        "`matrix.populations.label` (entry 2) is missing; expected text",
    ),
    "population with an empty path": (
        "{matrix: {populations: [{path: a, label: c}, {path: '', label: d}]}, labels: {}}",
        "`matrix.populations.path` (entry 2) is empty; give it a path",
    ),
    "populations as a section": (
        "matrix: {populations: {a: b}}",
        "`matrix.populations`: found a section; expected a list of entries with `path` and `label`",
    ),
    "a folder twice": (
        "{matrix: {populations: [{path: a, label: c}, {path: a, label: d}]}, labels: {}}",
        '`matrix.populations`: "a" is listed 2 times; list every folder once',
    ),
    "one population": (
        "{matrix: {populations: [{path: a, label: c}]}, labels: {}}",
        "`matrix.populations` has a single label; two or more are needed to tell apart",
    ),
    "populations of a format": (
        "{matrix: {populations: [{path: a, label: c}, {path: b, label: d}], format: 10x_mtx}, labels: {}}",
        '`matrix.format`: found "10x_mtx"; leave it out with `matrix.populations`, the names tell it',
    ),
    "populations transposed": (
        "{matrix: {populations: [{path: a, label: c}, {path: b, label: d}], transpose: true}, labels: {}}",
        "`matrix.transpose` is for one csv or tsv; leave it out with `matrix.populations`",
    ),
    "table without labels": (
        "matrix: {path: a.csv.gz}",
        '`labels.table` is empty, but "a.csv.gz" holds no labels; give a .csv or .tsv with a row per cell',
    ),
    "10x folder without labels": (
        "matrix: {path: a, format: 10x_mtx}",
        '`labels.table` is empty, but "a" holds no labels; give a .csv or .tsv with a row per cell',
    ),
    "path and populations": (
        "{matrix: {path: x, populations: [{path: a, label: c}, {path: b, label: d}]}, labels: {}}",
        "`matrix.path` and `matrix.populations` are both given; keep the one that holds your cells",
    ),
    "no matrix": (
        "matrix: {}",
        "there is nothing to analyse; give `sample_sheet` or `samples` to start from reads, `matrix.path` for a matrix "
        "that exists, or several 10x folders as `matrix.populations`",
    ),
    "reads and a matrix": (
        "sample_sheet: a.tsv",
        "samples (`sample_sheet`, `samples`) and a `matrix` are both given; keep the reads or the matrix to start "
        "from, and remove the other",
    ),
    "no genome": (
        "{sample_sheet: a.tsv, matrix: {}, reference: {transcripts: t.fa}}",
        "`reference.genome` is empty; give the FASTA to align to, or a built index as `reference.hisat2_index`",
    ),
    "no transcripts": (
        "{sample_sheet: a.tsv, matrix: {}, reference: {genome: g.fa}}",
        "`reference.transcripts` is empty; give the FASTA of the transcripts, or `reference.genome` and "
        "`reference.annotation` to cut them from",
    ),
    "decoys without a genome": (
        "{sample_sheet: a.tsv, matrix: {}, reference: {hisat2_index: i, transcripts: t.fa}, "
        "quantification: {decoys: true}}",
        "`quantification.decoys` needs `reference.genome`; give the FASTA of the genome",
    ),
    "even k": (
        "{sample_sheet: a.tsv, matrix: {}, reference: {hisat2_index: i, transcripts: t.fa}, quantification: {k: 22}}",
        "`quantification.k`: found 22; expected an odd number, such as 21",
    ),
    "table of labels beside a sheet": (
        "{sample_sheet: a.tsv, matrix: {}, reference: {hisat2_index: i, transcripts: t.fa}, "
        "labels: {column: c, table: l.csv}}",
        "`labels.table` is for a matrix; the labels of samples are columns of the sample sheet, leave it out",
    ),
    "genes of a matrix": (
        "features: {level: gene}",
        "`features.level`: found gene; a matrix's features are taken as they are, leave it out",
    ),
    "sheet as samples": (
        "samples: a.tsv",
        '`samples`: found "a.tsv" (text); expected a list of entries with `sample` and `fq1` and `fq2` and `unit` and '
        "`strandedness`; the name of a sample sheet goes under `sample_sheet`",
    ),
    "strandedness of a sample": (
        "samples: [{sample: a, fq1: a.fq, strandedness: backward}]",
        '`samples.strandedness` (entry 1): found "backward" (text); expected one of auto, unstranded, forward, reverse',
    ),
    "no label column": (
        "labels: {}",
        "`labels.column` is empty; give the name of the column that holds the label of every cell",
    ),
    "column beside populations": (
        "matrix: {populations: [{path: a, label: c}, {path: b, label: d}]}",
        '`labels.column`: found "state"; with `matrix.populations` leave it out (the labels are the populations), or '
        "give `labels.table`, the file with this column",
    ),
    "group is the label": (
        "labels: {column: state, group: state}",
        '`labels.group` and `labels.column` are both "state"; a group is what must stay together, such as the donor, '
        "and each would hold a single label",
    ),
    "home folder": (
        "matrix: {path: ~/a.h5ad}",
        '`matrix.path`: found "~/a.h5ad"; write the home folder out, `~` is not expanded',
    ),
    "no models": ("models: {}", "`models` names no model; give at least one, such as `cnn_small: {}`"),
    "models as a list": (
        "models: [mlp, linear]",
        "`models`: found ['mlp', 'linear'] (a list); expected one section per name, such as `cnn_small: {}`",
    ),
    "option directly in models": (
        "models: {epochs: 4}",
        "unknown key `models.epochs`; `epochs` belongs under `training`",
    ),
    "model's name": (
        "models: {1st: {kind: mlp}}",
        "`models`: a model cannot be named `1st`; start with a letter and go on with letters, digits, `_`, `-` or `.`",
    ),
    "taken name": (
        "models: {permuted: {kind: mlp}}",
        "`models`: a model cannot be named `permuted`; the name is taken, choose another",
    ),
    "yes/no as model": ("models: {on: {}, mlp: {}}", "`models.true`: YAML reads this name as yes/no; put it in quotes"),
    "model without a kind": (
        "models: {mine: {}}",
        f"`models.mine.kind` is missing and `mine` is not a kind; expected one of {KINDS}",
    ),
    "unknown kind": (
        "models: {mine: {kind: cnn_smal}}",
        f'`models.mine.kind`: found "cnn_smal" (text); expected one of {KINDS}; did you mean `cnn_small`?',
    ),
    "network of timm without a name": (
        "models: {mine: {kind: 'timm:'}}",
        f'`models.mine.kind`: found "timm:" (text); expected one of {KINDS}; did you mean `timm:NAME`?',
    ),
    "attribution that a network does not fit": (
        "models: {mlp: {attribution: chefer}}",
        f"`models.mlp.attribution` is chefer, which reads a network's attention, and mlp shows none; "
        f"expected {FITTING}",
    ),
    "attribution of all models that one does not fit": (
        "{training: {attribution: attention_rollout}, models: {vit_cct: {}, other: {kind: 'timm:resnet10t'}}}",
        "`models.other.attribution` is attention_rollout, which reads a network's attention, and timm:resnet10t shows "
        f"none; expected {FITTING}",
    ),
    "option of another section in a model": (
        "models: {mlp: {C: 2}}",
        "unknown key `models.mlp.C`; `C` belongs under `baseline`",
    ),
    "bad override": (
        "models: {mlp: {augment: {gaussian_noise_std: -1}}}",
        "`models.mlp.augment.gaussian_noise_std`: found -1.0 (a number); expected a number of at least 0",
    ),
    "text as builder option": (
        "models: {mlp: {extra: {hidden: many}}}",
        '`models.mlp.extra.hidden`: found "many" (text); expected a number, or true or false',
    ),
}


@pytest.mark.parametrize(("text", "line"), BAD.values(), ids=BAD.keys())
def test_a_fault_is_named(text, line):
    assert faults(text) == [line]


def test_an_option_of_the_network_is_sent_to_extra():
    (line,) = faults("models: {mlp: {hidden: 3}}")
    assert line.startswith("unknown key `models.mlp.hidden`; known here: ")
    assert line.endswith("; options of the network itself go under `extra`")


def test_all_faults_come_at_once():
    lines = faults("{labels: {}, passes: {n_pases: 3, top_k: 0}, training: {lr: fast}, models: {mine: {epochs: 0}}}")
    assert len(lines) == 6
    assert [line for line in lines if "labels.column" in line or "models.mine" in line] == lines[-3:]


def test_a_faulty_key_is_not_reported_twice():
    assert len(faults("matrix: {path: 5}")) == 1
    assert len(faults("labels: none")) == 1


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
        "format": "auto",
        "layer": "X",
        "transpose": False,
        "populations": [],
        "duplicate_names": "refuse",
    }
    assert settings["labels"] == {"column": "state", "table": "", "exclude": [], "missing": "refuse", "group": ""}
    assert settings["features"] == {"level": "transcript", "normalization": "log1p_median"}
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
        **settings["training"],
    }
    assert settings["confounders"] == {
        **{"columns": [], "depth": False, "detected": False, "cell_cycle": False},
        **{"s_genes": [], "g2m_genes": []},
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
        "screen_threads": 2,
        "screen_mem_mb": 3000,
        "screen_runtime": 240,
        "threads_per_pass": 1,
        "pass_mem_mb": 2000,
        "pass_runtime": 60,
        "seeds_per_job": 1,
        "checkpoint_minutes": 10,
        "gpu": 0,
        "passes_per_gpu": 1,
    }
    screen = {key: value for key, value in settings["novelty"].items() if key != "contaminants"}
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


def test_validating_twice_changes_nothing():
    once = read("{models: {mine: {kind: mlp, lr: 1e-4}}, training: {augment: {enabled: true}}, results: ./out/}")
    assert validate_config(once, SCHEMA) == once
    assert json.loads(json.dumps(once)) == once
    assert once["results"] == "out"


@pytest.mark.parametrize("section", SCHEMA["properties"])
def test_a_section_or_option_without_a_value_takes_its_default(section):
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
def test_numbers_are_read_as_numbers(written, key, value):
    found = read(f"training: {{{key}: {written}}}")["training"][key]
    assert found == value
    assert type(found) is type(value)


@pytest.mark.parametrize(("written", "value"), [("auto", "auto"), ("40", 40), ("'40'", 40), ("4e1", 40)])
def test_number_of_passes_is_a_number_or_grows(written, value):
    found = read(f"passes: {{n_passes: {written}}}")["passes"]["n_passes"]
    assert found == value
    assert type(found) is type(value)


def test_numbers_among_builder_options_keep_their_type():
    extra = read("models: {mlp: {extra: {hidden: 64, dropout: 1e-1, norm: true}}}")["models"]["mlp"]["extra"]
    assert extra == {"hidden": 64, "dropout": 0.1, "norm": True}
    assert type(extra["hidden"]) is int
    assert type(extra["norm"]) is bool


def test_numbers_as_labels_become_text():
    assert read("labels: {column: a, exclude: [1, '02', 1e-3]}")["labels"]["exclude"] == ["1", "02", "1e-3"]
    both = read("{matrix: {populations: [{path: a, label: 1}, {path: b, label: 2}]}, labels: {}}")
    assert [population["label"] for population in both["matrix"]["populations"]] == ["1", "2"]


def test_populations_name_the_label_column():
    text = "{matrix: {populations: [{path: a, label: c}, {path: b, label: d}]}, labels: %s}"
    assert read(text % "{}")["labels"]["column"] == "population"
    assert read(text % "{column: population}")["labels"]["column"] == "population"
    assert read(text % "{column: state, table: cells.csv}")["labels"]["column"] == "state"


def test_a_model_overrides_training():
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


def test_early_stopping_that_cannot_act_is_said_per_model():
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
def test_settings_that_cannot_act_are_said(text, start):
    (said,) = config_warnings(read(text))
    assert said.startswith(start)


# --- what a pass gets ---------------------------------------------------------------------------------------------


def test_model_settings_hold_what_determines_a_pass_and_nothing_else():
    plain = model_settings(read("models: {mlp: , linear: }"), "mlp")
    for other in (
        "{models: {mlp: , linear: {epochs: 3}}}",
        "{models: {mlp: {kind: mlp}}, passes: {n_passes: 60, n_permuted: 9, top_k: 3, min_accuracy: 0.5, seed: 4}}",
        "{models: {mlp: }, training: {lr: 1e-3}, findings: {top: 9}, baseline: {C: 2}, resources: {pass_mem_mb: 9000}}",
    ):
        assert repr(model_settings(read(other), "mlp")) == repr(plain)
    for other in (
        "{models: {mlp: {lr: 1e-4}}}",
        "{models: {mlp: }, training: {lr: 1e-4}}",
        "{models: {mlp: }, passes: {test_size: 0.3}}",
        "{models: {mlp: {extra: {hidden: 3}}}}",
    ):
        assert model_settings(read(other), "mlp") != plain
    assert "top_k" not in plain
    assert "min_accuracy" not in plain


def test_model_settings_do_not_depend_on_the_order_of_options():
    a = model_settings(read("models: {mlp: {lr: 0.1, epochs: 3, extra: {b: 1, a: 2}}}"), "mlp")
    b = model_settings(read("models: {mlp: {extra: {a: 2, b: 1}, epochs: 3, lr: 0.1}}"), "mlp")
    assert repr(a) == repr(b)
    assert list(a)[0] == "kind"


def test_an_unknown_model_is_named():
    with pytest.raises(InputError, match="^no model is named `cnn`: the configuration has `mlp`, `linear`.$"):
        model_settings(read("models: {mlp: , linear: }"), "cnn")


def test_to_config_carries_every_setting():
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


def test_what_the_schema_accepts_at_its_bounds_the_package_accepts():
    for name, bounds in SCHEMA["properties"]["training"]["properties"].items():
        for bound in (bounds[key] for key in ("minimum", "maximum") if key in bounds):
            to_config(model_settings(read(f"training: {{{name}: {bound}}}"), "cnn_small")).check()


# --- the schema, the example and the tables -----------------------------------------------------------------------


def options(schema: dict, path: str = ""):
    """Walk all keys of the schema, with what stands for any name and any entry."""
    below = {**schema.get("properties", {})}
    if isinstance(schema.get("additionalProperties"), dict):
        below["<name>"] = schema["additionalProperties"]
    if "properties" in schema.get("items", {}):
        below["[]"] = schema["items"]
    for key, child in below.items():
        yield f"{path}.{key}".lstrip("."), child
        yield from options(child, f"{path}.{key}")


OPTIONS = dict(options(SCHEMA))


def test_the_schema_is_valid():
    Draft202012Validator.check_schema(SCHEMA)
    assert len(OPTIONS) > 60


@pytest.mark.parametrize("option", OPTIONS)
def test_every_option_has_a_description_and_a_valid_default(option):
    schema = OPTIONS[option]
    assert schema["description"].strip().endswith(".")
    if "required" not in schema:
        Draft202012Validator(schema).validate(schema["default"])
    assert expected(schema)
    if "properties" in schema and option != "samples.[]":  # a sample may have columns of its own
        assert schema["additionalProperties"] is False


def test_names_that_the_package_knows_as_well_agree():
    training = SCHEMA["properties"]["training"]["properties"]
    assert tuple(training["attribution"]["enum"]) == ATTRIBUTION_METHODS
    assert tuple(training["baseline"]["enum"]) == BASELINES
    listed, of_timm = SCHEMA["properties"]["models"]["additionalProperties"]["properties"]["kind"]["anyOf"]
    assert sorted(listed["enum"]) == ["", *registry.available()]
    assert KINDS.split(", ") == [*listed["enum"][1:], of_timm["title"]]
    assert tuple(SCHEMA["properties"]["features"]["properties"]["normalization"]["enum"]) == normalize.NORMALIZATIONS
    assert tuple(SCHEMA["properties"]["matrix"]["properties"]["format"]["enum"]) == formats.FORMATS


def test_a_network_of_timm_is_taken():
    settings = read(
        "models: {mine: {kind: timm:mobilevit_xxs, extra: {drop_rate: 0.1}}, vit_cct: {attribution: chefer}}"
    )
    assert to_config(model_settings(settings, "mine")).backbone.kind == "timm:mobilevit_xxs"
    assert to_config(model_settings(settings, "vit_cct")).attribution == "chefer"


def test_the_example_is_valid():
    settings = validate_config(yaml.safe_load((ROOT / "config/config.yaml").read_text()), SCHEMA)
    assert list(settings["models"]) == ["cnn_small", "linear"]
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


def run_table(*arguments):
    command = [sys.executable, ROOT / "scripts/config_table.py", *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_the_tables_of_the_readme_are_up_to_date():
    done = run_table("--check")
    assert done.returncode == 0, done.stderr


def test_stale_tables_are_found_and_written(tmp_path):
    readme = tmp_path / "README.md"
    readme.write_text(README.read_text().replace("| `training.lr` |", "| `training.speed` |"))
    done = run_table("--check", "--readme", readme)
    assert done.returncode == 1
    assert "the tables are stale; run: python scripts/config_table.py" in done.stderr
    assert "training.speed" in readme.read_text()
    assert run_table("--readme", readme).returncode == 0
    assert readme.read_text() == README.read_text()
    assert [path.name for path in tmp_path.iterdir()] == ["README.md"]


def test_missing_markers_are_named(tmp_path):
    readme = tmp_path / "README.md"
    readme.write_text("no tables here\n")
    done = run_table("--readme", readme)
    assert done.returncode == 1
    assert "found no <!-- parameters --> followed by <!-- /parameters -->" in done.stderr
    assert readme.read_text() == "no tables here\n"


def test_importing_the_settings_needs_the_standard_library_alone():
    block = "import sys; sys.modules.update(dict.fromkeys(['yaml', 'jsonschema', 'numpy', 'torch']))"
    subprocess.run(
        [sys.executable, "-c", f"{block}; import deepmapper.workflow.settings"],
        check=True,
        env={"PYTHONPATH": str(ROOT / "src")},
    )
