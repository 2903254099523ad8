"""Jobs that train passes: one seed after another, each file written when it is complete.

A job trains one seed, or several that share the start and the features. Every file carries a key, a hash of all that it
depends on. So a job that is given again trains only what is not there: files of before are known by their keys, those
that Snakemake put away because the job as a whole failed among them (a second name of each lies in the scratch folder
until the job is done).
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

from ..config import to_config
from ..core.files import atomic_write
from ..core.records import DamagedRecord, verify_record
from ..errors import InputError
from ..features.store import open_features
from ..passes import controls, halves, shadows, train
from ..training.checkpoint import Checkpoint
from . import devices

# by the kind of pass; what each does stands in its module
TRAIN: dict[str, Callable[..., Any]] = {
    "plain": train.train_pass,
    "permuted": controls.train_control,
    "shadow": shadows.train_shadow_pass,
    "half": halves.train_half_pass,
}


def pass_key(features: str, settings: Mapping[str, Any], kind: str, seed: int, source: str) -> str:
    """Hash all that a pass depends on: 32 hexadecimal digits.

    Parameters
    ----------
    features
        Digest of the feature store.
    settings
        What `settings.model_settings` returns.
    kind
        Kind of the pass, one of `TRAIN`.
    seed
        Of the pass.
    source
        Hash of the package's source behind it.
    """
    parts = json.dumps([features, settings, kind, seed, source], sort_keys=True)
    return hashlib.sha256(parts.encode()).hexdigest()[:32]


def train_seeds(snakemake) -> None:
    """Train a pass for every output of a job, whose name is the seed, and write it; what is there already stays.

    Parameters
    ----------
    snakemake
        The job: its `input.features`, `output` and `threads`; of its params `kind` (one of `TRAIN`), `settings` and
        `source`; of its resources `gpu`, `passes_per_gpu`, `checkpoint_seconds` and `scratch`.

    Raises
    ------
    InputError
        After all seeds, if some could not be trained.
    """
    import torch

    torch.set_num_threads(snakemake.threads)
    resources = snakemake.resources
    where = devices.for_job(resources.get("gpu", 0), resources.passes_per_gpu, print)
    features = open_features(snakemake.input.features)
    samples = features.development_samples
    given = snakemake.params
    config = to_config(given.settings)
    made_by = {"torch": torch.__version__, "device": devices.name(where), "threads": snakemake.threads}
    several, failed, done = len(snakemake.output) > 1, {}, []
    for path in map(Path, snakemake.output):
        seed = int(path.stem)
        if several:
            print(f"== seed {seed} ==")
        print(devices.describe(where, snakemake.threads))
        key = pass_key(features.digest, given.settings, given.kind, seed, given.source)
        scratch = Path(resources.scratch) / key
        finished = scratch / path.name
        if several and _there(path, finished, key):
            print(f"seed {seed} is finished already: its file is whole and depends on what is given now")
            done.append(scratch)
            continue
        seconds = resources.checkpoint_seconds
        checkpoint = Checkpoint(scratch / "checkpoint.npz", seconds, made_by, print) if seconds else None
        began = time.monotonic()
        try:
            found = TRAIN[given.kind](samples, config, seed=seed, checkpoint=checkpoint, progress=print, device=where)
        except InputError as error:
            if not several:
                raise
            failed[seed] = error
            print(f"seed {seed} failed: {error}")
            continue
        replace(found, key=key).save(path)
        print(f"seed {seed} took {time.monotonic() - began:.1f} s")
        if several:
            try:
                _second_name(path, finished)
            except OSError as error:
                print(f"{finished} could not be written ({error}): if this job fails, seed {seed} is trained again")
        if checkpoint is not None:
            checkpoint.remove()
        done.append(scratch)
    if failed:
        told = "\n".join(f"seed {seed}: {error}" for seed, error in failed.items())
        raise InputError(f"{len(failed)} of {len(snakemake.output)} passes failed, the others are kept:\n{told}")
    for scratch in done:
        _clear(scratch)


def _there(path: Path, finished: Path, key: str) -> bool:
    """Whether a pass is there, whole and with this key; one that was put away is brought back."""
    for place in (path, finished):
        if place.exists() and key_of(place) == key:
            if place is finished:
                _second_name(finished, path)
            os.utime(path)  # made again, as far as Snakemake is concerned
            return True
    return False


def key_of(path: Path) -> str | None:
    """Key that the file of a pass carries; None where it is not whole."""
    try:
        return verify_record(path, "pass").get("key")
    except (DamagedRecord, FileNotFoundError):
        return None


def _second_name(path: Path, second: Path) -> None:
    """Give a whole file a second name, or a copy where the file system has only one; it appears whole or not at all."""
    with atomic_write(second) as tmp:
        try:
            os.link(path, tmp)
        except OSError:
            shutil.copyfile(path, tmp)


def _clear(scratch: Path) -> None:
    """Remove the scratch files of a pass, and the folders that this leaves empty."""
    shutil.rmtree(scratch, ignore_errors=True)
    with suppress(OSError):
        scratch.parent.rmdir()
        scratch.parent.parent.rmdir()
