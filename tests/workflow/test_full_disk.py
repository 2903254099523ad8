"""A full disk, stage by stage: one clear message, nothing half-written, and the same command goes on with room."""

import os
import shutil
import subprocess
import time

import pytest

pytestmark = pytest.mark.workflow

PLENTY = 64 * 1024  # kB
# Room for what Snakemake itself writes, and for no output of the stages below, kB.
NEXT_TO_NOTHING = 72


class Disk:
    """A small file system of its own, whose size can be changed."""

    def __init__(self, folder):
        self.folder = folder
        folder.mkdir()
        self.mounted = subprocess.run(
            ["mount", "-t", "tmpfs", "-o", f"size={PLENTY}k", "tmpfs", folder], capture_output=True, check=False
        )

    def leave(self, free: int) -> None:
        """Change the size so that so many kB are free."""
        used = shutil.disk_usage(self.folder).used // 1024
        subprocess.run(["mount", "-o", f"remount,size={used + free}k", self.folder], check=True)

    def give_room(self) -> None:
        subprocess.run(["mount", "-o", f"remount,size={PLENTY}k", self.folder], check=True)

    def unmount(self) -> None:
        for _ in range(10):  # a process that was killed may still hold it
            if not subprocess.run(["umount", self.folder], check=False).returncode:
                return
            time.sleep(0.5)


@pytest.fixture
def disk(tmp_path):
    """Mount a small disk, or skip."""
    if os.geteuid():
        pytest.skip("mounting a small disk needs root")
    disk = Disk(tmp_path / "disk")
    if disk.mounted.returncode:
        pytest.skip(f"mounting is not allowed here: {disk.mounted.stderr.decode().strip()}")
    yield disk
    disk.unmount()


def unfinished(directory) -> list[str]:
    return [path.name for path in directory.results.rglob(".*") if ".part" in path.name or "partial" in path.name]


def test_every_stage_says_so_and_the_same_command_goes_on(work_directory, matrix, counts, disk):
    directory = work_directory().branch(disk.folder / "work")
    matrix(counts(n_noise=2000)).write_h5ad(directory.folder / "matrix.h5ad")
    asked = ("results/passes/linear/0.npz", "results/findings/statistics.tsv")
    # each time room for one stage more
    for free, rule, missing in (
        (NEXT_TO_NOTHING, "import_matrix", "results/expression.h5ad"),
        (NEXT_TO_NOTHING + 250, "prepare_features", "results/features"),
    ):
        fails(directory, disk, free, asked, rule, missing)
    disk.give_room()
    directory.run("results/features", cores=1)
    fails(directory, disk, NEXT_TO_NOTHING, asked[:1], "train_pass", asked[0])
    fails(directory, disk, NEXT_TO_NOTHING, asked[1:], "stream_statistics", asked[1])
    disk.give_room()
    assert directory.run(*asked, cores=1).jobs == {"train_pass": 1, "stream_statistics": 1}
    assert unfinished(directory) == []


@pytest.mark.tools
def test_programs_for_reads_say_so_and_the_same_command_goes_on(small_run, disk):
    directory = small_run[0].branch(disk.folder / "work")
    before = directory.outputs()
    for asked in (
        {"quantify_sample": "results/reads/quantification/ctrl_1", "index_salmon": "results/reads/hybrid/salmon"},
        {"align_reads": "results/reads/unaligned/ctrl_1"},
    ):
        for rule, missing in asked.items():
            shutil.rmtree(directory.folder / missing)
            fails(directory, disk, NEXT_TO_NOTHING, (missing,), rule, missing)
        disk.give_room()
        assert directory.run(*asked.values(), cores=1).jobs == dict.fromkeys(asked, 1)
    # the job also writes the alignments, which are deleted by what reads them: it is not asked for here
    after = {name: content for name, content in directory.outputs().items() if not name.startswith("reads/aligned/")}
    assert after.keys() == before.keys()
    assert [name for name in after if "unaligned" in name and after[name] != before[name]] == []
    assert unfinished(directory) == []


def fails(directory, disk, free: int, asked, rule: str, missing: str) -> None:
    """Give the command with so little room that this rule cannot write."""
    disk.leave(free)
    said = directory.run(*asked, cores=1, fails=True).said
    messages = [line for line in said.splitlines() if "the disk is full" in line]
    assert len(set(messages)) == 1, said  # when the job fails, and again at the end
    assert messages[0].startswith(f"Error in {rule}: the disk is full: no space left while writing {missing} ("), said
    assert f"Free on {disk.folder}: " in messages[0]
    assert "run the same command again" in messages[0]
    assert not (directory.folder / missing).exists()
    assert unfinished(directory) == []


def test_no_room_at_all_is_said_before_anything_starts(ranked, disk):
    directory = ranked.branch(disk.folder / "work")
    disk.leave(0)
    running = directory.start(log=disk.folder.parent / "said.txt")
    assert running.wait(timeout=120) == 1
    said = (disk.folder.parent / "said.txt").read_text()
    assert "Nothing was started: the disk is full" in said
    assert "Traceback" not in said
    disk.give_room()
    assert directory.would_run("results/findings/linear/features.tsv") == {}
