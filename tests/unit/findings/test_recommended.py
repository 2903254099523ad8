"""The list to report: one order, one error rate, and what it rests on."""

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
from sklearn.metrics import average_precision_score

from deepmapper.core.table_schemas import RECOMMENDED
from deepmapper.differential.run import run_differential
from deepmapper.evidence.rank import rank_run
from deepmapper.features.prepare import prepare_features
from deepmapper.findings.audit import audit_findings, audit_run
from deepmapper.findings.feature_join import join_by_feature
from deepmapper.findings.recommended import NetworkResult, network_result, recommend
from deepmapper.findings.statistics import FeatureStatistics
from deepmapper.io.expression import Expression

NAMES = [f"g{i}" for i in range(200)]
TRUE = np.arange(200) < 20


def network(seed=0, *, name="cnn", signal=True, min_q=0.001, strength=2.0, q=None):
    rng = np.random.default_rng([seed, 1])
    z = np.abs(rng.normal(size=200)) + strength * TRUE
    table = pd.DataFrame({"feature": NAMES, "median_importance": z + 0.1 * rng.random(200), "z": z})
    table["q"] = np.where(z > 3, 0.01, 0.8) if q is None else q
    return NetworkResult(name, signal, table, min_q)


def differential(seed=0, *, strength=2.0, tested=True):
    rng = np.random.default_rng([seed, 2])
    size = np.abs(rng.normal(size=200)) + strength * TRUE
    nothing = np.full(200, np.nan)
    return pd.DataFrame(
        {
            "feature": NAMES,
            "log2_fold_change": size if tested else nothing,
            "higher_in": "b" if tested else "",
            "differential_q": np.where(size > 2.5, 0.02, 0.9) if tested else nothing,
            "differential_strength": size if tested else nothing,
        }
    ).sample(frac=1, random_state=seed)


def evidence(seed=0, *, strength=2.0, known=True):
    rng = np.random.default_rng([seed, 3])
    values = rng.normal(size=200) + strength * TRUE
    return pd.DataFrame({"feature": NAMES, "evidence": values if known else np.nan})


def about(test, withheld=False, confounded=""):
    return {
        "test": test,
        "method": "PyDESeq2, 8 samples",
        "withheld": withheld,
        "confounded": confounded,
        "statement": "Others differ as much.",
    }


def listed(models=None, single=None, test="deseq2", weighed=None, level=0.1, withheld=False, confounded=""):
    models = [network()] if models is None else models
    single = differential() if single is None else single
    weighed = evidence() if weighed is None else weighed
    return recommend(NAMES, models, single, about(test, withheld, confounded), weighed, level)


def precision(found):
    return average_precision_score(TRUE[[NAMES.index(name) for name in found.table["feature"]]], -found.table["rank"])


def test_what_differs_with_a_batch_is_not_said_to_be_of_the_class():
    usual, same = listed(), listed(confounded="It may come from 'batch'.")
    pd.testing.assert_frame_equal(usual.table, same.table)
    n = same.summary["n_reported"]
    assert usual.summary["statement"].startswith(f"{n} features to report at a false")
    assert same.summary["statement"].startswith(f"{n} features differ between the classes at a false discovery rate")
    assert same.summary["statement"].endswith("expected to differ by chance only. It may come from 'batch'.")
    assert listed(level=0.0, confounded="It.").summary["statement"].startswith("No feature to report")
    order = listed([], differential(tested=False), "", confounded="It.").summary["statement"]
    assert order == "There is no error rate, so no feature is reported; the order gives hypotheses only. It."


def test_every_feature_is_listed_once_with_the_columns_of_the_schema():
    table = listed().table
    assert sorted(table["feature"]) == sorted(NAMES)
    assert table["rank"].tolist() == list(range(1, 201))
    assert RECOMMENDED.unknown(list(table)) == []
    assert RECOMMENDED.absent(list(table)) == []


def test_reported_features_come_first_and_then_the_score_decides():
    table = listed().table
    assert table["reported"].is_monotonic_decreasing
    for _, rows in table.groupby("reported"):
        assert rows["score"].is_monotonic_decreasing


@pytest.mark.parametrize("test", ["deseq2", "wilcoxon"])
def test_the_order_is_better_than_that_of_each_part_alone(test):
    together, alone = [], {"networks": [], "test": []}
    for seed in range(12):
        none = {"single": differential(seed, tested=False), "weighed": evidence(seed, known=False)}
        together.append(precision(listed([network(seed)], differential(seed), test, evidence(seed))))
        alone["networks"].append(precision(listed([network(seed)], test="", **none)))
        alone["test"].append(precision(listed([], differential(seed), "deseq2")))
    assert all(np.mean(together) > np.mean(values) + 0.02 for values in alone.values())


