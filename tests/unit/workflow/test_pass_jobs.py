"""A job of several passes: each written as it is finished, none trained twice, none lost with one that fails."""

import json
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from deepmapper.errors import InputError
from deepmapper.features.store import Features, open_features, write_features
from deepmapper.passes import result as passes_result
from deepmapper.passes import train as passes_train
from deepmapper.workflow import pass_jobs
from deepmapper.workflow.pass_jobs import TRAIN, key_of, pass_key, train_seeds
from deepmapper.workflow.schema import load_schema
from deepmapper.workflow.sections import model_settings
from deepmapper.workflow.settings import validate_config

SCHEMA = "workflow/schemas/config.schema.yaml"


class Resources(SimpleNamespace):
    def get(self, name, default=None):
        return getattr(self, name, default)


@pytest.fixture
def job(planted, tmp_path, request):
    """Give a job of three seeds on a small store, as Snakemake hands it over."""
    split = np.zeros(120, dtype=np.uint8)
    split[::4] = 1
    samples = tuple(f"cell{i}" for i in range(120))
    features = Features(planted.sparse, planted.y, planted.classes, tuple(planted.names), samples, split)
    write_features(tmp_path / "features", features)
    schema = load_schema(request.config.rootpath / SCHEMA)
    given = {"matrix": {"path": "x"}, "labels": {"column": "y"}, "models": {"linear": {"epochs": 2, "min_epochs": 1}}}
    settings = model_settings(validate_config(given, schema), "linear")
    return SimpleNamespace(
        input=SimpleNamespace(features=tmp_path / "features"),
        output=[str(tmp_path / f"passes/{seed}.npz") for seed in (3, 4, 5)],
        params=SimpleNamespace(kind="plain", settings=settings, source="abc"),
        resources=Resources(scratch=str(tmp_path / "scratch/passes"), passes_per_gpu=1, checkpoint_seconds=600),
        threads=torch.get_num_threads(),
    )


@pytest.fixture
def trained(monkeypatch):
    """List the seeds that were trained; those in `fails` cannot be."""
    seeds = SimpleNamespace(done=[], fails=set(), devices=[])

    def train(*data, seed, **options):
        seeds.done.append(seed)
        seeds.devices.append(options["device"])
        if seed in seeds.fails:
            raise InputError(f"training of {seed} diverged")
        return passes_train.train_pass(*data, seed=seed, **options)

    monkeypatch.setitem(TRAIN, "plain", train)
    seeds.train = train
    return seeds


def contents(job) -> dict[str, bytes]:
    return {name: Path(name).read_bytes() for name in job.output}


def scratch_of(job) -> list[str]:
    return sorted(path.name for path in Path(job.resources.scratch).glob("*/*"))


def test_every_seed_is_written_as_it_is_alone_and_nothing_is_left(job, trained, tmp_path, capsys):
    train_seeds(job)
    together = contents(job)
    for name in together:
        job.output = [name]
        train_seeds(job)
        assert contents(job) == {name: together[name]}
    assert trained.done == [3, 4, 5] * 2
    assert set(trained.devices) == {torch.device("cpu")}  # the job asks for no GPU
    assert not (tmp_path / "scratch").exists()
    said = capsys.readouterr().out
    assert said.count("device cpu") == 6
    assert [line for line in said.splitlines() if line.startswith("==")] == [f"== seed {s} ==" for s in (3, 4, 5)]


def test_what_is_there_is_kept_as_far_as_it_holds(job, trained, capsys):
    train_seeds(job)
    whole = contents(job)
    first, second, third = job.output
    Path(first).write_bytes(whole[first][:3000])
    passes_result.PassResult.save(replace(passes_result.PassResult.load(third), key="of other settings"), third)
    trained.done.clear()
    train_seeds(job)
    assert trained.done == [3, 5]
    assert contents(job) == whole
    assert capsys.readouterr().out.count("seed 4 is finished already") == 1
    job.params.source = "edited"
    train_seeds(job)
    assert trained.done == [3, 5, 3, 4, 5]


def test_one_that_fails_takes_no_other_with_it_and_is_trained_again_alone(job, trained, tmp_path):
    trained.fails = {4}
    with pytest.raises(InputError, match=r"(?s)1 of 3 passes failed, the others are kept:\nseed 4: training of 4 div"):
        train_seeds(job)
    assert trained.done == [3, 4, 5]
    before = {name: Path(name).read_bytes() for name in (job.output[0], job.output[2])}
    for name in before:  # Snakemake removes the outputs of a job that failed
        (tmp_path / name).unlink()
    assert scratch_of(job) == ["3.npz", "5.npz"]
    trained.fails = set()
    train_seeds(job)
    assert trained.done == [3, 4, 5, 4]
    assert before.items() <= contents(job).items()
    assert not (tmp_path / "scratch").exists()


def test_one_that_is_killed_leaves_those_before_it(job, trained, tmp_path):
    trained.fails = {5}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pass_jobs, "InputError", type("Other", (Exception,), {}))  # so that nothing is caught
        with pytest.raises(InputError, match="training of 5 diverged"):
            train_seeds(job)
    assert scratch_of(job) == ["3.npz", "4.npz"]


def test_where_files_have_one_name_only_copies_are_kept(job, trained, monkeypatch, tmp_path):
    def refuse(*names):
        raise OSError("not permitted")

    monkeypatch.setattr(pass_jobs.os, "link", refuse)
    trained.fails = {4}
    with pytest.raises(InputError):
        train_seeds(job)
    (tmp_path / job.output[0]).unlink()
    trained.fails = set()
    train_seeds(job)
    assert trained.done == [3, 4, 5, 4]


