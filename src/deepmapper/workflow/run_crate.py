"""The run as an RO-Crate, which repositories and catalogues of workflows read: what ran, on what, and what it made.

https://w3id.org/ro/wfrun/process/0.5, on RO-Crate 1.1. Standard library only.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import quote

FILE = "ro-crate-metadata.json"

_PROFILE = "https://w3id.org/ro/wfrun/process/0.5"
_SPECIFICATION = "https://w3id.org/ro/crate/1.1"
_CONTEXT = [f"{_SPECIFICATION}/context", "https://w3id.org/ro/terms/workflow-run/context"]
_METHOD = "https://doi.org/10.1038/s41598-024-60709-z"

Entity = dict[str, Any]


def run_crate(record: Mapping[str, Any], results: Iterable[str], *, published: str) -> dict[str, Any]:
    """Describe a run as an RO-Crate whose root is the folder of the results.

    Parameters
    ----------
    record
        As `run_record.record_of` gives it.
    results
        Paths of the files that the run makes, relative to the folder of the results.
    published
        Date, such as 2026-11-29.

    Returns
    -------
    dict
        JSON-LD, to be written as ``ro-crate-metadata.json`` into that folder.
    """
    files = [_result(path) for path in sorted(set(results))]
    inputs = list({entity["@id"]: entity for entity in map(_input, record["files"].values())}.values())
    settings = [_setting(name, value) for name, value in _flat(record["settings"])]
    software = _software(record)
    action: Entity = {
        "@id": "#run",
        "@type": "CreateAction",
        "name": "Run of DeepMapper",
        "instrument": {"@id": software[0]["@id"]},
        "object": _refer([*inputs, *settings]),
        "result": _refer(files),
    }
    root: Entity = {
        "@id": "./",
        "@type": "Dataset",
        "name": "Results of DeepMapper",
        "description": "Features that tell biological states apart, with the tables, figures and models behind them.",
        "datePublished": published,
        "conformsTo": {"@id": _PROFILE},
        "hasPart": _refer([*files, *inputs]),
        "mentions": {"@id": "#run"},
    }
    metadata: Entity = {
        "@id": FILE,
        "@type": "CreativeWork",
        "conformsTo": {"@id": _SPECIFICATION},
        "about": {"@id": "./"},
    }
    profile: Entity = {"@id": _PROFILE, "@type": "CreativeWork", "name": "Process Run Crate", "version": "0.5"}
    article: Entity = {
        "@id": _METHOD,
        "@type": "ScholarlyArticle",
        "name": "Novel applications of Convolutional Neural Networks in the age of Transformers",
    }
    graph = [metadata, root, profile, action, *software, article, *inputs, *settings, *files]
    return {"@context": _CONTEXT, "@graph": graph}


def _software(record: Mapping[str, Any]) -> list[Entity]:
    """The workflow first, then what it ran with."""
    git = record["deepmapper"]["git"]
    versions = {
        "Python": record["python"],
        "Snakemake": record["snakemake"],
        **record["libraries"],
        **record["programs"],
    }
    needed: list[Entity] = [
        {"@id": f"#software/{quote(name)}", "@type": "SoftwareApplication", "name": name, "softwareVersion": version}
        for name, version in versions.items()
        if version
    ]
    own: Entity = {
        "@id": "#software/DeepMapper",
        "@type": "SoftwareApplication",
        "name": "DeepMapper",
        "softwareVersion": record["deepmapper"]["version"],
        "identifier": git["commit"] if git else record["deepmapper"]["source"],
        "license": {"@id": "https://spdx.org/licenses/MIT"},
        "citation": {"@id": _METHOD},
        "softwareRequirements": _refer(needed),
    }
    return [own, *needed]


def _result(path: str) -> Entity:
    if not Path(path).suffix:
        return {"@id": f"{quote(path)}/", "@type": "Dataset", "name": path}
    return {"@id": quote(path), "@type": "File", "name": Path(path).name}


def _input(about: Mapping[str, Any]) -> Entity:
    """A file or folder that the configuration names, which need not lie in the folder of the results."""
    path = Path(about["path"]).absolute()
    entity: Entity = {"@id": path.as_uri(), "@type": "File", "name": path.name}
    if "sha256" not in about:
        return entity | {"@id": f"{path.as_uri()}/", "@type": "Dataset"}
    return entity | {"contentSize": str(about["bytes"]), "sha256": about["sha256"]}


def _flat(settings: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Settings by their names as the configuration has them, such as ``passes.n_passes``."""
    for name, value in settings.items():
        if isinstance(value, Mapping) and value:
            yield from _flat(value, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", value


def _setting(name: str, value: Any) -> Entity:
    return {"@id": f"#setting/{quote(name)}", "@type": "PropertyValue", "name": name, "value": json.dumps(value)}


def _refer(entities: Iterable[Entity]) -> list[Entity]:
    return [{"@id": entity["@id"]} for entity in entities]
