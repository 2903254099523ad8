"""Which edit re-runs what: the code of all that a script imports counts, words do not, and nothing is missed."""

import ast
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from deepmapper.workflow import source_files
from deepmapper.workflow.batching import PASS_KINDS, unused_imports
from deepmapper.workflow.provenance import NAME, PACKAGE, ROOT, UNCOUNTED, modules_of, package_source, source_of

SCRIPTS = sorted((ROOT / "scripts/rules").rglob("*.py"))
MODULES = {
    ".".join(path.relative_to(PACKAGE).with_suffix("").parts).removesuffix("__init__").rstrip("."): path
    for path in PACKAGE.rglob("*.py")
}
UNUSED = unused_imports("train_pass")  # what a plain pass does not run


def module_named(last: str) -> str:
    """Full name of the one module whose last part is this."""
    (name,) = [name for name in MODULES if name.rpartition(".")[2] == last]
    return name


def covered(script: str, **options) -> set[str]:
    """Last parts of the names of the modules that count."""
    return {name.rpartition(".")[2] for name in modules_of(script, **options)}


@pytest.fixture
def edited(tmp_path):
    """Give a function that hashes a script in a copy of the repository in which one module was edited."""
    copies = iter(range(100))

    def hash_after(script, module=None, edit=None):
        root = tmp_path / str(next(copies))
        for part in ("src/deepmapper", "scripts"):
            shutil.copytree(ROOT / part, root / part, ignore=shutil.ignore_patterns("__pycache__"))
        if module:
            path = root / "src/deepmapper" / MODULES[module_named(module)].relative_to(PACKAGE)
            text = edit(path.read_text())
            assert text != path.read_text()
            path.write_text(text)
        return source_of(script, unused=UNUSED if script == "train_pass" else None, root=root)

    return hash_after


@pytest.fixture
def fake(tmp_path):
    """Give a function that makes a repository of one script, "go", and of modules by their paths."""
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
        found = covered("train_pass", unused=unused_imports(rule))
        # passes with shadow features take the training of control passes
        assert found & kinds == {"passes", kind.module} | ({"controls"} if kind.name == "shadow" else set())
        assert {"training", "backbones", "transform"} <= found
        assert not found & {"findings", "plots", "report", "calibration", "runner", "io"}


# Each script in a process of its own, which has the libraries already.
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
    assert {"", module_named("jobs")} <= loaded[script]
    missed = {name for name in loaded[script] - set(modules_of(script)) if name.rpartition(".")[2] not in UNCOUNTED}
    assert missed == set()


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.stem)
def test_every_import_of_covered_modules_is_followed(script):
    """By another reading of the imports: every file of the package that a statement of a covered module can mean."""
    found = modules_of(script.stem)
    for module, path in {"script": script, **found}.items():
        package = module.split(".") if path.name == "__init__.py" else module.split(".")[:-1]
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Import):
                for alias in node.names:
                    if alias.name.split(".")[0] == NAME:
                        assert alias.name.removeprefix(NAME).lstrip(".") in found
            elif isinstance(node, ast.ImportFrom):
                if node.level:
                    base = package[: len(package) + 1 - node.level] + (node.module or "").split(".")
                elif (node.module or "").split(".")[0] == NAME:
                    base = node.module.split(".")[1:]
                else:
                    continue
                base = ".".join(filter(None, base))
                meant = {base} | {".".join(filter(None, [base, alias.name])) for alias in node.names}
                there = {name for name in meant & MODULES.keys() if name.rpartition(".")[2] not in UNCOUNTED}
                assert there <= found.keys(), f"{path}, line {node.lineno}: {there - found.keys()} not followed"


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
        ("import deepmapper.core.files", {"", "core", "core.files", "core.deep"}),
        ("import deepmapper.core.files as files\nfiles.x", {"", "core", "core.files", "core.deep"}),
        ("from deepmapper.core.files import x", {"", "core", "core.files", "core.deep"}),
        ("from deepmapper.core import files", {"", "core", "core.files", "core.deep"}),
        ("from deepmapper import core\ncore.files.x()", {"", "core", "core.files", "core.deep"}),
        ("import deepmapper.core\ndeepmapper.core.files.x()", {"", "core", "core.files", "core.deep"}),
        ("def f():\n    with g():\n        from deepmapper.core.deep import x", {"", "core", "core.deep"}),
        ("from deepmapper.up.two.three import x", {"", "up", "up.two", "up.two.three", "core", "core.deep", "flat"}),
        ("import numpy, os.path\nfrom json import dumps", set()),
    ],
)
def test_every_way_to_import_is_followed(fake, script, found):
    modules = {
        "flat": "",
        "core/files": "def x():\n    from .deep import y\n",
        "core/deep": "y = 1",
        "up/two/three": "from ...core import deep as other\nfrom .. import two\nfrom ... import flat\nx = other",
    }
    assert follow(fake(script, **modules)) == found


