"""The last lines on the screen say what to mend, whatever failed; where nothing can be written, nothing is started."""

import os
import re
import shlex
import subprocess

import pytest

pytestmark = pytest.mark.workflow


def last_words(done) -> str:
    """Return what is said after the last line of Snakemake itself."""
    assert "Traceback" not in done.said
    assert "returned non-zero exit status" not in done.said
    return done.said.rpartition("At least one job did not complete successfully.\n")[2].strip()


def test_the_message_of_a_failed_job_stands_last(work_directory):
    directory = work_directory(features={"normalization": "log1p_tpm"})
    done = directory.run("results/features", "--keep-going", "--retries", "1", fails=True)
    assert re.fullmatch(
        r"1 job failed; finished results are kept\.\n\nError in prepare_features: .*log1p_tpm needs transcripts per "
        r"million[^\n]*\nLog: results/logs/prepare_features\.log",
        last_words(done),
    )


def test_each_of_several_failed_jobs_is_described_once(ranked, tmp_path):
    directory = ranked.branch(tmp_path / "work")
    damaged = directory.results / "passes/linear/1.npz"
    time = damaged.stat().st_mtime_ns
    damaged.write_bytes(damaged.read_bytes()[:-100])
    os.utime(damaged, ns=(time, time))
    targets = [f"results/findings/linear/{name}" for name in ("ranking.tsv", "convergence.json")]
    forced = ("--forcerun", "accumulate_passes", "judge_convergence")
    words = last_words(directory.run(*targets, "--keep-going", *forced, fails=True))
    assert words.startswith("2 jobs failed; finished results are kept.")
    for rule in ("accumulate_passes", "judge_convergence"):
        assert len(re.findall(rf"^Error in {rule}: .*1\.npz is not a complete pass", words, re.MULTILINE)) == 1
        assert f"Log: results/logs/{rule}/linear.log" in words


def test_an_unexpected_error_and_a_killed_job_name_their_log(copy_pipeline, work_directory, tmp_path):
    directory = work_directory()
    directory.pipeline = copy_pipeline(tmp_path / "deepmapper")
    script = directory.pipeline / "scripts/rules/matrix/import_matrix.py"
    script.write_text(script.read_text() + "    1 / 0\n")
    words = last_words(directory.run("expression", fails=True))
    assert words.splitlines()[2:] == [
        "Error in import_matrix: unexpected ZeroDivisionError: division by zero",
        "This is an error of the workflow or of a program that it uses; the log has the details: "
        "results/logs/import_matrix.log",
        "Log: results/logs/import_matrix.log",
    ]
    assert "Traceback" in (directory.results / "logs/import_matrix.log").read_text()
    script.write_text(script.read_text().replace("1 / 0", "import os; os.kill(os.getpid(), 9)"))
    words = last_words(directory.run("expression", fails=True))
    assert "Error in import_matrix: it ended without a message. Something killed it" in words


def test_a_fault_of_the_configuration_stands_last(work_directory):
    directory = work_directory(labels={"column": "state", "table": "/dev/zero"})
    os.mkfifo(directory.folder / "pipe")
    directory.configure(matrix={"path": "pipe", "format": "h5ad"}, results="matrix.h5ad/results")
    done = directory.run(fails=True)
    assert done.said.endswith(
        "\n\nthe configuration names what cannot be used:\n"
        "  - matrix.path: pipe is a named pipe, expected a file; write what it gives to a file first\n"
        "  - labels.table: /dev/zero is a device, expected a file; write what it gives to a file first\n"
        "  - results: matrix.h5ad is a file, expected a folder or the name of a new one\n"
        "Give files, and folders where they are expected; nothing was run.\n"
    )
    assert done.status == 1
    directory.configure(labels={"column": "state"}, matrix={"path": "matrix.h5ad"}, results="/proc/results")
    assert re.fullmatch(
        r"Nothing was started: the folder /proc/results cannot be made \(.*\)\. Set `results` to another one\.",
        directory.run(fails=True).said.splitlines()[-1],
    )
    (directory.folder / "config/config.yaml").write_text("labels:\n\tcolumn: state\n")
    done = directory.run(fails=True)
    assert "config/config.yaml, line 2: this is not YAML" in done.said.splitlines()[-1]


def read_only(folder, command: str) -> subprocess.CompletedProcess:
    """Run a command where a folder is mounted read-only, which stops root, too."""
    folder = shlex.quote(str(folder))
    mount = f"mount --bind {folder} {folder} && mount -o remount,ro,bind {folder} && cd {folder}"
    return subprocess.run(
        ["unshare", "--mount", "--map-root-user", "bash", "-c", f"{mount} || exit 99; {command}"],
        capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip


def test_a_read_only_folder_can_be_planned_in_and_nothing_more(work_directory, tmp_path):
    if read_only(tmp_path, "true").returncode:
        pytest.skip("no right to mount a folder read-only")
    directory = work_directory()
    files = sorted(directory.folder.rglob("*"))
    call = f"snakemake --snakefile {shlex.quote(str(directory.pipeline / 'Snakefile'))} --cores 2"
    planned = read_only(directory.folder, f"env -u PYTHONPATH {call} --dry-run")
    assert planned.returncode == 0, planned.stderr
    assert "This was a dry-run" in planned.stdout + planned.stderr
    started = read_only(directory.folder, f"env -u PYTHONPATH {call}")
    assert started.returncode == 1
    assert re.search(
        r"\n\nNothing was started: /.* is on a read-only file system\. Run Snakemake in a folder that can be written "
        r"to\.\n$",
        started.stderr,
    )
    assert "Traceback" not in started.stderr + planned.stderr
    assert sorted(directory.folder.rglob("*")) == files
