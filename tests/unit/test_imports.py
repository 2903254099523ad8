"""What an import costs: pure modules need neither numpy nor torch; only modules that compute with torch import it."""

import os
import pkgutil
import subprocess
import sys
from pathlib import Path

import deepmapper

SOURCE = Path(deepmapper.__file__).parents[1]

# Prepended to the code: makes every import of these packages fail.
BLOCK = """
import sys

class Blocked:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {blocked!r}:
            raise ModuleNotFoundError(f"No module named {{name!r}} (blocked by the test)", name=name)

sys.meta_path.insert(0, Blocked())
"""
HEAVY = ("numpy", "scipy", "pandas", "sklearn", "torch", "captum", "matplotlib", "anndata", "scanpy", "h5py", "umap")


# Packages that take seconds to import: only the networks, the training loop and the loss of a pass import them at once.
SLOW = ("torch", "captum", "scanpy", "anndata", "umap", "matplotlib.pyplot")
MAY_IMPORT_TORCH = (
    *("deepmapper.backbones.", "deepmapper.models.", "deepmapper.scnym.", "deepmapper.training."),
    *("deepmapper.passes.components", "deepmapper.passes.encoders", "deepmapper.passes.loss"),
)
IMPORTS_NO_TORCH = (
    "deepmapper.backbones.registry",
    *("deepmapper.scnym.cells", "deepmapper.scnym.configs", "deepmapper.scnym.fetch"),
)


def run_alone(code: str, blocked: tuple[str, ...] = ()) -> subprocess.CompletedProcess:
    """Run code in a new process, in which the blocked packages cannot be imported."""
    environment = {**os.environ, "PYTHONPATH": str(SOURCE)}
    script = BLOCK.format(blocked=set(blocked)) + code if blocked else code
    return subprocess.run([sys.executable, "-c", script], env=environment, capture_output=True, text=True, check=False)


def test_the_blocker_blocks():
    done = run_alone("import deepmapper.features.samples", HEAVY)
    assert done.returncode != 0
    assert "No module named 'numpy' (blocked by the test)" in done.stderr


def test_records_of_passes_are_read_without_what_trains_them():
    done = run_alone(
        """
import sys
from deepmapper.passes import result
print([name for name in sys.modules if name.startswith(("torch", "deepmapper.training.", "deepmapper.backbones."))])
""",
        ("torch",),
    )
    assert done.stdout == "[]\n", done.stderr


def test_a_pass_is_trained_without_what_reads_and_describes_tables():
    """Many passes run side by side, and such packages take tens of megabytes in each."""
    done = run_alone(
        """
import numpy as np
from deepmapper.config import BackboneSpec, DeepMapperConfig
from deepmapper.features.samples import Samples, with_target
from deepmapper.workflow import pass_jobs

X = np.random.default_rng(0).random((24, 9), dtype=np.float32)
samples = with_target(Samples(X, np.repeat([0, 1], 12), ("a", "b")), X)
for kind, options in {"cnn_small": {}, "scnym": {"adapt": "both"}}.items():
    backbone = BackboneSpec(kind, extra=options)
    config = DeepMapperConfig(epochs=1, min_epochs=1, backbone=backbone, attribution="integrated_gradients")
    print(pass_jobs.TRAIN["plain"](samples, config, 0).importance.shape)
import sys
print([name for name in ("scipy.linalg", "scipy.stats") if name in sys.modules])
""",
        ("pandas", "sklearn", "anndata", "scanpy", "h5py", "matplotlib", "captum"),
    )
    assert done.stdout == "(9,)\n(9,)\n[]\n", done.stderr


def test_the_pure_modules_run_without_numpy_and_torch():
    done = run_alone(
        """
import deepmapper
from deepmapper import DeepMapperConfig, DeepMapperWarning, InputError
from deepmapper import accumulate, augment, config, earlystop, errors, transform
from deepmapper.core import words
from deepmapper.findings import growth
from deepmapper.reads import denovo, nucleotides
from deepmapper.workflow import batching, job_resources, provenance, repository, rule_script, snakemake_internals

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

settings = DeepMapperConfig()
settings.check()
assert DeepMapperConfig(epochs=5).inert_settings() and settings.effective_max_tries() == 30
try:
    DeepMapperConfig(epochs=0).check()
except InputError as error:
    assert "epochs=0" in str(error)
else:
    raise AssertionError("epochs=0 was accepted")

assert denovo.is_denovo("DENOVO_1") and nucleotides.reverse_complement("AACG") == "CGTT"
images = object()
assert augment.make_train_transform(config.AugmentConfig())(images) is images
assert augment.make_train_transform(config.AugmentConfig(enabled=True))(images) is images
assert issubclass(DeepMapperWarning, UserWarning) and issubclass(errors.InputError, ValueError)
print("ran")
""",
        HEAVY,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout == "ran\n"


def test_importing_the_package_and_its_faces_imports_neither_numpy_nor_torch():
    packages = [module.name for module in pkgutil.iter_modules(deepmapper.__path__, "deepmapper.") if module.ispkg]
    done = run_alone(f"import deepmapper, {', '.join(packages)}, sys; print(sorted(set(sys.modules) & set({HEAVY!r})))")
    assert done.stdout == "[]\n", done.stderr


def test_torch_is_imported_only_where_networks_are_built_and_trained():
    """A job of the workflow pays only for what it uses."""
    modules = sorted(module.name for module in pkgutil.walk_packages(deepmapper.__path__, "deepmapper."))
    without = [name for name in modules if not name.startswith(MAY_IMPORT_TORCH) or name in IMPORTS_NO_TORCH]
    assert len(modules) > len(without) > 100
    done = run_alone(
        f"""
import sys
from importlib import import_module

for name in {without!r}:
    import_module(name)
    loaded = set(sys.modules) & set({SLOW!r})
    assert not loaded, f"{{name}} imports {{loaded}}"
"""
    )
    assert done.returncode == 0, done.stderr


def test_importing_any_module_leaves_the_process_as_it_was():
    modules = [m.name for m in pkgutil.walk_packages(deepmapper.__path__, "deepmapper.") if "__main__" not in m.name]
    done = run_alone(
        f"""
import locale, logging, os, random, signal, sys, warnings
from importlib import import_module
import anndata, matplotlib, numpy, scipy.stats, sklearn.linear_model, torch  # which change a few things themselves
try:
    import lightning.pytorch
except ImportError:
    pass

def state():
    return {{
        "generators": (torch.get_rng_state().numpy().tobytes(), repr(numpy.random.get_state()), random.getstate()),
        "warnings": (list(warnings.filters), warnings.showwarning),
        "environment": (dict(os.environ), os.getcwd(), list(sys.path), locale.setlocale(locale.LC_ALL)),
        "figures": dict(matplotlib.rcParams),
        "numbers": (torch.get_num_threads(), torch.get_default_dtype(), numpy.geterr(), numpy.get_printoptions()),
        "hooks": (sys.excepthook, signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)),
        "log": (logging.root.level, list(logging.root.handlers)),
    }}

before = state()
for name in {modules!r}:
    import_module(name)
    changed = [what for what, values in state().items() if values != before[what]]
    assert not changed, f"{{name}} changes {{changed}}"
"""
    )
    assert done.returncode == 0, done.stderr


def test_the_package_has_its_public_names_and_no_others():
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
