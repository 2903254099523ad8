"""Tables as pages: all values are embedded, no name breaks the page, and it sorts and searches in a browser."""

import base64
import json
import re
import shutil
import subprocess

import numpy as np
import pandas as pd
import pytest

from deepmapper.report.table_page import table_page

BROWSER = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
EVIL = "</script><script>alert(1)</script>"


def embedded(text):
    return json.loads(re.search(r"<script type='application/json' id='data'>(.*?)</script>", text, re.S)[1])


def small():
    return pd.DataFrame({
        "rank": [1, 2, 3, 4], "feature": ["CD3D", "HLA-DRA", EVIL, "10"], "q": [0.01, np.nan, 0.5, 1e-7],
        "significant": [True, False, False, True], "importance[B]": [10.0, 9.0, 2.0, 100.0],
    })  # fmt: skip


def test_every_value_is_there_and_none_breaks_the_page():
    text = table_page(small(), "A <title>", "Read & see.", "results/f.tsv", {"rank": "place"}, lead="feature")
    data = embedded(text)
    assert data["columns"] == list(small().columns)
    assert data["rows"][1] == [2, "HLA-DRA", None, False, 9.0]
    assert data["rows"][2][1] == EVIL
    assert data["lead"] == 1
    assert data["numeric"] == [True, False, True, False, True]
    assert text.count("<script") == text.count("</script>") == 2
    assert "A &lt;title&gt;" in text
    assert "<dt>rank</dt><dd>place</dd>" in text


def test_the_page_loads_nothing_from_elsewhere():
    assert not re.search(r"https?:|src=|@import|url\(", table_page(small(), "t", "a", "f.tsv"))


def test_a_long_table_names_the_file_with_all_rows():
    long = pd.DataFrame({"rank": np.arange(30000), "feature": [f"g{i}" for i in range(30000)]})
    text = table_page(long, "Features", "Read.", "results/findings/cnn/features.tsv")
    assert "the first 2,000 of 30,000 rows." in text
    assert "<b>results/findings/cnn/features.tsv</b>" in text
    assert len(embedded(text)["rows"]) == 2000
    assert len(text) < 100_000
    assert "This page shows the first" not in table_page(small(), "t", "a", "f.tsv")


def test_an_empty_table_says_so():
    assert "The table has no rows." in table_page(small().head(0), "t", "a", "f.tsv")


def test_columns_of_classes_are_explained_once():
    table = small().assign(**{"importance[T]": 1.0})
    text = table_page(table, "t", "a", "f.tsv", {"importance[*]": "in this class"})
    assert text.count("<dd>in this class</dd>") == 1
    assert "2 columns for single classes" in text


