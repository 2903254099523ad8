"""Pages that run: what they print and draw stands below their blocks, and the tutorials say what is true."""

import importlib.util
import re
from pathlib import Path

import numpy as np
import pytest

ROOT = Path(__file__).resolve().parents[3]
spec = importlib.util.spec_from_file_location("run_pages", ROOT / "scripts/run_pages.py")
run_pages = importlib.util.module_from_spec(spec)
spec.loader.exec_module(run_pages)

PAGE = """# A page

```python
import matplotlib.pyplot as plt
numbers = [1, 2]
plt.plot(numbers)
plt.title("Two numbers")
sum(numbers)
```

<!-- output -->
old
<!-- /output -->

<details>

```bash
echo "in $(basename "$PWD")"
```

</details>

<!-- not run: it would fail -->
```python
raise ValueError
```

<!-- slow: an hour -->
```python
print(len(numbers))
```

```text
text
```
"""


def test_output_and_figures_stand_below_the_blocks(tmp_path):
    page, folder = tmp_path / "page.md", tmp_path / "here"
    folder.mkdir()
    page.write_text(PAGE)
    text, space = run_pages.run_page(page, folder, tmp_path / "images")
    assert "old" not in text
    assert "```\n\n<!-- output -->\n```text\n3\n```\n\n![Two numbers](images/page-1.png)\n<!-- /output -->\n" in text
    assert (tmp_path / "images/page-1.png").stat().st_size > 1000
    assert "</details>\n\n<!-- output -->\n```text\nin here\n```" in text
    assert "<!-- not run: it would fail -->\n```python\nraise ValueError\n```\n\n" in text
    assert "<!-- slow: an hour -->\n```python\nprint(len(numbers))\n```\n\n<!-- output -->\n```text\n2\n" in text
    page.write_text(text)
    assert run_pages.run_page(page, folder, tmp_path / "images")[0] == text
    assert run_pages.run_page(page, folder, slow=False)[0] == text  # what is not run keeps its output
    assert [block.mark for block in run_pages.blocks(page)].count("slow") == 1


def test_an_error_names_the_page_and_the_block(tmp_path):
    page = tmp_path / "page.md"
    page.write_text("```bash\nls missing\n```\n")
    with pytest.raises(RuntimeError, match="status 2") as caught:
        run_pages.run_page(page, tmp_path)
    assert "page.md, in the block\nls missing" in caught.value.__notes__[0]


def test_a_page_becomes_a_notebook(tmp_path):
    nbformat = pytest.importorskip("nbformat")
    (tmp_path / "page.md").write_text(PAGE)
    made = run_pages.notebook(tmp_path / "page.md")
    nbformat.validate(nbformat.from_dict(made))
    assert [cell["cell_type"] for cell in made["cells"]] == ["markdown", "code", "code", "markdown", "code", "markdown"]
    assert made["cells"][2]["source"].startswith("%%bash\necho")
    assert not any("old" in cell["source"] or "details" in cell["source"] for cell in made["cells"])


# --- the pages of the manual: what their text claims of their output ---------------------------------------------


def concepts(space):
    found, true = space["rates"].significant, space["true"]
    assert (found & true).sum() > 15
    assert (found & ~true).sum() <= 0.3 * found.sum()
    assert min(one.accuracy for one in space["passes"]) > max(one.accuracy for one in space["controls"])
    assert space["chosen"][:, space["true"]].mean() > 5 * space["chosen"][:, ~space["true"]].mean()


def first_look(space):
    findings = space["findings"]
    assert np.mean(findings.accuracies) > np.mean(findings.majority_accuracies) + 0.3
    assert {"CST3", "LYZ", "CD74"} <= set(space["table"]["feature"][:12])


def first_classifier(space):
    history = space["history"]
    assert history["training accuracy"].iloc[-1] > 0.97 > history["validation accuracy"].iloc[-1] > 0.75
    assert history["validation loss"].iloc[-1] > 3 * history["training loss"].iloc[-1]
    wrong = space["wrong"]
    assert (wrong & space["both_t"]).sum() > wrong.sum() / 2
    network, linear = space["scores"]["network"][0], space["scores"]["logistic regression"][0]
    assert abs(network - linear) < 0.08
    assert space["scores"]["largest type always"][0] < 0.4


def is_it_real(space):
    accuracy = {name: np.mean(findings.accuracies) for name, findings in space["rankings"].items()}
    assert accuracy["true labels"] > 0.68
    assert abs(accuracy["shuffled labels"] - np.mean(space["rankings"]["true labels"].majority_accuracies)) < 0.07
    assert max(space["rankings"]["shuffled labels"].selection_frequency) > 0.7  # stable without signal
    assert space["rows"][-1][1] >= 9 > 3 >= space["rows"][0][1]  # planted genes found in most and fewest cells
    assert not space["rates"]["shuffled labels"].significant.any()
    assert space["single"].set_index("gene")["p"][list(space["switches"])].min() > 0.01
    chord = space["chord"].iloc[0]
    assert {chord["side_1"], chord["side_2"]} == space["switches"]
    assert chord["synergy_low"] > 0.2
    assert not space["nothing"].found


def naming_new_cells(space):
    named = space["named"]
    new, known = named["verdict"] == "new", space["known"]
    assert (new & ~known).sum() > 0.8 * (~known).sum()
    assert (new & known).sum() <= 0.1 * new.sum()
    assert (space["assigned"]["label"] == space["assigned"]["true type"]).mean() > 0.9
    genes = ",".join(space["identities"]["genes"])
    assert all(gene in genes for gene in ("CD79A", "CD79B", "MS4A1", "MZB1", "IGJ"))


def streaming_models(space):
    assert space["largest"] < 1e-6
    assert space["same"] >= 199
    assert (space["named"] == space["lineage"][900:]).mean() > 0.9
    assert (space["weights"] != 0).any(1).sum() < 100


def your_own_data(space):
    assert space["cells"].shape == (240, 300)


PAGES = {
    "docs/concepts.md": concepts,
    "docs/tutorials/first-look.md": first_look,
    "docs/tutorials/first-classifier.md": first_classifier,
    "docs/tutorials/is-it-real.md": is_it_real,
    "docs/tutorials/naming-new-cells.md": naming_new_cells,
    "docs/tutorials/streaming-models.md": streaming_models,
    "docs/tutorials/your-own-data.md": your_own_data,
}


@pytest.mark.parametrize("page", PAGES)
def test_the_page_runs_and_says_what_is_true(page, tmp_path):
    page, claims = ROOT / page, PAGES[page]
    text, space = run_pages.run_page(page, tmp_path, slow=False)
    claims(space)
    # numbers may differ on another processor; what is shown may not
    shown = re.compile(r"^(?:<!-- output -->|!\[.*)$", re.MULTILINE)
    assert shown.findall(text) == shown.findall(page.read_text()), "run: python scripts/run_pages.py"


@pytest.mark.parametrize("page", [*(ROOT / "docs").rglob("*.md")], ids=lambda page: page.name)
def test_every_figure_is_there_and_used(page):
    text = page.read_text()
    used = {(page.parent / name).resolve() for name in re.findall(r"!\[[^\]]*\]\(([^)]+)\)", text)}
    assert all(path.exists() for path in used)
    if page.with_name("images").is_dir():
        assert {path.resolve() for path in page.with_name("images").glob(f"{page.stem}-[0-9]*.png")} <= used
