"""Names from the data that are HTML: none may add elements or scripts to pages, figures or the report of Snakemake."""

import base64
import gzip
import json
import re
import shutil
import subprocess
from html.parser import HTMLParser

import numpy as np
import pandas as pd
import pytest

BROWSER = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
EVIL = "x</script><script>document.title='PWNED'</script>"
IMAGE = "\"'><img src=x onerror=\"document.title='PWNED'\">"
HOST = "evil.invalid"
# Names of the first features: what templates, scripts, shells, spreadsheets, formats and file systems give a meaning.
NAMES = (
    f"<img src=http://{HOST}/x>",
    "${document.title='PWNED'}",
    "`document.title='PWNED'`",
    "javascript:document.title=1",
    "\u202egnp.exe",
    "zero\u200bwidth",
    "line\nbreak",
    "tab\there",
    "x" * 10_000,
    "../../etc/passwd",
    "=cmd|' /C calc'!A0",
    "--flag",
    "a/b",
    "%s%n",
    "\N{GRINNING FACE}",
    "<!--<script>",
    "&lt;b&gt;",
    "\x07bell",
    "back\\slash",
    "$x^{2}$",
    "_hidden",
)


class Tags(HTMLParser):
    """Elements of a page, as (name, attributes)."""

    def __init__(self, text):
        super().__init__()
        self.found = []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.found.append((tag, dict(attrs)))


def embedded(page: str, name: str):
    """Return the value of a JavaScript variable of the report."""
    value = re.search(rf'^ +var {name} = (?=["{{])', page, re.MULTILINE)
    return json.JSONDecoder().raw_decode(page, value.end())[0]


@pytest.fixture(scope="module")
def hostile(work_directory, matrix):
    """Run the workflow and Snakemake's report on a matrix in which every name is hostile."""
    directory = work_directory(
        labels={"column": EVIL, "table": "labels.tsv", "group": IMAGE},
        passes={"n_passes": 2, "n_permuted": 0, "n_shadow": 0, "top_k": 6},
        differential={},
    )
    adata = matrix()
    adata.var_names = [f"{(EVIL, IMAGE, '{{7*7}}')[i % 3]}{i}" for i in range(adata.n_vars)]
    adata.var_names = [*NAMES, *adata.var_names[len(NAMES) :]]
    adata.obs_names = [f"{(EVIL, IMAGE)[i % 2]}{i}" for i in range(adata.n_obs)]
    labels = adata.obs["state"].astype(str).map({"alpha": EVIL, "beta": IMAGE, "gamma": "{{7*7}}"})
    del adata.obs["state"]
    adata.write_h5ad(directory.folder / "matrix.h5ad")
    table = pd.DataFrame({EVIL: labels.to_numpy(), IMAGE: np.arange(adata.n_obs) % 15}, index=adata.obs_names)
    table.to_csv(directory.folder / "labels.tsv", sep="\t", index_label="cell")
    directory.run()
    directory.run("--report", "report.html")
    return directory


def test_no_name_acts_in_a_page_of_the_package(hostile):
    pages = [hostile.results / "index.html", *sorted((hostile.results / "findings").rglob("*.html"))]
    assert [page.name for page in pages] == [
        "index.html", "chords.html", "audit.html", "features.html", "passes.html", "markers.html", "models.html",
        "summary.html",
    ]  # fmt: skip
    scripts = {"summary.html": 1, "index.html": 3}  # the last one has data of two plots
    for page in pages:
        found = Tags(page.read_text()).found
        names = [name for name, _ in found]
        images = [given["src"] for name, given in found if name == "img"]
        assert not images or page.name == "index.html"
        assert all(source.startswith("data:image/svg+xml;base64,") for source in images)
        assert names.count("script") == scripts.get(page.name, 2)
        assert not [attribute for _, given in found for attribute in given if attribute.startswith("on")]
        assert not [given["href"] for _, given in found if ":" in given.get("href", "")]
    assert EVIL.replace("<", "&lt;").replace(">", "&gt;").replace("'", "&#39;") in pages[-1].read_text()


def test_no_name_acts_in_a_figure(hostile):
    figures = sorted((hostile.results / "findings").rglob("*.svg"))
    assert len(figures) > 10
    for figure in figures:
        found = Tags(figure.read_text()).found
        assert not {name for name, _ in found} & {"script", "img", "foreignobject"}
        assert not [attribute for _, given in found for attribute in given if attribute.startswith("on")]


def test_no_name_acts_in_the_report_of_snakemake(hostile):
    page = (hostile.folder / "report.html").read_text()
    assert "<script>document.title" not in page
    described = embedded(page, "workflow_desc")
    assert not {name for name, _ in Tags(described).found} & {"script", "img"}
    assert "x&lt;/script&gt;" in described
    shown = embedded(page, "results")["results/findings/summary.html"]
    assert "x&lt;/script&gt;" in shown["job_properties"]["params"]
    assert (
        gzip.decompress(base64.b64decode(shown["packed"])) == (hostile.results / "findings/summary.html").read_bytes()
    )


@pytest.mark.skipif(BROWSER is None, reason="no browser")
def test_a_browser_runs_none_of_them(hostile, tmp_path):
    pages = [hostile.folder / "report.html", *hostile.results.rglob("*.html")]
    for page in pages:
        done = subprocess.run(
            [BROWSER, "--headless", "--no-sandbox", "--disable-gpu", f"--user-data-dir={tmp_path / 'profile'}",
             f"--log-net-log={tmp_path / 'net.json'}", "--virtual-time-budget=2000", "--dump-dom", page.as_uri()],
            capture_output=True, text=True, timeout=120, check=False,
        )  # fmt: skip
        title = re.search(r"<title>(.*?)</title>", done.stdout)
        assert title is not None, done.stderr
        assert title[1] != "PWNED", page
        assert HOST not in (tmp_path / "net.json").read_text(errors="replace")


@pytest.mark.parametrize("key", ["results", "matrix"])
def test_paths_that_would_end_a_script_of_the_report_are_refused(work_directory, key):
    directory = work_directory()
    bad = "a<" + EVIL[2:]
    directory.configure(**({"results": bad} if key == "results" else {"matrix": {"path": bad}}))
    message = " ".join(directory.run("--dry-run", fails=True).said.split())
    assert f"{'results' if key == 'results' else 'matrix.path'}: " in message
    assert bad in message
