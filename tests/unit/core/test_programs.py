"""Programs: pipes, logs, time limits, signals, and what a failure says."""

import io
import os
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import pytest

from deepmapper.core import programs
from deepmapper.core.files import is_disk_full
from deepmapper.core.programs import missing_tools, require, run_tool, version
from deepmapper.errors import BioToolUnavailable, InputError, ToolFailed


def python(code):
    return [sys.executable, "-c", textwrap.dedent(code)]


def alive(pid):
    """Whether a process runs (one that ended and waits for its parent does not)."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def names(folder):
    return [path.name for path in folder.iterdir()]


def wait_until(condition, seconds=10.0):
    limit = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < limit, "timed out"
        time.sleep(0.02)


def test_output_and_log(tmp_path):
    log = io.StringIO()
    code = "import sys; print('data'); print('a remark', file=sys.stderr)"
    last_lines = run_tool(python(code), stdout=tmp_path / "out", log=log)
    assert (tmp_path / "out").read_text() == "data\n"
    assert "a remark" in log.getvalue()
    assert log.getvalue().startswith("$ ")
    assert last_lines == "a remark"


def test_arguments_never_pass_a_shell(tmp_path):
    nasty = "a; touch pwned $(touch pwned) `touch pwned` 'quote\" *,"
    run_tool(
        [*python("import sys; print(sys.argv[1])"), nasty], stdout=tmp_path / "out", folder=tmp_path, log=io.StringIO()
    )
    assert (tmp_path / "out").read_text() == f"{nasty}\n"
    assert not (tmp_path / "pwned").exists()


def test_pipe(tmp_path):
    upper = "import sys; sys.stdout.write(sys.stdin.read().upper())"
    run_tool(python("print('acgt')"), python(upper), stdout=tmp_path / "out", log=io.StringIO())
    assert (tmp_path / "out").read_text() == "ACGT\n"


def test_failure_names_status_last_lines_and_way_out():
    code = "import sys; [print('line', i) for i in range(40)]; sys.exit(3)"
    with pytest.raises(ToolFailed) as caught:
        run_tool(python(code), log=io.StringIO(), advice="Check the input.")
    message = str(caught.value)
    assert caught.value.status == 3
    assert "exit status 3" in message
    assert "Check the input." in message
    assert "line 39" in message
    assert "line 20" not in message


def test_the_reader_of_a_pipe_is_named_when_it_fails():
    endless = python("import itertools, sys\nfor i in itertools.count(): sys.stdout.write('x' * 4096)")
    with pytest.raises(ToolFailed, match="failed.*exit status 4"):
        run_tool(endless, python("import sys; sys.exit(4)"), log=io.StringIO())


def test_the_writer_of_a_pipe_is_named_when_it_fails(tmp_path):
    with pytest.raises(ToolFailed, match="exit status 5"):
        run_tool(python("raise SystemExit(5)"), ["cat"], stdout=tmp_path / "out", log=io.StringIO())


def test_a_writer_that_loses_a_satisfied_reader_has_not_failed(tmp_path):
    run_tool(["yes"], ["head", "-n", "2"], stdout=tmp_path / "out", log=io.StringIO())
    assert (tmp_path / "out").read_text() == "y\ny\n"


def test_reader_gets_the_output():
    lines = []
    run_tool(["printf", "a\\nb\\n"], reader=lambda pipe: lines.extend(pipe), log=io.StringIO())
    assert lines == [b"a\n", b"b\n"]


def test_reader_that_raises_ends_the_program(tmp_path):
    def refuse(pipe):
        pid.append(int(pipe.readline()))
        raise InputError("not this")

    pid = []
    with pytest.raises(InputError, match="not this"):
        run_tool(["sh", "-c", "echo $$; sleep 60"], reader=refuse, log=io.StringIO())
    assert not alive(pid[0])


def test_program_that_fails_while_read_is_named():
    with pytest.raises(ToolFailed, match="exit status 7"):
        run_tool(["sh", "-c", "echo half; exit 7"], reader=lambda pipe: pipe.read(), log=io.StringIO())


@pytest.mark.parametrize("read", [False, True])
def test_time_is_bounded_and_children_end_too(tmp_path, read):
    start = time.monotonic()
    command = ["sh", "-c", f"sleep 60 & echo $! > '{tmp_path}/child'; wait"]
    with pytest.raises(ToolFailed, match="time limit of 0.5 s") as caught:
        run_tool(command, seconds=0.5, reader=(lambda pipe: pipe.read()) if read else None, log=io.StringIO())
    assert caught.value.status is None
    assert time.monotonic() - start < 10
    child = int((tmp_path / "child").read_text())
    wait_until(lambda: not alive(child))


def test_children_of_a_program_that_failed_end_too(tmp_path):
    with pytest.raises(ToolFailed):
        run_tool(["sh", "-c", f"sleep 60 & echo $! > '{tmp_path}/child'; exit 1"], log=io.StringIO())
    child = int((tmp_path / "child").read_text())
    wait_until(lambda: not alive(child))


def test_request_to_stop_ends_the_program_and_leaves_nothing(tmp_path):
    code = f"""
    from pathlib import Path
    from deepmapper.core.files import atomic_folder
    from deepmapper.core.programs import run_tool
    with atomic_folder("{tmp_path}/out") as tmp:
        run_tool(["sh", "-c", "echo $$ > '{tmp_path}/pid'; sleep 60"])
    """
    process = subprocess.Popen(
        python(code),
        env={**os.environ, "PYTHONPATH": str(Path(programs.__file__).parents[2])},
        stderr=subprocess.DEVNULL,
    )
    wait_until(lambda: (tmp_path / "pid").exists() and (tmp_path / "pid").read_text().strip())
    process.send_signal(signal.SIGTERM)
    assert process.wait(10) == 128 + signal.SIGTERM
    pid = int((tmp_path / "pid").read_text())
    wait_until(lambda: not alive(pid))
    assert names(tmp_path) == ["pid"]


def test_log_is_written_while_the_program_runs(tmp_path):
    path = tmp_path / "log"
    with path.open("w") as log:
        wait = f"echo first; while ! grep -q first '{path}'; do sleep 0.05; done; echo second"
        run_tool(["sh", "-c", wait], seconds=20, log=log)
    assert path.read_text().splitlines()[-2:] == ["first", "second"]


def test_a_program_killed_by_a_signal_is_reported_as_such():
    with pytest.raises(ToolFailed, match="killed by signal 9.*out of memory") as caught:
        run_tool(["sh", "-c", "kill -9 $$"], log=io.StringIO())
    assert caught.value.status == -9


def test_environment_is_added(tmp_path):
    run_tool(["sh", "-c", "echo $LC_ALL"], environment={"LC_ALL": "xx"}, stdout=tmp_path / "out", log=io.StringIO())
    assert (tmp_path / "out").read_text() == "xx\n"


def test_missing_tools_are_named_with_the_ways_to_get_them(monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    assert missing_tools(["salmon", "hisat2", "salmon"]) == ["salmon", "hisat2"]
    with pytest.raises(BioToolUnavailable) as caught:
        require("hisat2", "hisat2-build", "Trinity")
    message = str(caught.value)
    assert message.startswith("hisat2, hisat2-build, Trinity: not found on PATH")
    assert "conda install -c conda-forge -c bioconda hisat2 trinity" in message
    assert "apt-get install hisat2;" in message
    assert "scripts/setup.sh" in message


def test_run_tool_needs_the_program(monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(BioToolUnavailable, match="samtools: not found"):
        run_tool(["samtools", "view"], log=io.StringIO())


def test_version_is_the_first_line(monkeypatch, tmp_path):
    tool = tmp_path / "salmon"
    tool.write_text("#!/bin/sh\necho salmon 1.10.1\necho more\n")
    tool.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    assert version("salmon") == "salmon 1.10.1"


def test_a_version_in_another_encoding_is_read(tmp_path, monkeypatch):
    program = tmp_path / "old"
    program.write_text("#!/bin/sh\nprintf 'old 1.2 \\253Latin\\273\\n'\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    assert version("old").startswith("old 1.2 ")


@pytest.mark.parametrize(
    ("status", "message"), [(0, "ended without an error, but the disk is full"), (3, "failed .exit status 3.")]
)
def test_full_disk_at_the_end_of_a_program_is_why_it_failed(tmp_path, monkeypatch, status, message):
    """Also if the program did not notice, and if deleting its folder frees the space again."""
    monkeypatch.setattr(programs, "free_space", lambda folder: (0, 1) if folder == tmp_path else (1 << 30, 1 << 30))
    run_tool(python("pass"), log=io.StringIO())
    with pytest.raises(ToolFailed, match=message) as raised:
        run_tool(python(f"raise SystemExit({status})"), folder=tmp_path, log=io.StringIO())
    assert is_disk_full(raised.value, [])
