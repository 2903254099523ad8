"""The table of features: its columns, and the numbers behind them."""

import pytest

from deepmapper.accumulate import wilson_interval
from deepmapper.core.table_schemas import RANKING
from deepmapper.findings.feature_table import feature_table
from deepmapper.findings.ranking import accumulate_passes

FEATURE_COLUMNS = RANKING.names(("a", "b"))
NAMES = ["g0", "g1", "g2", "g3"]


@pytest.fixture
def accumulated(passes):
    return accumulate_passes(passes, top_k=2, min_accuracy=0.5, feature_names=NAMES)


def test_the_table_of_features_by_hand(accumulated):
    table = feature_table(accumulated)
    assert table.columns.tolist() == FEATURE_COLUMNS
    assert table["rank"].tolist() == [1, 2, 3, 4]
    assert table["feature"].tolist() == ["g0", "g1", "g2", "g3"]
    assert table["selection_frequency"].tolist() == pytest.approx([1, 2 / 3, 1 / 3, 0])
    assert table["median_importance"].tolist() == [3, 2, 1, 0]
    assert table["importance_q25"].tolist() == [2.5, 1.5, 1, 0]
    assert table["importance_q75"].tolist() == [3, 2.5, 1.5, 0]
    assert table["mean_rank"].tolist() == pytest.approx([4 / 3, 2, 8 / 3, 4])
    assert table["direction[a]"].tolist() == ["up"] * 4
    assert table["direction[b]"].tolist() == ["down"] * 4
    assert table["is_denovo"].tolist() == [False] * 4


def test_assembled_transcripts_are_recognised_by_their_tag(passes):
    named = accumulate_passes(passes, 2, 0.5, ["DENOVO_g0", "g1_DENOVO_", "g2", "g3"])
    assert feature_table(named)["is_denovo"].tolist() == [True, False, False, False]


def test_every_frequency_carries_its_wilson_interval_over_accepted_passes(accumulated):
    table = feature_table(accumulated)
    for row in table.itertuples():
        expected = wilson_interval(row.selection_frequency, 3)
        assert (row.selection_frequency_low, row.selection_frequency_high) == expected
        assert row.selection_frequency_low <= row.selection_frequency <= row.selection_frequency_high


def test_the_table_follows_the_ranking_of_a_real_run(found, planted):
    table = feature_table(found("mlp"))
    ranking = found("mlp").ranking(30)
    assert table["feature"].tolist() == [name for name, _, _ in ranking]
    assert table["median_importance"].tolist() == [importance for _, _, importance in ranking]
    assert set(table["feature"].head(5)) <= {f"gene{i}" for i in planted.signal}
    own = table.set_index("feature")
    assert own.loc["gene3", "direction[0]"] == "up"
    assert own.loc["gene24", "direction[0]"] == "down"


def test_without_names_features_are_called_by_their_position(passes):
    assert feature_table(accumulate_passes(passes, 2, 0.5))["feature"].tolist() == ["0", "1", "2", "3"]


def test_without_an_accepted_pass_the_table_is_empty_and_has_its_columns(passes):
    table = feature_table(accumulate_passes(passes, 2, 0.95, NAMES))
    assert table.columns.tolist() == FEATURE_COLUMNS
    assert len(table) == 0
