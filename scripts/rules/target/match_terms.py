"""Rule match_terms: find the terms of the classes in an ontology."""

from deepmapper.workflow.rule_script import job

with job(snakemake):
    import numpy as np

    from deepmapper.core.ontology import read_ontology
    from deepmapper.core.tables import write_json
    from deepmapper.features.store import open_features
    from deepmapper.transfer.terms import ClassTerms

    ontology = read_ontology(snakemake.input.ontology)
    classes = open_features(snakemake.input.features).classes
    terms = ClassTerms(ontology, ontology.find_classes(classes, snakemake.params.terms))
    terms.usable(snakemake.params.allowed)  # refuses what is no term
    for name, term in zip(classes, terms.ids, strict=True):
        print(f"{name}: {ontology.describe(term)}")
    write_json(terms.as_record(), snakemake.output.terms)
    kinds = None if terms.kinds is None else [np.flatnonzero(row).tolist() for row in terms.kinds]
    write_json({"classes": list(classes), "kinds": kinds}, snakemake.output.kinds)
