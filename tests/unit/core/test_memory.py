"""The message about too little memory names what limits it."""

import resource

from deepmapper.core.memory import out_of_memory_message, physical_memory


def test_a_limit_of_the_shell_is_named_instead_of_the_memory_of_the_machine(monkeypatch):
    assert "This machine has" in out_of_memory_message(MemoryError("Unable to allocate 27.1 MiB"))
    monkeypatch.setattr(resource, "getrlimit", lambda _: (600_000_000, resource.RLIM_INFINITY))
    assert physical_memory() == 600_000_000
    assert out_of_memory_message(MemoryError("Unable to allocate 27.1 MiB")) == (
        "there was not enough memory: Unable to allocate 27.1 MiB. The shell limits each process to 600.0 MB. Allow "
        "more (ulimit -v unlimited), or use a matrix with fewer samples or features."
    )
