"""All uses of Snakemake features outside its documented interface, in one place.

It may be missing in other versions of Snakemake; `untested` knows the versions that were tested. `origin` and
`untested` need only the standard library, since they are called before the package can be imported.
"""

from __future__ import annotations

import base64
import gzip
import json
import logging
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from .failures import FailedJobs

TESTED = ((9, 19), (9, 27))  # oldest and newest version tested; pyproject.toml allows any with the same major version


def untested(version: str) -> str | None:
    """Warning about a version of Snakemake newer than those tested; None for a tested one.

    Raises
    ------
    RuntimeError
        If the version is older, or its major version is another one.
    """
    (major, oldest), (_, newest) = TESTED
    tested = f"tested with {major}.{oldest} to {major}.{newest}"
    found = tuple(map(int, version.split(".")[:2]))
    if found[0] != major or found < TESTED[0]:
        raise RuntimeError(
            f"this is Snakemake {version}, and the workflow was {tested}: install one of these, for example with "
            f"pip install 'snakemake>={major}.{oldest},<{major + 1}'"
        )
    if found > TESTED[1]:
        return f"this is Snakemake {version}; the workflow was {tested}. If it fails, install one of these."
    return None


class Origin(NamedTuple):
    """Where a file of a workflow comes from: a local path, or a commit of a git repository."""

    path: Path | None
    git: Path | None
    commit: str


def origin(source_file: Any) -> Origin:
    """Where a file or folder of the workflow comes from; `source_file` is a Snakemake SourceFile."""
    if hasattr(source_file, "hosted_repo"):  # github(...), gitlab(...)
        return Origin(None, Path(source_file.hosted_repo.repo_clone), source_file.ref)
    if hasattr(source_file, "repo_path"):  # git+file:
        return Origin(None, Path(source_file.repo_path), source_file.ref)
    return Origin(Path(source_file.get_path_or_uri(secret_free=True)), None, "")


def is_main_process(workflow: Any) -> bool:
    """Whether this is the process that the user started, not that of a single job."""
    return workflow.exec_mode.name == "DEFAULT"


def is_remote(workflow: Any) -> bool:
    """Whether this is the process of a job on another machine."""
    return workflow.exec_mode.name == "REMOTE"


