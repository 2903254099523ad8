"""The documented interface of the models: every name, argument and default, typed from its documentation."""

import inspect

import pytest
import torch

import deepmapper.models as models

REQUIRED = inspect.Parameter.empty

# Class -> its arguments with their defaults.
CONSTRUCTORS = {
    "OnePassMeanVarStd": {
        "var_names_g": REQUIRED,
        "algorithm": "naive",
        "n_batch": 1,
        "output_path": "onepass_mean_var_std_output.csv",
    },
    "HVGSeuratV3": {
        "var_names_g": REQUIRED,
        "n_top_genes": REQUIRED,
        "n_batch": 1,
        "flavor": "seurat_v3",
        "use_batch_key": False,
        "span": 0.3,
        "output_path": "hvg_seurat_v3_output.csv",
        "batch_n_cell_minimum": 2,
        "n_batch_minimum": 1,
    },
    "IncrementalPCA": {
        "var_names_g": REQUIRED,
        "n_components": REQUIRED,
        "svd_lowrank_niter": 2,
        "perform_mean_correction": True,
    },
    "ProbabilisticPCA": {
        "n_obs": REQUIRED,
        "var_names_g": REQUIRED,
        "n_components": REQUIRED,
        "ppca_flavor": REQUIRED,
        "mean_g": None,
        "W_init_scale": 1.0,
        "sigma_init_scale": 1.0,
        "seed": 0,
    },
    "TDigest": {"var_names_g": REQUIRED},
    "LogisticRegression": {
        "n_obs": REQUIRED,
        "var_names_g": REQUIRED,
        "y_categories": REQUIRED,
        "W_prior_scale": 1.0,
        "W_init_scale": 1.0,
        "seed": 0,
        "log_metrics": True,
    },
    "ContrastiveMLP": {"n_obs": REQUIRED, "hidden_size": REQUIRED, "embed_dim": REQUIRED, "temperature": 1.0},
    "CellariumGPT": {
        **dict.fromkeys(("categorical_token_size_dict", "d_model", "d_ffn", "n_heads", "n_blocks"), REQUIRED),
        **dict.fromkeys(("dropout_p", "use_bias", "attention_backend", "attention_softmax_fp32"), REQUIRED),
        "loss_scale_dict": REQUIRED,
        "initializer_range": 0.02,
        "embeddings_scale": 1.0,
        "attention_logits_scale": 1.0,
        "output_logits_scale": 1.0,
        "mup_base_d_model": None,
        "mup_base_d_ffn": None,
    },
    "Geneformer": {
        "var_names_g": REQUIRED,
        "hidden_size": 256,
        "num_hidden_layers": 6,
        "num_attention_heads": 4,
        "intermediate_size": 512,
        "hidden_act": "relu",
        "hidden_dropout_prob": 0.02,
        "attention_probs_dropout_prob": 0.02,
        "max_position_embeddings": 2048,
        "type_vocab_size": 2,
        "initializer_range": 0.02,
        "position_embedding_type": "absolute",
        "layer_norm_eps": 1e-12,
        "mlm_probability": 0.15,
    },
    "SingleCellVariationalInference": {
        "var_names_g": REQUIRED,
        "encoder": REQUIRED,
        "decoder": REQUIRED,
        "n_batch": 0,
        "n_latent": 10,
        "n_continuous_cov": 0,
        "n_cats_per_cov": None,
        "dropout_rate": 0.1,
        "dispersion": "gene",
        "log_variational": True,
        "gene_likelihood": "nb",
        "latent_distribution": "normal",
        "batch_embedded": False,
        "batch_representation_sampled": False,
        "n_latent_batch": None,
        "z_kl_weight_max": 1.0,
        "batch_kl_weight_max": 0.0,
        "input_gene_dropout_rate": 0.0,
        "use_batch_norm": "both",
        "use_layer_norm": "none",
        "kl_warmup_epochs": 400,
        "kl_warmup_steps": None,
        "kl_annealing_start": 0.0,
        "use_size_factor_key": False,
        "reconstruct_counts_on_predict": False,
        "reconstruction_var_names_g": None,
        "reconstruction_transform_batch": 0,
        "reconstruction_n_latent_samples": 30,
        "reconstruction_use_latent_mean": False,
        "reconstruction_use_importance_sampling": False,
        "reconstructed_library_size": 10_000,
        "reconstruction_transform_categorical_covariates": None,
        "use_flow": False,
        "flow_hidden_features": [64, 64],
        "cell_type_categories": None,
        "ontology_distance_matrix": None,
        "val_cell_type_classifier_reservoir_size": 50_000,
    },
    "SOCAM": {
        "n_obs": REQUIRED,
        "var_names_g": REQUIRED,
        "descendant_tensor": REQUIRED,
        "cl_names": REQUIRED,
        "cl_name_subset": None,
        "probability_propagation_flag": True,
        "W_prior_scale": 0.01,
        "W_init_scale": 1.0,
        "seed": 0,
        "log_metrics": True,
        "include_ancestors_of_cl_name_subset": True,
    },
}

