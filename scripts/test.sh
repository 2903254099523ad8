#!/usr/bin/env bash
# Runs every check of this repository: style, types, the lint of the workflow, the tests.
#
#   bash scripts/test.sh [PYTEST ARGUMENT...]        e.g. bash scripts/test.sh -k transform -x
#
# Installs what it needs (scripts/setup.sh). All checks run, even after one has failed; the summary at the end lists them,
# and the exit status is 0 only if all passed. With DEEPMAPPER_SKIP_TOOLS=1 the tests that run programs on reads are
# skipped, and the summary says so.
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
bash "$root/scripts/setup.sh"
venv=${DEEPMAPPER_VENV:-$root/.venv}
case $venv in /*) ;; *) venv=$PWD/$venv ;; esac
tools=${DEEPMAPPER_TOOLS:-$root/.tools}
case $tools in /*) ;; *) tools=$PWD/$tools ;; esac
export PATH="$tools/bin:$venv/bin:$PATH" PYTHONNOUSERSITE=1
unset PYTHONPATH PYTHONHOME
cd "$root"

summary=()
failed=0

# check NAME COMMAND...: runs the command and records its result.
check() {
  local name=$1 started=$SECONDS result=passed
  shift
  printf '\n[test] %s: %s\n' "$name" "$*"
  "$@" || {
    result=FAILED
    failed=1
  }
  summary+=("$(printf '%-18s %s (%d s)' "$name" "$result" $((SECONDS - started)))")
}

check "ruff" ruff check .
check "ruff format" ruff format --check .
check "snakefmt" snakefmt --check Snakefile workflow
check "config table" python scripts/config_table.py --check
check "column tables" python scripts/column_tables.py --check
check "snakemake lint" snakemake --lint
check "mypy" mypy
check "import order" lint-imports --no-logo --no-cache
check "manual" sphinx-build -q -E -W --keep-going -c docs . build/site
# One process per core, at most four; the tests of a file stay together, since they share slow fixtures.
workers=$(env -u OMP_NUM_THREADS nproc)
tests=(python -m pytest --numprocesses $((workers < 4 ? workers : 4)) --dist loadfile --no-loadscope-reorder)
if [ "${DEEPMAPPER_SKIP_TOOLS:-}" = 1 ]; then
  check "pytest (no tools)" "${tests[@]}" -m "not tools" "$@"
else
  check "pytest" "${tests[@]}" "$@"
fi

printf '\n[test] summary\n'
printf '  %s\n' "${summary[@]}"
exit "$failed"
