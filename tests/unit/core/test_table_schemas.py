"""Schemas of the tables: complete, found by file name, and the same as what writers, pages, figures and docs use."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

from deepmapper.chords import proof, tables
from deepmapper.core.reads_schemas import ALIGNMENT, CONTIGS, FRAGMENTS
from deepmapper.core.stage_schemas import CHORD_FEATURES, CHORDS, PAIRS, SCREENED_CHORDS, TRIPLETS
from deepmapper.core.table_schemas import CONFUSION, EVIDENCE, FEATURES, STABILITY, TABLES, table_at, table_called
from deepmapper.findings import audit
from deepmapper.novelty import contig_table
from deepmapper.plots import filtering
from deepmapper.reads import alignment, fates
from deepmapper.report import result_tables

ROOT = Path(__file__).resolve().parents[3]


@pytest.mark.parametrize("table", TABLES, ids=lambda table: table.path)
def test_every_schema_is_complete(table):
    listed = [column.name for column in table.columns]
    assert len(set(listed)) == len(listed)
    assert table.description.endswith(".")
    assert all(column.description and not column.description.endswith(".") for column in table.columns)
    assert all(table.column(name) is not None for name in table.names(("A", "B")))
    assert table_at(table.path.replace("{model}", "cnn")) is table


def test_tables_with_the_same_name_are_distinguished_by_their_path():
    assert table_called("features.tsv") is FEATURES and table_called("chords.tsv") is CHORDS
    assert table_at("chords/features.tsv") is CHORD_FEATURES
    assert table_at("chords/chords.tsv") is SCREENED_CHORDS
    assert table_at("findings/chords/features.tsv") is FEATURES  # of a model called "chords"
    assert table_at("findings/linear_baseline/features.tsv").names(optional=False) == [
        "rank",
        "feature",
        "importance",
    ]
    assert table_at("reads/quantification/a/aux_info/ambig_info.tsv") is None


def test_a_column_per_class_is_found_for_any_class_name():
    for name in ("NA", "1.10", "a\tb", "a\nb", " a ", "[x]", "*", "\ufeffx"):
        assert FEATURES.column(f"importance[{name}]").name == "importance[*]"
        assert CONFUSION.column(name).name == "*"
    assert CONFUSION.column("true_class").dtype == "text"
    assert FEATURES.column("importance") is None
    assert EVIDENCE.names(("A",)) == EVIDENCE.names()
    assert STABILITY.absent(["feature"]) == ["stability"]


def test_column_lists_elsewhere_agree_with_the_schemas():
    """Alignment and screens do not import schemas, so that a new description does not run them again."""
    assert list(alignment._COLUMNS) == ALIGNMENT.names()
    assert list(fates.COLUMNS) == FRAGMENTS.names()
    assert list(contig_table.COLUMNS) == CONTIGS.names()
    assert list(tables.chord_table(()).columns) == SCREENED_CHORDS.names()
    assert [*SCREENED_CHORDS.names(), *proof.PROOF] == CHORDS.names(optional=False)
    assert list(audit.CHOICES) == [name for name in FEATURES.names() if name.startswith(("hvg_", "pca_"))]
    assert TRIPLETS.names(("A",))[:4] == ["rank", "feature_a", "feature_b", "feature_c"]
    assert [name for name in TRIPLETS.names(("A",)) if name != "feature_c"] == PAIRS.names(("A",))


def test_pages_explain_every_column():
    for name, page in result_tables.PAGES.items():
        schema = table_called(f"{name}.tsv")
        assert page.notes == schema.descriptions
        assert set(page.first) <= set(schema.names())


def test_figures_require_existing_columns():
    known = {column.name for table in TABLES for column in table.columns}
    package = Path(filtering.__file__).parent
    required = set()
    for module in package.glob("*.py"):
        for call in ast.walk(ast.parse(module.read_text(encoding="utf-8"))):
            if isinstance(call, ast.Call) and getattr(call.func, "attr", "") == "require_columns":
                required |= {n.value for n in ast.walk(call.args[1]) if isinstance(n, ast.Constant)}
    assert required and required <= known


def run_columns(*arguments):
    command = [sys.executable, ROOT / "scripts/column_tables.py", *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_the_columns_in_the_documentation_are_up_to_date():
    done = run_columns("--check")
    assert done.returncode == 0, done.stderr


def test_stale_and_missing_columns_are_found(tmp_path):
    page, whole = tmp_path / "outputs.md", (ROOT / "docs/outputs.md").read_text(encoding="utf-8")
    page.write_text(whole.replace("| `permutation_p` |", "| `p_value` |"), encoding="utf-8")
    done = run_columns("--check", "--page", page)
    assert done.returncode == 1
    assert "the columns are out of date; run: python scripts/column_tables.py" in done.stderr
    assert run_columns("--page", page).returncode == 0
    assert page.read_text(encoding="utf-8") == whole
    page.write_text(whole.replace("columns: findings/models.tsv", "columns: findings/model.tsv"), encoding="utf-8")
    done = run_columns("--page", page)
    assert done.returncode == 1
    assert "found 0 places for findings/models.tsv, expected 1" in done.stderr
    assert "found <!-- columns: findings/model.tsv -->, which is not a table" in done.stderr
