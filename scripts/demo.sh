#!/usr/bin/env bash
# The demo: 700 real blood cells, every stage of the workflow, a report to look at.
#
#   bash scripts/demo.sh [--cores N]
#
# Creates the environment it needs (scripts/setup.sh), runs the workflow as config/config.yaml says, and writes
# results/report.html. Run again, it does only what is missing or out of date.
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
cores=2

usage() {
  cat <<'TEXT'
usage: bash scripts/demo.sh [--cores N] [-h]

  --cores N   how many processor cores to use (default: 2)
  -h, --help  this text
TEXT
}

while [ $# -gt 0 ]; do
  case $1 in
    --cores) cores=${2:-} && shift ;;
    --cores=*) cores=${1#--cores=} ;;
    -h | --help) usage && exit ;;
    *) printf 'demo.sh: unknown option: %s\n' "$1" >&2 && usage >&2 && exit 2 ;;
  esac
  shift || break
done
if ! [[ $cores =~ ^[1-9][0-9]*$ ]]; then
  printf 'demo.sh: --cores needs a whole number of at least 1, found "%s"\n' "$cores" >&2
  exit 2
fi

say() { printf '[demo] %s\n' "$*"; }
started=$SECONDS

bash "$root/scripts/setup.sh"
venv=${DEEPMAPPER_VENV:-$root/.venv}
case $venv in /*) ;; *) venv=$PWD/$venv ;; esac
export PATH="$venv/bin:$PATH" PYTHONNOUSERSITE=1
unset PYTHONPATH PYTHONHOME

cd "$root"
say "running the workflow on $cores cores (a few minutes; Ctrl-C is safe, finished passes are kept)"
profile=workflow/profiles/default
snakemake --cores "$cores" --workflow-profile "$profile"
say "writing the report"
snakemake --report results/report.html --workflow-profile "$profile"

seconds=$((SECONDS - started))
say "done in $((seconds / 60)) min $((seconds % 60)) s. Look at, in $root:"
for file in \
  "results/report.html|everything below with its plots, in one page for a browser" \
  "results/findings/summary.html|the answer in a few lines" \
  "results/findings/models.tsv|the models side by side, beside the linear baseline" \
  "results/findings/cnn_small/features.tsv|the genes by rank, each with its stability and its direction per cell type" \
  "results/findings/cnn_small/summary.json|whether the model found a signal at all, in one sentence" \
  "results/findings/cnn_small/annotated.h5ad|cells, findings and predictions, for scanpy"; do
  printf '  %-42s %s\n' "${file%%|*}" "${file#*|}"
done
