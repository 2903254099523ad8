"""CellariumGPT: who attends to whom, its blocks against torch's, muP, memory, what training learns, saving, seeds."""

import copy

import anndata
import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
import torch
from torch import nn

from deepmapper.errors import InputError
from deepmapper.models import CellariumGPT, fit, gpt, predict
from deepmapper.models.gpt_blocks import prompt_diagonal_mask
from deepmapper.models.gpt_tokens import PredictTokens, TrainTokens

SIZES = {"gene_id": 12, "gene_value": 6, "cell_type": 3}
GENES = np.array([f"g{i}" for i in range(12)])
SMALL = {"d_model": 16, "d_ffn": 32, "n_heads": 4, "n_blocks": 2, "dropout_p": 0.0, "use_bias": True}
KINDS = {
    "attention_backend": "torch",
    "attention_softmax_fp32": True,
    "loss_scale_dict": {"gene_value": 1.0, "cell_type": 0.5},
}


def new(seed=0, **options):
    torch.manual_seed(seed)
    return CellariumGPT(SIZES, **(SMALL | KINDS | {"initializer_range": 0.3} | options))


def tokens(n=6, seed=1):
    torch.manual_seed(seed)
    counts = torch.poisson(torch.rand(n, 12) * 3)
    return TrainTokens(SIZES, 10, metadata=["cell_type"])(counts, cell_type_n=torch.arange(n) % 3)


def asked(found):
    return {key: found[key] for key in ("token_value_nc_dict", "token_mask_nc_dict", "prompt_mask_nc")}


def rearranged(found, columns):
    """The tokens of some columns, in their order."""
    change = asked(found)
    for key in ("token_value_nc_dict", "token_mask_nc_dict"):
        change[key] = {name: values[:, columns] for name, values in change[key].items()}
    return change | {"prompt_mask_nc": change["prompt_mask_nc"][:, columns]}