def test_parent_packages_count_with_what_they_import(fake):
    root = fake(
        "from deepmapper.a.b import x",
        **{"a/__init__": "from . import c", "a/b": "x = 1", "a/c": "from ..d import y", "d": "y = 1"},
    )
    assert follow(root) == {"", "a", "a.b", "a.c", "d"}


def test_a_circle_of_imports_is_no_trap(fake):
    root = fake("from deepmapper import a", a="from . import b", b="def f():\n    from . import a")
    assert follow(root) == {"", "a", "b"}


def test_imports_for_type_checkers_alone_are_not_followed(fake):
    root = fake(
        "from deepmapper import a",
        a="if TYPE_CHECKING:\n    from .b import B\nelse:\n    from .c import C",
        b="",
        c="C = 1",
    )
    assert follow(root) == {"", "a", "c"}


def test_a_text_that_is_no_docstring_counts_and_so_does_an_absent_bound(fake):
    def of(text):
        return source_of("go", root=fake("from deepmapper import a", a=text))

    assert of('"""One."""\nx = "one"') == of('"""Two."""\nx = "one"') != of('"""One."""\nx = "two"')
    assert len({of(text) for text in ("x[1:]", "x[:1]", "x[::1]", "x[True:]", "x[1.0:]", "x['1':]", "x[None:]")}) == 7


def test_the_code_of_the_script_counts(fake):
    assert source_of("go", root=fake("x = 1")) == source_of("go", root=fake("x = 1  # one"))
    assert source_of("go", root=fake("x = 1")) != source_of("go", root=fake("x = 2"))


FACE = '''"""A face."""
from importlib import import_module

__version__ = "1"
_HOME = {"run": "runner", "read": ".io.dataset", "here": "io"}
_MODULES = ("runner", "io")
__all__ = ["__version__", *_HOME, *_MODULES]


def __getattr__(name):
    return getattr(import_module(f"{__name__}.{_HOME[name]}"), name)
'''
IO_FACE = """
_NAMES = {"dataset": ("read_matrix", "Dataset"), "labels": ("encode",)}

def __getattr__(name):
    ...
"""
FACED = {
    "__init__": FACE,
    "runner": "from .io.labels import encode",
    "io/__init__": IO_FACE,
    "io/dataset": "read_matrix = read = 1",
    "io/labels": "encode = 1",
}


@pytest.mark.parametrize(
    ("script", "found"),
    [
        ("from deepmapper import run", {"", "runner", "io", "io.labels"}),
        ("from deepmapper import read", {"", "io", "io.dataset"}),
        ("from deepmapper import __version__", {""}),
        ("from deepmapper.io import read_matrix", {"", "io", "io.dataset"}),
        ("from deepmapper.io import encode as e", {"", "io", "io.labels"}),
        ("from deepmapper import io\nio.read_matrix()", {"", "io", "io.dataset"}),
        ("import deepmapper\ndeepmapper.io.Dataset.open()", {"", "io", "io.dataset"}),
        ("import deepmapper.io as i\ni.encode()", {"", "io", "io.labels"}),
        ("from deepmapper.io.labels import encode", {"", "io", "io.labels"}),
    ],
)
def test_names_that_load_on_first_use_are_followed_to_their_module(fake, script, found):
    assert follow(fake(script, **FACED)) == found


@pytest.mark.parametrize(
    ("script", "modules", "said"),
    [
        ("from deepmapper import *", {}, "deepmapper cannot be followed: its names load on first use"),
        ("from deepmapper import io\nprint(io)", {}, "deepmapper.io cannot be followed: its names load on first use"),
        ("from deepmapper import io\ngetattr(io, name)", {}, "deepmapper.io cannot be followed: its names load on"),
        ("from deepmapper.io import nothing", {}, "deepmapper.io.nothing cannot be followed: it is neither a module"),
        ("from deepmapper.nothing import x", {}, "deepmapper.nothing cannot be followed: there is no such module"),
        ("import deepmapper.nothing", {}, "deepmapper.nothing cannot be followed: there is no such module"),
        ("from . import io", {}, "a script belongs to no package"),
        ("from deepmapper.a import b", {"a": "from ...b import c"}, "the dots lead out of deepmapper"),
        ("from deepmapper.a import b", {"a": "from .io import encode"}, "import it from deepmapper.io.labels"),
        ("from deepmapper.a import b", {"a": "from . import io\nio.encode"}, "import it from deepmapper.io.labels"),
        ("from deepmapper.a import b", {"a": "from . import run"}, "import it from deepmapper.runner"),
        ("from deepmapper.a import b", {"a": "\nimport_module(f'{b}')"}, r"line 2: the import of import_module\(...\)"),
        ("from deepmapper.a import b", {"a": "importlib.import_module('deepmapper.io')"}, "expected an import"),
        ("__import__(name)", {}, "expected an import statement"),
    ],
)  # fmt: skip
def test_what_cannot_be_followed_is_refused(fake, script, modules, said):
    with pytest.raises(ValueError, match=said) as refused:
        source_of("go", root=fake(script, **FACED, **modules))
    assert re.search(r"\.py, line \d+: ", str(refused.value))


