"""Captions of the report of Snakemake are valid reStructuredText."""

from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]


@pytest.mark.parametrize("caption", sorted((ROOT / "workflow" / "report").glob("*.rst")), ids=lambda path: path.stem)
def test_captions_are_valid(caption):
    from types import SimpleNamespace

    jinja2, core = pytest.importorskip("jinja2"), pytest.importorskip("docutils.core")
    yaml = pytest.importorskip("yaml")
    shipped = yaml.safe_load((ROOT / "config" / "config.yaml").read_text())
    template = jinja2.Environment(trim_blocks=True, lstrip_blocks=True).from_string(caption.read_text())
    populations = {"matrix": {"populations": [{"path": "a"}, {"path": "b"}]}}
    with_target = {"matrix": {"path": ["a.h5ad", "b.h5ad"]}, "labels": {"column": "state"}}
    for config in (shipped, populations, with_target):
        text = template.render(
            snakemake=SimpleNamespace(config=config, wildcards=SimpleNamespace(model="odd_name_", embedding="pca"))
        )
        strict = {"report_level": 1, "halt_level": 1}
        assert core.publish_doctree(text, settings_overrides=strict).astext()
        assert "{" not in text
