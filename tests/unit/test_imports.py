"""What an import costs: the pure modules run where there is neither numpy nor torch, the others load torch late."""

import os
import subprocess
import sys
from pathlib import Path

import deepmapper

SOURCE = Path(deepmapper.__file__).parents[1]

# Runs before anything else: any of these, imported by whatever way, is not there.
BLOCK = """
import sys

class Blocked:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {blocked!r}:
            raise ModuleNotFoundError(f"No module named {{name!r}} (blocked by the test)", name=name)

sys.meta_path.insert(0, Blocked())
"""
HEAVY = ("numpy", "scipy", "pandas", "sklearn", "torch", "captum", "matplotlib", "anndata", "scanpy", "h5py", "umap")


def run_alone(code: str, blocked: tuple[str, ...] = ()) -> subprocess.CompletedProcess:
    environment = {**os.environ, "PYTHONPATH": str(SOURCE)}
    script = BLOCK.format(blocked=set(blocked)) + code if blocked else code
    return subprocess.run([sys.executable, "-c", script], env=environment, capture_output=True, text=True, check=False)


def test_the_blocker_blocks():
    done = run_alone("import deepmapper.passes", HEAVY)
    assert done.returncode != 0
    assert "No module named 'numpy' (blocked by the test)" in done.stderr


def test_records_of_passes_are_read_without_what_trains_them():
    done = run_alone(
        """
import sys
from deepmapper import pass_result
print(sorted({"torch", "deepmapper.passes", "deepmapper.training", "deepmapper.backbones"} & set(sys.modules)))
""",
        ("torch",),
    )
    assert done.stdout == "[]\n", done.stderr


def test_the_pure_modules_run_without_numpy_and_torch():
    done = run_alone(
        """
import deepmapper
from deepmapper import DeepMapperConfig, DeepMapperWarning, InputError
from deepmapper import accumulate, augment, batching, config, earlystop, errors, growth, jobs, provenance, transform
from deepmapper import denovo, nucleotides, words
from deepmapper import job_resources, repository, snakemake_internals

assert transform.square_dim(765) == transform.image_side(765) == 28
perm = transform.permutation(3, 10)
assert sorted(perm) == list(range(10))
assert [perm[i] for i in transform.inverse_permutation(perm)] == list(range(10))

passes = [[0.1, 0.9, 0.3], [0.2, 0.8, 0.1]]
assert accumulate.accept_pass(0.9, 0.5) and not accumulate.accept_pass(0.4, 0.5)
tops = [accumulate.top_k_set(values, 1) for values in passes]
assert accumulate.selection_frequency(tops, 3) == [0.0, 1.0, 0.0]
assert accumulate.mean_rank([accumulate.ranks_from_importances(values) for values in passes]) == [2.5, 1.0, 2.5]
assert abs(accumulate.median_importance(passes)[1] - 0.85) < 1e-12
assert accumulate.stability_selection_bound(0.9, 1, 3) > 0
assert accumulate.wilson_interval(0.5, 10)[0] < 0.5

stopper = earlystop.EarlyStopper(patience=1, min_epochs=1)
assert [stopper.step(0, 1.0), stopper.step(1, 1.0)] == [False, True]
assert earlystop.is_improvement(0.5, 1.0, 0.1) and earlystop.should_stop(1, 1, 5, 2)

assert batching.batches(batching.stages(3, 2, 2, 5), 2) == [[3, 4], [5, 6]]
assert growth.grown(lambda n: {"n_accepted": n, "agreement": 0.1 * n}, start=2, step=3, cap=30, level=0.7) == 8

settings = DeepMapperConfig()
settings.check()
assert settings.inert_settings() and settings.effective_max_tries() == 30
try:
    DeepMapperConfig(epochs=0).check()
except InputError as error:
    assert "epochs=0" in str(error)
else:
    raise AssertionError("epochs=0 was taken")

assert denovo.is_denovo("DENOVO_1") and nucleotides.reverse_complement("AACG") == "CGTT"
assert words.count(2, "pass", "passes") == "2 passes"
images = object()
assert augment.make_train_transform(config.AugmentConfig())(images) is images
assert augment.make_train_transform(config.AugmentConfig(enabled=True))(images) is images
assert "Gaussian" in augment.describe(config.AugmentConfig(True, 0.5))
assert augment.describe(config.AugmentConfig()) == "no augmentation"
assert issubclass(DeepMapperWarning, UserWarning) and issubclass(errors.InputError, ValueError)
assert len(provenance.source_of("train_pass")) == 16
print("ran")
""",
        HEAVY,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout == "ran\n"


def test_importing_the_package_imports_neither_numpy_nor_torch():
    done = run_alone(f"import deepmapper, sys; print(sorted(set(sys.modules) & set({HEAVY!r})))")
    assert done.stdout == "[]\n", done.stderr


def test_no_module_imports_torch_before_it_is_needed():
    """A job of the workflow pays for what it uses; only training and the networks (`_...`) need torch at once."""
    needing = {"training", "optimiser", "runtime", "inference", "pass_loss"}
    modules = sorted({path.stem for path in (SOURCE / "deepmapper").glob("[!_]*.py")} - needing)
    done = run_alone(
        f"""
import sys
from importlib import import_module

for name in {modules!r}:
    import_module("deepmapper." + name)
    loaded = set(sys.modules) & {{"torch", "captum", "scanpy", "anndata", "umap"}}
    assert not loaded, f"{{name}} imports {{loaded}}"
"""
    )
    assert done.returncode == 0, done.stderr


def test_every_public_name_is_there_and_no_other():
    done = run_alone(
        """
import deepmapper
assert sorted(deepmapper.__all__) == dir(deepmapper)
for name in deepmapper.__all__:
    assert getattr(deepmapper, name) is not None
assert deepmapper.run is deepmapper.runner.run
assert deepmapper.evaluate.evaluate is not None  # the module, as the manual imports from it
try:
    deepmapper.nonsense
except AttributeError as error:
    print(error)
"""
    )
    assert done.stdout == "module 'deepmapper' has no attribute 'nonsense'\n", done.stderr


def test_the_version_is_the_one_that_is_installed():
    from importlib.metadata import PackageNotFoundError, version

    import pytest

    try:
        assert version("deepmapper") == deepmapper.__version__
    except PackageNotFoundError:
        pytest.skip("the package is on the path, not installed")


def test_networks_without_torch_say_what_is_missing():
    done = run_alone(
        """
from deepmapper import attribution, backbones
from deepmapper.config import BackboneSpec
for call in (
    lambda: backbones.build(BackboneSpec(), 3, 100),
    lambda: attribution.attribute(None, None, [0], "saliency"),
):
    try:
        call()
    except (backbones.BackboneUnavailable, attribution.AttributionUnavailable) as error:
        print(type(error).__name__, "pip install torch" in str(error))
""",
        ("torch", "captum"),
    )
    assert done.stdout == "BackboneUnavailable True\nAttributionUnavailable True\n", done.stderr
