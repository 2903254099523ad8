"""Cells to be named and domains, checked before any job as the run treats them."""

from pathlib import Path

import anndata as ad
import numpy as np
import pandas as pd
import pytest
import yaml

from deepmapper.check.study import check_study
from deepmapper.features.prepare import prepare_features
from deepmapper.findings.embedding import fit_run_embedding, write_run_embedding
from deepmapper.findings.embedding_reference import reference_of
from deepmapper.io.align import scale_of
from deepmapper.io.expression import Expression
from deepmapper.passes.train import train_pass
from deepmapper.transfer import model_folder
from deepmapper.transfer.model import fit_model

SCHEMA = Path(__file__).parents[3] / "workflow/schemas/config.schema.yaml"


def made(n, seed=0, genes=12, **columns):
    X = np.random.default_rng(seed).poisson(3, (n, genes)).astype(np.float32)
    obs = pd.DataFrame(columns, index=[f"c{seed}_{i}" for i in range(n)])
    return ad.AnnData(X, obs, pd.DataFrame(index=[f"g{i}" for i in range(genes)]))


def checked(adata, adapt="both", new=(), labels=(), **more):
    adata.write_h5ad("reference.h5ad")
    for i, other in enumerate(new):
        other.write_h5ad(f"new{i}.h5ad")
    settings = {
        "matrix": {"path": ["reference.h5ad", *(f"new{i}.h5ad" for i in range(len(new)))]},
        "labels": {"column": "state", "domain": "batch", "unlabelled": ["?"], **dict(labels)},
        "models": {"net": {"kind": "scnym", "chord_pixels": False, "extra": {"adapt": adapt}}},
        **more,
    }
    Path("config.yaml").write_text(yaml.safe_dump(settings))
    outcome, _ = check_study("config.yaml", SCHEMA)
    assert not [fault for fault in outcome.faults if "unexpected" in fault]
    return outcome


STATE = ["a", "b", "?"] * 20
EACH = np.array([*"xy"] * 30)


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def lines(outcome, word):
    return [text for name, text in outcome.lines if name == word]


def test_domains_are_counted_and_nothing_else_is_said_of_good_ones():
    outcome = checked(made(60, state=STATE, batch=EACH))
    # those of the test split are not seen by passes
    assert lines(outcome, "Domains") and lines(outcome, "Domains")[0].startswith("x ")
    assert not outcome.faults and not any("domain" in text for text in outcome.cautions)


def test_samples_to_be_named_and_those_left_out_are_counted_apart():
    adata = made(60, state=["a", "b", "?", "x"] * 15, batch=EACH)
    labels = {"exclude": ["x"]}
    assert lines(checked(adata, labels=labels), "Classes") == [
        "2: a 15, b 15; 15 samples to be named; 15 samples without a label, or with an excluded one, left out"
    ]


@pytest.mark.parametrize(
    ("batch", "why"),
    [
        (["x"] * 60, "all labelled samples and target samples are of one domain"),
        (["nan"] * 60, "all labelled samples and target samples lack a domain"),
    ],
)
def test_an_adversary_without_domains_to_tell_apart_is_left_out_or_refused(batch, why):
    adata = made(60, state=STATE, batch=batch)
    (fault,) = checked(adata, "both").faults
    assert why in fault and "models.net: extra adapt='both'" in fault and "leave labels.domain empty" in fault
    outcome = checked(adata, "auto")
    assert not outcome.faults
    (caution,) = [text for text in outcome.cautions if "leaves the adversary out" in text]
    assert why in caution
    for adapt in ("none", "mixmatch"):
        outcome = checked(adata, adapt)
        assert not outcome.faults and not any("adversary" in text for text in outcome.cautions)


def test_labelled_cells_of_one_domain_and_target_cells_of_another_are_two():
    outcome = checked(made(60, state=STATE, batch=["x", "x", "y"] * 20))
    assert not outcome.faults and not any("domain" in text for text in outcome.cautions)


def test_domains_that_are_the_classes_are_pointed_out():
    outcome = checked(made(60, state=STATE, batch=[{"a": "x", "b": "y", "?": "z"}[name] for name in STATE]))
    assert not outcome.faults and any("an adversary works against the labels" in text for text in outcome.cautions)


def test_cells_without_a_domain_and_domains_of_two_cells_are_pointed_out():
    batch = EACH.astype(object)
    batch[2::15] = None
    batch[[5, 8]] = "rare"
    outcome = checked(made(60, state=STATE, batch=batch))
    assert not outcome.faults
    said = " ".join(outcome.cautions)
    assert "4 of" in said and "have no domain" in said and "'rare' (2)" in said


def test_a_measurement_is_no_domain():
    outcome = checked(made(60, state=STATE, batch=np.linspace(0.5, 9.7, 60)))
    (fault,) = outcome.faults
    assert "'batch' holds 60 different numbers" in fault and "looks like a measurement" in fault
    assert not checked(made(60, state=STATE, batch=np.arange(60) % 5)).faults  # numbers of batches are fine


def test_a_missing_column_is_a_fault_unless_a_new_file_has_it():
    (fault,) = checked(made(60, state=STATE, batch=EACH), labels={"domain": "bacth"}).faults
    assert "labels.domain" in fault and "'batch'" in fault
    outcome = checked(made(60, state=STATE), new=[made(9, 1, batch=["u", "v", "w"] * 3)])
    assert not outcome.faults and "reference" in lines(outcome, "Domains")[0]
    outcome = checked(made(60, state=["a", "b"] * 30, batch=EACH), labels={"unlabelled": []})
    assert any("`labels.domain` has no effect" in text for text in outcome.cautions)


