"""Jobs that train passes: one seed after another, each file written when it is complete.

A job trains one seed, or several, which then share start-up and features. Every file carries a key, a hash of all that
the pass depends on, so a repeated job trains only the seeds whose files are missing or out of date. Snakemake removes
the outputs of a job that failed, so until a job is done each finished file also has a second name (a hard link) in the
scratch folder.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ..config import to_config
from ..core.files import atomic_write, digest
from ..core.records import DamagedRecord, verify_record
from ..errors import InputError
from ..features.domains import read_domains
from ..features.samples import Samples, with_target
from ..features.store import open_features
from ..passes import controls, halves, shadows, train
from ..passes.adaptation import resolve_arm, with_domains
from ..training.checkpoint import Checkpoint
from . import devices

if TYPE_CHECKING:
    import torch

# By kind of pass.
TRAIN: dict[str, Callable[..., Any]] = {
    "plain": train.train_pass,
    "permuted": controls.train_control,
    "shadow": shadows.train_shadow_pass,
    "half": halves.train_half_pass,
}


def pass_key(
    features: str,
    settings: Mapping[str, Any],
    kind: str,
    seed: int,
    source: str,
    folds: bool = False,
    keep_weights: bool = False,
    adapted_to: Sequence[str] = (),
) -> str:
    """Hash of all that a pass depends on: 32 hexadecimal digits.

    Parameters
    ----------
    features
        Digest of the feature store.
    settings
        Result of `sections.model_settings`.
    kind
        Kind of the pass, a key of `TRAIN`.
    seed
        Seed of the pass.
    source
        Hash of the source code behind the pass (`provenance.source_of`).
    folds
        Whether it shares a partition with consecutive passes.
    keep_weights
        Whether a pass with shadows keeps its weights.
    adapted_to
        Digests of the target samples from which it learns, of the domains, and of the classes that are kinds of others,
        if there are some; and the way of adaptation that was chosen.
    """
    more = [*(["folds"] if folds else []), *(["weights"] if keep_weights else []), *adapted_to]
    parts = json.dumps([features, settings, kind, seed, source, *more], sort_keys=True)
    return hashlib.sha256(parts.encode()).hexdigest()[:32]


def train_seeds(snakemake) -> None:
    """Train a pass for every output of a job that is missing or out of date; the file's name is the seed.

    Parameters
    ----------
    snakemake
        The job: its `input.features` and perhaps `input.target` (target samples from which the model learns),
        `input.adaptation` (whether that helps), `input.domains` (domains of all these samples) and `input.kinds`
        (classes that are kinds of others), `output` and `threads`; of its params `kind` (a key of `TRAIN`), `settings`,
        `source` and perhaps `folds` and `keep_weights`; of its resources `gpu`, `passes_per_gpu`, `checkpoint_seconds`
        and `scratch`.

    Raises
    ------
    InputError
        After all seeds, if some could not be trained.
    """
    import torch

    torch.set_num_threads(snakemake.threads)
    resources = snakemake.resources
    device = devices.for_job(resources.get("gpu", 0), resources.passes_per_gpu, print)
    samples, adapted_to, choice = _samples(snakemake.input)
    backbone = to_config(snakemake.params.settings).backbone
    if backbone.kind == "scnym" and backbone.extra.get("adapt", "auto") != "none" and samples[1].unlabelled is None:
        print("There are no target samples to learn from: this pass learns from the labelled samples alone.")
    job = _Job(snakemake, device, *samples, adapted_to, choice)
    failed = {}
    for path in map(Path, snakemake.output):
        try:
            job.train(path)
        except InputError as error:
            if not job.several:
                raise
            failed[path.stem] = error
            print(f"seed {path.stem} failed: {error}")
    if failed:
        lines = "\n".join(f"seed {seed}: {error}" for seed, error in failed.items())
        raise InputError(f"{len(failed)} of {len(snakemake.output)} passes failed, the others are kept:\n{lines}")
    for scratch in job.done:
        _remove_scratch(scratch)


def _samples(given) -> tuple[tuple[str, Samples], list[str], dict | None]:
    """Open what a job reads: the features' digest and the samples, what they are adapted to, and what was chosen."""
    features = open_features(given.features, getattr(given, "kinds", None))
    samples, target = features.development_samples, getattr(given, "target", None)
    known = _known_kinds(samples.kinds)
    if not target:
        return (features.digest, samples), known, None
    new = open_features(target)
    adaptation = getattr(given, "adaptation", None)
    choice = json.loads(Path(adaptation).read_text()) if adaptation else None
    chosen = [choice["adapt"]] if choice else []
    print(choice["why"] if choice else "The target samples take part in the training, without labels.")
    codes, path = None, getattr(given, "domains", None)
    if path:
        codes = read_domains(path, samples.X.shape[0] + new.X.shape[0])
        chosen.append(f"domains {digest('', [Path(path)])}")
    return (features.digest, with_target(samples, new.X, codes)), [new.digest, *chosen, *known], choice


