"""A model on disk: a folder of JSON and arrays, without pickles, that may be moved and shared."""

from __future__ import annotations

import json
import os
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

from ..chords.files import read_chords, write_chords
from ..core.files import atomic_folder
from ..core.records import read_record, refuse_damage, write_record
from ..core.tables import write_json
from ..errors import InputError
from ..io.align import Scale
from .members import Member
from .model import Model
from .neighbours import Averaging
from .spaces import Space
from .terms import read_terms

# Version of the folder's layout; a folder of another version is refused. What may be absent (chords, an ontology,
# fingerprints of the labelled samples, units of the values) needs no other version.
FORMAT = 3

_ARRAYS = ("labels", "groups", "scores", "probability", "coordinates")

_OF_FEATURES = ("importance", "class_importance", "class_mean")

_README = """\
# A model of DeepMapper

It names new samples by the classes {classes}, from {n_features} features, with {n_passes} passes.

    deepmapper.predict("{name}", adata)    # in Python: the table target.tsv

or in config.yaml: `task: predict`, `predict: {{model: {name}}}`, `matrix: {{path: new.h5ad}}`.

`adata` holds {what}; the features are found by name. Results do not depend on where the folder is.

| file | content |
|---|---|
| model.json | format, features, classes, normalisation, temperature, versions |
| reference.npz | per feature: share of all values, importance in all and in every class, mean in every class; \
fingerprints of labelled samples, by which these are recognised if they are to be named |
| passes/*.npz | per pass: weights, settings, space, and the samples out of its bag with their scores |
| chords.json | gene chords that the networks read, if they do |
| ontology.json | the ontology, and the terms of the classes, if there is one |
"""


def save(model: Model, folder: str | Path) -> None:
    """Write a model; the folder is written atomically and replaces an existing one."""
    folder = Path(folder)
    with atomic_folder(folder) as tmp:
        (tmp / "passes").mkdir()
        for member in model.members:
            _save_member(member, tmp / "passes" / f"{member.seed}.npz")
        arrays = {name: getattr(model, name) for name in _OF_FEATURES} | {"share": model.scale.share}
        arrays |= {} if model.own is None else {"own": model.own}
        write_record(tmp / "reference.npz", {}, arrays)
        if model.chords:
            write_chords(model.chords, tmp / "chords.json")
        if model.terms is not None:
            write_json(model.terms.as_record(), tmp / "ontology.json")
        content = {
            "format": FORMAT,
            "classes": list(model.classes),
            "sizes": model.sizes,
            "normalization": model.scale.record(),
            "temperature": model.temperature,
            "reliability": [
                {name: None if value != value else value for name, value in row.items()} for row in model.reliability
            ],
            "neighbours": {"k": model.neighbours.k, "own": model.neighbours.own},
            "over": model.over,
            "signal": model.signal,
            "seeds": [member.seed for member in model.members],
            "about": model.about,
            "versions": {name: version(name) for name in ("deepmapper", "numpy", "scipy", "torch")},
            "features": list(model.features),
            "ids": None if model.ids is None else list(model.ids),
        }
        (tmp / "model.json").write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
        (tmp / "README.md").write_text(_readme(model, folder.name), encoding="utf-8")


