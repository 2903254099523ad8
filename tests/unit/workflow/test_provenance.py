"""Which edit re-runs what: all code that a script imports counts, comments and docstrings do not."""

import ast
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from deepmapper.backbones import registry
from deepmapper.workflow.batching import NETWORKS, PASS_KINDS, unused_imports
from deepmapper.workflow.provenance import (
    MAY_LOAD,
    NAME,
    PACKAGE,
    ROOT,
    UNCOUNTED,
    modules_of,
    package_source,
    source_of,
)
from deepmapper.workflow.source_files import read_source

SCRIPTS = sorted((ROOT / "scripts/rules").rglob("*.py"))
MODULES = {
    ".".join(path.relative_to(PACKAGE).with_suffix("").parts).removesuffix("__init__").rstrip("."): path
    for path in PACKAGE.rglob("*.py")
}
PACKAGES = {module for module, path in MODULES.items() if path.name == "__init__.py"}
UNUSED = unused_imports("train_pass", given="features")  # what a plain pass does not run


@pytest.fixture
def edited(tmp_path):
    """Give a function that hashes a script in a copy of the repository with one module edited."""
    copies = iter(range(100))

    def hash_after(script, module=None, edit=None):
        root = tmp_path / str(next(copies))
        for part in ("src/deepmapper", "scripts"):
            shutil.copytree(ROOT / part, root / part, ignore=shutil.ignore_patterns("__pycache__"))
        if module:
            path = root / "src/deepmapper" / MODULES[module].relative_to(PACKAGE)
            text = edit(path.read_text())
            assert text != path.read_text()
            path.write_text(text)
        return source_of(script, unused=UNUSED if script == "train_pass" else None, root=root)

    return hash_after


@pytest.fixture
def fake(tmp_path):
    """Give a function that makes a repository with one script, "go", and with modules by their paths."""
    copies = iter(range(100))

    def make(script: str, **modules: str):
        root = tmp_path / f"fake{next(copies)}"
        package = root / "src" / NAME
        for name, text in {"__init__": "", **modules}.items():
            path = package / f"{name}.py"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        for folder in filter(Path.is_dir, package.rglob("*")):
            (folder / "__init__.py").touch()
        (root / "scripts/rules/stage").mkdir(parents=True)
        (root / "scripts/rules/stage/go.py").write_text(script)
        return root

    return make


def follow(root) -> set[str]:
    return set(modules_of("go", root=root))


# ----------------------------------------------------------------------------------------------------------------------
# This repository
# ----------------------------------------------------------------------------------------------------------------------


def test_the_same_source_has_the_same_hash_wherever_it_lies(edited):
    assert edited("train_pass") == edited("train_pass") == source_of("train_pass", unused=UNUSED)
    assert re.fullmatch("[0-9a-f]{16}", source_of("train_pass"))


@pytest.mark.parametrize(
    "edit",
    [
        lambda text: "# a comment\n" + text + "\n# another\n",
        lambda text: text.replace('"""', '"""Said otherwise. ', 1),
        lambda text: text.replace("    Raises\n", "    Raises (said otherwise)\n"),
        lambda text: text.replace("\n\n\n", "\n\n\n\n\n"),
        lambda text: text.replace("(seed)", "(\n        seed\n    )"),
    ],
    ids=["comments", "the module's docstring", "docstrings of functions", "blank lines", "line breaks"],
)
def test_words_and_layout_do_not_count(edited, edit):
    assert edited("train_pass", "transform", edit) == edited("train_pass")


@pytest.mark.parametrize(
    ("module", "old", "new"),
    [
        ("transform", "(seed).shuffle(order)", "(seed + 1).shuffle(order)"),
        ("earlystop", "best - min_delta", "best"),  # imported by a module that is imported within a function
        ("errors", "class InputError(ValueError)", "class InputError(TypeError)"),
        ("config", "lr: float = 1e-3", "lr: float = 2e-3"),
    ],
)
def test_code_that_a_pass_runs_counts(edited, module, old, new):
    assert edited("train_pass", module, lambda text: text.replace(old, new, 1)) != edited("train_pass")


