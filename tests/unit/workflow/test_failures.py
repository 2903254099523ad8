"""What the failed jobs of a run said, once each, as the last lines on the screen."""

from pathlib import Path

from deepmapper.workflow.failures import FailedJob, FailedJobs, describe, find_description, message_in


def job(tmp_path, name, text, rule="train_pass"):
    log = tmp_path / f"{name}.log"
    log.write_text(text)
    return FailedJob(rule, (str(log),))


def test_the_message_is_the_end_of_the_log(tmp_path):
    failed = job(tmp_path, 1, "DeepMapperWarning: odd\nError in train_pass: it is bad\nand worse\n")
    assert message_in(failed.logs[0], "train_pass") == "Error in train_pass: it is bad\nand worse"
    assert describe([failed]) == (
        f"1 job failed; finished results are kept.\n\nError in train_pass: it is bad\nand worse\nLog: {failed.logs[0]}"
    )


def test_a_message_of_many_jobs_appears_once(tmp_path):
    failed = [job(tmp_path, i, "Error in train_pass: no samples\n") for i in range(30)]
    assert describe(failed) == (
        "30 jobs failed; finished results are kept.\n\nError in train_pass: no samples\n"
        f"Log: {failed[0].logs[0]} (and 29 more with the same message)"
    )


def test_five_messages_are_shown_and_the_others_counted(tmp_path):
    failed = [job(tmp_path, i, f"Error in train_pass: reason {i}\n") for i in range(8)]
    text = describe(failed)
    assert text.startswith("8 jobs failed")
    assert "reason 4" in text and "reason 5" not in text
    assert text.endswith(f"3 more failed; their logs: {', '.join(entry.logs[0] for entry in failed[5:])}")


def test_logs_are_named_as_seen_from_outside_the_folder_of_the_run():
    jobs = [FailedJob(f"rule_{i}", (f"logs/{i}.log", f"logs/{i}.txt")) for i in range(6)]
    jobs += [FailedJob("rule_0", ("logs/again.log",)), FailedJob("rule_9", ("/scratch/9.log",))]
    text = find_description(f"flood\n\n{describe(jobs)}\n", Path("blood"))
    assert "\nLog: blood/logs/0.log, blood/logs/0.txt (and 1 more with the same message)\n" in text
    assert text.endswith("2 more failed; their logs: blood/logs/5.log, blood/logs/5.txt, /scratch/9.log")
    assert find_description(f"flood\n\n{describe(jobs)}\n") == describe(jobs)


def test_a_job_that_was_killed_has_no_message_of_its_own(tmp_path):
    for failed in (job(tmp_path, 1, "epoch 1\n"), FailedJob("train_pass", ("gone.log",)), FailedJob("train_pass", ())):
        assert "Error in train_pass: it ended without a message" in describe([failed])


def test_jobs_that_succeeded_in_the_end_are_not_described(tmp_path, capsys):
    jobs = FailedJobs()
    jobs.failed(0, job(tmp_path, 1, "Error in train_pass: bad\n"))
    jobs.succeeded(0)
    jobs.succeeded(7)
    jobs.print_all()
    assert capsys.readouterr() == ("", "")


def test_an_interrupted_run_says_so_and_nothing_of_its_jobs(tmp_path, capsys):
    assert describe([job(tmp_path, 1, "Error in train_pass: interrupted\n")]) == ""
    jobs = FailedJobs()
    jobs.failed(1, job(tmp_path, 2, "epoch 1\n"))
    jobs.interrupted()
    jobs.print_all()
    assert capsys.readouterr() == ("", "\nInterrupted; finished results are kept. The same command continues.\n")
