"""Rule plot_novel: draw the first novel transcripts of a model beside the annotation."""

import json
from pathlib import Path

from deepmapper.workflow.rule_script import job

with job(snakemake):
    from deepmapper.core.words import scale_words
    from deepmapper.features.class_values import label_of_sample, values_by_class
    from deepmapper.features.store import open_features
    from deepmapper.novelty.coverage import first_novel
    from deepmapper.novelty.figure_records import figure_records
    from deepmapper.plots.novel import NovelTranscript, novel_transcripts

    given = snakemake.input
    features, first = open_features(given.features), first_novel(Path(given.features_table))
    records = figure_records(
        first,
        novel=Path(given.novel),
        places=Path(given.places),
        neighbours=Path(given.neighbours),
        values=values_by_class(features, first),
        coverage=json.loads(Path(given.coverage).read_text()) if given.get("coverage") else {},
        label_of=label_of_sample(features),
    )
    novel_transcripts(
        [NovelTranscript.of(record) for record in records],
        snakemake.output[0],
        unit=f"expression, {scale_words(features.metadata['normalization'])}",
        title=f"First novel transcripts of {snakemake.wildcards.model}",
    )
