"""Columns that nobody named: batches and donors that come with the class, cell types whose shares differ."""

import numpy as np
import pandas as pd
import pytest

from deepmapper.features.unadjusted import confounding_words, cramers_v, find_unadjusted

N = 600
ROW = np.arange(N)
Y = ROW % 3
CLASSES = ("A", "B", "C")
CHANCE = np.random.default_rng(0).random(N)
MOSTLY = np.where(np.array([0.2, 0.5, 0.8])[Y] > CHANCE, "x", "y")  # shares that differ between the classes
LABEL = np.array(CLASSES)[Y]


def described(label="state", group="", adjusted=(), y=Y, **columns):
    obs = pd.DataFrame(columns, index=[f"s{i}" for i in range(len(y))])
    classes = CLASSES[: y.max() + 1]
    return find_unadjusted(obs, y, classes, label_column=label, group_column=group, adjusted=adjusted).cautions


@pytest.mark.parametrize(
    "name",
    [
        *[
            "batch",
            "Batch",
            "batch_id",
            "seq_batch",
            "extraction_batch",
            "lane",
            "run",
            "sequencing_run",
            "plate_number",
        ],
        *[
            "library",
            "libraries",
            "date",
            "collection_date",
            "donor",
            "patientID",
            "mouse",
            "site",
            "sequencer",
            "chip",
        ],
        *["pool", "center", "flow_cell", "flowcell", "orig.ident", "sample"],
    ],
)
def test_a_batch_equal_to_the_label_is_said_first(name):
    for values in (LABEL, [f"b{code}" for code in Y], Y, pd.Categorical(LABEL)):
        (caution,) = described(**{name: values})
        assert caution.startswith(f"Nothing found here can be told apart from differences in the column '{name}'")
        assert "has samples of one class only" in caution and ": A 200" in caution


@pytest.mark.parametrize(
    "name",
    ["disease", "patient_status", "donor_age_group", "cell", "state_2", "library_size", "tumor_site", "State", "group"],
)
def test_other_names_of_the_label_are_none_of_batches(name):
    values = CHANCE if name == "library_size" else LABEL
    assert described(**{name: values}) == []


def test_columns_that_are_named_or_say_nothing_are_left_out():
    assert described(group="donor", donor=LABEL) == described(adjusted=["batch"], batch=LABEL) == []
    assert described(label="first_batch", first_batch=LABEL, batch=LABEL) == []
    assert described(batch=["b"] * N, run=[f"SRR{i}" for i in ROW], plate=ROW // 3 % 4, lane=[None] * N) == []


def test_columns_that_divide_the_samples_alike_are_one_caution():
    (caution,) = described(batch=LABEL, lane=Y, plate=ROW // 3 % 2)
    assert "column 'batch' = 'lane' of the sample table" in caution


def test_donors_of_one_class_each_are_to_be_held_out():
    donors = [f"d{i % 12}" for i in ROW]
    (caution,) = described(donor=donors)
    assert "each of its 12 values has samples of one class only (d0: A 50; " in caution
    assert caution.endswith("set `labels: {group: donor}`.")
    assert described(group="mouse", batch=donors) == []


def test_columns_that_nothing_tells_from_the_classes_are_named_once():
    def named(group="", adjusted=(), **columns):
        obs = pd.DataFrame(columns, index=[f"s{i}" for i in ROW])
        known = {"label_column": "state", "group_column": group, "adjusted": adjusted}
        return find_unadjusted(obs, Y, CLASSES, **known).confounded

    donors = [f"d{i % 12}" for i in ROW]
    assert named(batch=LABEL, lane=Y, donor=donors, run=Y > 0) == ["batch"]  # runs tell two of three classes apart
    assert named(group="donor", donor=donors, batch=LABEL) == ["batch"]
    assert named(batch=np.where(Y == 0, "b0", np.array(donors))) == ["batch"]  # one class has a batch of its own
    assert named(adjusted=["batch"], batch=LABEL) == named(donor=donors) == named(leiden=Y) == named(batch=MOSTLY) == []


def test_a_confounded_column_is_explained_in_words():
    assert confounding_words([], "state") == ""
    assert confounding_words(["batch"], "state") == (
        "What differs between the classes of 'state' may come from 'batch' instead: no value of it has samples of two "
        "classes, so nothing in these data tells the two apart."
    )
    assert "from 'batch' or 'site' instead: no value of these has" in confounding_words(["batch", "site"], "state")


def test_a_class_alone_in_its_batch_is_named():
    (caution,) = described(plate=np.where(Y == 2, 2, ROW // 3 % 2))
    assert "'plate' of the sample table: A, B | C." in caution
    known = np.where(Y == 2, None, np.where(Y == 0, "p0", "p1"))  # nothing is known of the plates of C
    (caution,) = described(plate=known)
    assert "(p0: A 200; p1: B 200)" in caution


@pytest.mark.parametrize(
    "name", ["cell_type", "celltype", "CellType", "cell.type", "leiden", "louvain_1.0", "seurat_clusters"]
)
def test_cell_types_of_other_shares_are_offered_to_adjust_for(name):
    (caution,) = described(adjusted=["batch"], **{name: MOSTLY})
    assert "looks like a cell type, differs between the classes of 'state' (Cramér's V 0." in caution
    assert caution.endswith(f"To adjust for it: `confounders: {{columns: [batch, {name}]}}`.")


def test_cell_types_are_no_caution_where_they_are_the_question_or_do_not_differ():
    assert described(label="cell_type", leiden=MOSTLY) == []
    assert described(cell_type=np.where(CHANCE < 0.5, "T", "B")) == []
    assert described(leiden=Y) == []  # clusters found from the values are the classes
    few = ROW[:12]
    assert described(y=few % 2, cell_type=np.where(few < 7, "T", "B")) == []


def test_a_batch_of_other_shares_is_offered_to_adjust_for():
    (caution,) = described(batch=MOSTLY)
    assert "looks like a batch" in caution and caution.endswith("`confounders: {columns: [batch]}`.")


def test_pairs_and_crossed_batches_of_few_samples_are_offered_to_compare_within():
    few = np.arange(12)
    (caution,) = described(y=few // 6, patient=few % 6)
    assert "Each of the 6 values of the column 'patient' of the sample table has samples of several classes" in caution
    assert caution.endswith("To compare within them: `labels: {group: patient}`.")
    (caution,) = described(y=few // 6, batch=few % 2, adjusted=["age"])
    assert caution.endswith("To compare within them: `confounders: {columns: [age, batch]}`.")
    assert described(y=few // 6, batch=few % 2, adjusted=["batch"]) == []
    assert described(y=few[:4] // 2, batch=few[:4] % 2) == []  # nothing would be left to estimate the variance from
    assert described(y=few // 6, batch=np.array([0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 2, 2])) == []


def test_cramers_v():
    assert cramers_v(np.array([[50, 0], [0, 50]])) == pytest.approx((1, 0), abs=1e-6)
    assert cramers_v(np.array([[25, 25], [25, 25]])) == (0, 1)
    assert cramers_v(np.array([[25, 25], [0, 0]])) == (0, 1)
    v, p = cramers_v(np.array([[40, 10], [10, 40]]))
    assert 0.58 < v < 0.6 and p < 1e-8
