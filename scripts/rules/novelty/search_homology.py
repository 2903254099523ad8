"""Rule search_homology: find in one database what every novel transcript resembles most."""

import json
import sys
from pathlib import Path

from deepmapper.workflow.rule_script import job

with job(snakemake):
    from deepmapper.core.files import atomic_write
    from deepmapper.novelty.homology import search

    found = search(
        snakemake.wildcards.database,
        Path(snakemake.input.denovo),
        Path(snakemake.input.database),
        threads=snakemake.threads,
        log=sys.stdout,
    )
    with atomic_write(snakemake.output[0]) as path:
        Path(path).write_text(json.dumps(found, indent=1) + "\n")
