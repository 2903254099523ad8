"""What is handed over to Snakemake's report cannot act in its page."""

from html import unescape
from pathlib import Path

import jinja2
import pytest
from docutils.core import publish_parts

from deepmapper.errors import InputError
from deepmapper.workflow.snakemake_report import check_paths, escaped

CAPTIONS = Path(__file__).resolve().parents[3] / "workflow/report"


def test_what_is_escaped_cannot_end_a_script_and_comes_back(hostile):
    shown = escaped({"label": hostile, "group": "R&D <new> 'x' &lt;"})
    assert "<" not in "".join(shown.values())
    assert unescape(shown["label"]) == hostile
    assert unescape(shown["group"]) == "R&D <new> 'x' &lt;"


def test_ordinary_names_stay_as_they_are():
    names = {"from": "data/my counts.h5ad", "label": "cell type (fine)", "group": ""}
    assert escaped(names) == names


def test_paths_that_would_end_a_script_are_refused():
    check_paths({"results": "results", "matrix.path": "a<b>/</sub>.h5ad", "labels.table": ""})
    for path in ("a</script>.h5ad", "a</SCRIPT", "<!--", "x<script>"):
        with pytest.raises(InputError, match=r"matrix\.path: .* contains '<"):
            check_paths({"results": "results", "matrix.path": path})


@pytest.mark.parametrize("around", ["{}", "a``{}", "`x <javascript:alert(1)>`_ {}", "a\n\n.. raw:: html\n\n   {}\n\n"])
def test_no_name_acts_in_the_description_of_the_run(around, hostile, elements):
    def described(word):
        config = {
            "matrix": {"path": word}, "labels": {"column": word}, "models": [word], "results": word,
            **dict.fromkeys(("passes", "split", "sample_sheet", "samples")),
        }  # fmt: skip
        environment = jinja2.Environment(trim_blocks=True, lstrip_blocks=True)
        text = environment.from_string((CAPTIONS / "workflow.rst").read_text()).render(snakemake={"config": config})
        return elements(publish_parts(text, writer_name="html")["html_body"])

    page, harmless = described(around.format(hostile)), described("k")
    assert page.counts.keys() - harmless.counts.keys() <= {"span"}  # docutils' own, around literal text
    assert page.attributes == harmless.attributes
    assert page.links == []
    assert "System Message" not in page.text