# Arguments of several methods of the variational autoencoder.
_CONDITIONS = ["batch_nb", "continuous_covariates_nc", "categorical_covariate_np"]
_CELLS = ["x_ng", "var_names_g", "batch_index_n", "continuous_covariates_nc", "categorical_covariate_index_nd"]

# Class and method -> its arguments.
METHODS = {
    ("CellariumModel", "reset_parameters"): [],
    ("PredictMixin", "predict"): ["args", "kwargs"],
    ("ValidateMixin", "validate"): ["trainer", "pl_module", "batch_idx", "args", "kwargs"],
    ("TestMixin", "test"): ["trainer", "pl_module", "batch_idx", "args", "kwargs"],
    ("OnePassMeanVarStd", "forward"): ["x_ng", "var_names_g", "batch_index_n"],
    ("OnePassMeanVarStd", "on_train_end"): ["trainer"],
    ("HVGSeuratV3", "on_train_epoch_start"): ["trainer"],
    ("HVGSeuratV3", "on_train_start"): ["trainer"],
    ("HVGSeuratV3", "on_train_epoch_end"): ["trainer"],
    ("IncrementalPCA", "forward"): ["x_ng", "var_names_g"],
    ("IncrementalPCA", "on_train_epoch_end"): ["trainer"],
    ("IncrementalPCA", "predict"): ["x_ng", "var_names_g"],
    ("ProbabilisticPCA", "forward"): ["x_ng", "var_names_g"],
    ("ProbabilisticPCA", "predict"): ["x_ng", "var_names_g"],
    ("TDigest", "forward"): ["x_ng", "var_names_g"],
    ("LogisticRegression", "forward"): ["x_ng", "var_names_g", "y_n", "y_categories"],
    ("LogisticRegression", "predict"): ["x_ng", "var_names_g"],
    ("ContrastiveMLP", "forward"): ["x_ng"],
    ("ContrastiveMLP", "predict"): ["x_ng"],
    ("CellariumGPT", "predict"): ["token_value_nc_dict", "token_mask_nc_dict", "prompt_mask_nc"],
    ("Geneformer", "forward"): ["x_ng", "var_names_g"],
    ("Geneformer", "predict"): [
        *("x_ng", "var_names_g", "output_hidden_states", "output_attentions", "output_input_ids"),
        *("output_attention_mask", "feature_activation", "feature_deletion", "feature_map"),
    ],
    ("SingleCellVariationalInference", "batch_representation_from_batch_index"): [
        "batch_index_n",
        "use_mean_though_sampling",
    ],
    ("SingleCellVariationalInference", "categorical_onehot_from_categorical_index"): ["categorical_covariate_index_nd"],
    ("SingleCellVariationalInference", "inference"): ["x_ng", *_CONDITIONS],
    # the last argument of both is not documented: without it there is no dispersion "gene-label"
    ("SingleCellVariationalInference", "generative"): ["z_nk", "library_size_n1", *_CONDITIONS, "cell_type_n"],
    ("SingleCellVariationalInference", "forward"): [*_CELLS, "total_mrna_umis_n", "cell_type_n"],
    ("SingleCellVariationalInference", "predict"): _CELLS,
    ("SingleCellVariationalInference", "reconstruct"): [
        *_CELLS[:2],
        "gene_inds",
        *_CELLS[2:],
        "transform_batch",
        "transform_categorical_covariates",
        "use_latent_mean",
        "n_latent_samples",
        "use_importance_sampling",
        "reconstructed_library_size",
    ],
    ("SOCAM", "forward"): ["x_ng", "var_names_g", "cl_names_n"],
    ("SOCAM", "validate"): ["trainer", "pl_module", "batch_idx", "x_ng", "var_names_g", "cl_names_n"],
    ("SOCAM", "predict"): ["x_ng", "var_names_g"],
}

