"""The documented Python interface: every name, its parameters and defaults, and the code in docs/api.md."""

import ast
import dataclasses
import inspect
import re
from importlib import import_module
from pathlib import Path

import pytest

import deepmapper

API = Path(deepmapper.__file__).parents[2] / "docs" / "api.md"

DOCUMENTED_NAMES = [
    ("config", "AugmentConfig"),
    ("config", "BackboneSpec"),
    ("config", "DeepMapperConfig"),
    ("runner", "Findings"),
    ("runner", "run"),
    ("linear_baseline", "fit"),
    ("linear_baseline", "top_genes"),
    ("io", "Dataset"),
    ("io", "load_h5ad"),
    ("io", "load_10x_populations"),
    ("io", "highly_variable_subset"),
    ("io", "intersect_genes"),
    ("io", "exclusive_genes"),
    ("io", "export_for_seurat"),
    ("evaluate", "evaluate"),
    ("evaluate", "EvalResult"),
    ("attribution", "feature_importances"),
    ("attribution", "AttributionUnavailable"),
    ("backbones", "build"),
    ("backbones", "BackboneUnavailable"),
    ("earlystop", "EarlyStopper"),
    ("earlystop", "is_improvement"),
    ("earlystop", "should_stop"),
    ("transform", "square_dim"),
    ("transform", "image_side"),
    ("transform", "permutation"),
    ("transform", "inverse_permutation"),
    ("transform", "to_images"),
    ("transform", "pixels_to_features"),
    ("accumulate", "accept_pass"),
    ("accumulate", "ranks_from_importances"),
    ("accumulate", "top_k_set"),
    ("accumulate", "selection_frequency"),
    ("accumulate", "mean_rank"),
    ("accumulate", "median_importance"),
    ("accumulate", "stability_selection_bound"),
    ("hybrid_assembly", "BioToolUnavailable"),
    ("hybrid_assembly", "is_denovo"),
    ("hybrid_assembly", "tag_denovo"),
    ("hybrid_assembly", "merge_reference_and_denovo"),
    ("hybrid_assembly", "build_sc_table"),
    ("hybrid_assembly", "denovo_fraction"),
    ("hybrid_assembly", "align_capture_unaligned"),
    ("hybrid_assembly", "denovo_assemble"),
    ("hybrid_assembly", "build_hybrid_reference"),
    ("hybrid_assembly", "quantify"),
    ("hybrid_assembly", "read_quant"),
    ("hybrid_assembly", "run_hybrid_assembly"),
    ("augment", "make_train_transform"),
    ("plots", "confusion_matrix"),
    ("unsupervised", "embed_unsupervised"),
]

REQUIRED = inspect.Parameter.empty
# Documented parameters in their order, with their defaults.
DOCUMENTED_SIGNATURES = {
    "transform.square_dim": {"n_features": REQUIRED, "buffer": 0},
    "transform.image_side": {"n_features": REQUIRED},
    "transform.permutation": {"seed": REQUIRED, "n": REQUIRED},
    "transform.inverse_permutation": {"perm": REQUIRED},
    "transform.to_images": {"X": REQUIRED, "buffer": 0, "perm": None},
    "transform.pixels_to_features": {"attr_image": REQUIRED, "perm": REQUIRED, "n_features": REQUIRED},
    "accumulate.accept_pass": {"accuracy": REQUIRED, "min_accuracy": REQUIRED},
    "accumulate.ranks_from_importances": {"importances": REQUIRED},
    "accumulate.top_k_set": {"importances": REQUIRED, "k": REQUIRED},
    "accumulate.selection_frequency": {"top_sets": REQUIRED, "n_features": REQUIRED},
    "accumulate.mean_rank": {"rank_lists": REQUIRED},
    "accumulate.median_importance": {"importance_lists": REQUIRED},
    "accumulate.stability_selection_bound": {"pi_thr": REQUIRED, "q": REQUIRED, "n_features": REQUIRED},
    "earlystop.is_improvement": {"value": REQUIRED, "best": REQUIRED, "min_delta": REQUIRED, "mode": "min"},
    "earlystop.should_stop": {"num_bad": REQUIRED, "patience": REQUIRED, "epoch": REQUIRED, "min_epochs": REQUIRED},
    "earlystop.EarlyStopper": {"patience": 20, "min_delta": 1e-3, "min_epochs": 40, "mode": "min"},
    "earlystop.EarlyStopper.step": {"self": REQUIRED, "epoch": REQUIRED, "value": REQUIRED},
    "augment.make_train_transform": {"cfg": REQUIRED},
    "backbones.available": {},
    "backbones.build": {"spec": REQUIRED, "num_classes": REQUIRED},
    "attribution.feature_importances": {
        "model": REQUIRED,
        "X_images": REQUIRED,
        "targets": REQUIRED,
        "method": REQUIRED,
        "perm": REQUIRED,
        "n_features": REQUIRED,
        "baseline": None,
        "ig_steps": 32,
        "ig_internal_batch": 16,
    },
    # y, config and feature_names are documented as required; label_key takes the place of y
    "runner.run": {"X": REQUIRED, "y": None, "config": None, "feature_names": None},
    "runner.Findings.ranking": {"self": REQUIRED, "top": 20},
    "evaluate.evaluate": {
        "X": REQUIRED,
        "y": REQUIRED,
        "config": REQUIRED,
        "class_names": None,
        "test_size": 0.25,
        "seed": 0,
    },
    "linear_baseline.fit": {"X": REQUIRED, "y": REQUIRED, "feature_names": None, "C": 1.0, "max_iter": 5000},
    "linear_baseline.top_genes": {"ranking": REQUIRED, "k": REQUIRED},
    "unsupervised.embed_unsupervised": {
        "X": REQUIRED,
        "config": None,
        "beta": 1.0,
        "latent_dim": 32,
        "seed": 0,
        "mode": "vae",
    },
    "io.load_h5ad": {"path": REQUIRED, "label_key": REQUIRED, "normalize": True, "target_sum": 1e4},
    "io.load_10x_populations": {
        "specs": REQUIRED,
        "normalize": True,
        "target_sum": 1e4,
        "n_per_class": None,
        "seed": 0,
    },
    "io.highly_variable_subset": {"ds": REQUIRED, "n_top_genes": 2000},
    "io.intersect_genes": {"a": REQUIRED, "b": REQUIRED},
    "io.exclusive_genes": {"a": REQUIRED, "b": REQUIRED},
    "io.export_for_seurat": {"ds": REQUIRED, "outdir": REQUIRED},
    "hybrid_assembly.is_denovo": {"transcript_id": REQUIRED},
    "hybrid_assembly.tag_denovo": {"transcript_ids": REQUIRED},
    "hybrid_assembly.merge_reference_and_denovo": {"reference_ids": REQUIRED, "denovo_ids": REQUIRED},
    "hybrid_assembly.build_sc_table": {"per_sample_counts": REQUIRED},
    "hybrid_assembly.denovo_fraction": {"transcript_ids": REQUIRED},
    "hybrid_assembly.align_capture_unaligned": {
        "reads_fastq": REQUIRED,
        "hisat2_index": REQUIRED,
        "out_dir": REQUIRED,
        "strandness": "R",
    },
    "hybrid_assembly.denovo_assemble": {
        "pooled_unaligned_fasta": REQUIRED,
        "out_dir": REQUIRED,
        "max_memory": "50G",
        "cpu": 16,
    },
    "hybrid_assembly.build_hybrid_reference": {
        "reference_fasta": REQUIRED,
        "denovo_fasta": REQUIRED,
        "out_fasta": REQUIRED,
        "salmon_index_dir": REQUIRED,
        "kmer": 15,
    },
    "hybrid_assembly.quantify": {
        "reads_by_sample": REQUIRED,
        "salmon_index_dir": REQUIRED,
        "out_dir": REQUIRED,
        "threads": 16,
    },
    "hybrid_assembly.read_quant": {"quant_sf": REQUIRED},
    "hybrid_assembly.run_hybrid_assembly": {
        "reads_by_sample": REQUIRED,
        "hisat2_index": REQUIRED,
        "reference_fasta": REQUIRED,
        "work_dir": REQUIRED,
    },
}

