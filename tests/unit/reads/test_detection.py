"""A transcript without reads is neither detected nor found, whatever TPM or fraction of a read it was given."""

import numpy as np
import pytest

from deepmapper.differential.run import run_differential
from deepmapper.features.confounders import confounder_columns
from deepmapper.features.prepare import prepare_features
from deepmapper.io.expression import open_expression
from deepmapper.io.quantifiers import read_counts
from deepmapper.reads.expression import build_expression
from deepmapper.reads.gene_expression import summarise_genes

OPTIONS = {"enabled": True, "design": "", "reference": "", "within": "", "shrink": False, "max_cells": 20000}
STATES = {"c1": "ctrl", "c2": "ctrl", "s1": "stim", "s2": "stim"}

# What Salmon gives the stimulated samples alone, of transcripts that they do not express: (reads, TPM). The last has an
# effective length of almost nothing.
PHANTOMS = {"rounding": (0.0, 3e-5), "shared": (0.3, 0.2), "halves": (0.499, 2.0), "short": (0.0, 250_000.0)}


@pytest.fixture
def quants(tmp_path):
    """Salmon's folders of two against two samples: 60 expressed transcripts, and the phantoms."""
    import json

    rng = np.random.default_rng(0)
    folders = {}
    for sample, state in STATES.items():
        counts = rng.poisson(200, 60).astype(float)
        rows = [f"T{i}\t1000\t800.000\t{n * 50:.6f}\t{n:.3f}" for i, n in enumerate(counts)]
        for name, (reads, tpm) in PHANTOMS.items():
            reads, tpm = (reads, tpm) if state == "stim" else (0.0, 0.0)
            rows.append(f"{name}\t300\t1.5\t{tpm:.6f}\t{reads:.3f}")
        folders[sample] = tmp_path / "quant" / sample
        folders[sample].mkdir(parents=True)
        (folders[sample] / "quant.sf").write_text(
            "\n".join(["Name\tLength\tEffectiveLength\tTPM\tNumReads", *rows]) + "\n"
        )
        record = {"layout": "single", "library_type": "U", "fragments": 12500, "mapped": 12000, "mapping_rate": 0.96}
        record |= {"salmon": "1.10.1", "repeatable": True}
        (folders[sample] / "quantification.json").write_text(json.dumps(record))
    return folders


def by_transcript(quants, tmp_path):
    return build_expression(quants, samples=[{"sample": name, "state": state} for name, state in STATES.items()])


def by_gene(quants, tmp_path):
    table = tmp_path / "genes.tsv"
    genes = [f"{name}\tG{name}\t\n" for name in (*(f"T{i}" for i in range(60)), *PHANTOMS)]
    table.write_text("transcript_id\tgene_id\tgene_name\n" + "".join(genes))
    return summarise_genes(quants, expression=by_transcript(quants, tmp_path), transcript_to_gene=table)


def imported(quants, tmp_path):
    adata = read_counts(tmp_path / "quant", "salmon")
    adata.obs["state"] = [STATES[name] for name in adata.obs_names]
    return adata


@pytest.mark.filterwarnings("ignore::deepmapper.errors.DeepMapperWarning")
@pytest.mark.parametrize("normalization", ["log1p_median", "log1p_tpm"])
@pytest.mark.parametrize("matrix", [by_transcript, by_gene, imported])
def test_transcripts_without_reads_are_neither_detected_nor_ranked(quants, tmp_path, matrix, normalization):
    adata = matrix(quants, tmp_path)
    phantoms = [name.removeprefix("G") in PHANTOMS for name in adata.var_names]
    assert sum(phantoms) == len(PHANTOMS)
    for values in (adata.X, adata.layers["tpm"]):
        assert values[:, phantoms].nnz == 0
    adata.write_h5ad(tmp_path / "expression.h5ad")
    expression = open_expression(tmp_path / "expression.h5ad")
    features = prepare_features(expression, label_column="state", normalization=normalization)
    assert confounder_columns(adata.obs[[]], ["detected"], counts=adata.X)["detected"].tolist() == [60] * 4
    for test in ("deseq2", "auto"):
        found = run_differential(features, expression, {**OPTIONS, "test": test}, level=0.1)
        rows = found.features.set_index("feature")[phantoms]
        assert (rows[["detected[ctrl]", "detected[stim]"]] == 0).all(axis=None)
        assert rows["differential_p"].isna().all()
        assert not set(found.markers["feature"]) & set(rows.index)
        assert not set(found.table["feature"][:10]) & set(rows.index)


@pytest.mark.filterwarnings("ignore::deepmapper.errors.DeepMapperWarning")
def test_half_a_read_rounds_to_one_and_counts(quants, tmp_path):
    path = quants["s1"] / "quant.sf"
    path.write_text(path.read_text().replace("2.000000\t0.499", "2.000000\t0.500"))
    adata = by_transcript(quants, tmp_path)
    assert adata[:, "halves"].X.toarray().ravel().tolist() == [0, 0, 0.5, 0]