def _known_kinds(kinds: np.ndarray | None) -> list[str]:
    """What a pass depends on if classes are kinds of others; nothing if none is."""
    if kinds is None:
        return []
    print("Samples with a label above others also teach the kinds of it.")
    return [f"kinds {json.dumps([np.flatnonzero(row).tolist() for row in kinds])}"]


@dataclass
class _Job:
    """What the passes of one job share, and the scratch folders of those that are done."""

    snakemake: Any
    device: torch.device
    digest: str
    samples: Samples
    adapted_to: Sequence[str] = ()
    choice: dict | None = None
    done: list[Path] = field(default_factory=list)

    @property
    def several(self) -> bool:
        return len(self.snakemake.output) > 1

    def train(self, path: Path) -> None:
        """Train one pass and write it, unless it exists already."""
        params, resources = self.snakemake.params, self.snakemake.resources
        seed = int(path.stem)
        if self.several:
            print(f"== seed {seed} ==")
        print(devices.describe(self.device, self.snakemake.threads))
        chosen = {name: True for name in ("folds", "keep_weights") if getattr(params, name, False)}
        settings, source, adapted_to = params.settings, params.source, self.adapted_to
        key = pass_key(self.digest, settings, params.kind, seed, source, adapted_to=adapted_to, **chosen)
        scratch = Path(resources.scratch) / key
        finished = scratch / path.name
        if self.several and _is_finished(path, finished, key):
            print(f"seed {seed} is finished already: its file is complete and up to date")
            self.done.append(scratch)
            return
        checkpoint = self._checkpoint(scratch) if resources.checkpoint_seconds else None
        start = time.monotonic()
        config = to_config(settings)
        if self.samples.unlabelled is not None:
            config = with_domains(resolve_arm(config, self.choice), self.samples)
        result = TRAIN[params.kind](
            self.samples,
            config,
            seed=seed,
            checkpoint=checkpoint,
            progress=print,
            device=self.device,
            **chosen,
        )
        replace(result, key=key).save(path)
        print(f"seed {seed} took {time.monotonic() - start:.1f} s")
        if self.several:
            try:
                _link(path, finished)
            except OSError as error:
                print(f"{finished} could not be written ({error}): if this job fails, seed {seed} is trained again")
        if checkpoint is not None:
            checkpoint.remove()
        self.done.append(scratch)

    def _checkpoint(self, scratch: Path) -> Checkpoint:
        import torch

        seconds = self.snakemake.resources.checkpoint_seconds
        threads = self.snakemake.threads
        made_by = {"torch": torch.__version__, "device": devices.device_name(self.device), "threads": threads}
        return Checkpoint(scratch / "checkpoint.npz", seconds, made_by, print)


def _is_finished(path: Path, finished: Path, key: str) -> bool:
    """Whether a complete pass with this key exists; one that Snakemake removed is restored from its second name."""
    for place in (path, finished):
        if place.exists() and key_of(place) == key:
            if place is finished:
                _link(finished, path)
            os.utime(path)  # so that Snakemake takes it for the job's own output
            return True
    return False


def key_of(path: Path) -> str | None:
    """Key in the file of a pass; None if the file is missing or damaged."""
    try:
        return verify_record(path, "pass").get("key")
    except (DamagedRecord, FileNotFoundError):
        return None


def _link(path: Path, second: Path) -> None:
    """Give a file a second name atomically: a hard link, or a copy if the file system has no hard links."""
    with atomic_write(second) as tmp:
        try:
            os.link(path, tmp)
        except OSError:
            shutil.copyfile(path, tmp)


def _remove_scratch(scratch: Path) -> None:
    """Remove the scratch files of a pass, and parent folders that are empty then."""
    shutil.rmtree(scratch, ignore_errors=True)
    with suppress(OSError):
        scratch.parent.rmdir()
        scratch.parent.parent.rmdir()