def test_a_pass_depends_on_its_own_kind_of_training_alone():
    kinds = {kind.module for kind in PASS_KINDS.values()}
    for rule, kind in PASS_KINDS.items():
        found = set(modules_of("train_pass", unused=unused_imports(rule, given="features")))
        assert found & kinds == {"passes.train", kind.module}
        assert {"training.loop", "backbones.default_cnn_small", "transform"} <= found
        assert not {name for name in found if name.partition(".")[0] in ("findings", "plots", "report", "io", "chords")}
        assert not found & {"core.tables", "core.table_schemas", "workflow.settings", "workflow.schema", "runner"}


@pytest.mark.parametrize("network", [*registry.available(), "timm:mobilevit_xxs"])
def test_a_pass_depends_on_its_own_network_alone(network):
    found = set(modules_of("train_pass", unused=unused_imports("train_pass", network)))
    kind = network.partition(":")[0]
    assert found & {*NETWORKS.values()} == {NETWORKS[kind]}
    if kind in registry.KINDS:
        assert registry.KINDS[kind].load().__module__ == f"{NAME}.{NETWORKS[kind]}"


@pytest.mark.parametrize(("given", "follows"), [("features", False), ("pca", False), ("contrastive", True)])
def test_only_passes_that_read_an_embedding_depend_on_its_encoder(given, follows):
    found = set(modules_of("train_pass", unused=unused_imports("train_pass", "mlp", given)))
    assert ({"passes.encoders", "models.contrastive"} <= found) is follows
    assert follows or "models.contrastive" not in found


@pytest.mark.parametrize("name", [*UNCOUNTED, *(kind.module for kind in PASS_KINDS.values())])
def test_exceptions_name_modules_that_exist(name):
    assert name in MODULES


@pytest.mark.parametrize("name", MAY_LOAD)
def test_functions_that_may_load_modules_do(name):
    module, _, function = name.rpartition(".")
    assert function in {dynamic.function for dynamic in read_source(MODULES[module]).dynamic}


# Each script in a process of its own, which has the libraries already. An import of the package inside a function that
# a script does not call is not run here: `test_every_import_of_covered_modules_is_followed` has those.
LOAD = """
import ast, json, os, sys
import numpy, scipy.sparse, scipy.stats, pandas, torch

for path in sys.argv[1:]:
    nodes = ast.walk(ast.parse(open(path).read()))
    if os.fork() == 0:
        try:
            exec("\\n".join(ast.unparse(node) for node in nodes if isinstance(node, (ast.Import, ast.ImportFrom))))
            loaded = [name for name in sys.modules if name.partition(".")[0] == "deepmapper"]
            print(json.dumps([path, loaded]), flush=True)
        finally:
            os._exit(0)
    os.wait()
"""


