"""Rule measure_coverage: measure the depth of the aligned reads around the first novel transcripts of a model."""

import json
import sys
from pathlib import Path

from deepmapper.workflow.rule_script import job

with job(snakemake):
    from deepmapper.core.files import atomic_write
    from deepmapper.novelty.coverage import first_novel, measure_coverage, places_of

    given = snakemake.input
    coverage = measure_coverage(
        dict(zip(snakemake.params.samples, map(Path, given.alignments), strict=True)),
        Path(given.alignment),
        places_of(Path(given.places), first_novel(Path(given.features))),
        log=sys.stdout,
    )
    with atomic_write(snakemake.output[0]) as path:
        Path(path).write_text(json.dumps(coverage) + "\n")
