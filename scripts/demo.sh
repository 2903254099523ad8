#!/usr/bin/env bash
# The demo: every stage of the workflow on a small example, and a report to look at.
#
#   bash scripts/demo.sh [reads|matrix] [--cores N] [--conda|--no-conda]
#
# Installs what it needs (scripts/setup.sh) and runs the workflow: `reads` in the repository itself, with
# config/config.yaml, `matrix` in resources/demo/matrix. A second run makes only what is missing or out of date.
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
demo=reads
cores=2
conda=auto

usage() {
  cat <<'TEXT'
usage: bash scripts/demo.sh [reads|matrix] [--cores N] [--conda|--no-conda] [-h]

  reads       from raw reads, with transcripts that no annotation lists (the default)
  matrix      from a matrix: 700 real blood cells
  --cores N   number of processor cores to use (default: 2)
  --conda     let Snakemake create the pinned conda environments of envs/ (needs the command conda)
  --no-conda  use the programs of this machine, and install missing ones from Debian or Ubuntu (needs root)
              By default, reads uses conda if programs are missing and conda is installed; matrix needs no programs
  -h, --help  show this text
TEXT
}
die() {
  printf 'demo.sh: %s\n' "$@" >&2
  exit 2
}

while [ $# -gt 0 ]; do
  case $1 in
    reads | matrix) demo=$1 ;;
    --cores) cores=${2:-} && shift ;;
    --cores=*) cores=${1#--cores=} ;;
    --conda) conda=yes ;;
    --no-conda) conda=no ;;
    -h | --help) usage && exit ;;
    *) usage >&2 && die "unknown argument: $1" ;;
  esac
  shift || break
done
[[ $cores =~ ^[1-9][0-9]*$ ]] || die "--cores must be a whole number of at least 1, found \"$cores\""

say() { printf '[demo] %s\n' "$*"; }
started=$SECONDS

# An activated conda may be only a shell function; the variable has the path of the program.
if ! command -v conda >/dev/null && [ -x "${CONDA_EXE:-}" ]; then
  PATH=$PATH:${CONDA_EXE%/*}
fi
found=$(command -v conda || command -v mamba || command -v micromamba || true)
if [ "$conda" = auto ]; then
  conda=no
  if [ "$demo" = reads ] && [ -n "$found" ] && ! missing=$(bash "$root/scripts/install_tools.sh" --check); then
    case $found in
      */conda) conda=yes && say "not installed: $missing. Installing them with conda (--no-conda: install them on this machine instead)" ;;
      *) say "found $found, but Snakemake needs conda itself; installing the missing programs on this machine instead" ;;
    esac
  fi
elif [ "$conda" = yes ] && ! command -v conda >/dev/null; then
  die "--conda needs the command conda on PATH: Snakemake creates its environments with it${found:+, not with $found}"
fi
deployment=()
[ "$conda" = no ] || deployment=(--software-deployment-method conda)
if [ "$conda" = yes ] || [ "$demo" = matrix ]; then export DEEPMAPPER_SKIP_TOOLS=1; fi

bash "$root/scripts/setup.sh"
venv=${DEEPMAPPER_VENV:-$root/.venv}
case $venv in /*) ;; *) venv=$PWD/$venv ;; esac
tools=${DEEPMAPPER_TOOLS:-$root/.tools}
case $tools in /*) ;; *) tools=$PWD/$tools ;; esac
export PATH="$tools/bin:$venv/bin:$PATH" PYTHONNOUSERSITE=1
unset PYTHONPATH PYTHONHOME

folder=$root
[ "$demo" = reads ] || folder=$root/resources/demo/matrix
cd "$folder"
workflow=(snakemake --snakefile "$root/Snakefile" --workflow-profile "$root/workflow/profiles/default" "${deployment[@]}")
say "running the workflow on $cores cores (a few minutes; Ctrl-C is safe, finished steps are kept)"
"${workflow[@]}" --cores "$cores"
say "writing the report"
"${workflow[@]}" --report results/report.html

seconds=$((SECONDS - started))
say "done in $((seconds / 60)) min $((seconds % 60)) s. Results, in $folder:"
reads=() feature=genes unit=cells signs="direction per cell type"
if [ "$demo" = reads ]; then
  feature=transcripts unit=samples signs="direction per condition"
  reads=(
    "results/reads/novelty/contigs.tsv|every assembled contig: what it is, kept as novel or not, and why"
    "results/reads/qc/multiqc_report.html|the quality of the reads and of each step, over all samples"
    "results/expression.h5ad|the table of transcripts x samples, including novel transcripts"
  )
fi
for file in \
  "results/index.html|the answer with its figures: open this first" \
  "results/report.html|all tables and plots in one file, to be sent" \
  "${reads[@]}" \
  "results/findings/summary.html|every answer with its conditions" \
  "results/findings/recommended.tsv|the $feature to report, in one order with one error rate" \
  "results/findings/models.tsv|all models compared with each other and with the linear baseline" \
  "results/findings/cnn_small/features.tsv|the $feature by rank, with stability and $signs" \
  "results/findings/cnn_small/summary.json|whether the model found a signal, in one sentence" \
  "results/findings/cnn_small/annotated.h5ad|$unit, findings and predictions, for scanpy"; do
  if [ -e "${file%%|*}" ]; then printf '  %-42s %s\n' "${file%%|*}" "${file#*|}"; fi
done