PROPERTIES = {
    "OnePassMeanVarStd": ["batch_mean_bg", "batch_var_bg"],
    "IncrementalPCA": ["explained_variance_k", "components_kg"],
    "ProbabilisticPCA": ["L_k", "U_gk", "W_variance", "sigma_variance"],
    "TDigest": ["median_g"],
    "HVGSeuratV3": ["hvg_df"],
}

# Documented base classes, the first always `CellariumModel`.
MIXINS = {
    "OnePassMeanVarStd": (),
    "HVGSeuratV3": (),
    "IncrementalPCA": ("PredictMixin",),
    "ProbabilisticPCA": ("PredictMixin",),
    "TDigest": (),
    "LogisticRegression": ("PredictMixin", "ValidateMixin"),
    "ContrastiveMLP": ("PredictMixin",),
    "CellariumGPT": ("PredictMixin", "ValidateMixin"),
    "Geneformer": ("PredictMixin",),
    "SOCAM": ("PredictMixin", "ValidateMixin"),
    "SingleCellVariationalInference": ("PredictMixin", "ValidateMixin"),
}


@pytest.mark.parametrize("name", CONSTRUCTORS)
def test_arguments_and_defaults_are_the_documented_ones(name):
    found = inspect.signature(getattr(models, name)).parameters
    assert {key: parameter.default for key, parameter in found.items()} == CONSTRUCTORS[name]


@pytest.mark.parametrize(("name", "method"), METHODS)
def test_methods_take_the_documented_arguments(name, method):
    found = list(inspect.signature(getattr(getattr(models, name), method)).parameters)
    assert found == ["self", *METHODS[name, method]]


def test_predictions_of_geneformer_have_the_documented_defaults():
    found = inspect.signature(models.Geneformer.predict).parameters
    outputs = ("hidden_states", "attentions", "input_ids", "attention_mask")
    assert [found[f"output_{name}"].default for name in outputs] == [True] * 4
    assert [found[f"feature_{name}"].default for name in ("activation", "deletion", "map")] == [None] * 3


def test_properties_are_there():
    for name, properties in PROPERTIES.items():
        for key in properties:
            assert isinstance(getattr(getattr(models, name), key), property), (name, key)


@pytest.mark.parametrize("name", MIXINS)
def test_bases_are_the_documented_ones(name):
    bases = [base.__name__ for base in getattr(models, name).__bases__]
    assert bases == ["CellariumModel", *MIXINS[name]]


def test_every_public_class_is_compared_with_its_documentation():
    classes = {name for name in models.__all__ if inspect.isclass(getattr(models, name))}
    assert classes == set(CONSTRUCTORS) | {"CellariumModel", "PredictMixin", "TestMixin", "ValidateMixin"}


def test_base_classes_ask_for_what_is_abstract():
    class Incomplete(models.CellariumModel, models.PredictMixin):
        def reset_parameters(self):
            pass

    with pytest.raises(TypeError, match="predict"):
        Incomplete()
    with pytest.raises(TypeError, match="reset_parameters"):
        models.CellariumModel()
    with pytest.raises(TypeError, match="test"):
        models.TestMixin()


def test_validation_logs_the_loss():
    class Halves(models.CellariumModel, models.ValidateMixin):
        def reset_parameters(self):
            pass

        def forward(self, x_ng):
            return {"loss": x_ng.sum() / 2}

    class Module:
        def log(self, name, value, **options):
            self.logged = name, float(value), options

    module = Module()
    Halves().validate(None, module, 0, x_ng=torch.tensor([1.0, 5.0]))
    assert module.logged == ("val_loss", 3.0, {"sync_dist": True, "on_epoch": True})