def test_rates_over_domains_need_four_of_them():
    adata, over = made(60, state=["a", "b"] * 30, batch=np.repeat(list("uvw"), 20)), {"calibrate_over": "domain"}
    (fault,) = checked(adata, "none", transfer=over, labels={"unlabelled": []}).faults
    assert "`transfer.calibrate_over` is domain" in fault and '`labels.group` is ""' in fault
    found = checked(adata, "none", transfer=over, labels={"unlabelled": [], "group": "batch"})
    assert any("with at least 4 domains" in fault for fault in found.faults)


def test_new_files_are_compared_with_the_reference():
    reference = made(60, state=STATE, batch=EACH, genes=40)
    one, few = made(9, 1, genes=40, batch=["x"] * 9), made(9, 2, genes=15, batch=["y"] * 9)
    outcome = checked(reference, new=[one, few])
    assert lines(outcome, "New samples") == [
        "new0.h5ad: 9 samples, with all features of the reference",
        "new1.h5ad: 9 samples, with 15 of the 40 features of the reference",
    ]
    assert not outcome.faults
    assert any("new1.h5ad has only 15 of the 40 features" in text for text in outcome.cautions)


def test_new_files_with_other_names_or_values_are_faults():
    reference, one = made(60, state=STATE, batch=EACH), made(9, 1, batch=["x"] * 9)
    logs = one.copy()
    logs.X = np.log1p(logs.X)
    one.var_names = [f"ENSMUSG{i:011d}" for i in range(12)]
    one, logs = checked(reference, new=[one, logs]).faults
    assert "new0.h5ad: none of its 12 features" in one and "One of the two has Ensembl ids" in one
    assert logs.startswith("new1.h5ad: ") and "non-integer" in logs


def test_new_files_of_other_logarithms_are_named_before_the_run():
    def logs(adata, total):
        adata.X = np.log1p(adata.X / adata.X.sum(1, keepdims=True) * total)
        return adata

    reference, one = logs(made(60, state=STATE, batch=EACH), 1e4), logs(made(9, 1, batch=["x"] * 9), 1e6)
    scaled = one.copy()
    scaled.X = one.X - one.X.mean(0)
    outcome = checked(reference, new=[one], features={"normalization": "none"})
    (caution,) = [text for text in outcome.cautions if text.startswith("new0.h5ad")]
    assert "the values were natural logarithms of counts per million; they were converted to" in caution
    (fault,) = checked(reference, new=[scaled], features={"normalization": "none"}).faults
    assert fault.startswith("new0.h5ad: values are below 0, as after scaling")


def test_the_files_of_a_prediction_are_compared_with_the_model(quick):
    reference = made(60, state=["a", "b"] * 30, batch=EACH)
    features = prepare_features(reference, label_column="state", split_scheme="repeated")
    passes = [train_pass(features.development_samples, quick("linear", epochs=5), 0)]
    model_folder.save(fit_model(features, passes, scale_of(reference, "log1p_median", np.arange(60))), "model")
    predicts = {"task": "predict", "predict": {"model": "model"}}
    fitted = fit_run_embedding(features, n_components=3, out_of_bag=0.2, draws=[], seed=0)
    matrix = Expression(reference.X, reference.obs, reference.var)
    write_run_embedding(fitted, "pca", reference_of("pca", features, matrix))

    def asked(adata, embeddings=(), **labels):
        adata.write_h5ad("new.h5ad")
        predicts["predict"]["embeddings"] = list(embeddings)
        Path("config.yaml").write_text(yaml.safe_dump({**predicts, "matrix": {"path": "new.h5ad"}, "labels": labels}))
        return check_study("config.yaml", SCHEMA)[0]

    new = made(9, 1, batch=np.linspace(0.1, 0.9, 9))
    outcome = asked(new)
    assert not outcome.faults and lines(outcome, "Model") == ["a, b, by 12 features and 1 pass"]
    assert lines(outcome, "New samples") == ["new.h5ad: 9 samples, with all features of the model"]
    assert any("no ontology" in fault for fault in asked(new, ontology={"allowed": ["T cell"]}).faults)
    wide = made(20, 1, batch=np.linspace(0.1, 0.9, 20))
    assert any("looks like a measurement" in fault for fault in asked(wide, domain="batch").faults)
    few = new.copy()
    few.var_names = [*few.var_names[:2], *(f"x{i}" for i in range(10))]
    (fault,) = asked(few).faults
    assert "10 of 12 features of the model are missing" in fault and "features that both have" in fault
    assert not asked(new, ["pca"]).faults
    (fault,) = asked(new, ["pca", "model"]).faults
    assert "model is not an embedding" in fault
    (fault,) = asked(new, ["pca", "nothing"]).faults
    assert "predict.embeddings (entry 2): nothing does not exist" in fault
    some = new[:, 3:].copy()
    assert any(
        "lacks many of the features that embeddings read (pca: 3 of 12 features)" in text
        for text in asked(some, ["pca"]).cautions
    )
    Path("model/passes/0.npz").unlink()
    (fault,) = asked(new).faults
    assert "not a complete model" in fault