def watch_jobs(jobs: FailedJobs) -> None:
    """Report the jobs of this run that fail and succeed, and whether the run is interrupted."""
    from snakemake.logging import logger

    from .failures import FailedJob

    class Watcher(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            event = getattr(getattr(record, "event", None), "name", "")
            if event == "JOB_ERROR":
                jobs.failed(record.jobid, FailedJob(record.rule_name, tuple(record.log)))  # type: ignore[attr-defined]
            elif event == "JOB_FINISHED":
                jobs.succeeded(record.job_id)  # type: ignore[attr-defined]
            elif record.getMessage().startswith("Terminating processes on user request"):
                jobs.interrupted()

    logger.addHandler(Watcher())


def hide_exit_status() -> None:
    """Do not show on the screen that a script ended with status 1: its own message says why, and the log has both."""
    from snakemake.logging import logger

    def is_worth_showing(record: logging.LogRecord) -> bool:
        text = record.getMessage() if record.levelno >= logging.ERROR else ""
        return not ("CalledProcessError in file" in text and text.endswith("returned non-zero exit status 1."))

    for handler in logger.handlers:
        if not isinstance(handler, logging.FileHandler):
            handler.addFilter(is_worth_showing)


def keep_own_files_in(folder: Path) -> None:
    """Let Snakemake keep its own files (metadata, locks) in this folder instead of ``.snakemake``."""
    import snakemake.workflow

    original = snakemake.workflow.FilePersistence

    class Elsewhere(original):  # type: ignore[misc, valid-type]
        def __init__(self, *args: Any, path: Path | None = None, **options: Any) -> None:
            super().__init__(*args, path=path or folder, **options)

    snakemake.workflow.FilePersistence = Elsewhere  # type: ignore[misc]


def shape_report(first: str, leave_out: Callable[[Path], bool]) -> None:
    """Let the page of `snakemake --report` open on one of its results, leave out files that show nothing, and be small.

    The page would open on the graph of the rules, and hold every file as it is. Here files are compressed, and the page
    unpacks them before it shows anything.

    Parameters
    ----------
    first
        Path of the result.
    leave_out
        Whether a file shows nothing.
    """
    if "--report" not in " ".join(sys.argv):
        return  # it takes a second to import
    from snakemake.report.html_reporter import Reporter, data

    original, as_text = Reporter.render, data.render_results

    def render_results(*arguments: Any) -> str:
        results = json.loads(as_text(*arguments))
        for result in results.values():
            kind, mark, content = result["data_uri"].partition(";base64,")
            if mark:
                packed = gzip.compress(base64.b64decode(content), 9, mtime=0)
                result |= {"data_uri": kind + mark, "packed": base64.b64encode(packed).decode()}
        return json.dumps(results)

    def render(self: Any) -> None:
        for categories in self.results.values():
            for name, records in categories.items():
                categories[name] = [record for record in records if not leave_out(Path(record.path))]
        for name in [name for name, categories in self.results.items() if not any(categories.values())]:
            del self.results[name]
        read = self.env.filters["get_resource_as_string"]
        start = _START % json.dumps(first)
        if _MOUNT in read("components/app.js"):
            data.render_results = render_results
            self.env.filters["get_resource_as_string"] = lambda name: read(name).replace(_MOUNT, start)
        original(self)

    Reporter.render = render  # type: ignore[method-assign]


# The line of Snakemake's page that shows it, and what takes its place.
_MOUNT = "root.render(e(App));"
_START = """
const unpack = async result => {
    const bytes = Uint8Array.from(atob(result.packed), character => character.charCodeAt(0));
    const content = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
    const reader = new FileReader(), whole = await new Response(content).blob();
    await new Promise(done => { reader.onload = done; reader.readAsDataURL(whole); });
    result.data_uri += reader.result.split(",", 2)[1] || "";
    delete result.packed;
};
const path = %s, first = results[path];
if (window.DecompressionStream) Promise.all(Object.values(results).filter(one => one.packed).map(unpack)).then(() => {
    root.render(e(App));
    const wait = first && setInterval(() => {
        if (!app) return;
        clearInterval(wait);
        app.setView({content: "html", contentPath: first.data_uri, resultPath: path, hideNavbar: innerWidth < 700});
    }, 20);
});
else document.body.textContent = "This page needs a newer browser: Chrome 80, Firefox 113, Safari 16.4, or later.";
"""


def runs_jobs_here(workflow: Any) -> bool:
    """Whether jobs run on this machine, in the environment of this process."""
    return workflow.local_exec and not workflow.deployment_settings.deployment_method


def deployment_methods(workflow: Any) -> list[str]:
    """How jobs get their software, sorted: "apptainer", "conda", "env_modules"."""
    return sorted(method.name.lower() for method in workflow.deployment_settings.deployment_method)


def planned_rules(workflow: Any) -> set[str]:
    """Rules of the jobs that will run; known once Snakemake has built the graph of jobs."""
    return {job.rule.name for job in workflow.dag.needrun_jobs()}


def planned_folders(workflow: Any) -> list[str]:
    """Folders to which the jobs that will run write, sorted."""
    jobs = list(workflow.dag.needrun_jobs())
    return sorted({str(Path(file).parent) for job in jobs for file in (*job.output, *job.log, job.benchmark or "")})


def array_rules(workflow: Any) -> set[str]:
    """Rules whose jobs are submitted to Slurm as arrays; "all" stands for every rule."""
    named = getattr(workflow.executor_settings, "array_jobs", None) or ""
    return {name.strip() for name in named.split(",")} - {""}


def max_jobs(workflow: Any) -> int | None:
    """Largest number of jobs in the queue of a cluster (``--jobs``); None if not given."""
    return workflow.resource_settings.nodes


def processors_here(workflow: Any) -> int | None:
    """Cores that jobs on this machine may use (``--cores``); None if jobs may run elsewhere, or in a job's own process.

    Which executor runs the jobs is not known yet when rules are read; all but the local one need ``--jobs``.
    """
    settings = workflow.resource_settings
    return settings.cores if is_main_process(workflow) and settings.nodes is None else None


def requested(workflow: Any) -> tuple[set[str], bool]:
    """Targets and rules that the command line names, and whether it forces all jobs; known once rules are read."""
    options = workflow.dag_settings
    return {*options.targets, *options.forcerun, *options.until, *options.omit_from}, options.forceall


def name_of(rule: Any) -> str:
    """Name of one of `rules` in the complete workflow, which may use this one as a module and rename its rules."""
    return rule.rule.name


def set_default_target(workflow: Any, rule_name: str) -> None:
    """Make a rule of an included file the default target."""
    workflow.default_target = rule_name


class _LateOrder(list[str]):
    """Two rules in order of preference, reversed if `reversed_when` returns True when the order is looked up."""

    def __init__(self, first: str, second: str, reversed_when: Callable[[], bool]) -> None:
        super().__init__((first, second))
        self.reversed_when = reversed_when

    def index(self, name: str, *bounds: Any) -> int:  # type: ignore[override]
        """Position of a rule, for `Ruleorder.compare`."""
        position = super().index(name, *bounds)
        return 1 - position if self.reversed_when() else position


def prefer(workflow: Any, first: str, second: str, unless: Callable[[], bool]) -> None:
    """``ruleorder: first > second``, or the reverse if `unless` returns True when Snakemake looks for jobs.

    The targets of the command line are not known yet when rules are read, and a ruleorder cannot depend on them.
    """
    workflow.ruleorder(first, second)
    clauses = workflow._ruleorder.order
    first, second = clauses[-1]  # the names in the complete workflow
    clauses[-1] = _LateOrder(first, second, unless)


def run_as(workflow: Any, several: Any, single: Any, n: int) -> None:
    """Let the rule `several` do the work of the rule `single` n times: same code, same settings of the command line.

    ``--set-resources`` and ``--set-threads`` for `single` apply to `several` too, with n times the minutes, unless they
    are set for `several` itself. Both are attributes of `rules`.

    Raises
    ------
    WorkflowError
        If the minutes (``runtime``) are not a number.
    """
    from snakemake.exceptions import WorkflowError

    several, single = several.rule, single.rule
    # Snakemake compares the source lines of the `script:` directive, indentation included, as the code of a rule.
    several.run_func_src = single.run_func_src
    resources = workflow.resource_settings.overwrite_resources
    threads = workflow.resource_settings.overwrite_threads
    own = resources.get(several.name, {})
    for name, resource in resources.get(single.name, {}).items():
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