def in_browser(folder, html, script):
    """Return a page as a browser has it after a script at its end."""
    page = folder / "page.html"
    page.write_text(html.replace("</body>", script))
    done = subprocess.run(
        [BROWSER, "--headless", "--no-sandbox", "--disable-gpu", f"--user-data-dir={folder / 'profile'}",
         "--dump-dom", page.as_uri()], capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    return done.stdout


@pytest.mark.skipif(BROWSER is None, reason="no browser")
@pytest.mark.parametrize(
    ("act", "first_column"),
    [
        ("", ["CD3D", "HLA-DRA", EVIL, "10"]),
        ("click(2)", [EVIL, "CD3D", "10", "HLA-DRA"]),  # numbers: largest first, missing values last
        ("click(2); click(2)", ["10", "CD3D", EVIL, "HLA-DRA"]),
        ("click(1)", [EVIL, "10", "CD3D", "HLA-DRA"]),  # names in their natural order
        ("more.click(); click(4)", ["10", "CD3D", "HLA-DRA", EVIL]),  # as numbers, not as text
        ("find('hla dra')", ["HLA-DRA"]),
        ("find('nothing of the kind')", []),
        ("size.options[0].text = '2'; size.value = '2'; size.dispatchEvent(new Event('change'))", ["CD3D", "HLA-DRA"]),
        (
            "size.options[0].text = '2'; size.value = '2'; size.dispatchEvent(new Event('change')); on.click()",
            [EVIL, "10"],
        ),
    ],
)
def test_the_page_sorts_and_searches(act, first_column, tmp_path):
    script = f"""<script>
    (() => {{
      const at = id => document.getElementById(id);
      const size = at("size"), on = at("on"), more = at("more");
      const click = column => at("head").querySelector(`[data-column="${{column}}"]`).click();
      const find = words => {{ at("search").value = words; at("search").dispatchEvent(new Event("input")); }};
      {act};
      const names = [...at("body").rows].map(row => row.querySelector("th").textContent);
      document.title = "seen " + btoa(JSON.stringify([names, at("count").textContent]));
    }})();
    </script></body>"""
    shown_page = in_browser(tmp_path, table_page(small(), "t", "a", "f.tsv", lead="feature"), script)
    names, status = json.loads(base64.b64decode(re.search(r"<title>seen ([\w+/=]+)</title>", shown_page)[1]))
    assert names == first_column
    if not first_column:
        assert status == "no row matches"
    elif len(first_column) == 1:
        assert status == "rows 1 to 1 of 1 matching, of 4 in all"


@pytest.mark.skipif(BROWSER is None, reason="no browser")
def test_a_long_list_of_names_ends_after_the_first_ones_and_is_searched_as_a_whole(tmp_path):
    names = [f"GENE{i}" for i in range(200)]
    table = pd.DataFrame({"choice": ["few", "other"], "lost": [",".join(names), "A,B"]})
    script = """<script>(() => {
      document.getElementById("search").value = "GENE199";
      document.getElementById("search").dispatchEvent(new Event("input"));
      const shown = [...document.querySelectorAll("#body td")].map(cell => cell.textContent.replaceAll("\u200b", ""));
      document.title = "seen " + btoa(unescape(encodeURIComponent(JSON.stringify(shown))));
    })();</script></body>"""
    shown_page = in_browser(tmp_path, table_page(table, "t", "a", "f.tsv"), script)
    (shown,) = json.loads(base64.b64decode(re.search(r"<title>seen ([\w+/=]+)</title>", shown_page)[1]))
    assert shown.startswith("GENE0,GENE1,") and shown.endswith(", … (200 in all)") and len(shown) < 200


@pytest.mark.skipif(BROWSER is None, reason="no browser")
def test_a_rate_is_never_shown_as_zero(tmp_path):
    table = pd.DataFrame({"feature": ["a"], "differential_q": [0.0], "p_against_linear": [2e-9], "change": [0.0]})
    script = """<script>
      document.title = [...document.querySelectorAll("#body td")].map(cell => cell.textContent).join(" ");
    </script></body>"""
    shown_page = in_browser(tmp_path, table_page(table, "t", "a", "f.tsv"), script)
    assert "<title>&lt;1e-300 2.00e-9 0</title>" in shown_page


def test_a_wide_table_has_fewer_rows_so_that_a_frame_can_show_the_page():
    wide = pd.DataFrame(np.random.default_rng(0).normal(size=(2000, 160)), columns=[f"z[{i}]" for i in range(160)])
    text = table_page(wide, "Wide", "Read.", "results/f.tsv")
    assert len(base64.b64encode(text.encode())) < 2_000_000
    n_shown = len(embedded(text)["rows"])
    assert 100 < n_shown < 2000 and f"first {n_shown:,} of 2,000 rows" in text


def test_a_page_that_says_nothing_can_be_recognised(tmp_path):
    from deepmapper.core.nothing import shows_nothing

    for table, nothing in ((small().head(0), True), (small(), False)):
        page = tmp_path / "page.html"
        page.write_text(table_page(table, "Chords", "Read.", "results/f.tsv"))
        assert shows_nothing(page) == nothing
