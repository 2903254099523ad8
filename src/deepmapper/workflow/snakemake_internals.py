"""All that this workflow takes from Snakemake beyond its documented interface, in one place.

Another version of Snakemake may lack any of it: `untested` says for which versions it is known to be there.
`origin` and `untested` need nothing but the standard library, since they are called before the package can be imported.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

TESTED = ((9, 19), (9, 27))  # first and last minor version; pyproject.toml allows what has the same major one


def untested(version: str) -> str | None:
    """Say what is wrong with a version of Snakemake, None where nothing is.

    Raises
    ------
    RuntimeError
        If its major version is another one than was tested, or if it is older.
    """
    (major, oldest), (_, newest) = TESTED
    tested = f"tested with {major}.{oldest} to {major}.{newest}"
    found = tuple(map(int, version.split(".")[:2]))
    if found[0] != major or found < TESTED[0]:
        raise RuntimeError(
            f"this is Snakemake {version}, and the workflow is {tested}: install one of these, for example with "
            f"pip install 'snakemake>={major}.{oldest},<{major + 1}'"
        )
    if found > TESTED[1]:
        return f"this is Snakemake {version}; the workflow is {tested}. If it fails, install one of these."
    return None


class Origin(NamedTuple):
    """Where a file of a workflow is from: a path, or one below a commit of a git repository."""

    path: Path | None
    git: Path | None
    commit: str


def origin(source_file: Any) -> Origin:
    """Where a file or folder of the workflow is from; `source_file` is what Snakemake calls by that name."""
    if hasattr(source_file, "hosted_repo"):  # github(...), gitlab(...)
        return Origin(None, Path(source_file.hosted_repo.repo_clone), source_file.ref)
    if hasattr(source_file, "repo_path"):  # git+file:
        return Origin(None, Path(source_file.repo_path), source_file.ref)
    return Origin(Path(source_file.get_path_or_uri(secret_free=True)), None, "")


def is_main_process(workflow: Any) -> bool:
    """Whether this is the process that a person started, not that of a single job."""
    return workflow.exec_mode.name == "DEFAULT"


def runs_jobs_here(workflow: Any) -> bool:
    """Whether jobs run on this machine, in the environment of this process."""
    return workflow.local_exec and not workflow.deployment_settings.deployment_method


def deployment_methods(workflow: Any) -> list[str]:
    """Names of the ways in which jobs get their software, sorted: "apptainer", "conda", "env_modules"."""
    return sorted(method.name.lower() for method in workflow.deployment_settings.deployment_method)


def planned_rules(workflow: Any) -> set[str]:
    """Rules of the jobs that will run; known once they are counted."""
    return {job.rule.name for job in workflow.dag.needrun_jobs()}


def array_rules(workflow: Any) -> set[str]:
    """Rules whose jobs go to Slurm as arrays; "all" stands for every rule."""
    named = getattr(workflow.executor_settings, "array_jobs", None) or ""
    return {name.strip() for name in named.split(",")} - {""}


def max_jobs(workflow: Any) -> int | None:
    """Jobs that may be in the queue of a cluster at once (``--jobs``); None where nothing was said."""
    return workflow.resource_settings.nodes


def asked_for(workflow: Any) -> tuple[set[str], bool]:
    """Targets and rules that the command line names, and whether it forces all jobs; known once jobs are looked for."""
    asked = workflow.dag_settings
    return {*asked.targets, *asked.forcerun, *asked.until, *asked.omit_from}, asked.forceall


def name_of(rule: Any) -> str:
    """Name of one of `rules` as it is in the whole workflow, which may use this one as a module."""
    return rule.rule.name


def set_default_target(workflow: Any, rule_name: str) -> None:
    """Make a rule of an included file what Snakemake makes without a target."""
    workflow.default_target = rule_name


class _LateOrder(list[str]):
    """Two rules in their order, which is turned round where that is asked for when the order is looked up."""

    def __init__(self, first: str, second: str, turned: Callable[[], bool]) -> None:
        super().__init__((first, second))
        self.turned = turned

    def index(self, name: str, *bounds: Any) -> int:  # type: ignore[override]
        """Place of a rule, as `Ruleorder.compare` asks for it."""
        place = super().index(name, *bounds)
        return 1 - place if self.turned() else place


def prefer(workflow: Any, first: str, second: str, unless: Callable[[], bool]) -> None:
    """``ruleorder: first > second``, or the reverse where `unless` gives True once jobs are looked for.

    What the command line asks for is not known when rules are read, and a ruleorder cannot wait.
    """
    workflow.ruleorder(first, second)
    clauses = workflow._ruleorder.order
    first, second = clauses[-1]  # as they are called in the whole workflow
    clauses[-1] = _LateOrder(first, second, unless)


def run_as(workflow: Any, several: Any, single: Any, n: int) -> None:
    """Let a rule run the job of another one, n times: its code, and what the command line sets for it.

    ``--set-resources`` and ``--set-threads`` for the single one hold for that of several, with n times its minutes;
    what is set for that of several comes first. Both are rules of `rules`.

    Raises
    ------
    WorkflowError
        If the minutes are no number.
    """
    from snakemake.exceptions import WorkflowError

    several, single = several.rule, single.rule
    # Snakemake takes the text of the lines that name the script, indentation included, for the code of a rule.
    several.run_func_src = single.run_func_src
    asked, threads = (getattr(workflow.resource_settings, f"overwrite_{kind}") for kind in ("resources", "threads"))
    own = asked.get(several.name, {})
    for name, resource in asked.get(single.name, {}).items():
        if name == "runtime":
            if resource.is_evaluable():
                raise WorkflowError(
                    f"--set-resources {single.name}:runtime={resource.raw}: expected the minutes of one pass, a "
                    "number, since jobs train several seeds here (resources.seeds_per_job)."
                )
            resource = n * resource.value
        if name not in own:
            several.resources[name] = resource
    if single.name in threads and several.name not in threads:
        several.resources["_cores"] = threads[single.name]