def test_the_rate_of_samples_is_that_of_the_test_and_of_cells_that_of_the_networks():
    of_samples, of_cells = listed(test="linear"), listed(test="wilcoxon")
    own = of_samples.table
    np.testing.assert_array_equal(own["q"], own["differential_q"])
    assert of_samples.summary["rate_from"] == "test"
    own = of_cells.table
    np.testing.assert_array_equal(own["q"], own["network_q"])
    assert of_cells.summary["rate_from"] == "networks"
    assert "shadow features, cnn" in of_cells.summary["statement"]


def test_networks_that_cannot_call_a_single_feature_leave_the_rate_of_cells_to_the_test():
    found = listed([network(min_q=0.5)], test="wilcoxon")
    assert found.summary["rate_from"] == "test"


def test_few_samples_still_have_an_order_and_a_list():
    # four against four samples: 35 permutations of the labels, so the networks have no q-value of use
    found = listed([network(min_q=5.7, q=0.6)])
    assert found.summary["n_reported"] == (differential()["differential_q"] <= 0.1).sum()
    assert set(found.table.loc[found.table["reported"], "found_by"]) == {"test"}


def test_who_finds_a_feature_is_said():
    q = np.where(np.arange(200) < 2, 0.01, 0.9)
    single = differential().sort_values("feature", key=lambda names: names.str[1:].astype(int))
    single["differential_q"] = np.where((np.arange(200) == 0) | (np.arange(200) == 7), 0.01, 0.9)
    own = listed([network(q=q)], single).table.set_index("feature")["found_by"]
    assert own[["g0", "g1", "g7", "g8"]].tolist() == ["test and networks", "networks", "test", ""]


def test_models_without_signal_do_not_count_beside_one_with_signal():
    noise = network(5, name="noise", signal=False, strength=0.0)
    found = listed([network(), noise])
    assert found.summary["models"] == ["cnn"]
    assert found.summary["models_left_out"] == ["noise"]
    pd.testing.assert_frame_equal(found.table, listed([network()]).table)


def test_several_models_share_the_error_rate():
    both = listed([network(), network(name="other", q=1.0)], test="wilcoxon").table.set_index("feature")
    one = listed([network()], test="wilcoxon").table.set_index("feature")
    np.testing.assert_allclose(both["network_q"], np.minimum(2 * one["network_q"], 1)[both.index])


@pytest.mark.parametrize("test", ["", "deseq2"])
def test_without_a_pass_or_a_test_the_rest_gives_the_order(test):
    single = differential(tested=bool(test))
    empty = NetworkResult("cnn", False, pd.DataFrame({"feature": [], "median_importance": []}), np.inf)
    found = listed([empty], single, test, evidence(known=False))
    assert found.table["rank"].tolist() == list(range(1, 201))
    if test:
        assert found.summary["n_reported"] > 0
    else:
        assert found.summary["n_reported"] == 0
        assert found.summary["statement"].startswith("There is no error rate, so no feature is reported")


def test_without_shadows_the_importance_orders():
    importance = np.linspace(0, 1, 200)
    ranking = pd.DataFrame({"feature": NAMES, "median_importance": importance})
    model = network_result("cnn", ranking, {"signal": True}, pd.DataFrame({"feature": NAMES}), {"statement": ""})
    found = listed([model], differential(tested=False), "", evidence(known=False))
    assert found.table["feature"].tolist() == NAMES[::-1]
    assert not found.table["reported"].any()


def test_novel_transcripts_are_marked():
    names = ["DENOVO_0123456789ab", *NAMES[1:]]
    single = differential().replace({"feature": {"g0": names[0]}})
    model = network()
    model.table["feature"] = names
    found = recommend(names, [model], single, about("deseq2"), evidence().replace({"feature": {"g0": names[0]}}), 0.1)
    assert found.table.loc[found.table["is_denovo"], "feature"].tolist() == [names[0]]


def test_a_withheld_list_reports_nothing_and_says_why():
    found = listed(withheld=True)
    assert not found.table["reported"].any()
    assert found.summary["statement"] == "No feature to report. Others differ as much."
    assert found.table["feature"].head(20).isin(NAMES[:20]).sum() > 15, "the order is there"