@pytest.fixture(scope="module")
def loaded() -> dict[str, set[str]]:
    """Modules of the package that the imports of a script load, those of functions and blocks included."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "src")}
    command = [sys.executable, "-c", LOAD, *map(str, SCRIPTS)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    found = dict(map(json.loads, done.stdout.splitlines()))
    assert len(found) == len(SCRIPTS), done.stderr
    return {Path(path).stem: {name.removeprefix(NAME).lstrip(".") for name in names} for path, names in found.items()}


@pytest.mark.parametrize("script", [path.stem for path in SCRIPTS])
def test_modules_that_a_script_loads_are_all_covered(loaded, script):
    assert {"", "workflow.rule_script"} <= loaded[script]
    assert loaded[script] - modules_of(script).keys() - UNCOUNTED.keys() - PACKAGES == set()


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.stem)
def test_every_import_of_covered_modules_is_followed(script):
    """By a second, simpler reading of the imports: every module that a statement in a covered module can mean."""
    found = modules_of(script.stem)
    for module, path in {"script": script, **found}.items():
        package = module.split(".") if path.name == "__init__.py" else module.split(".")[:-1]
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Import):
                for alias in node.names:
                    assert alias.name.split(".")[0] != NAME
            elif isinstance(node, ast.ImportFrom):
                if node.level:
                    base = package[: len(package) + 1 - node.level] + (node.module or "").split(".")
                elif (node.module or "").split(".")[0] == NAME:
                    base = node.module.split(".")[1:]
                else:
                    continue
                base = ".".join(filter(None, base))
                meant = {base} | {".".join(filter(None, [base, alias.name])) for alias in node.names}
                missed = (meant & MODULES.keys()) - UNCOUNTED.keys() - PACKAGES - found.keys()
                assert missed == set(), f"{path}, line {node.lineno}"


def test_every_rule_hashes_the_script_that_it_runs():
    text = "".join(path.read_text() for path in sorted((ROOT / "workflow/rules").glob("*.smk")))
    hashed = re.findall(r'source=source_of\("(\w+)"\)', text)
    passes = re.findall(r"^ +\*\*pass_params\(", text, re.MULTILINE)
    run = re.findall(r'script:\s+"\.\./\.\./scripts/rules/\w+/(\w+)\.py"', text)
    heirs = re.findall(r"^use rule train_pass as", text, re.MULTILINE)
    assert sorted([*hashed, *["train_pass"] * len(passes)]) == sorted([*run, *["train_pass"] * len(heirs)])
    assert set(run) == {path.stem for path in SCRIPTS}


def test_the_whole_package_has_a_hash_too(tmp_path, fake):
    assert re.fullmatch("[0-9a-f]{16}", package_source())
    assert package_source(fake("", a="x = 1")) != package_source(fake("", a="x = 2"))


# ----------------------------------------------------------------------------------------------------------------------
# What is followed, and what is refused
# ----------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("script", "found"),
    [
        ("from deepmapper.core.files import x", {"core.files", "core.deep"}),
        ("from deepmapper.core.files import *", {"core.files", "core.deep"}),
        ("from deepmapper.core import files as f\nf.x()", {"core.files", "core.deep"}),
        ("def f():\n    with g():\n        from deepmapper.core.deep import x", {"core.deep"}),
        ("from deepmapper.up.two.three import x", {"up.two.three", "core.deep", "flat"}),
        ("from deepmapper import __version__", set()),
        ("import numpy, os.path\nfrom json import dumps", set()),
    ],
)
def test_every_way_to_import_is_followed(fake, script, found):
    modules = {
        "__init__": "__version__ = '1'",
        "flat": "",
        "core/files": "def x():\n    from .deep import y\n",
        "core/deep": "y = 1",
        "up/two/three": "from ...core import deep as other\nfrom ... import flat\nx = other",
    }
    assert follow(fake(script, **modules)) == found


def test_what_the_init_of_a_parent_package_imports_counts(fake):
    root = fake(
        "from deepmapper.a.b import x",
        **{"a/__init__": "from . import c", "a/b": "x = 1", "a/c": "from ..d import y", "d": "y = 1"},
    )
    assert follow(root) == {"a.b", "a.c", "d"}


def test_circular_imports_are_followed_once(fake):
    root = fake("from deepmapper import a", a="from . import b", b="def f():\n    from . import a")
    assert follow(root) == {"a", "b"}


def test_imports_for_type_checkers_are_not_followed(fake):
    root = fake(
        "from deepmapper import a",
        a="if TYPE_CHECKING:\n    from .b import B\nelse:\n    from .c import C",
        b="",
        c="C = 1",
    )
    assert follow(root) == {"a", "c"}


def test_a_string_that_is_not_a_docstring_counts(fake):
    def of(text):
        return source_of("go", root=fake("from deepmapper import a", a=text))

    assert of('"""One."""\nx = "one"') == of('"""Two."""\nx = "one"') != of('"""One."""\nx = "two"')


def test_the_code_of_the_script_counts(fake):
    assert source_of("go", root=fake("x = 1")) == source_of("go", root=fake("x = 1  # one"))
    assert source_of("go", root=fake("x = 1")) != source_of("go", root=fake("x = 2"))


LAZY = '''"""A package whose public names load on first use."""
from importlib import import_module

__version__ = "1"
_HOME = {"run": "runner"}
__all__ = sorted(_HOME)


def __getattr__(name):
    return getattr(import_module(f"{__name__}.{_HOME[name]}"), name)
'''
PACKAGES_AND_MODULES = {
    "__init__": LAZY,
    "runner": "from .io.labels import encode",
    "io/__init__": "",
    "io/labels": "encode = 1",
}


@pytest.mark.parametrize(
    ("script", "modules", "what"),
    [
        ("import deepmapper.io.labels", {}, "deepmapper.io.labels cannot be followed: write `from"),
        ("import deepmapper as d", {}, "deepmapper cannot be followed: write `from"),
        ("from deepmapper import *", {}, r"deepmapper\.\* cannot be followed: it is a package"),
        ("from deepmapper import io", {}, "deepmapper.io cannot be followed: it is a package"),
        ("from deepmapper import run", {}, "deepmapper.run cannot be followed: import it from the module that"),
        ("from deepmapper.io import encode", {}, "deepmapper.io.encode cannot be followed: import it from"),
        ("from deepmapper.nothing import x", {}, "deepmapper.nothing cannot be followed: there is no such module"),
        ("from . import io", {}, "a script belongs to no package"),
        ("from deepmapper.a import b", {"a": "from ...b import c"}, "the dots lead out of deepmapper"),
        ("from deepmapper.a import b", {"a": "from . import run"}, "import it from the module that defines it"),
        ("from deepmapper.a import b", {"a": "\nimport_module(f'{b}')"}, r"line 2: the import of import_module\(...\)"),
        ("from deepmapper.a import b", {"a": "importlib.import_module('x')"}, "expected an import statement"),
        ("__import__(name)", {}, "expected an import statement"),
        ("from deepmapper.a import b", {"__init__": "import os\nos.environ['A'] = 'b'"}, "line 2: .*public names"),
        ("from deepmapper.a import b", {"__init__": "def f(): ..."}, "line 1: .*public names"),
    ],
)  # fmt: skip
def test_what_cannot_be_followed_is_refused(fake, script, modules, what):
    with pytest.raises(ValueError, match=what) as refused:
        source_of("go", root=fake(script, **{**PACKAGES_AND_MODULES, "a": "", **modules}))
    assert re.search(r"\.py, line \d+: ", str(refused.value))


def test_public_names_of_a_package_do_not_count(fake):
    def of(init):
        return source_of("go", root=fake("from deepmapper import runner", **{**PACKAGES_AND_MODULES, "__init__": init}))

    assert of(LAZY) == of(LAZY.replace('"1"', '"2"')) == of("")


def test_what_cannot_change_a_result_does_not_count_but_its_imports_do(fake):
    def of(devices, b="x = 1"):
        modules = {"workflow/devices": devices, "b": b}
        return source_of("go", root=fake("from deepmapper.workflow.devices import claim", **modules))

    assert of("from ..b import x") == of("from ..b import x\ny = 1") != of("from ..b import x", "x = 2")


def test_templates_count_with_the_modules_beside_them(fake):
    root = fake("from deepmapper.report.page import x", **{"report/page": "x = 1", "other/page": "x = 1"})
    for name in ("report/templates", "other/templates"):
        (root / "src/deepmapper" / name).mkdir()
    hashes = [source_of("go", root=root)]
    for name, text in {
        "report/templates/page.html": "<p>",
        "report/templates/parts/page.css": "p {}",
        "other/templates/page.html": "<p>",
    }.items():
        path = root / "src/deepmapper" / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
        hashes.append(source_of("go", root=root))
    assert len(set(hashes[:3])) == 3 and hashes[3] == hashes[2]


def test_the_templates_of_the_pages_count():
    pages = {script for script in (path.stem for path in SCRIPTS) if "report.page" in modules_of(script)}
    assert pages == {"write_summary", "write_tables"}


def test_imports_that_are_not_used_are_left_out_there_alone(fake):
    modules = {"a": "from . import b, c", "b": "from . import d", "c": "from . import d", "d": ""}
    root = fake("from deepmapper import a", **modules)
    assert set(modules_of("go", unused={"a": ["b"]}, root=root)) == {"a", "c", "d"}
    modules["c"] = "from . import b"
    root = fake("from deepmapper import a", **modules)
    assert set(modules_of("go", unused={"a": ["b"]}, root=root)) == {"a", "b", "c", "d"}
    with pytest.raises(ValueError, match=r"unused of go: expected imports that exist, found: b imports a"):
        source_of("go", unused={"b": ["a"]}, root=root)


def test_a_script_must_be_unique(fake):
    root = fake("")
    assert source_of("go", root=root) == source_of("rules/stage/go.py", root=root)
    with pytest.raises(ValueError, match="'none' names 0 scripts below"):
        source_of("none", root=root)
    root = fake("")
    shutil.copytree(root / "scripts/rules/stage", root / "scripts/rules/other")
    with pytest.raises(ValueError, match="'go' names 2 scripts below"):
        source_of("go", root=root)
