"""The labels, groups and confounders of the samples, checked as `features.prepare.prepare_features` checks them."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

import numpy as np
import pandas as pd

from ..core.words import count, listed
from ..differential.contrasts import compared, formula_design
from ..differential.run import split_by_level
from ..features.composition import composition_columns
from ..features.confounded import check_confounders
from ..features.confounders import COMPUTED, confounder_columns
from ..features.design import make_design
from ..features.label_checks import check_groups, check_labels, unequal_class_cautions
from ..features.prepare import column_of, divide_samples, group_codes
from ..features.splits import check_class_sizes
from ..features.store import TEST
from ..features.unadjusted import find_unadjusted
from ..io.labels import UNLABELLED, as_categories, encode_labels
from .outcome import Outcome

_MOST_CLASSES = 12  # named with their sizes


@dataclass(frozen=True, eq=False)
class Labelled:
    """The samples that count.

    Attributes
    ----------
    kept
        (n,) their rows.
    y, classes
        (n,) class codes, and the names of the classes.
    groups
        (n,) group codes, or None.
    is_test
        (n,) whether they are in the test split; None if they cannot be divided.
    to_name
        Rows of samples without a label that are to be named.
    """

    kept: np.ndarray
    y: np.ndarray
    classes: list[str]
    groups: np.ndarray | None
    is_test: np.ndarray | None
    to_name: np.ndarray


def check_columns(outcome: Outcome, obs: pd.DataFrame, settings: dict) -> None:
    """Check that the samples have the columns that the configuration names."""
    labels, confounders = settings["labels"], settings["confounders"]
    if labels["column"]:
        outcome.attempt(column_of, obs, labels["column"], "labels.column")
    if labels["group"]:
        outcome.attempt(column_of, obs, labels["group"], "labels.group")
    for key in ("columns", "numeric"):
        for name in confounders[key]:
            if not (key == "columns" and name in COMPUTED):
                outcome.attempt(column_of, obs, name, f"confounders.{key}")
    for name in confounders["composition"]["shares"]:
        outcome.attempt(column_of, obs, name, "confounders.composition.shares")
    outcome.attempt(split_by_level, obs, settings["differential"]["within"])


def check_design(outcome: Outcome, obs: pd.DataFrame, settings: dict) -> Labelled | None:
    """Check labels, groups, splits and confounders; None if there are no labels to go on with."""
    check_columns(outcome, obs, settings)
    column, group = settings["labels"]["column"], settings["labels"]["group"]
    found = _encode(outcome, obs, settings["labels"])
    if found is None:
        return None
    codes, classes = found
    kept = np.flatnonzero(codes >= 0)
    y, inside = codes[kept], obs.iloc[kept]
    outcome.say("Classes", _sizes(codes, classes))
    note = "; samples without a label, or with an excluded one, do not count" if len(y) < len(codes) else ""
    n_before = len(outcome.faults)
    outcome.attempt(check_labels, inside[column], y, classes, column)
    if len(outcome.faults) > n_before:
        return None  # what is said of hundreds of classes that are none would hide the fault
    outcome.attempt(check_class_sizes, y, 2, "one to train on and one to test on", classes, note)
    outcome.add_cautions(unequal_class_cautions(y, classes))
    groups, is_test = _groups(outcome, obs, kept, y, classes, settings["labels"]), None
    if len(outcome.faults) == n_before:
        split = settings["split"]
        options = split["scheme"], split["test_size"], split["seed"]
        if divided := outcome.attempt(divide_samples, y, groups, classes, options, note, group):
            scheme, parts = divided
            is_test = parts == TEST
            n_test = int(is_test.sum())
            outcome.say("Split", f"{n_test} samples set aside for the test" if n_test else scheme.why)
    _check_confounders(outcome, inside, y, classes, settings)
    _check_formula(outcome, inside, y, classes, settings)
    return Labelled(kept, y, classes, groups, is_test, np.flatnonzero(codes == UNLABELLED))


def _encode(outcome: Outcome, obs: pd.DataFrame, labels: dict) -> tuple[np.ndarray, list[str]] | None:
    """Encode the labels; after a fault without what is at fault, so that the other checks can go on."""
    column, exclude = labels["column"], labels["exclude"]
    if column not in obs.columns:
        return None
    names = list(obs.index)
    words = labels["na_values"], labels["unlabelled"]
    found = outcome.attempt(encode_labels, obs[column], names, exclude, labels["missing"], *words)
    if found is None:
        known = set(as_categories(obs[column], labels["na_values"]).names)
        rest = [name for name in exclude if name in known]
        found = Outcome().attempt(encode_labels, obs[column], names, rest, "drop", *words)
    return found


def _groups(outcome: Outcome, obs, kept, y, classes, labels: dict) -> np.ndarray | None:
    group = labels["group"]
    if not group or group not in obs.columns:
        return None
    groups = outcome.attempt(group_codes, obs, group, kept, labels["na_values"])
    if groups is None:
        return None
    outcome.say("Groups", f"{len(np.unique(groups))} in '{group}'")
    return outcome.attempt(check_groups, obs[group].iloc[kept], groups, y, classes, group)


def _sizes(codes: np.ndarray, classes: list[str]) -> str:
    sizes = Counter(codes.tolist())
    shown = listed([f"{name} {sizes[code]}" for code, name in enumerate(classes)], _MOST_CLASSES)
    to_name, left = sizes[UNLABELLED], int((codes < 0).sum()) - sizes[UNLABELLED]
    text = f"{len(classes)}: {shown}" + (f"; {count(to_name, 'sample')} to be named" if to_name else "")
    return text + (f"; {count(left, 'sample')} without a label, or with an excluded one, left out" if left else "")


def _check_confounders(outcome: Outcome, obs: pd.DataFrame, y, classes, settings: dict) -> None:
    """Check every confounder alone, then all together; say which columns nobody named may explain differences."""
    labels, options = settings["labels"], settings["confounders"]
    asked = [
        (name, name in options["numeric"])
        for name in dict.fromkeys([*options["columns"], *options["numeric"]])
        if name in obs.columns
    ]
    columns = pd.DataFrame(index=obs.index)
    n_before = len(outcome.faults)
    for name, is_number in asked:
        chosen = {"numeric": [name]} if is_number else {}
        column = outcome.attempt(
            confounder_columns, obs, [] if is_number else [name], na_values=labels["na_values"], **chosen
        )
        if column is not None:
            columns[name] = column[name]
            outcome.attempt(_check_one, column, y, classes, labels["group"])
    shares = options["composition"]["shares"]
    if shares and set(shares) <= set(obs.columns):
        found = outcome.attempt(composition_columns, obs, shares, na_values=labels["na_values"])
        if found is not None:
            columns = pd.concat([columns, found], axis=1)
            outcome.attempt(_check_one, found, y, classes, labels["group"])
    if len(outcome.faults) == n_before and len(asked) + len(shares) > 1:
        outcome.attempt(_check_one, columns, y, classes, labels["group"])
    named = {"label_column": labels["column"], "group_column": labels["group"], "adjusted": [name for name, _ in asked]}
    unadjusted = outcome.attempt(find_unadjusted, obs, y, classes, **named)
    outcome.add_cautions(unadjusted.cautions if unadjusted else [])
    if asked or shares:
        outcome.say("Adjusted", ", ".join([*(name for name, _ in asked), *(["composition"] if shares else [])]))


def _check_one(columns: pd.DataFrame, y, classes, group: str) -> None:
    check_confounders(columns, make_design(columns), y, classes, (), group)


def _check_formula(outcome: Outcome, obs: pd.DataFrame, y, classes, settings: dict) -> None:
    options = settings["differential"]
    outcome.attempt(compared, classes, options["reference"])
    if options["enabled"] and options["design"] and not options["within"]:
        known = options["reference"] if options["reference"] in classes else ""
        outcome.attempt(formula_design, options["design"], settings["labels"]["column"], y, classes, obs, known)
