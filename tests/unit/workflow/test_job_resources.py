"""Memory and time of jobs grow with attempts and with the input."""

from deepmapper.workflow.job_resources import grow, in_tasks, megabytes


def test_resources_grow_with_attempts_and_with_the_size_of_the_input(tmp_path):
    (tmp_path / "folder").mkdir()
    for name in ("folder/a", "b"):
        (tmp_path / name).write_bytes(b"x" * 2_000_000)
    paths = [tmp_path / "folder", tmp_path / "b"]
    assert megabytes(paths) == 4
    assert grow(1000)(None, attempt=2) == 2000
    assert grow(1000, per_mb=25)(None, input=paths, attempt=1) == 1100
    assert grow(1000, per_mb=25, max_extra=50)(None, input=paths, attempt=3) == 3150


def test_tasks_ask_for_nodes_and_for_the_memory_of_one_node():
    one, six = in_tasks(1, 1, 2000), in_tasks(6, 2, 2000)
    assert list(one) == ["mem_mb"] and one["mem_mb"](None, attempt=2) == 4000
    assert six.pop("mem_mb")(None, attempt=1) == 6000
    assert six == {"tasks": 6, "nodes": 2, "cpus_per_task": 1, "mpi": "srun"}
