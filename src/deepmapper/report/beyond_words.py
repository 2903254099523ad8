"""What the networks find beyond the test of single features and logistic regression, in words."""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd

from ..core.aliases import readable_names
from ..core.words import at_most_about, count, listed
from .models import Model


def beyond_single_tests(model: Model, baseline_features: pd.DataFrame, aliases: Mapping[str, str]) -> str:
    """Say which of a model's significant features neither the test of single features nor logistic regression finds."""
    significant = model.features[model.features["significant"]]
    n, level = len(significant), model.significance["level"]
    if not n:
        return "no significant feature to compare with this test."
    of = count(n, "significant feature", separator=",")
    tested = bool(model.features["differential_q"].notna().any())  # false, too, if the list of the test is withheld
    missed = significant[~(significant["differential_q"] <= level)]["feature"].astype(str).tolist()
    if not missed:
        return f"this test finds its {of}, too, so the network adds an order, but no feature."
    linear = set(baseline_features["feature"].head(n).astype(str))
    beyond = [name for name in missed if name not in linear]
    shown, shown_beyond = (listed(readable_names(names, aliases)) for names in (missed, beyond))
    not_among, first = _are(len(beyond), "not among"), f"the first {n:,} of logistic regression"
    about = at_most_about(n * level, f"the {n:,}")
    rate = f"{about[0].upper()}{about[1:]} expected to be false, and false ones are likeliest here."
    if not tested and not beyond:
        return f"no list of this test to compare with; logistic regression has its {of} among its first {n:,}."
    if not tested:
        text = f"{len(beyond)} of its {of} {not_among} {first}: {shown_beyond}"
        return f"no list of this test to compare with; {text}. {rate}"
    text = f"{len(missed):,} of its {of} {_are(len(missed), 'not found by this test')}"
    if not beyond:
        return f"{text} ({shown}); logistic regression has them among its first {n:,}."
    if len(beyond) == len(missed):
        return f"{text}, nor among {first}: {shown_beyond}. {rate}"
    return f"{text} ({shown}); {len(beyond)} of them {not_among} {first} either: {shown_beyond}. {rate}"


def _are(n: int, text: str) -> str:
    return f"{'is' if n == 1 else 'are'} {text}"
