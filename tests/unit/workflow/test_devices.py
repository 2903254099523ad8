"""The device of a job: a place on a GPU of its own, the CPU if no GPU was asked for, clear refusals."""

import subprocess
import sys
from pathlib import Path

import pytest
import torch

import deepmapper
from deepmapper.errors import InputError
from deepmapper.training.runtime import as_device
from deepmapper.workflow import devices


def take(names, shared_by, folder):
    """Claim a place that has to be free."""
    return devices.claim(names, shared_by, folder, progress=lambda line: pytest.fail(line))


def test_jobs_are_dealt_out_over_the_devices_before_two_share_one(tmp_path):
    held = [take(["a", "b"], 2, tmp_path) for _ in range(4)]
    assert [number for number, _ in held] == [0, 1, 0, 1]
    held[1][1].close()
    assert take(["a", "b"], 2, tmp_path)[0] == 1


def test_the_same_device_under_another_number_is_the_same(tmp_path):
    held = take(["a", "b"], 1, tmp_path)
    assert held[0] == 0
    assert take(["b", "a"], 1, tmp_path)[0] == 0  # b: a is taken


def test_a_job_waits_for_a_place_and_says_so_once(tmp_path, monkeypatch):
    held = take(["a"], 1, tmp_path)[1]
    said, pauses = [], []

    def pause(seconds):
        pauses.append(seconds)
        if len(pauses) == 3:
            held.close()

    monkeypatch.setattr(devices.time, "sleep", pause)
    assert devices.claim(["a"], 1, tmp_path, said.append, pause=7)[0] == 0
    assert pauses == [7, 7, 7]
    assert said == ["waiting for a GPU: all 1 are in use, with 1 running on each"]


def test_a_place_ends_with_its_process_however_that_ends(tmp_path):
    code = (
        "import sys; from pathlib import Path; from deepmapper.workflow.devices import claim\n"
        f"number, lock = claim(['a', 'b'], 1, Path({str(tmp_path)!r})); print(number, flush=True); sys.stdin.read()"
    )
    source = str(Path(deepmapper.__file__).parents[1])
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True, "env": {"PYTHONPATH": source}}
    other = subprocess.Popen([sys.executable, "-c", code], **pipes)
    assert other.stdout.readline() == "0\n"
    mine = take(["a", "b"], 1, tmp_path)
    assert mine[0] == 1
    other.kill()
    other.wait()
    assert take(["a", "b"], 1, tmp_path)[0] == 0


def test_a_job_that_asks_for_no_gpu_has_the_cpu_whatever_is_there(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    assert devices.for_job(0, 1) == torch.device("cpu")
    assert "cpu (a GPU is available, but resources.gpu is 0)" in devices.describe(torch.device("cpu"), 1)


@pytest.mark.parametrize(
    ("cuda", "build", "remedy"),
    [(None, "a build for the CPU", "Install a build for your GPU"), ("12.8", "a build for CUDA 12.8", "nvidia-smi")],
)
def test_a_job_that_asks_for_a_gpu_and_has_none_is_refused(monkeypatch, cuda, build, remedy):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)
    monkeypatch.setattr(torch.version, "cuda", cuda)
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    with pytest.raises(InputError, match="resources.gpu: 1, but torch finds no GPU") as told:
        devices.for_job(1, 1)
    for part in (build, torch.__version__, "CUDA_VISIBLE_DEVICES is ''", remedy, "set resources.gpu: 0."):
        assert part in str(told.value)


def test_the_line_at_the_start_of_a_pass_says_device_build_and_threads(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.version, "cuda", None)
    cpu = torch.device("cpu")
    assert devices.describe(cpu, 1) == f"device cpu, torch {torch.__version__} (build for the CPU), 1 thread"
    assert devices.describe(cpu, 4).endswith(", 4 threads")


def test_without_a_device_the_accelerator_is_taken(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    assert as_device().type == "cuda"
    assert as_device("cpu") == torch.device("cpu")


def test_the_screen_takes_a_gpu_as_passes_do(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    assert devices.for_screen("auto", 0, 1) == "numpy"  # one that was not asked for is left alone
    asked, said = [], []

    def for_job(*how):
        asked.append(how)
        return torch.device("cuda", 1)

    monkeypatch.setattr(devices, "for_job", for_job)
    monkeypatch.setattr(devices, "device_name", lambda device: "a card")
    assert devices.for_screen("auto", 1, 3, said.append) == "cuda:1"
    assert asked == [(1, 3, said.append)] and said == ["the screen runs on cuda:1 (a card)"]


def test_a_screen_that_asks_for_a_gpu_and_has_none_is_refused(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)
    with pytest.raises(InputError, match="chords.device: gpu, but torch finds no GPU.*or set chords.device: cpu"):
        devices.for_screen("gpu", 1, 1)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: True)
    said = []
    assert devices.for_screen("auto", 1, 1, said.append) == "numpy" and "only CUDA" in said[0]
    with pytest.raises(InputError, match="needs a CUDA GPU"):
        devices.for_screen("gpu", 1, 1)
