"""Settings of one model hold all that determines its passes, and nothing else."""

import pytest

from deepmapper.errors import InputError
from deepmapper.novelty.homology import COLUMNS, SEARCH_PROGRAMS
from deepmapper.workflow import sections
from deepmapper.workflow.sections import DATABASES, chooses_adaptation, model_settings, reads_target


def test_model_settings_hold_what_determines_a_pass_and_nothing_else(read):
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


def test_model_settings_do_not_depend_on_the_order_of_options(read):
    a = model_settings(read("models: {mlp: {lr: 0.1, epochs: 3, extra: {b: 1, a: 2}}}"), "mlp")
    b = model_settings(read("models: {mlp: {extra: {a: 2, b: 1}, epochs: 3, lr: 0.1}}"), "mlp")
    assert repr(a) == repr(b)
    assert list(a)[0] == "kind"


def test_an_unknown_model_is_named(read):
    with pytest.raises(InputError, match="^there is no model `cnn`; the configuration has `mlp`, `linear`.$"):
        model_settings(read("models: {mlp: , linear: }"), "cnn")


def test_databases_that_can_be_named_are_those_that_can_be_searched():
    assert DATABASES == tuple(COLUMNS) == tuple(SEARCH_PROGRAMS)


def test_the_first_of_several_matrices_is_the_reference(read):
    settings = read("matrix: {path: [a.h5ad, b.h5ad, c.h5ad]}")
    assert settings["matrix"]["path"] == "a.h5ad" and settings["matrix"]["new_samples"] == ["b.h5ad", "c.h5ad"]
    assert read("matrix: {path: a.h5ad, new_samples: [b.h5ad, c.h5ad]}") == settings
    assert sections.named_files(settings)["matrix.new_samples (entry 2)"] == "c.h5ad"
    predicts = read("task: predict\npredict: {model: m, embeddings: [a, b]}\nmatrix: {path: a.h5ad}")
    assert sections.named_files(predicts)["predict.embeddings (entry 2)"] == "b"
    assert sections.import_options(settings) == sections.import_options(read("matrix: {path: a.h5ad}"))
    assert sections.new_sample_files(settings, 1) == ["c.h5ad"]


@pytest.mark.parametrize(
    ("text", "has_target", "folds"),
    [
        ("results: x", False, False),
        ("transfer: {folds: always}", False, True),
        ("labels: {column: state, unlabelled: [Unknown, 3]}", True, True),
        ("{labels: {column: state, missing: unlabelled}, transfer: {folds: never}}", True, False),
        ("matrix: {path: [a.h5ad, b.h5ad]}", True, True),
    ],
)
def test_which_runs_have_target_cells_and_share_folds(read, text, has_target, folds):
    settings = read(text)
    assert sections.has_target(settings) is has_target
    assert sections.shares_folds(settings) is folds


def test_a_pattern_stands_for_the_shards_of_one_study(read, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("s_2.h5ad", "s_1.h5ad", "a[1].h5ad"):
        (tmp_path / name).touch()
    settings = read("matrix: {path: [s_*.h5ad, new.h5ad]}")
    assert settings == read("matrix: {shards: [s_*.h5ad], new_samples: [new.h5ad]}")
    assert settings["matrix"]["path"] == "" and settings["matrix"]["new_samples"] == ["new.h5ad"]
    assert sections.shard_files(settings) == {"s_1": "s_1.h5ad", "s_2": "s_2.h5ad"}
    assert sections.named_files(settings)["matrix.shards (file 2)"] == "s_2.h5ad"
    assert read("matrix: {path: 'a[1].h5ad'}")["matrix"]["path"] == "a[1].h5ad"  # there is such a file
    assert sections.shard_files(read("matrix: {path: 'none_*.h5ad'}")) == {"none__": "none_*.h5ad"}
    assert sections.import_options(settings) == sections.import_options(read("matrix: {shards: [s_1.h5ad]}"))


def test_shards_with_equal_file_names_have_names_that_others_do_not_change(read):
    few = sections.shard_files(read("matrix: {shards: [x/m.h5ad, y/m.h5ad, z/n.zarr/]}"))
    more = sections.shard_files(read("matrix: {shards: [a/m.h5ad, x/m.h5ad, y/m.h5ad, z/n.zarr/, x/m.h5ad]}"))
    assert few.items() < more.items() and len(more) == 4
    assert few["n"] == "z/n.zarr/" and [name[:2] for name in few] == ["m-", "m-", "n"]


def test_a_model_that_reads_components_has_their_number_and_others_are_as_they_were(read):
    text = "{models: {mlp: {}, on_pca: {kind: mlp, input: pca}}, embeddings: {pca: {n_components: 7}}}"
    settings = read(text)
    assert model_settings(settings, "on_pca")["extra"] == {"input_components": 7}
    assert model_settings(settings, "mlp") == model_settings(read("models: {mlp: {}}"), "mlp")


def test_a_model_that_reads_an_embedding_depends_on_how_it_is_trained(read):
    text = "{{models: {{m: {{kind: mlp, input: contrastive}}}}, embeddings: {{contrastive: {{n_components: 7{}}}}}}}"
    encoder = model_settings(read(text.format("")), "m")["extra"]["input_encoder"]
    assert (encoder["kind"], encoder["n_components"], encoder["n_features"]) == ("contrastive", 7, 1000)
    longer = model_settings(read(text.format(", n_epochs: 30")), "m")["extra"]["input_encoder"]
    assert longer == {**encoder, "n_epochs": 30}


@pytest.mark.parametrize(
    ("kind", "extra", "unlabelled", "reads", "chooses"),
    [
        ("scnym", {}, ["Unlabeled"], True, True),
        ("scnym", {"adapt": "both"}, ["Unlabeled"], True, False),
        ("scnym", {"adapt": "none"}, ["Unlabeled"], False, False),
        ("scnym", {}, [], False, False),
        ("mlp", {}, ["Unlabeled"], False, False),
    ],
)
def test_only_models_that_learn_from_target_samples_read_them(kind, extra, unlabelled, reads, chooses):
    settings = {
        "models": {"m": {"kind": kind, "extra": extra}},
        "labels": {"unlabelled": unlabelled, "missing": "refuse"},
        "matrix": {"new_samples": []},
    }
    assert (reads_target(settings, "m"), chooses_adaptation(settings, "m")) == (reads, chooses)
    settings["labels"]["domain"] = ""
    assert not sections.reads_domains(settings, "m")
    settings["labels"]["domain"] = "donor"
    assert sections.reads_domains(settings, "m") == reads
    settings["models"]["m"]["extra"] = {"adapt": "mixmatch"}
    assert not sections.reads_domains(settings, "m")
