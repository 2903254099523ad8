"""The test of chords on the test split."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from deepmapper.chords.groups import group_chords
from deepmapper.chords.proof import PROOF, prove, prove_chords, prove_run, score_table
from deepmapper.chords.tables import chord_table
from deepmapper.core.stage_schemas import CHORDS
from deepmapper.errors import InputError
from deepmapper.features.splits import split_off_test


def test_the_planted_pair_is_found_alone_and_proved(small, screen_label):
    planted, X = small
    y, classes = planted.codes("pair")
    development, test = split_off_test(y, 0.25, 0)
    screen = screen_label("pair", rows=development)
    assert [set(pair.positions) for pair in screen.found] == [set(planted.genes("pair"))]
    assert screen.found[0].p_family == pytest.approx(1 / 20)
    (chord,) = group_chords(X, screen)
    assert set(chord.positions) == set(planted.genes("pair")) and not chord.joined
    (proof,) = prove_chords(X, y, [chord], development=development, test=test, classes=classes, draws=200)
    assert proof.accuracy > 0.75 and proof.auc > 0.85
    assert 0.1 < proof.synergy_low < proof.synergy < proof.synergy_high
    assert abs(proof.auc_additive - 0.5) < 0.15 and proof.single in chord.features


def test_the_proof_is_of_the_test_split(features, screened):
    table, summary = prove(features, screened.chords, draws=100)
    assert summary["proved"] and summary["n_adding"] == 1
    assert "The chord predicts the class better" in summary["statement"] and "150 samples" in summary["statement"]
    assert table["n_test"][0] == 150 and table["synergy_low"][0] > 0.15
    assert list(table.columns) == CHORDS.names(("0", "1"), optional=False)


def test_chords_that_add_most_come_first(screened, features):
    chords = [replace(screened.chords[0], name=name) for name in ("chord_1", "chord_2", "chord_3")]
    test, development = features.test, features.development
    (proof,) = prove_chords(
        features.X, features.y, chords[:1], development=development, test=test, classes=features.classes, draws=10
    )
    proofs = [replace(proof, chord=chord.name, synergy=s) for chord, s in zip(chords, (0.1, 0.3, 0.1), strict=True)]
    assert chord_table(chords, proofs)["chord"].tolist() == ["chord_2", "chord_1", "chord_3"]
    assert chord_table(chords)["chord"].tolist() == ["chord_1", "chord_2", "chord_3"]


def test_without_a_test_split_nothing_is_proved(features, screened):
    table, summary = prove(replace(features, split=np.zeros_like(features.split)), screened.chords)
    assert not summary["proved"] and "No test split was set aside" in summary["statement"]
    assert len(table) == 1 and table[list(PROOF)].isna().all(axis=None)
    table, summary = prove(features, ())
    assert table.empty and summary == {"proved": False, "statement": "There is no chord to prove."}


def test_scores_are_standardised_in_the_development_part(features, screened):
    table = score_table(features, screened.chords)
    assert list(table.columns) == ["cell", "split", "label", "chord", "score"] and len(table) == 600
    inside = table[table["split"] == "development"]["score"]
    assert inside.mean() == pytest.approx(0, abs=1e-4) and inside.std(ddof=0) == pytest.approx(1, abs=1e-4)
    assert score_table(features, ()).empty


def test_the_proof_of_a_run_holds_the_values_of_the_chords_in_every_sample(features, screened):
    made = prove_run(features, screened.chords, draws=20)
    table, summary = prove(features, screened.chords, draws=20)
    pd.testing.assert_frame_equal(made.table, table)
    assert made.summary == summary
    pd.testing.assert_frame_equal(made.scores, score_table(features, screened.chords))
    assert len(made.scores) == len(screened.chords) * len(features.y)


def test_the_composition_of_the_samples_explains_a_chord_or_does_not(features, screened):
    assert "composition_r2" not in prove_run(features, screened.chords, draws=10).table
    (chord,) = screened.chords
    value = score_table(features, screened.chords)["score"].to_numpy()
    for design, low, high in ((value, 0.99, 1.0), (np.random.default_rng(0).normal(size=len(value)), 0.0, 0.02)):
        named = replace(features, design=design[:, None], design_names=("composition[T]",))
        table = prove_run(named, screened.chords, draws=10).table
        assert low <= table["composition_r2"][0] <= high
    assert CHORDS.unknown(list(table)) == []


def test_rows_that_cannot_prove_a_chord_are_refused(small):
    planted, X = small
    y, _ = planted.codes("pair")
    with pytest.raises(InputError, match="development and test share rows"):
        prove_chords(X, y, (), development=np.arange(400), test=np.arange(300, 600))
    with pytest.raises(InputError, match="0 test rows"):
        prove_chords(X, y, (), development=np.arange(600), test=np.arange(0))
