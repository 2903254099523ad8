"""`deepmapper run`, `report` and `open`: what reaches the screen, and how a run ends. Snakemake is a stand-in."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from deepmapper.cli import open_summary, run
from deepmapper.cli.progress import Progress, spell_time
from deepmapper.workflow.failures import FailedJob, describe

FLOOD = "\n".join(
    f"Select jobs to execute...\nJob {i}: Training\n{i} of 200 steps ({i // 2}%) done" for i in range(201)
)


@pytest.fixture
def stand_in(monkeypatch, here):
    """Let a script of a few lines stand in for Snakemake."""

    def make(code):
        script = here / "snakemake.py"
        script.write_text(f"import sys, time, pathlib\n{code}\n")
        monkeypatch.setattr(run, "snakemake", lambda root: [sys.executable, str(script)])
        monkeypatch.setattr(run, "_EVERY", 0.01)

    return make


def test_the_flood_goes_to_a_log_and_the_screen_gets_a_few_lines(study, call, stand_in, here):
    answer = '{"statement": "Signal: p = 0.001."}'
    stand_in(
        f"print({FLOOD!r}, flush=True)\n"
        "folder = pathlib.Path('results/findings/cnn_small'); folder.mkdir(parents=True)\n"
        f"(folder / 'summary.json').write_text({answer!r}); (folder.parent.parent / 'index.html').write_text('x')\n"
        "(folder.parent / 'recommended.json').write_text('{\"statement\": \"9 features to report.\"}')\n"
        "(folder / 'target.json').write_text('{\"statement\": \"Of 5 unlabelled cells, 5 have one label.\"}')\n"
        "(folder / 'target.tsv').touch()"
    )
    found = call("run", study(), "--cores", 1)
    assert len(found.raw.splitlines()) < 40
    assert "Select jobs" not in found.said
    assert "cnn_small: Signal: p = 0.001." in found.said
    assert "9 features to report." in found.said
    assert "cnn_small: Of 5 unlabelled cells, 5 have one label." in found.said
    assert "study/results/findings/cnn_small/target.tsv" in found.said
    assert "study/results/index.html" in found.said.splitlines()[-1]
    (log,) = (here / "study/results/logs").glob("run-*.log")
    assert log.read_text().startswith("Select jobs")


def test_a_run_to_the_matrix_shows_the_matrix_and_speaks_of_no_report(study, call, stand_in, here):
    stand_in("path = pathlib.Path('results/expression.h5ad'); path.touch()")
    said = call("run", study(), "--", "expression").said
    assert "study/results/expression.h5ad" in said.splitlines()[-1]
    assert "deepmapper report" not in said


def test_a_prediction_shows_what_was_found_and_where(study, call, stand_in, here):
    stand_in(
        "folder = pathlib.Path('results/predict'); folder.mkdir(parents=True); (folder / 'target.tsv').touch()\n"
        "(folder / 'target.json').write_text('{\"statement\": \"Of 9 unlabelled cells, 9 have one label.\"}')"
    )
    said = call("run", study()).said
    assert "Of 9 unlabelled cells, 9 have one label." in said
    assert "study/results/predict/target.tsv" in said and "study/results/predict/target.json" in said


def test_faults_end_it_before_snakemake_starts(study, call, stand_in, here):
    stand_in("pathlib.Path('started').touch()")
    assert "1 fault found" in call("run", study(labels={"column": "stat"}), status=1).said
    assert not (here / "study/started").exists()


def test_the_message_of_a_failed_job_stands_last_without_what_snakemake_prints(study, call, stand_in, here):
    message = describe([FailedJob("import_matrix", ("log.txt",))])
    text = f"CalledProcessError in file\nTraceback (most recent call last):\n\n{message}"
    stand_in(f"print({text!r}, file=sys.stderr); sys.exit(1)")
    found = call("run", study(), status=1)
    assert "CalledProcessError" not in found.said
    *_, text, log = found.raw.strip().split("\n\n")
    assert "Error in import_matrix: it ended without a message." in text
    assert text.endswith("\nLog: study/log.txt")  # as it can be opened from here
    assert log.startswith("All output: study/results/logs/run-")


def test_an_end_without_a_message_shows_the_last_lines(study, call, stand_in):
    stand_in("print('MissingInputException: a file'); sys.exit(1)")
    assert "MissingInputException: a file" in call("run", study(), status=1).said
    stand_in("print('LockException:'); sys.exit(1)")
    assert "Another run is at work in this folder" in call("run", "study", status=1).said


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_ctrl_c_reaches_snakemake_once_and_is_no_failure(study, here, number):
    script = here / "snakemake.py"
    script.write_text(
        "import time, signal\n"
        "try:\n    open('started', 'w').close(); time.sleep(60)\n"
        "except KeyboardInterrupt:\n    print('Terminating processes on user request, this might take some time.')\n"
        "    raise SystemExit(1)\n"
    )
    code = "import sys; from deepmapper.cli import run, main\n"
    code += f"run.snakemake = lambda root: [sys.executable, {str(script)!r}]; main.main()"
    command = [sys.executable, "-c", code, "run", "--no-check", study()]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    deadline = time.monotonic() + 20
    while not Path("study/started").exists() and time.monotonic() < deadline:
        time.sleep(0.05)
    time.sleep(0.1)
    os.kill(process.pid, number)
    said, _ = process.communicate(timeout=20)
    assert process.returncode == 130, said
    assert said.rstrip().endswith("Interrupted; finished results are kept. The same command continues.")


def test_an_option_of_snakemake_without_dashes_is_explained(study, call):
    said = call("run", study(), "-n", status=2).said
    assert "No such option '-n'." in said
    assert "deepmapper run STUDY -- -n" in said


def test_arguments_of_snakemake_are_passed_on(study, call, stand_in, here):
    stand_in("pathlib.Path('arguments').write_text(' '.join(sys.argv[1:]))")
    call("run", study(), "--cores", 3, "--", "--sdm", "conda", "-k")
    assert (here / "study/arguments").read_text() == "--cores 3 --sdm conda -k"
    assert "deepmapper run . -- -n" in call("run", "--", "-n", status=2).said


def test_progress_says_passes_accuracy_and_time(here, tmp_path, hand_made):
    settings = {
        "results": "results",
        "models": {"linear": {}},
        "passes": {"n_passes": 3, "n_permuted": 1, "n_shadow": 0, "auto": {"cap": 9}},
        "stability": {"n_pairs": 0},
    }
    log = tmp_path / "log"
    log.write_text("")
    progress = Progress(log, settings)
    log.write_text("Job 1: Importing\n1 of 10 steps (10%) done\nJob 7: Passes 0 to 9\n5 of 10 steps (50%) done\n")
    Path("results/passes/linear/permuted").mkdir(parents=True)
    hand_made(0, accuracy=0.75).save("results/passes/linear/0.npz")
    hand_made(0, accuracy=0.25, permuted=True).save("results/passes/linear/permuted/0.npz")
    progress.update()
    line = progress.line()
    assert "50%" in line
    assert "2 of 4 passes, accuracy 0.75" in line
    assert line.endswith("Passes 0 to 9")


def test_times_are_spelled_out():
    assert [spell_time(seconds) for seconds in (3, 65, 7320)] == ["3 s", "1 min 5 s", "2 h 2 min"]


def test_the_summary_is_opened_where_there_is_a_browser(study, call, here, monkeypatch):
    name, opened = study(results="out"), []
    assert "Make it with: deepmapper run study" in call("open", name, status=1).said
    page = here / name / "out/index.html"
    page.parent.mkdir(parents=True)
    page.write_text("x")
    monkeypatch.setattr(open_summary.webbrowser, "open", opened.append)
    monkeypatch.setattr(open_summary, "has_browser", lambda: True)
    assert call("open", name).raw.strip() == str(page)
    assert opened == [page.as_uri()]
    monkeypatch.setattr(open_summary, "has_browser", lambda: False)
    call("open", name)
    assert len(opened) == 1


def test_a_report_that_was_not_written_says_what_is_missing(study, call, stand_in, here, monkeypatch):
    from deepmapper.cli import report

    stand_in("print('no results'); sys.exit(1)")
    monkeypatch.setattr(report, "snakemake", run.snakemake)
    name = study()
    assert "First: deepmapper run study" in call("report", name, status=1).said
    (here / name / "results").mkdir()
    (here / name / "results/index.html").touch()
    assert "Is the study finished? deepmapper run study" in call("report", name, status=1).said