def load(folder: str | Path) -> Model:
    """Read what `save` wrote: a model that gives the same results, to the last byte.

    Raises
    ------
    InputError
        If the folder is not a complete model of this version.
    """
    if not isinstance(folder, str | os.PathLike):
        raise InputError(
            f"the model is of type {type(folder).__name__}: expected the folder of one, such as "
            "results/model/cnn_small, or what `model_folder.load` returned."
        )
    folder = Path(folder)
    try:
        content = json.loads((folder / "model.json").read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise InputError(
            f"{folder} is not a model, since its file model.json is missing or damaged: expected a folder such as "
            f"results/model/cnn_small. `deepmapper run STUDY -- model` makes one for every model of a study."
        ) from error
    found = content.get("format") if isinstance(content, dict) else None
    if found != FORMAT:
        raise InputError(f"{folder} has format {found}, expected {FORMAT}: export the model again with this version.")
    try:
        model = _from_content(content, folder)
    except FileNotFoundError as error:
        raise InputError(
            f"{folder} is not a complete model: {error.filename} is missing. Copy the folder again."
        ) from error
    if wrong := _misfit(model, content["seeds"]):
        raise InputError(f"{folder}: {wrong}, so model.json is not that of the other files. Copy the folder again.")
    return model


def _misfit(model: Model, seeds: list[int]) -> str:
    """Say what of a model does not fit the rest, as in a folder that was changed by hand; "" if all does."""
    shape = len(model.classes), len(model.features)
    if model.class_mean.shape != shape:
        return f"there are {shape[0]} classes and {shape[1]} features, but means of {model.class_mean.shape}"
    if list(model.sizes) != list(model.classes) or min(model.sizes.values()) < 0:
        return "the sizes are not those of the classes"
    if model.ids is not None and len(model.ids) != len(model.features):
        return f"there are {len(model.ids)} ids for {len(model.features)} features"
    if not seeds or [member.seed for member in model.members] != list(seeds):
        return "the passes are not those of the seeds"
    is_number = isinstance(model.temperature, int | float)
    if not (is_number and 0 < model.temperature < float("inf")):
        return f"the temperature is {model.temperature!r}"
    return "" if model.over in ("cells", "domain") else f"it was calibrated over {model.over!r}"


def _from_content(content: dict[str, Any], folder: Path) -> Model:
    _, arrays = read_record(folder / "reference.npz", "model")
    with refuse_damage(folder / "model.json", "model"):
        return Model(
            classes=tuple(content["classes"]),
            features=tuple(content["features"]),
            ids=None if content["ids"] is None else tuple(content["ids"]),
            scale=Scale.from_record(content["normalization"], arrays["share"]),
            temperature=content["temperature"],
            neighbours=Averaging(**content["neighbours"]),
            reliability=tuple(
                {name: float("nan") if value is None else value for name, value in row.items()}
                for row in content["reliability"]
            ),
            **{name: arrays[name] for name in _OF_FEATURES},
            sizes=content["sizes"],
            over=content["over"],
            signal=content["signal"],
            members=tuple(_load_member(folder / "passes" / f"{seed}.npz") for seed in content["seeds"]),
            chords=read_chords(folder / "chords.json") if (folder / "chords.json").exists() else (),
            terms=read_terms(folder / "ontology.json") if (folder / "ontology.json").exists() else None,
            about=content["about"],
            own=arrays.get("own"),
        )


def _save_member(member: Member, path: Path) -> None:
    header: dict[str, Any] = {"seed": member.seed, "settings": member.settings, "classes": list(member.classes)}
    arrays = {name: np.asarray(getattr(member, name)) for name in _ARRAYS}
    arrays |= member.space.arrays("space_")
    arrays |= {f"weights/{name}": value for name, value in member.weights.items()}
    write_record(path, header, arrays)


def _load_member(path: Path) -> Member:
    header, arrays = read_record(path, "pass of a model")
    with refuse_damage(path, "pass of a model"):
        weights = {name: value for name, value in arrays.items() if name.startswith("weights/")}
        return Member(
            seed=header["seed"],
            settings=header["settings"],
            classes=tuple(header["classes"]),
            weights={name.removeprefix("weights/"): value for name, value in weights.items()},
            space=Space.from_arrays(arrays, "space_"),
            **{name: arrays[name] for name in _ARRAYS},
        )


def _readme(model: Model, name: str) -> str:
    units = model.scale.units
    what = {
        "none": (
            f"{units.words}, over all features of its file (another base or total is recognised and converted)"
            if units
            else "values as those of the reference, which were not normalised"
        ),
        "log1p_tpm": "transcripts per million in the layer tpm",
    }
    return _README.format(
        classes=", ".join(model.classes),
        n_features=len(model.features),
        n_passes=len(model.members),
        name=name,
        what=what.get(model.scale.method, "raw counts in X"),
    )
