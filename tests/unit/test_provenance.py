"""Which edit of the package re-runs what: code counts, words do not, and only where a result depends on it."""

import shutil

import pytest

from deepmapper.provenance import PACKAGE, source_hash


@pytest.fixture
def edited(tmp_path):
    """Give a function that hashes modules of a copy of the package in which one file was edited."""
    copies = iter(range(100))

    def hash_after(modules, file=None, edit=None):
        copy = tmp_path / str(next(copies))
        shutil.copytree(PACKAGE, copy, ignore=shutil.ignore_patterns("__pycache__"))
        if file:
            path = copy / file
            text = edit(path.read_text())
            assert text != path.read_text()
            path.write_text(text)
        return source_hash(*modules, package=copy)

    return hash_after


def test_the_same_source_has_the_same_hash_wherever_it_lies(edited):
    assert edited(["passes"]) == edited(["passes"]) == source_hash("passes")
    assert len(source_hash("passes")) == 16


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
    assert edited(["passes"], "transform.py", edit) == edited(["passes"])


@pytest.mark.parametrize(
    ("file", "old", "new"),
    [
        ("passes.py", "_PERMUTATIONS = 999", "_PERMUTATIONS = 99"),
        ("transform.py", "(seed).shuffle(order)", "(seed + 1).shuffle(order)"),
        ("_resnet.py", "padding=1", "padding=2"),  # imported within a function
        ("earlystop.py", "best - min_delta", "best"),  # imported by a module that is imported within a function
        ("errors.py", "class InputError(ValueError)", "class InputError(TypeError)"),
        ("config.py", "lr: float = 1e-3", "lr: float = 2e-3"),
    ],
)
def test_code_that_a_pass_runs_counts(edited, file, old, new):
    assert edited(["passes"], file, lambda text: text.replace(old, new, 1)) != edited(["passes"])


@pytest.mark.parametrize(
    "file", ["plots.py", "findings.py", "report.py", "evaluate.py", "runner.py", "jobs.py", "io.py", "words.py"]
)
def test_code_that_a_pass_does_not_run_does_not_count(edited, file):
    """A changed figure trains nothing again."""
    assert edited(["passes"], file, lambda text: text + "\nchanged = True\n") == edited(["passes"])


def test_figures_depend_on_the_code_of_figures(edited):
    for file in ("plots.py", "_plot_parts.py", "_plot_chords.py", "findings.py"):
        assert edited(["plots", "findings"], file, lambda text: text + "\nx = 1\n") != edited(["plots", "findings"])


def test_the_order_and_number_of_mentions_do_not_count():
    assert source_hash("passes", "io") == source_hash("io", "passes") == source_hash("io", "passes", "io")
    assert source_hash("passes") != source_hash("passes", "io")


def test_an_import_of_a_module_by_its_name_is_followed(tmp_path):
    (tmp_path / "a.py").write_text("from . import b as other\n")
    (tmp_path / "b.py").write_text("def f():\n    from .c import g\n")
    for number in (1, 2):
        folder = tmp_path / str(number)
        folder.mkdir()
        for name in ("a", "b"):
            shutil.copy(tmp_path / f"{name}.py", folder)
        (folder / "c.py").write_text(f"g = {number}\n")
    assert source_hash("a", package=tmp_path / "1") != source_hash("a", package=tmp_path / "2")


def test_a_module_that_imports_itself_in_a_circle_is_no_trap(tmp_path):
    (tmp_path / "a.py").write_text("from . import b\n")
    (tmp_path / "b.py").write_text("def f():\n    from . import a\n")
    assert source_hash("a", package=tmp_path)


def test_a_text_that_is_no_docstring_counts(tmp_path):
    for number, text in enumerate(("one", "two")):
        (tmp_path / str(number)).mkdir()
        (tmp_path / str(number) / "a.py").write_text(f'"""Doc {number}."""\nx = "{text}"\n')
    assert source_hash("a", package=tmp_path / "0") != source_hash("a", package=tmp_path / "1")


def test_an_unknown_module_is_refused():
    with pytest.raises(ValueError, match=r"nonsense\.py does not exist: expected a module of the package"):
        source_hash("nonsense")