def test_the_checkpoint_of_a_pass_is_removed_when_it_is_written(job, trained, tmp_path, monkeypatch):
    job.resources.checkpoint_seconds = 1e-9
    seen = []

    def train(*data, checkpoint, **options):
        result = trained.train(*data, checkpoint=checkpoint, **options)
        seen.append(checkpoint and checkpoint.path.is_relative_to(tmp_path / "scratch") and checkpoint.path.exists())
        return result

    monkeypatch.setitem(TRAIN, "plain", train)
    train_seeds(job)
    assert seen == [True] * 3
    assert not (tmp_path / "scratch").exists()
    job.resources.checkpoint_seconds, job.params.source = 0, "edited"
    train_seeds(job)
    assert seen[3:] == [None] * 3


@pytest.mark.parametrize("kind", TRAIN)
def test_every_kind_is_trained(job, kind):
    job.params.kind = kind
    job.output = job.output[:1]
    train_seeds(job)
    with np.load(job.output[0]) as file:
        about = json.loads(str(file["about"]))
        assert about["key"] == key_of(job.output[0])
        found = about.get("permuted"), about.get("shadow_draw", -1) >= 0, "refused" in about
    assert (
        found
        == {
            "plain": (False, False, False),
            "permuted": (True, False, False),
            "shadow": (False, True, False),
            "half": (None, False, True),
        }[kind]
    )


def test_a_key_says_all_that_a_pass_depends_on(job):
    settings = dict(job.params.settings)
    digest = open_features(job.input.features).digest
    given = [digest, settings, "plain", 3, "abc"]
    key = pass_key(*given)
    assert key == pass_key(digest, dict(reversed(settings.items())), "plain", 3, "abc")
    others = ["f" * 32, {**settings, "lr": 0.5}, "shadow", 4, "abd"]
    keys = {pass_key(*given[:i], other, *given[i + 1 :]) for i, other in enumerate(others)}
    assert len(keys | {key}) == 6
    assert len({key, pass_key(*given, folds=True), pass_key(*given, keep_weights=True)}) == 3


def test_the_digest_of_a_store_is_of_what_passes_read(planted, tmp_path):
    split = np.zeros(120, dtype=np.uint8)
    samples = tuple(f"cell{i}" for i in range(120))
    one = Features(planted.sparse, planted.y, planted.classes, tuple(planted.names), samples, split)
    changed = planted.sparse.copy()
    changed.data = changed.data.copy()
    changed.data[7] += 1
    digests = []
    for name, features in {
        "one": one,
        "again": one,
        "names": replace(one, names=("other", *one.names[1:]), samples=(), metadata={"why": "another"}),
        "value": replace(one, X=changed),
        "class": replace(one, classes=("A", "NK", "T")),
        "split": replace(one, split=np.ones(120, dtype=np.uint8)),
        "chords": replace(one, chords=("chord",)),
        "groups": replace(one, groups=np.arange(120)),
    }.items():
        write_features(tmp_path / name, features)
        digests.append(open_features(tmp_path / name).digest)
    assert digests[0] == digests[1] == digests[2]
    assert len(set(digests)) == 6
    assert json.loads((tmp_path / "one/features.json").read_text())["digest"] == digests[0]


def test_a_file_that_is_not_whole_has_no_key(job, trained, tmp_path):
    train_seeds(job)
    whole = Path(job.output[0]).read_bytes()
    assert len(key_of(job.output[0])) == 32
    spoilt = bytearray(whole)
    spoilt[len(whole) // 2] ^= 255
    for content in (b"", whole[:3000], whole[:-10], bytes(spoilt)):
        (tmp_path / "x.npz").write_bytes(content)
        assert key_of(tmp_path / "x.npz") is None


def test_passes_that_learn_from_target_samples_depend_on_them_and_on_the_choice(job, planted, tmp_path, capsys):
    extra = {"hidden": 8, "num_layers": 1, "ramp_epochs": 1}
    job.params.settings = {**job.params.settings, "kind": "scnym", "extra": extra}
    job.input.target, job.input.adaptation = tmp_path / "target", tmp_path / "adapt.json"
    job.output = job.output[:1]
    samples = tuple(f"new{i}" for i in range(40))
    none, unlabelled = np.full(40, -1), np.full(40, 2, dtype=np.uint8)
    keys, weights = [], []
    for rows, arm in ((slice(0, 40), "mixmatch"), (slice(0, 40), "both"), (slice(40, 80), "both")):
        X = planted.sparse[rows]
        write_features(
            tmp_path / "target", Features(X, none, planted.classes, tuple(planted.names), samples, unlabelled)
        )
        (tmp_path / "adapt.json").write_text(json.dumps({"adapt": arm, "why": f"Adapted by {arm}."}))
        train_seeds(job)
        keys.append(key_of(Path(job.output[0])))
        weights.append(Path(job.output[0]).read_bytes())
        assert f"Adapted by {arm}." in capsys.readouterr().out
    assert len(set(keys)) == len(set(weights)) == 3


@pytest.mark.parametrize(("kinds", "same"), [(None, True), ([[0], [1], [0, 1]], False)])
def test_kinds_of_classes_reach_the_network_and_belong_to_the_key(job, trained, tmp_path, kinds, same):
    job.output = job.output[:1]
    train_seeds(job)
    (without,) = contents(job).values()
    (tmp_path / "kinds.json").write_text(json.dumps({"classes": list("abc"), "kinds": kinds}))
    job.input.kinds = str(tmp_path / "kinds.json")
    train_seeds(job)
    (found,) = contents(job).values()
    assert (found == without) is same
