"""Settings that contradict each other are refused, each with a message of its own."""

import pytest

KINDS = "linear, mlp, cnn_small, cnn, resnet18, resnet18_s, resnet34_s, resnet50_s, vit_cct, conv_vae, scnym, timm:NAME"
FITTING = "one of integrated_gradients, saliency, input_x_gradient, occlusion, or the kind vit_cct"

BAD = {
    "nodes that do not divide the processes": (
        "resources: {embedding_tasks: 3, embedding_nodes: 2}",
        "`resources.embedding_nodes` is 2, and a job has 3 processes; give a number of nodes that divides it",
    ),
    "prediction without a model": (
        "task: predict",
        "`predict.model` is empty; give the folder of the model that is to predict",
    ),
    "a model without prediction": (
        "predict: {model: x}",
        "`predict.model` is given; set `task: predict`, or leave it out",
    ),
    "fitted embeddings without prediction": (
        "predict: {embeddings: [x]}",
        "`predict.embeddings` is given; set `task: predict`, or leave it out: in the run that trains, cells to be "
        "named are placed in the embeddings of the section `embeddings`",
    ),
    "prediction of populations": (
        "{task: predict, predict: {model: x}, matrix: {populations: [{path: a, label: c}, {path: b, label: d}]}}",
        "`task` is predict, which reads cells from `matrix.path`; leave out samples and populations",
    ),
    "a label that is excluded and unlabelled": (
        "labels: {column: state, exclude: [x, y], unlabelled: [y]}",
        '`labels.exclude` and `labels.unlabelled` both contain "y"; keep it in `exclude` to leave its cells out, in '
        "`unlabelled` to have them named",
    ),
    "components that are not computed": (
        "models: {mlp: {input: pca}}",
        "`models.mlp.input` is pca, and `embeddings.pca.n_components` is 0; give the number of components",
    ),
    "an embedding that is not computed": (
        "models: {mlp: {input: contrastive}}",
        "`models.mlp.input` is contrastive, and `embeddings.contrastive.n_components` is 0; give the number of "
        "dimensions of the embedding",
    ),
    "an embedding without a way back to the features": (
        "{models: {mlp: {input: geneformer}}, embeddings: {geneformer: {n_components: 64}}}",
        "`models.mlp.input` is geneformer: it reads only the order of the features, through which no gradient leads "
        "back to their values, so no feature would have an importance; set `input: contrastive` or `input: pca`",
    ),
    "latent variables of values that are not those of counts": (
        "{models: {mlp: {input: scvi}}, features: {normalization: none}, embeddings: {scvi: {n_components: 9}}}",
        "`models.mlp.input` is scvi, and `features.normalization` is none, from which no counts can be recovered; "
        "expected log1p_median, log1p_cp10k or log1p_cpm",
    ),
    "batches of latent variables in a pass": (
        "{models: {mlp: {input: scvi}}, embeddings: {scvi: {n_components: 9, batch: run}}}",
        "`models.mlp.input` is scvi, and `embeddings.scvi.batch` is given, which passes do not know; leave it empty, "
        "or set `input: pca`",
    ),
    "components beside chords": (
        "{models: {mlp: {input: pca, chord_pixels: true}}, embeddings: {pca: {n_components: 5}}}",
        "`models.mlp` reads principal components (`input: pca`) and chords (`chord_pixels`); choose one",
    ),
    "attention over components": (
        "{models: {vit_cct: {input: pca, attribution: chefer}}, embeddings: {pca: {n_components: 5}}}",
        "`models.vit_cct.attribution` is chefer, whose attention is over components (`input: pca`), not features; "
        "expected one of integrated_gradients, saliency, input_x_gradient, occlusion",
    ),
    "a matrix whole and in shards": (
        "matrix: {path: a.h5ad, shards: [b.h5ad]}",
        "`matrix.shards` holds the whole matrix, and `matrix.path` or `matrix.populations` is given, too; keep one of "
        "them (further cells to be named are `matrix.new_samples`)",
    ),
    "new samples by a pattern": (
        "matrix: {path: [a.h5ad, 'new_*.h5ad']}",
        '`matrix.new_samples`: found the pattern "new_*.h5ad"; list every file of new samples by its path. A pattern '
        "stands for the shards of one study (`matrix.shards`)",
    ),
    "a matrix twice": (
        "matrix: {path: [a.h5ad, b.h5ad, a.h5ad]}",
        '"a.h5ad" is listed twice in `matrix`; list every file once',
    ),
    "new samples beside reads": (
        "{matrix: {new_samples: [b.h5ad]}, sample_sheet: s.tsv, reference: {transcripts: t.fa}}",
        "`matrix.new_samples` needs a matrix as the reference, and reads are given",
    ),
    "terms without an ontology": (
        "labels: {column: state, ontology: {allowed: [T cell]}}",
        "`labels.ontology.allowed` needs an ontology; give its .obo file as `labels.ontology.path`",
    ),
    "labels as domains": (
        "labels: {column: state, domain: state}",
        '`labels.domain` and `labels.column` are both "state"; a domain is where a cell comes from, such as a study',
    ),
    "rates over domains that passes do not leave out": (
        "{labels: {column: state, domain: study, group: donor}, transfer: {calibrate_over: domain}}",
        '`transfer.calibrate_over` is domain, `labels.domain` is "study" and `labels.group` is "donor"; name the same '
        "column in both, so that passes leave out whole domains",
    ),
    "growing from above the cap": (
        "passes: {n_passes: auto, auto: {start: 50, cap: 30}}",
        "`passes.auto.start` (50) is above `passes.auto.cap` (30); raise the cap or start lower",
    ),
    "population with an empty path": (
        "{matrix: {populations: [{path: a, label: c}, {path: '', label: d}]}, labels: {}}",
        "`matrix.populations.path` (entry 2) is empty; give it a path",
    ),
    "a folder twice": (
        "{matrix: {populations: [{path: a, label: c}, {path: a, label: d}]}, labels: {}}",
        '`matrix.populations`: "a" is listed 2 times; list every folder once',
    ),
    "one population": (
        "{matrix: {populations: [{path: a, label: c}]}, labels: {}}",
        "`matrix.populations` has a single label; at least two are needed",
    ),
    "populations of a format": (
        "{matrix: {populations: [{path: a, label: c}, {path: b, label: d}], format: 10x_mtx}, labels: {}}",
        '`matrix.format`: found "10x_mtx"; leave it out with `matrix.populations`, whose formats follow '
        "from the file names",
    ),
    "populations transposed": (
        "{matrix: {populations: [{path: a, label: c}, {path: b, label: d}], transpose: true}, labels: {}}",
        "`matrix.transpose` is only for a csv or tsv file; leave it out with `matrix.populations`",
    ),
    "10x file without labels": (
        "matrix: {path: a.h5}",
        '`labels.table` is empty, but "a.h5" holds no labels; give a .csv or .tsv with a row per cell, or set '
        "`matrix.format: h5ad` if it is an AnnData file",
    ),
    "confounder that is the label": (
        "{labels: {column: age}, confounders: {numeric: [age]}}",
        '`confounders.numeric` contains "age", the label itself; leave it out',
    ),
    "confounder of two kinds": (
        "confounders: {columns: [age], numeric: [age]}",
        '`confounders.columns` and `confounders.numeric` both contain "age"; keep it in `numeric` if it is a quantity, '
        "else in `columns`",
    ),
    "10x folder without labels": (
        "matrix: {path: a, format: 10x_mtx}",
        '`labels.table` is empty, but "a" holds no labels; give a .csv or .tsv with a row per cell',
    ),
    "path and populations": (
        "{matrix: {path: x, populations: [{path: a, label: c}, {path: b, label: d}]}, labels: {}}",
        "`matrix.path` and `matrix.populations` are both given; keep the one that holds your cells",
    ),
    "no matrix": (
        "matrix: {}",
        "there is nothing to analyse; give `sample_sheet` or `samples` to start from reads, `matrix.path` "
        "to start from a matrix, or several 10x folders as `matrix.populations`",
    ),
    "reads and a matrix": (
        "sample_sheet: a.tsv",
        "samples (`sample_sheet`, `samples`) and a `matrix` are both given; keep either the reads or the "
        "matrix, and remove the other",
    ),
    "no genome": (
        "{sample_sheet: a.tsv, matrix: {}, reference: {}}",
        "`reference.genome` is empty; give the FASTA to align to, a built index as `reference.hisat2_index`, or only "
        "`reference.transcripts`. For an organism without a reference write `reference: none`",
    ),
    "no transcripts": (
        "{sample_sheet: a.tsv, matrix: {}, reference: {genome: g.fa}}",
        "`reference.transcripts` is empty; give the FASTA of the transcripts, or both `reference.genome` "
        "and `reference.annotation` to extract them",
    ),
    "decoys without a genome": (
        "{sample_sheet: a.tsv, matrix: {}, reference: {hisat2_index: i, transcripts: t.fa}, "
        "quantification: {decoys: true}}",
        "`quantification.decoys` needs `reference.genome`; give the FASTA of the genome",
    ),
    "even k": (
        "{sample_sheet: a.tsv, matrix: {}, reference: {hisat2_index: i, transcripts: t.fa}, quantification: {k: 22}}",
        "`quantification.k`: found 22; expected an odd number, such as 21",
    ),
    "a reference that is none": (
        "{sample_sheet: a.tsv, matrix: {}, reference: {none: true, annotation: a.gtf}}",
        "`reference.none` is true and `reference.annotation` is a.gtf; leave one of them out",
    ),
    "genes without a reference": (
        "{sample_sheet: a.tsv, matrix: {}, reference: none, features: {level: gene}}",
        "`features.level`: found gene; without a reference no genes are known, so leave it out",
    ),
    "decoys without a reference": (
        "{sample_sheet: a.tsv, matrix: {}, reference: none, quantification: {decoys: true}}",
        "`quantification.decoys` needs `reference.genome`; give the FASTA of the genome",
    ),
    "table of labels beside a sheet": (
        "{sample_sheet: a.tsv, matrix: {}, reference: {hisat2_index: i, transcripts: t.fa}, "
        "labels: {column: c, table: l.csv}}",
        "`labels.table` is only for a matrix; the labels of samples are columns of the sample sheet, so leave it out",
    ),
    "genes of a matrix": (
        "features: {level: gene}",
        "`features.level`: found gene; the features of a matrix are used as they are, so leave it out",
    ),
    "no label column": (
        "labels: {}",
        "`labels.column` is empty; give the name of the column that holds the label of every sample or cell",
    ),
    "column beside populations": (
        "matrix: {populations: [{path: a, label: c}, {path: b, label: d}]}",
        '`labels.column`: found "state"; with `matrix.populations` leave it out (the labels are the '
        "populations), or give the file with this column as `labels.table`",
    ),
    "group is the label": (
        "labels: {column: state, group: state}",
        '`labels.group` and `labels.column` are both "state"; a group is what must stay together, such as '
        "a donor, and here each group would hold a single label",
    ),
    "home folder": (
        "matrix: {path: ~/a.h5ad}",
        '`matrix.path`: found "~/a.h5ad"; write out the home folder, `~` is not expanded',
    ),
    "columns of symbols without a table": (
        "features: {symbols: gene_name, symbol_columns: [id, symbol]}",
        "`features.symbol_columns` is given, but `features.symbols` (gene_name) is no table (.tsv, .csv); give the "
        "path of the table, or leave the columns out",
    ),
    "one column of symbols": (
        "features: {symbols: a.tsv, symbol_columns: [symbol]}",
        "`features.symbol_columns` has 1 entries, not two: expected [id, symbol]",
    ),
    "model without a kind": (
        "models: {mine: {}}",
        f"`models.mine.kind` is missing and `mine` is not a kind; expected one of {KINDS}",
    ),
    "attribution that a network does not fit": (
        "models: {mlp: {attribution: chefer}}",
        f"`models.mlp.attribution` is chefer, which needs a network with attention, and mlp has none; "
        f"expected {FITTING}",
    ),
    "chords of target samples": (
        "{labels: {column: y, unlabelled: [u]}, models: {scnym: {chord_pixels: true}}}",
        "`models.scnym` learns from the target samples, for which chords are not computed; set `chord_pixels` to "
        "false, or `extra: {adapt: none}`",
    ),
    "attribution of all models that one does not fit": (
        "{training: {attribution: attention_rollout}, models: {vit_cct: {}, other: {kind: 'timm:resnet10t'}}}",
        "`models.other.attribution` is attention_rollout, which needs a network with attention, and timm:resnet10t has "
        f"none; expected {FITTING}",
    ),
}


@pytest.mark.parametrize(("text", "line"), BAD.values(), ids=BAD.keys())
def test_settings_that_contradict_each_other_are_refused(faults, text, line):
    assert faults(text) == [line]


def test_a_key_that_is_wrong_by_itself_is_not_reported_twice(faults):
    assert len(faults("matrix: {path: 5}")) == 1
    assert len(faults("labels: none")) == 1