@pytest.fixture(scope="module")
def cells():
    """300 cells of three types, each with genes of its own."""
    rng = np.random.default_rng(0)
    types = rng.integers(0, 3, 300)
    rate = np.where(np.arange(12) // 4 == types[:, None], 3.0, 0.1)
    obs = pd.DataFrame({"type": np.array(["B", "NK", "T"])[types]}, index=[f"c{i}" for i in range(300)])
    return anndata.AnnData(sp.csr_matrix(rng.poisson(rate).astype(np.float32)), obs=obs, var=pd.DataFrame(index=GENES))


def test_tokens_attend_to_prompts_and_to_themselves():
    found = prompt_diagonal_mask(torch.tensor([[True, False, True, False, False]]))[0].int().tolist()
    assert found == [[1, 0, 1, 0, 0], [1, 1, 1, 0, 0], [1, 0, 1, 0, 0], [1, 0, 1, 1, 0], [1, 0, 1, 0, 1]]


def test_blocks_are_those_of_torch():
    model = new(attention_logits_scale=2.0)  # the square root of the 4 units of a head
    hidden, prompt = torch.randn(3, 10, 16), torch.rand(3, 10) < 0.4
    mask = prompt_diagonal_mask(prompt)
    for block in model.blocks:
        other = nn.TransformerEncoderLayer(16, 4, 32, 0.0, "gelu", batch_first=True, norm_first=True)
        own = (block.query, block.key, block.value)
        with torch.no_grad():
            other.self_attn.in_proj_weight.copy_(torch.cat([part.weight for part in own]))
            other.self_attn.in_proj_bias.copy_(torch.cat([part.bias for part in own]))
        pairs = [(other.self_attn.out_proj, block.mixed), (other.linear1, block.inner), (other.linear2, block.outer)]
        for to, from_ in [*pairs, (other.norm1, block.attention_norm), (other.norm2, block.norm)]:
            to.load_state_dict(from_.state_dict())
        expected = other(hidden, src_mask=~mask.repeat_interleave(4, 0))
        torch.testing.assert_close(block(hidden, mask[:, None], "torch"), expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("backend", ["math", "flex"])
def test_backends_agree(backend):
    expected = new().predict(**asked(tokens()))
    for key, logits in new(attention_backend=backend).predict(**asked(tokens())).items():
        torch.testing.assert_close(logits, expected[key], rtol=1e-4, atol=1e-5)


def test_an_answer_depends_on_prompts_alone_and_tokens_have_no_order():
    model, found = new(), tokens(1)
    whole = model.predict(**asked(found))
    assert {key: logits.shape for key, logits in whole.items()} == {"gene_value": (1, 10, 6), "cell_type": (1, 10, 3)}
    prompt = found["prompt_mask_nc"][0]
    query = int(torch.nonzero(~prompt)[0])
    kept = torch.cat([torch.nonzero(prompt).ravel().flip(0), torch.tensor([query])])
    alone = model.predict(**rearranged(found, kept))
    for key in whole:
        torch.testing.assert_close(alone[key], whole[key][:, kept], rtol=1e-4, atol=1e-5)


def test_without_prompts_every_token_sees_itself():
    given = asked(tokens()) | {"prompt_mask_nc": torch.zeros(6, 10, dtype=torch.bool)}
    assert all(logits.isfinite().all() for logits in new().predict(**given).values())


def test_the_loss_is_the_weighted_cross_entropy_of_what_is_asked():
    model, found = new(), tokens()
    loss = model(**found)
    logits = model.predict(**asked(found))
    parts = {}
    for key in ("gene_value", "cell_type"):
        weight, label = found["label_weight_nc_dict"][key], found["label_nc_dict"][key].long()
        parts[key] = -(logits[key].log_softmax(-1).gather(-1, label[..., None])[..., 0] * weight).sum()
        torch.testing.assert_close(loss[key], parts[key], rtol=1e-5, atol=1e-6)
    torch.testing.assert_close(loss["loss"], parts["gene_value"] + 0.5 * parts["cell_type"], rtol=1e-5, atol=1e-6)
    logged = {}

    class Module:
        def log(self, name, value, **_):
            logged[name] = float(value)

    model.validate(None, Module(), 0, **found)
    assert logged["val_loss"] == pytest.approx(float(loss["loss"]), rel=1e-5)


def test_parts_of_a_batch_have_the_loss_and_gradient_of_the_whole(monkeypatch):
    model, found = new(), tokens(40)

    def step():
        model.zero_grad()
        loss = model(**found)["loss"]
        loss.backward()
        return loss.detach(), [part.grad.clone() for part in model.parameters() if part.grad is not None]

    whole, expected = step(), model.predict(**asked(found))
    monkeypatch.setattr(gpt, "CHUNK_BYTES", 7 * model.widths.bytes_of(10, 9))
    assert len(list(model._parts(found["prompt_mask_nc"]))) == 6
    torch.testing.assert_close(step(), whole, rtol=1e-4, atol=1e-6)
    torch.testing.assert_close(model.predict(**asked(found)), expected, rtol=1e-4, atol=1e-6)


def test_widths_are_scaled_as_mup_prescribes():
    wide = {"d_model": 64, "d_ffn": 256, "mup_base_d_model": 16, "mup_base_d_ffn": 32, "initializer_range": 0.1}
    model, plain = new(**wide), new(initializer_range=0.1, d_model=64, d_ffn=256)
    for layer, ratio in (("query", 4**-0.5), ("inner", 4**-0.5), ("mixed", 4**-0.5), ("outer", 8**-0.5)):
        one, other = (getattr(each.blocks[0], layer).weight.detach().std() for each in (model, plain))
        assert float(one / other) == pytest.approx(ratio, rel=0.02)
    first = plain.blocks[0]
    assert float(first.mixed.weight.detach().std() / first.query.weight.detach().std()) == pytest.approx(0.5, rel=0.05)
    assert model.output_logits_scale == 1 / 4  # and it is used:
    hidden = asked(tokens())
    scaled, same = copy.deepcopy(model), copy.deepcopy(model)
    same.output_logits_scale = 1.0
    one, other = (each.predict(**hidden)["cell_type"] for each in (scaled, same))
    torch.testing.assert_close(one * 4, other)
    rates = {id(part): group["lr"] for group in model.parameter_groups(0.8) for part in group["params"]}
    assert len(rates) == len(list(model.parameters()))
    block = model.blocks[1]
    found = [
        rates[id(layer.weight)]
        for layer in (block.query, block.mixed, block.inner, block.outer, model.heads["cell_type"])
    ]
    assert found == pytest.approx([0.2, 0.2, 0.2, 0.1, 0.8])
    assert [group["lr"] for group in plain.parameter_groups(0.8)] == [0.8]


def test_training_learns_types_and_values(cells):
    pytest.importorskip("lightning")
    train = TrainTokens(SIZES, 13, metadata=["cell_type"])
    model = new(initializer_range=0.1, n_blocks=1)
    fit(model, cells, transforms=[train], obs={"cell_type_n": "type"}, epochs=15, batch_size=30, learning_rate=1e-2)
    by_genes = PredictTokens(SIZES, GENES, prompt_genes=GENES[::2], query_metadata=["cell_type"])
    answer = predict(model, cells, transforms=[by_genes])["cell_type"][:, -1].argmax(-1)
    assert (np.array(["B", "NK", "T"])[answer] == cells.obs["type"]).mean() > 0.9
    by_type = PredictTokens(SIZES, GENES, query_genes=GENES, prompt_metadata=["cell_type"])
    logits = predict(model, cells, transforms=[by_type], obs={"cell_type_n": "type"})["gene_value"][:, :12]
    expected = (torch.from_numpy(logits).softmax(-1) * torch.arange(6)).sum(-1).numpy()
    own = np.arange(12) // 4 == np.unique(cells.obs["type"], return_inverse=True)[1][:, None]
    assert expected[own].mean() > 2 and expected[~own].mean() < 0.4


def test_the_seed_fixes_all_and_a_reloaded_model_is_the_same(cells, tmp_path):
    pytest.importorskip("lightning")

    def trained(seed):
        train = TrainTokens(SIZES, 8, metadata=["cell_type"])
        options = {"obs": {"cell_type_n": "type"}, "epochs": 1, "batch_size": 100, "seed": seed}
        return fit(new(seed, dropout_p=0.1), cells, transforms=[train], **options)

    one, again, other = trained(0), trained(0), trained(1)
    torch.save(one.state_dict(), tmp_path / "weights.pt")
    torch.save(one, tmp_path / "model.pt")
    reloaded = new(9)
    reloaded.load_state_dict(torch.load(tmp_path / "weights.pt"))
    expected = one.predict(**asked(tokens()))["gene_value"]
    for model in (again, reloaded, torch.load(tmp_path / "model.pt", weights_only=False)):
        torch.testing.assert_close(model.predict(**asked(tokens()))["gene_value"], expected, rtol=0, atol=0)
    assert not torch.equal(other.predict(**asked(tokens()))["gene_value"], expected)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"d_model": 18}, "d_model=18 is not divisible by n_heads=4"),
        ({"dropout_p": 1}, "dropout_p=1: expected"),
        (
            {"attention_backend": "flash"},
            "attention_backend='flash': expected 'flex', 'math', 'mem_efficient', 'torch'",
        ),
        ({"loss_scale_dict": {"sex": 1.0}}, "loss_scale_dict has 'sex', which categorical_token_size_dict has not"),
        ({"mup_base_d_model": 0}, "mup_base_d_model=0: expected 1 or more"),
    ],
)
def test_impossible_arguments_are_refused(options, message):
    with pytest.raises(InputError, match=message):
        new(**options)


def test_what_cannot_be_computed_is_refused():
    found = tokens()
    with pytest.raises(InputError, match="'flex' has no gradient on the CPU"):
        new(attention_backend="flex")(**found)
    with pytest.raises(InputError, match="'flex' has no dropout in training"):
        new(attention_backend="flex", dropout_p=0.1)(**found)
    with pytest.raises(InputError, match="'mem_efficient' needs a GPU"):
        new(attention_backend="mem_efficient").predict(**asked(found))
    with pytest.raises(InputError, match="label_nc_dict has .* expected the keys of loss_scale_dict, 'gene_value'"):
        new(loss_scale_dict={"gene_value": 1.0})(**found)
    given = asked(found)
    values = given["token_value_nc_dict"]
    for change, message in (
        ({"sex": values["cell_type"]}, "token_value_nc_dict has 'sex'"),
        ({"gene_id": values["gene_id"] + 5}, "'gene_id' has codes from 5 to .*: expected 0 to 11"),
        ({"gene_id": values["gene_id"][:, :3]}, r"'gene_id' has values \(6, 3\) and a mask \(6, 10\)"),
    ):
        with pytest.raises(InputError, match=message):
            new().predict(values | change, given["token_mask_nc_dict"], given["prompt_mask_nc"])
