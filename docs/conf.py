"""The manual as a site: `sphinx-build -W --keep-going -c docs . build/site`, then open build/site/index.html.

The source is the repository itself, so that every link works on the site and where the files are browsed, and Sphinx
checks it.
"""

import re
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "src"))

import deepmapper  # noqa: E402

project = "DeepMapper"
author = "The DeepMapper developers"
copyright = author
version = release = deepmapper.__version__

extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "sphinx.ext.napoleon",
    "sphinx.ext.viewcode",
    "sphinx_copybutton",
]
root_doc = "docs/index"
include_patterns = [
    *("README.md", "CHANGELOG.md", "config/**.md", "benchmarks/README.md"),
    *("docs/**.md", ".github/*.md", ".claude/**.md", "src/**.md"),
]
# Folders that hold no page are not searched: environments and results may have millions of files.
pages = {"README.md", "CHANGELOG.md", "config", "benchmarks", "docs", ".github", ".claude", "src"}
exclude_patterns = sorted(path.name for path in ROOT.iterdir() if path.name not in pages)
suppress_warnings = ["myst.header"]  # pages shared with the repository begin where they like

myst_heading_anchors = 4
myst_enable_extensions = ["deflist", "attrs_block"]
default_role = "literal"  # docstrings quote code with single backticks
autodoc_typehints = "signature"
autodoc_member_order = "bysource"
napoleon_google_docstring = False
napoleon_use_rtype = False
viewcode_line_numbers = True
copybutton_prompt_text = r"\$ |>>> "
copybutton_prompt_is_regexp = True

html_theme = "furo"
html_title = f"DeepMapper {release}"
html_static_path = ["static"]
html_css_files = ["manual.css"]
html_additional_pages = {"index": "redirect.html"}
templates_path = ["templates"]
html_copy_source = False
html_show_sourcelink = False


def escape_bars(app, what, name, obj, options, lines):
    """Write |z| of a docstring so that reStructuredText does not take it for a substitution; code stays as it is."""
    lines[:] = [
        "".join(part if part.startswith("`") else part.replace("|", r"\|") for part in re.split(r"(`+[^`]*`+)", line))
        for line in lines
    ]


def shorten_defaults(app, what, name, obj, options, signature, returns):
    """Write the default of a field that makes its own value as three dots."""
    return signature and signature.replace("<factory>", "..."), returns


def setup(app):
    """Register the treatment of docstrings and signatures."""
    app.connect("autodoc-process-signature", shorten_defaults)
    app.connect("autodoc-process-docstring", escape_bars)