DOCUMENTED_RESULTS = {
    "runner.Findings": (
        "n_features n_passes_run n_accepted accuracies stop_epochs median_importance mean_rank selection_frequency "
        "feature_names"
    ),
    "evaluate.EvalResult": "y_true y_pred y_proba classes accuracy macro_f1 per_pass_acc report",
    "io.Dataset": "X y var_names label_names",
}


def documented(path):
    """Look up a dotted name below the package, by the module and attribute that the documentation gives."""
    module, *names = path.split(".")
    value = import_module(f"deepmapper.{module}")
    for name in names:
        value = getattr(value, name)
    return value


@pytest.mark.parametrize(("module", "name"), DOCUMENTED_NAMES)
def test_every_documented_name_exists_in_its_module(module, name):
    assert documented(f"{module}.{name}") is not None


@pytest.mark.parametrize("path", DOCUMENTED_SIGNATURES)
def test_every_documented_function_has_its_documented_parameters(path):
    """More parameters are allowed, after the documented ones and with a default."""
    expected = DOCUMENTED_SIGNATURES[path]
    parameters = list(inspect.signature(documented(path)).parameters.values())
    shared, further = parameters[: len(expected)], parameters[len(expected) :]
    assert [(p.name, p.default) for p in shared] == list(expected.items())
    assert all(p.kind is p.POSITIONAL_OR_KEYWORD for p in shared)
    assert [p.name for p in further if p.default is REQUIRED] == []


@pytest.mark.parametrize("path", DOCUMENTED_RESULTS)
def test_every_documented_field_of_a_result_exists(path):
    names = {field.name for field in dataclasses.fields(documented(path))}
    assert set(DOCUMENTED_RESULTS[path].split()) <= names


@pytest.mark.parametrize(
    "path",
    [
        "backbones.BackboneUnavailable",
        "attribution.AttributionUnavailable",
        "hybrid_assembly.BioToolUnavailable",
        "errors.InputError",
    ],
)
def test_the_documented_exceptions_are_exceptions(path):
    assert issubclass(documented(path), Exception)


def code_blocks():
    return re.findall(r"```python\n(.*?)```", API.read_text(), flags=re.DOTALL)


def test_the_code_in_the_manual_uses_names_that_exist():
    names = {}
    for block in code_blocks():
        nodes = list(ast.walk(ast.parse(block)))
        for node in nodes:
            if isinstance(node, (ast.Import, ast.ImportFrom)):
                exec(ast.unparse(node), names)
        for node in nodes:
            if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
                value = names.get(node.value.id)
                assert not inspect.ismodule(value) or hasattr(value, node.attr), ast.unparse(node)
    assert {"run", "evaluate", "chords", "convergence", "open_features"} <= set(names)
