"""The schema of the configuration, and the messages about values and keys that violate it."""

from pathlib import Path

import pytest
from jsonschema import Draft202012Validator

from deepmapper.backbones import registry
from deepmapper.config import ATTRIBUTION_METHODS, BASELINES
from deepmapper.io import formats, normalize
from deepmapper.workflow.schema import expected, load_schema

SCHEMA = load_schema(Path(__file__).resolve().parents[3] / "workflow/schemas/config.schema.yaml")
KINDS = "linear, mlp, cnn_small, cnn, resnet18, resnet18_s, resnet34_s, resnet50_s, vit_cct, conv_vae, scnym, timm:NAME"
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
    "key at the top level": ("n_passes: 60", "unknown key `n_passes`; `n_passes` belongs under `passes`"),
    "key of a model": ("training: {kind: mlp}", "unknown key `training.kind`; `kind` belongs under `models.<name>`"),
    "section within a section": (
        "passes: {training: {}}",
        "unknown key `passes.training`; `training` belongs at the top level",
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
        '`baseline`: found "fast" (text); expected a section: its options below it, indented, one `option: '
        "value` per line",
    ),
    "yes/no as excluded label": (
        "labels: {column: a, exclude: [b, no]}",
        "`labels.exclude` (entry 2): found false (yes/no); expected text; put it in quotes",
    ),
    "a number with a fraction as excluded label": (
        "labels: {column: a, exclude: [1, 1.10]}",
        "`labels.exclude` (entry 2): found 1.1, a number to YAML, which reads 1.10 as 1.1; put it in quotes",
    ),
    "a number with a fraction as donor": (
        "samples: [{sample: a, fq1: a.fq, donor: 1.10}]",
        "`samples.donor` (entry 1): found 1.1, a number to YAML, which reads 1.10 as 1.1; put it in quotes",
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
    "populations as a section": (
        "matrix: {populations: {a: b}}",
        "`matrix.populations`: found a section; expected a list of entries with `path` and `label`",
    ),
    "sheet as samples": (
        "samples: a.tsv",
        '`samples`: found "a.tsv" (text); expected a list of entries with `sample` and `fq1` and `fq2` and '
        "`unit` and `strandedness`; the path of a sample sheet goes in `sample_sheet`",
    ),
    "strandedness of a sample": (
        "samples: [{sample: a, fq1: a.fq, strandedness: backward}]",
        '`samples.strandedness` (entry 1): found "backward" (text); expected one of auto, unstranded, forward, reverse',
    ),
    "no models": ("models: {}", "`models` is empty; give at least one model, such as `cnn_small: {}`"),
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
        "`models`: a model cannot be named `1st`; a name is a letter followed by letters, digits, `_`, `-` or `.`",
    ),
    "taken name": (
        "models: {permuted: {kind: mlp}}",
        "`models`: a model cannot be named `permuted`; the name is reserved, choose another",
    ),
    "yes/no as model": (
        "models: {on: {}, mlp: {}}",
        "`models.true`: YAML reads this name as true or false; put it in quotes",
    ),
    "unknown kind": (
        "models: {mine: {kind: cnn_smal}}",
        f'`models.mine.kind`: found "cnn_smal" (text); expected one of {KINDS}; did you mean `cnn_small`?',
    ),
    "network of timm without a name": (
        "models: {mine: {kind: 'timm:'}}",
        f'`models.mine.kind`: found "timm:" (text); expected one of {KINDS}; did you mean `timm:NAME`?',
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
        '`models.mlp.extra.hidden`: found "many" (text); expected a number, or true or false, or one of '
        "new_identity_discovery, no_new_identity, auto, none, mixmatch, adversary, both",
    ),
}


@pytest.mark.parametrize(("text", "line"), BAD.values(), ids=BAD.keys())
def test_a_wrong_key_or_value_is_named(faults, text, line):
    assert faults(text) == [line]


def test_an_option_of_the_network_is_sent_to_extra(faults):
    (line,) = faults("models: {mlp: {hidden: 3}}")
    assert line.startswith("unknown key `models.mlp.hidden`; known here: ")
    assert line.endswith("; options of the network itself go in `extra`")


def test_all_faults_come_at_once(faults):
    lines = faults("{labels: {}, passes: {n_pases: 3, top_k: 0}, training: {lr: fast}, models: {mine: {epochs: 0}}}")
    assert len(lines) == 6
    assert [line for line in lines if "labels.column" in line or "models.mine" in line] == lines[-3:]


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