def test_an_import_of_a_library_by_its_name_is_none_of_this_package(fake):
    root = fake("from deepmapper import a", a="import importlib\nimportlib.import_module('scanpy')")
    assert follow(root) == {"", "a"}


def test_a_face_alone_counts_for_nothing_but_other_code_in_it_does(fake):
    def of(face):
        return source_of("go", root=fake("from deepmapper import run", **{**FACED, "__init__": face}))

    assert of(FACE) == of(FACE.replace('"1"', '"2"')) == of(FACE.replace('"read"', '"load"'))
    assert of(FACE) != of(FACE + "\nimport os\nos.environ['A'] = 'b'\n")


def test_what_cannot_change_a_result_does_not_count_but_its_imports_do(fake):
    def of(jobs, b="x = 1"):
        return source_of("go", root=fake("from deepmapper.jobs import job", jobs=jobs, b=b))

    assert "jobs" in UNCOUNTED
    assert of("from .b import x") == of("from .b import x\ny = 1") != of("from .b import x", "x = 2")


def test_imports_that_are_not_used_are_left_out_there_alone(fake):
    modules = {"a": "from . import b, c", "b": "from . import d", "c": "from . import d", "d": ""}
    root = fake("from deepmapper import a", **modules)
    assert set(modules_of("go", unused={"a": ["b"]}, root=root)) == {"", "a", "c", "d"}
    modules["c"] = "from . import b"
    root = fake("from deepmapper import a", **modules)
    assert set(modules_of("go", unused={"a": ["b"]}, root=root)) == {"", "a", "b", "c", "d"}
    with pytest.raises(ValueError, match=r"unused of go: expected imports that exist, found: b imports a"):
        source_of("go", unused={"b": ["a"]}, root=root)


def test_a_script_must_be_one(fake):
    root = fake("")
    assert source_of("go", root=root) == source_of("rules/stage/go.py", root=root)
    with pytest.raises(ValueError, match="'nonsense' names 0 scripts below"):
        source_of("nonsense", root=root)
    shutil.copytree(root / "scripts/rules/stage", root / "scripts/rules/other")
    with pytest.raises(ValueError, match="'stay' names 0 scripts below"):
        source_of("stay", root=root)


# ----------------------------------------------------------------------------------------------------------------------
# What an earlier process read
# ----------------------------------------------------------------------------------------------------------------------


@pytest.fixture
def as_new(monkeypatch):
    """Give a function that makes this process forget what it has read."""

    def forget():
        source_files.read_source.cache_clear()
        monkeypatch.setattr(source_files, "_read", {})
        monkeypatch.setattr(source_files, "_recalled", set())

    forget()
    yield forget
    source_files.read_source.cache_clear()


def test_what_was_read_is_taken_up_and_gives_the_same(as_new, tmp_path, monkeypatch):
    kept = tmp_path / "below/code.json"
    before = {script.stem: source_of(script.stem) for script in SCRIPTS[:10]}
    source_files.keep(kept)
    as_new()
    monkeypatch.setattr(source_files.ast, "parse", None)  # nothing is parsed again
    source_files.recall(kept)
    assert {script.stem: source_of(script.stem) for script in SCRIPTS[:10]} == before
    written = kept.stat().st_mtime_ns
    source_files.keep(kept)
    assert kept.stat().st_mtime_ns == written


@pytest.mark.parametrize("text", ["", "no json", '{"reader": "another", "files": {"a": 1}}'])
def test_what_cannot_be_taken_up_is_read(as_new, tmp_path, text):
    (tmp_path / "code.json").write_text(text)
    before = source_of("import_matrix")
    as_new()
    source_files.recall(tmp_path / "code.json")
    assert source_of("import_matrix") == before
    source_files.keep(tmp_path / "code.json")
    assert '"another"' not in (tmp_path / "code.json").read_text()


def test_an_edit_is_seen_whatever_was_kept(as_new, fake, tmp_path):
    root = fake("from deepmapper import a", a="x = 1")
    before = source_of("go", root=root)
    source_files.keep(tmp_path / "code.json")
    (root / "src/deepmapper/a.py").write_text("x = 2")
    as_new()
    source_files.recall(tmp_path / "code.json")
    assert source_of("go", root=root) != before
