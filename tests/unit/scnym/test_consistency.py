import pytest
import torch
from torch import nn

from deepmapper.errors import InputError
from deepmapper.scnym.adversary import DANLoss
from deepmapper.scnym.consistency import InterpolationConsistencyLoss, MixMatchLoss
from deepmapper.scnym.losses import cross_entropy
from deepmapper.scnym.model import CellTypeCLF


def batch(n=16, seed=0, label=True):
    generator = torch.Generator().manual_seed(seed)
    y = torch.arange(n) % 3
    x = torch.rand(n, 6, generator=generator) + 3 * nn.functional.one_hot(y, 6)
    output = nn.functional.one_hot(y, 3).float() if label else torch.zeros(n, 3)
    return {"input": x, "output": output, "domain": torch.full((n,), -1.0)}


def match(**options):
    return MixMatchLoss(unsup_criterion=nn.MSELoss(reduction="none"), sup_criterion=cross_entropy, **options)


def net():
    torch.manual_seed(0)
    return CellTypeCLF(6, 3, n_hidden=16, n_hidden_init=16)


@pytest.mark.parametrize("mean_teacher", [True, False])
@pytest.mark.parametrize("loss_of", [match, "ict"])
def test_both_losses_fall_in_training(loss_of, mean_teacher):
    model = net()
    if loss_of == "ict":
        loss = InterpolationConsistencyLoss(nn.MSELoss(reduction="none"), cross_entropy, mean_teacher=mean_teacher)
    else:
        loss = match(mean_teacher=mean_teacher)
    optimiser = torch.optim.Adam(model.parameters(), 0.01)
    seen = []
    for step in range(60):
        optimiser.zero_grad()
        supervised, unsupervised, scores = loss(model, batch(seed=step, label=False), batch(seed=100 + step))
        (supervised + unsupervised).backward()
        optimiser.step()
        seen.append(supervised.item())
    assert scores.shape == (16, 3)
    assert sum(seen[-10:]) < 0.8 * sum(seen[:10])
    model.eval()
    assert (model(batch()["input"]).argmax(1) == batch()["output"].argmax(1)).all()


def test_no_cell_above_the_bar_no_unsupervised_loss():
    loss = match(pseudolabel_min_confidence=1.01)
    _, unsupervised, _ = loss(net(), batch(label=False), batch())
    assert unsupervised == 0
    confident, confidence = loss.running_confidence_scores[-1]
    assert not confident.any()
    assert (confidence <= 1).all()


def test_unsure_cells_are_mixed_with_none_but_pass_through_the_network(monkeypatch):
    model, seen = net(), []
    loss = match(pseudolabel_min_confidence=0.6)
    unlabelled = batch(label=False)
    sure = torch.arange(16) % 2 == 0
    monkeypatch.setattr(loss, "pseudolabels", lambda *_: (batch()["output"], sure, None))
    model.register_forward_pre_hook(lambda module, inputs: seen.append(inputs[0]))
    loss(model, unlabelled, batch(seed=5))
    (x,) = seen  # one pass, and so one update of batch normalisation
    assert torch.equal(x[16:][~sure], unlabelled["input"][~sure])
    assert not torch.equal(x[16:][sure], unlabelled["input"][sure])


def test_labelled_and_unlabelled_cells_get_the_same_augmentation_which_the_adversary_sees():
    loss = match(augment=lambda sample: {**sample, "input": sample["input"] + 100}, augment_pseudolabels=False)
    labelled, unlabelled = batch(), batch(label=False)
    before = labelled["input"].clone()
    loss(net(), unlabelled, labelled)
    assert torch.equal(labelled["input"], before)  # not in place
    for changed, own in zip(loss.augmented, (labelled, unlabelled), strict=True):
        assert torch.equal(changed["input"], own["input"] + 100)


def test_interpolation_compares_mixed_cells_with_mixed_targets():
    targets = []

    def criterion(probability, target):
        targets.append(target)
        return (probability - target) ** 2

    loss = InterpolationConsistencyLoss(criterion, cross_entropy, alpha=5.0, mean_teacher=False)
    model = net()
    guess = loss.guess(model, batch(label=False)["input"])
    loss(model, batch(label=False), batch())
    assert not torch.allclose(targets[0], guess)
    assert torch.allclose(targets[0].sum(1), torch.ones(16))


def test_the_teacher_averages_weights_and_the_means_of_batch_normalisation():
    model, loss = net(), match(mean_teacher=True, decay_coef=0.9)
    loss(model, batch(label=False), batch())
    for value in model.state_dict().values():
        if value.is_floating_point():
            value += 1
    loss.guess(model, batch()["input"])
    teacher = loss.teacher.state_dict()
    assert not torch.equal(teacher["embed.1.running_mean"], model.state_dict()["embed.1.running_mean"])
    assert not any(weight.requires_grad for weight in loss.teacher.parameters())


def test_a_guess_leaves_the_network_as_it_was():
    model = net().train()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    loss = match(mean_teacher=False, teacher_eval=False, teacher_bn_running_stats=False)
    loss.pseudolabels(model, batch())
    assert model.training
    for name, value in model.state_dict().items():
        if "num_batches" not in name:
            assert torch.equal(value, before[name]), name


def test_wrong_arguments_are_refused():
    with pytest.raises(InputError, match="reduction"):
        MixMatchLoss(unsup_criterion=nn.MSELoss(), sup_criterion=cross_entropy)(net(), batch(), batch())
    with pytest.raises(InputError, match="beta"):
        match(beta=1)
    with pytest.raises(InputError, match="n_augmentations"):
        match(n_augmentations=0)
    assert len(match().running_confidence_scores) == 0


def test_only_the_last_batches_are_kept():
    loss, model = match(), net()
    loss.n_batches_to_store = 3
    for _ in range(5):
        loss.pseudolabels(model, batch())
    assert len(loss.running_confidence_scores) == 3


def test_the_adversary_reads_sure_cells_only_where_asked():
    model = net()
    loss = DANLoss(cross_entropy, model, use_conf_pseudolabels=True, scale_loss_pseudoconf=True)
    seen = []
    loss.dann.register_forward_pre_hook(lambda module, inputs: seen.append(inputs[0]))
    sure = torch.arange(16) < 4
    value = loss(batch(), batch(seed=1), weight=0.2, confident=sure)
    assert seen[0].shape[0] == 20
    assert loss.dann.weight == 0.2
    assert 0 <= loss.dan_acc <= 1
    value.backward()
    assert model.embed[0].weight.grad.any()
    assert len(list(loss.parameters())) == 4


def test_the_adversary_knows_more_than_two_domains():
    one = {**batch(3), "domain": torch.eye(3)}
    loss = DANLoss(cross_entropy, net(), n_domains=3)
    assert loss(one, one) > 0