def test_of_samples_whose_batch_is_the_class_it_is_said_wherever_the_list_is():
    rng, y = np.random.default_rng(1), np.repeat([0, 1], 3)
    mean = rng.uniform(50, 300, 200) * np.where(y[:, None] == 1, rng.lognormal(0, 0.7, 200), 1)
    obs = pd.DataFrame({"condition": np.array(["ctrl", "drug"])[y], "batch": np.array(["b1", "b2"])[y]})
    obs.index = [f"s{i}" for i in range(6)]
    expression = Expression(sp.csr_matrix(rng.poisson(mean).astype(np.float32)), obs, pd.DataFrame(index=NAMES))
    features = prepare_features(expression, label_column="condition")
    given = {"enabled": True, "test": "auto", "design": "", "reference": "", "within": "", "shrink": False}
    tested = run_differential(features, expression, {**given, "max_cells": 20_000}, level=0.1)
    found = recommend(NAMES, [], tested.features, tested.summary, evidence(known=False), 0.1)
    said = "may come from 'batch' instead: no value of it has samples of two classes"
    assert features.metadata["confounded"] == ["batch"] and said in tested.summary["notes"][-1]
    assert found.table["reported"].sum() > 50 and said in found.summary["statement"]
    assert "to report" not in found.summary["statement"] and "expected to be false" not in found.summary["statement"]


def test_networks_without_signal_do_not_hide_what_the_test_of_cells_finds():
    silent = network(signal=False, q=0.5)
    said = listed([silent], test="wilcoxon").summary["statement"]
    assert said.startswith("No feature to report") and "differ when each is tested alone; networks without" in said
    assert "tested alone" not in listed([network(q=0.5)], test="wilcoxon").summary["statement"]


def mixtures(n=48, p=300, seed=0):
    """Bulk samples: 30 markers of T cells, whose share differs between the classes, and a module of 10 genes."""
    rng, y = np.random.default_rng(seed), np.arange(n) % 2
    shares = np.stack([rng.dirichlet([6, 7, 7] if code == 0 else [11, 5, 4]) for code in y])
    mean = np.tile(rng.uniform(60, 300, p), (n, 1))
    mean[:, :30] *= 0.1 + 2 * shares[:, :1]
    mean[:, 30:40] *= np.where(y == 1, 2.2, 1.0)[:, None]
    counts = rng.negative_binomial(20, 20 / (20 + mean * rng.lognormal(0, 0.1, (n, 1))))
    obs = pd.DataFrame(shares, columns=["T", "B", "mono"], index=[f"s{i}" for i in range(n)])
    obs["state"] = np.where(y == 1, "ill", "well")
    return Expression(sp.csr_matrix(counts.astype(np.float32)), obs, pd.DataFrame(index=[f"g{i}" for i in range(p)]))


def recommended_of(expression, **options):
    """The list of a study without networks, by feature, and its features."""
    features = prepare_features(expression, label_column="state", **options)
    given = {"enabled": True, "test": "linear", "design": "", "reference": "", "within": "", "shrink": False}
    tested = run_differential(features, expression, {**given, "max_cells": 20_000}, level=0.1)
    weighed, _ = rank_run(features, expression, {"enabled": True, "draws": 2, "max_samples": 1000})
    found = recommend(list(features.names), [], tested.features, tested.summary, weighed, 0.1)
    return found.table.set_index("feature").loc[list(features.names)], features


@pytest.mark.parametrize("named", ["shares", "signatures"])
def test_what_follows_composition_leaves_the_list_when_it_is_adjusted_for_and_the_true_module_stays(named):
    expression = mixtures()
    markers, module = slice(0, 30), slice(30, 40)
    plain, _ = recommended_of(expression)
    assert plain["reported"].iloc[markers].mean() > 0.9 and plain["reported"].iloc[module].all()
    if named == "shares":
        asked = {"confounders": {"composition": {"shares": ["T", "B", "mono"]}}}
    else:
        asked = {"signatures": {"T": [f"g{i}" for i in range(15)]}}  # the other markers are not in the signature
    found, features = recommended_of(expression, **asked)
    assert found["reported"].iloc[markers].sum() <= 2 and found["reported"].iloc[module].all()
    assert found["reported"].iloc[40:].sum() <= 3
    nothing = pd.DataFrame({"feature": features.names, "hvg_rank": pd.array([pd.NA] * 300, dtype="Int64")})
    audit = audit_run(features, FeatureStatistics(nothing, "", "none"))
    explained = audit.table["composition_r2"].to_numpy()
    assert np.median(explained[markers]) > 0.5 > 0.35 > np.median(explained[40:])
    listed_ = join_by_feature(found.reset_index()[["feature", "reported"]].assign(rank=1), audit.table)
    kept = audit_findings(listed_, audit.table, audit.notes, [], 10).set_index("of").loc["features to report"]
    assert kept["n"] == found["reported"].sum() and kept["n_lost"] <= 1
