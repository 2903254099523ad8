import csv
import pickle

import pytest
import torch
from torch import nn

from deepmapper.errors import InputError
from deepmapper.scnym.model import CellTypeCLF
from deepmapper.scnym.trainer import (
    ICLWeight,
    MixMatchLoss,
    SemiSupervisedTrainer,
    Trainer,
    cross_entropy,
    load_weights,
    save_weights,
)


def batches(n=4, size=12, seed=0):
    generator = torch.Generator().manual_seed(seed)
    made = []
    for _ in range(n):
        y = torch.arange(size) % 3
        x = torch.rand(size, 6, generator=generator) + 2 * nn.functional.one_hot(y, 6)
        made.append({"input": x, "output": nn.functional.one_hot(y, 3).float(), "domain": torch.full((size,), -1.0)})
    return made


def trained(tmp_path, kind=Trainer, loaders=None, **options):
    torch.manual_seed(0)
    model = CellTypeCLF(6, 3, n_hidden=16, n_hidden_init=16)
    loaders = {"train": batches(), "val": batches(2, seed=9)} if loaders is None else loaders
    optimiser = torch.optim.Adam(model.parameters(), 0.01)
    return kind(
        model=model, criterion=cross_entropy, optimizer=optimiser, dataloaders=loaders, out_path=tmp_path, **options
    )


def test_training_learns_and_keeps_the_best_weights(tmp_path):
    trainer = trained(tmp_path, n_epochs=30, min_epochs=5, exp_name="try")
    trainer.train()
    losses = [row["val_loss"] for row in trainer.log]
    assert losses[-1] < 0.1
    assert trainer.best_epoch == min(range(5, 30), key=losses.__getitem__)
    assert not trainer.model.training
    kept = load_weights(tmp_path / "00_best_model_weights.pkl")
    assert all(torch.equal(value, kept[name]) for name, value in trainer.model.state_dict().items())
    with (tmp_path / "try_log.csv").open() as file:
        assert len(list(csv.DictReader(file))) == 30
    assert (tmp_path / "model_weights_010.pkl").exists()
    assert (tmp_path / "01_final_model_weights.pkl").exists()


def test_the_validation_loss_counts_every_cell_once(tmp_path):
    parts = batches(1, 12)
    short = {name: value[:1] for name, value in batches(1, 12, seed=3)[0].items()}
    trainer = trained(tmp_path, loaders={"train": parts, "val": [parts[0], short]}, n_epochs=1)
    trainer.train()
    trainer.model.eval()
    with torch.no_grad():
        x = torch.cat([parts[0]["input"], short["input"]])
        whole = cross_entropy(trainer.model(x), torch.cat([parts[0]["output"], short["output"]]))
    assert trainer.log[-1]["val_loss"] == pytest.approx(float(whole), rel=1e-5)


def test_training_stops_when_patience_ends(tmp_path):
    trainer = trained(tmp_path, n_epochs=200, patience=3)
    trainer.optimizer.param_groups[0]["lr"] = 0.5
    trainer.train()
    assert len(trainer.log) < 200
    assert len(trainer.log) == trainer.best_epoch + 4


def test_without_validation_the_last_weights_stay(tmp_path):
    trainer = trained(tmp_path, loaders={"train": batches()}, n_epochs=3)
    trainer.train()
    assert trainer.best_epoch == 2


def test_options_of_the_trainer(tmp_path, capsys):
    written = []

    class Writer:
        def add_scalar(self, name, value, epoch):
            written.append((name, epoch))

    double = {"train": lambda sample: {**sample, "input": sample["input"] * 2}}
    trainer = trained(
        tmp_path,
        n_epochs=2,
        batch_transformers=double,
        reg_criterion=lambda model: model.classif.weight.abs().sum() * 0.01,
        verbose=True,
        tb_writer=Writer(),
    )
    trainer.scheduler = torch.optim.lr_scheduler.StepLR(trainer.optimizer, 1, 0.1)
    trainer.train()
    assert ("val_loss", 1) in written
    assert "epoch 1, 12 cells" in capsys.readouterr().out
    assert trainer.optimizer.param_groups[0]["lr"] == pytest.approx(1e-4)


def test_no_batch_is_refused_not_divided_by(tmp_path):
    with pytest.raises(InputError, match="no batch"):
        trained(tmp_path, loaders={"train": []}).train()
    loss = MixMatchLoss(unsup_criterion=nn.MSELoss(reduction="none"), sup_criterion=cross_entropy)
    trainer = trained(
        tmp_path, SemiSupervisedTrainer, unsup_criterion=loss, unsup_dataloader=[], unsup_weight=ICLWeight(5)
    )
    with pytest.raises(InputError, match="unsup_dataloader has no batch"):
        trainer.train()


def test_the_weight_of_unlabelled_cells_follows_the_epoch(tmp_path):
    epochs = []
    loss = MixMatchLoss(unsup_criterion=nn.MSELoss(reduction="none"), sup_criterion=cross_entropy)
    trainer = trained(
        tmp_path,
        SemiSupervisedTrainer,
        unsup_criterion=loss,
        unsup_dataloader=batches(1, seed=4),
        unsup_weight=lambda epoch: epochs.append(epoch) or 0.0,
        n_epochs=3,
    )
    trainer.train()
    assert epochs == [0] * 4 + [1] * 4 + [2] * 4  # one unlabelled batch serves four labelled ones


def test_weights_are_equal_bytes_and_code_is_not_executed(tmp_path):
    model = CellTypeCLF(6, 3)
    save_weights(model, tmp_path / "a.pkl")
    save_weights(model, tmp_path / "other.pkl")
    assert (tmp_path / "a.pkl").read_bytes() == (tmp_path / "other.pkl").read_bytes()
    ran = tmp_path / "ran"

    class Evil:
        def __reduce__(self):
            return (ran.touch, ())

    (tmp_path / "evil.pkl").write_bytes(pickle.dumps(Evil()))
    with pytest.raises(InputError, match="train the model again"):
        load_weights(tmp_path / "evil.pkl")
    assert not ran.exists()


def test_the_best_weights_of_another_run_are_not_taken(tmp_path):
    trained(tmp_path, n_epochs=1).train()
    wrong = [{**batch, "input": torch.full_like(batch["input"], float("nan"))} for batch in batches(1)]
    with pytest.raises(InputError, match="validation loss was no number"):
        trained(tmp_path, loaders={"train": batches(), "val": wrong}, n_epochs=2).train()


def test_training_for_no_epoch_or_on_no_gpu_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    for options, message in (({"n_epochs": 0}, "n_epochs=0: expected 1 or more"), ({"use_gpu": True}, "finds no GPU")):
        with pytest.raises(InputError, match=message):
            trained(tmp_path, **options)
