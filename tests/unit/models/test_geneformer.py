"""Geneformer: its encoder against torch's and BERT, what training learns, memory, perturbation, saving and seeds."""

import copy
import io

import anndata
import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
import torch
from torch import nn

from deepmapper.errors import InputError
from deepmapper.models import Geneformer, fit, geneformer, predict
from deepmapper.models.geneformer import CellEmbedding
from deepmapper.models.transforms import DivideByScale

GENES = np.array([f"g{i}" for i in range(40)])
TINY = {"hidden_size": 32, "num_hidden_layers": 2, "intermediate_size": 48, "max_position_embeddings": 30}
CALM = {"hidden_dropout_prob": 0.0, "attention_probs_dropout_prob": 0.0}


def new(seed=0, **options):
    torch.manual_seed(seed)
    return Geneformer(GENES, **(TINY | options))


def counts(n=6, empty=(3,)):
    """Cells of 40 features, of which those in `empty` express none."""
    values = np.random.default_rng(0).poisson(0.5, (n, 40)).astype(np.float32)
    values[[*empty]] = 0
    return torch.from_numpy(values)


@pytest.fixture(scope="module")
def cells():
    """300 cells of three types, each with features of its own."""
    rng = np.random.default_rng(0)
    types = np.repeat(np.arange(3), 100)
    rate = np.where(np.arange(40) // 13 == types[:, None], 2.0, 0.2)
    obs = pd.DataFrame({"type": types.astype(str)}, index=[f"c{i}" for i in range(300)])
    return anndata.AnnData(sp.csr_matrix(rng.poisson(rate).astype(np.float32)), obs=obs, var=pd.DataFrame(index=GENES))


def test_the_encoder_is_that_of_torch():
    model = new(initializer_range=0.3).eval()
    encoder, tokens = model.encoder, model.predict(counts(empty=()), GENES)["input_ids"]
    states, attentions = encoder(tokens, with_attentions=True)
    for layer, given, after, weights in zip(encoder.layers, states[:-1], states[1:], attentions, strict=True):
        other = nn.TransformerEncoderLayer(32, 4, 48, 0.0, layer_norm_eps=1e-12, batch_first=True)
        own = (layer.query, layer.key, layer.value)
        with torch.no_grad():
            other.self_attn.in_proj_weight.copy_(torch.cat([part.weight for part in own]))
            other.self_attn.in_proj_bias.copy_(torch.cat([part.bias for part in own]))
        pairs = [(other.self_attn.out_proj, layer.mixed), (other.linear1, layer.inner), (other.linear2, layer.outer)]
        for to, from_ in [*pairs, (other.norm1, layer.attention_norm), (other.norm2, layer.norm)]:
            to.load_state_dict(from_.state_dict())
        torch.testing.assert_close(other(given, src_key_padding_mask=tokens == 0), after, rtol=1e-4, atol=1e-5)
        expected = other.self_attn(given, given, given, tokens == 0, average_attn_weights=False)[1]
        torch.testing.assert_close(weights, expected, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize(
    ("kind", "act"),
    [("absolute", "relu"), ("absolute", "gelu_new"), ("relative_key", "gelu"), ("relative_key_query", "silu")],
)
def test_the_encoder_is_that_of_bert(kind, act):
    transformers = pytest.importorskip("transformers", exc_type=ImportError)
    model = new(initializer_range=0.3, position_embedding_type=kind, hidden_act=act)
    sizes = dict(TINY, vocab_size=42, hidden_act=act, position_embedding_type=kind, layer_norm_eps=1e-12)
    bert = transformers.BertForMaskedLM(
        transformers.BertConfig(**sizes, num_attention_heads=4, pad_token_id=0, attn_implementation="eager")
    ).eval()
    encoder, embeddings, head = model.encoder, bert.bert.embeddings, bert.cls.predictions
    pairs = [(embeddings.word_embeddings, encoder.tokens), (embeddings.token_type_embeddings, encoder.types)]
    pairs += [(embeddings.LayerNorm, encoder.norm), (head.transform.dense, encoder.head)]
    pairs += [(head.transform.LayerNorm, encoder.head_norm)]
    pairs += [(embeddings.position_embeddings, encoder.positions)] if kind == "absolute" else []
    for other, layer in zip(bert.bert.encoder.layer, encoder.layers, strict=True):
        own = other.attention.self
        pairs += [(own.query, layer.query), (own.key, layer.key), (own.value, layer.value)]
        pairs += [(own.distance_embedding, layer.distances)] if kind != "absolute" else []
        pairs += [(other.attention.output.dense, layer.mixed), (other.attention.output.LayerNorm, layer.attention_norm)]
        pairs += [(other.intermediate.dense, layer.inner), (other.output.dense, layer.outer)]
        pairs += [(other.output.LayerNorm, layer.norm)]
    for to, from_ in pairs:
        to.load_state_dict(from_.state_dict())
    found = model.predict(counts(), GENES)
    with torch.no_grad():
        asked = {"output_hidden_states": True, "output_attentions": True}
        expected = bert(found["input_ids"], attention_mask=found["attention_mask"].long(), **asked)
    assert list(expected) == list(found)[:3]
    for name in expected:
        torch.testing.assert_close(found[name], expected[name], rtol=1e-4, atol=1e-5)


def test_everything_documented_is_predicted_on_request():
    model = new()
    found = model.predict(counts(), GENES)
    assert list(found) == ["logits", "hidden_states", "attentions", "input_ids", "attention_mask"]
    assert found["logits"].shape == (6, 30, 42)
    assert [part.shape for part in found["hidden_states"]] == [(6, 30, 32)] * 3
    assert [part.shape for part in found["attentions"]] == [(6, 4, 30, 30)] * 2
    assert torch.equal(found["attention_mask"], found["input_ids"] != 0)
    kept = ["hidden_states", "attentions", "input_ids", "attention_mask"]
    for name in kept:
        assert name not in model.predict(counts(), GENES, **{f"output_{name}": False})
    assert list(model.predict(counts(), GENES, **{f"output_{name}": False for name in kept})) == ["logits"]
    assert model.training


def test_nothing_attends_to_what_is_mapped_to_pad():
    model = new()
    found = model.predict(counts(empty=()), GENES, feature_map={"g3": 0})
    gone = ~found["attention_mask"][:, None, None]
    assert (found["input_ids"] != 5).all() and gone.any()
    for weights in found["attentions"]:
        assert not weights.masked_select(gone).any()


def test_perturbation_does_not_last():
    model, values = new(), counts()
    before = model.predict(values, GENES)["logits"]
    model.predict(values, GENES, feature_deletion=["g1"], feature_activation=["g2"], feature_map={"g4": 1})
    torch.testing.assert_close(model.predict(values, GENES)["logits"], before, rtol=0, atol=0)
    assert torch.equal(values, counts())


def test_cells_without_expressed_features_have_no_part():
    model = new(**CALM)
    alone = model.predict(counts(), GENES)
    assert not alone["input_ids"][3].any() and all(part.isfinite().all() for part in alone["hidden_states"])
    embedding = CellEmbedding(model).predict(counts(), GENES)["x_ng"]
    assert not embedding[3].any() and embedding[[0, 1, 2, 4, 5]].abs().sum(1).min() > 0
    loss = model(torch.zeros(4, 40), GENES)["loss"]
    loss.backward()
    assert loss == 0 and all(not part.grad.any() for part in model.parameters() if part.grad is not None)


def test_parts_of_a_batch_have_the_loss_and_gradient_of_the_whole(monkeypatch):
    model, values = new(**CALM), counts(50)

    def step():
        model.zero_grad()
        torch.manual_seed(5)
        loss = model(values, GENES)["loss"]
        loss.backward()
        return loss.detach(), [part.grad.clone() for part in model.parameters() if part.grad is not None]

    whole, expected = step(), model.predict(values, GENES)
    embedding = CellEmbedding(model).predict(values, GENES)["x_ng"]
    monkeypatch.setattr(geneformer, "CHUNK_BYTES", 5 * model.encoder.sizes.bytes_of(20))
    torch.testing.assert_close(step(), whole, rtol=1e-4, atol=1e-6)
    torch.testing.assert_close(model.predict(values, GENES), expected, rtol=1e-4, atol=1e-6)
    torch.testing.assert_close(CellEmbedding(model).predict(values, GENES)["x_ng"], embedding, rtol=1e-4, atol=1e-6)
    sizes = [len(rows) for rows, _ in geneformer._by_length(expected["input_ids"], model.encoder.sizes)]
    assert sum(sizes) == 50 and len(sizes) > 5


def test_training_learns_which_features_belong_together(cells):
    pytest.importorskip("lightning")
    from sklearn.model_selection import cross_val_score
    from sklearn.neighbors import KNeighborsClassifier

    scale = [DivideByScale(torch.ones(40), GENES)]
    model = new(num_hidden_layers=1)
    fit(model, cells, transforms=scale, epochs=12, batch_size=50, learning_rate=3e-3)
    torch.manual_seed(0)
    loss = model.eval()(torch.from_numpy(cells.X.toarray()), GENES)["loss"]
    assert loss < np.log(40) - 0.3
    found = predict(CellEmbedding(model), cells, transforms=scale)
    assert found["x_ng"].shape == (300, 32) and list(found["obs_names"][:2]) == ["c0", "c1"]
    assert cross_val_score(KNeighborsClassifier(15), found["x_ng"], cells.obs["type"], cv=4).mean() > 0.9


def test_results_of_all_batches_are_joined(cells):
    model = new()
    some = {"output_attentions": False, "feature_deletion": ["g0"]}
    found = predict(model, cells[:25], batch_size=10, **some)
    direct = model.predict(torch.from_numpy(cells.X[:25].toarray()), GENES, **some)
    assert found["input_ids"].shape == (25, 30) and not (found["input_ids"] == 2).any()
    assert len(found["hidden_states"]) == 3
    for one, other in zip(found["hidden_states"], direct["hidden_states"], strict=True):
        np.testing.assert_allclose(one, other.numpy(), atol=1e-5)
    with pytest.raises(InputError, match=r"Geneformer\.predict has no argument 'deletion'"):
        predict(model, cells, deletion=["g0"])


def test_the_seed_fixes_all_and_a_reloaded_model_is_the_same(cells):
    pytest.importorskip("lightning")

    def trained(seed):
        torch.manual_seed(seed)
        return fit(new(seed, num_hidden_layers=1), cells, epochs=1, batch_size=100, seed=seed)

    one, again, other = trained(0), trained(0), trained(1)
    file, whole = io.BytesIO(), io.BytesIO()
    torch.save(one.state_dict(), file)
    torch.save(one, whole)
    reloaded = new(9, num_hidden_layers=1)
    reloaded.load_state_dict(torch.load(io.BytesIO(file.getvalue())))
    unpickled = torch.load(io.BytesIO(whole.getvalue()), weights_only=False)
    expected = one.predict(counts(), GENES)["logits"]
    for model in (again, reloaded, unpickled, copy.deepcopy(one)):
        torch.testing.assert_close(model.predict(counts(), GENES)["logits"], expected, rtol=0, atol=0)
    assert not torch.equal(other.predict(counts(), GENES)["logits"], expected)


def test_weights_are_drawn_as_documented():
    weights = new(initializer_range=0.02).encoder.state_dict()
    assert not weights["tokens.weight"][0].any()  # PAD
    drawn = torch.cat([values.ravel() for name, values in weights.items() if values.dim() == 2 and "norm" not in name])
    assert drawn.abs().max() <= 0.04 and 0.015 < drawn.std() < 0.02
    model, first = new(), []
    for _ in range(2):
        torch.manual_seed(1)
        model.reset_parameters()
        first.append(model.encoder.layers[0].query.weight.clone())
    assert torch.equal(*first)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"hidden_size": 30}, "hidden_size=30 is not divisible by num_attention_heads=4"),
        ({"hidden_act": "tanh"}, "hidden_act='tanh': expected 'gelu', 'gelu_new', 'relu', .*"),
        ({"position_embedding_type": "x"}, "position_embedding_type='x': expected 'absolute', "),
        ({"mlm_probability": 0}, "mlm_probability=0: expected more than 0"),
        ({"hidden_dropout_prob": 1}, "hidden_dropout_prob=1: expected 0 or more and less than 1"),
        ({"max_position_embeddings": 0}, "max_position_embeddings=0: expected 1 or more"),
    ],
)
def test_impossible_arguments_are_refused(options, message):
    with pytest.raises(InputError, match=message):
        new(**options)


def test_other_features_and_layers_are_refused():
    model = new()
    with pytest.raises(InputError, match="'g39', expected 'g0'"):
        model(counts(), GENES[::-1])
    with pytest.raises(InputError, match="layer=3: expected -3 to 2"):
        CellEmbedding(model, layer=3)
    with pytest.raises(InputError, match="negative or missing values"):
        model.predict(-counts(), GENES)
    with pytest.raises(InputError, match="scale_g of 'b' is nan: expected a positive number"):
        DivideByScale(torch.tensor([1, torch.nan]), np.array(["a", "b"]))
