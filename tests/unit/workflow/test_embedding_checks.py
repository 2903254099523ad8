"""Settings of embeddings that cannot be used are refused before any job, each with one message."""

from pathlib import Path

import pytest

from deepmapper.workflow.schema import load_schema

SCHEMA = load_schema(Path(__file__).parents[3] / "workflow/schemas/config.schema.yaml")
EMBEDDINGS = SCHEMA["properties"]["embeddings"]["properties"]


def too_small():
    """Every number of every embedding, with values that are just impossible."""
    for kind, section in EMBEDDINGS.items():
        for key, option in section["properties"].items():
            if option["type"] == "string":
                continue
            assert {"minimum", "exclusiveMinimum"} & set(option), f"{kind}.{key} has no lower limit"
            if "minimum" in option:
                yield kind, key, option["minimum"] - 1
            else:
                yield kind, key, option["exclusiveMinimum"]
            for limit in ("exclusiveMaximum", "maximum"):
                if limit in option:
                    yield kind, key, option[limit] + (limit == "maximum")
            if option["type"] == "integer":
                yield kind, key, 2.5
            yield kind, key, "many"


@pytest.mark.parametrize(("kind", "key", "value"), too_small())
def test_impossible_numbers_are_refused(faults, kind, key, value):
    (fault,) = faults(f"embeddings: {{{kind}: {{{key}: {value}}}}}")
    assert f"`embeddings.{kind}.{key}`" in fault and "expected a" in fault


@pytest.mark.parametrize(("n_components", "n_heads", "such_as"), [(10, 4, 12), (3, 4, 4), (65, 64, 128), (1, 2, 2)])
def test_a_geneformer_whose_heads_are_uneven_is_refused(faults, n_components, n_heads, such_as):
    given = f"embeddings: {{geneformer: {{n_components: {n_components}, n_heads: {n_heads}}}}}"
    assert faults(given) == [
        f"`embeddings.geneformer.n_components` is {n_components}, and `n_heads` {n_heads}; give a multiple of it, such "
        f"as {such_as}, or a number of heads that divides it"
    ]


def test_heads_that_divide_the_units_are_fine(read):
    for n_components, n_heads in ((0, 3), (64, 4), (6, 6)):
        read(f"embeddings: {{geneformer: {{n_components: {n_components}, n_heads: {n_heads}}}}}")


def test_labels_are_no_batches(faults, read):
    assert faults("embeddings: {scvi: {n_components: 5, batch: state}}") == [
        '`embeddings.scvi.batch` and `labels.column` are both "state"; latent variables need not describe a batch, so '
        "they would lose the labels. Name the column of the donor or the run, or none"
    ]
    read("embeddings: {scvi: {n_components: 0, batch: state}}")
    read("embeddings: {scvi: {n_components: 5, batch: donor}}")
