#!/usr/bin/env bash
# Installs what scripts/demo.sh and scripts/test.sh need, unless it is installed and up to date: a Python environment, and
# the programs for reads (scripts/install_tools.sh).
#
#   bash scripts/setup.sh
#
# DEEPMAPPER_VENV        folder of the environment (default: .venv in the repository)
# DEEPMAPPER_PYTHON      Python to create it with (default: the first of python3.11, 3.12, 3.13, python3 that is >= 3.11)
# DEEPMAPPER_SKIP_TOOLS  1: do not install the programs; the analysis of a matrix needs none, and conda has its own
# DEEPMAPPER_TOOLS       folder of a privately installed Trinity (default: .tools in the repository)
# PIP_...                pip's own settings are respected (indexes, wheel folders, certificates, proxies)
#
# Safe to run again and safe to interrupt: a stamp is written only when a step is complete, a step without a stamp is
# repeated, and a second run at the same time waits for the first.
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
venv=${DEEPMAPPER_VENV:-$root/.venv}
case $venv in /*) ;; *) venv=$PWD/$venv ;; esac
requirements=$root/envs/requirements.txt
unset PYTHONPATH PYTHONHOME
export PYTHONNOUSERSITE=1 PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_REQUIRE_VIRTUALENV=0 PIP_USER=0

say() { printf '[setup] %s\n' "$*"; }
die() {
  printf '[setup] ERROR: %s\n' "$1" >&2
  shift
  for line in "$@"; do printf '[setup]        %s\n' "$line" >&2; done
  exit 1
}

# Prints a Python's version, and succeeds only if that Python runs and is new enough.
python_version() {
  "$1" -c 'import sys; print(sys.version.split()[0]); sys.exit(sys.version_info < (3, 11))' 2>/dev/null
}

# The interpreter behind a Python. An activated environment has one of its own, and it may be the very one to be rebuilt.
base_python() { "$1" -c 'import sys; print(sys._base_executable)'; }

# 3.11 is tried first: the pins are tested with it.
find_python() {
  local candidate path version seen="" candidates=(python3.11 python3.12 python3.13 python3)
  [ -z "${DEEPMAPPER_PYTHON:-}" ] || candidates=("$DEEPMAPPER_PYTHON")
  for candidate in "${candidates[@]}"; do
    path=$(command -v "$candidate") || continue
    if version=$(python_version "$path"); then
      base_python "$path"
      return
    fi
    # A pyenv shim of an inactive version prints nothing; it is not a usable Python.
    [ -z "$version" ] || seen="$seen $path is $version;"
  done
  die "no Python 3.11 or newer found.${seen:+ Seen:${seen%;}.}" \
    "Install one (Debian 12 or newer, Ubuntu 24.04 or newer: apt-get install python3 python3-venv)," \
    "or specify one: DEEPMAPPER_PYTHON=/path/to/python3.11 bash scripts/setup.sh"
}

# Without python3-venv, the venv module of Debian lacks ensurepip.
ensure_venv_module() {
  local python=$1 package
  "$python" -c 'import ensurepip, venv' 2>/dev/null && return
  package=$("$python" -c 'import sys; print("python%d.%d-venv" % sys.version_info[:2])')
  if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
    say "$python has no venv module: installing Debian's $package"
    { apt-get update -qq && apt-get install -y -qq --no-install-recommends "$package"; } ||
      die "apt-get could not install $package." "Install it by hand, then run this again."
    "$python" -c 'import ensurepip, venv' 2>/dev/null && return
  fi
  die "$python cannot make virtual environments (its venv module is missing)." \
    "Install it, then run this again: sudo apt-get install $package"
}

# Runs pip with its output in a file, the end of which is shown only if pip fails.
run_pip() {
  if ! PIP_PROGRESS_BAR=off "$venv/bin/python" -m pip --no-input "$@" >"$venv/pip.log" 2>&1; then
    tail -n 25 "$venv/pip.log" >&2
    die "pip failed; its last lines are above, the whole output is in $venv/pip.log." \
      "No versions found, unknown hosts, timeouts or certificate errors mean that the packages could not be reached:" \
      "check the connection, or set your proxy or mirror (https_proxy, PIP_INDEX_URL, PIP_CERT), then run this again."
  fi
}

# Prints the pin of one package, as in the requirements.
pinned() { grep "^$1==" "$requirements"; }

python=$(find_python)
version=$(python_version "$python")

# An environment that this script did not create is not rebuilt. The marker is also the lock.
marker=$venv/.deepmapper-lock
if [ -n "$(ls -A "$venv" 2>/dev/null)" ] && [ ! -e "$marker" ]; then
  die "$venv exists, and was not created by this script." \
    "Remove it, or choose another folder: DEEPMAPPER_VENV=/some/folder bash scripts/setup.sh"
fi
mkdir -p "$venv"
: >>"$marker"
exec 9<"$marker"
if ! flock -n 9; then
  say "waiting for another run of this script to finish"
  flock 9
fi

# The programs come from another source, so they are installed meanwhile. apt-get can run only once at a time, so the
# module that it may have to install comes first.
[ -e "$venv/bin/python" ] || ensure_venv_module "$python"
tools=${DEEPMAPPER_TOOLS:-$root/.tools}
case $tools in /*) ;; *) tools=$PWD/$tools ;; esac
programs=
if [ "${DEEPMAPPER_SKIP_TOOLS:-}" != 1 ]; then
  bash "$root/scripts/install_tools.sh" &
  programs=$!
  trap 'wait "$programs" || true' EXIT # apt-get is not to be stopped half-way
fi

# A virtual environment contains its own path and that of its Python, so both count besides the pins.
pins=$(printf '%s\n' "$venv" "$python" "$version" | cat - "$requirements" | sha256sum | cut -d ' ' -f 1)
if [ "$(cat "$venv/.stamp-pins" 2>/dev/null)" != "$pins" ]; then
  started=$SECONDS
  find "$venv" -mindepth 1 -maxdepth 1 ! -name "${marker##*/}" -exec rm -rf {} +
  say "creating $venv with $python ($version)"
  "$python" -m venv "$venv" || die "$python could not create $venv; its message is above."
  run_pip install "$(pinned pip)"
  say "installing $(pinned torch) (the largest download, about 200 MB for a CPU build)"
  run_pip install --no-compile "$(pinned torch)"
  say "installing the other $(($(grep -c '^[A-Za-z].*==' "$requirements") - 2)) packages pinned in envs/requirements.txt (a minute or a few)"
  run_pip install --no-compile --requirement "$requirements"
  # pip compiles one file after another; this uses all cores. Some packages ship templates that are not valid Python.
  "$venv/bin/python" -m compileall -qq -j 0 -x '/tests?/' "$venv/lib" || true
  printf '%s\n' "$pins" >"$venv/.stamp-pins"
  say "packages installed in $((SECONDS - started)) s"
fi

package=$(printf '%s\n' "$root" | cat - "$root/pyproject.toml" | sha256sum | cut -d ' ' -f 1)
if [ "$(cat "$venv/.stamp-package" 2>/dev/null)" != "$package" ]; then
  say "installing deepmapper itself, editable"
  run_pip install --no-deps --no-build-isolation --editable "$root"
  run_pip check
  printf '%s\n' "$package" >"$venv/.stamp-package"
fi
say "environment ready: $venv"

[ -z "$programs" ] || wait "$programs"
trap - EXIT
say "the command for your own data: source \"$venv/bin/activate\"; deepmapper --help (docs/command-line.md)"
say "to run snakemake by hand: export PATH=\"$tools/bin:$venv/bin:\$PATH\""
