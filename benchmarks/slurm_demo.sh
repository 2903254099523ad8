#!/usr/bin/env bash
# Both demos on this machine and on a Slurm, and whether their results are the same, file by file.
#
#   bash benchmarks/slurm_demo.sh [matrix|reads]... [--passes N]      default: both, as they are
#
# As root, on Debian, in an environment with snakemake, snakemake-executor-plugin-slurm and the programs for reads on PATH.
# Works in /tmp/deepmapper-slurm-demo, emptied first. Starts a Slurm of one node (benchmarks/one_node_slurm.sh) and stops it.
# --passes N: N passes of the models, 2 control passes, 3 with shadows and 1 pair of halves, one seed a job and so in job
# arrays, for a quicker look.
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
work=/tmp/deepmapper-slurm-demo
demos=() passes=""
while [ $# -gt 0 ]; do
  case $1 in
    matrix | reads) demos+=("$1") ;;
    --passes) passes=$2 && shift ;;
    *) sed -n '2,9p' "$0" | sed 's/^# \{0,1\}//' && exit 2 ;;
  esac
  shift
done
[ ${#demos[@]} -gt 0 ] || demos=(matrix reads)
cores=$(env -u OMP_NUM_THREADS nproc) # nproc takes that variable for the number
few=()
[ -z "$passes" ] || few=(--config "passes={n_passes: $passes, n_permuted: 2, n_shadow: 3}" "stability={n_pairs: 1}" "resources={seeds_per_job: 1}")

# run DEMO PLACE ARGUMENT...: the demo in a folder of its own.
run() {
  local demo=$1 folder=$work/$1-$2 started=$SECONDS
  shift 2
  mkdir -p "$folder"
  if [ "$demo" = matrix ]; then
    cp -r "$root/resources/demo/matrix/." "$folder" && rm -rf "$folder/results" "$folder/.snakemake"
  else
    cp -r "$root/config" "$folder" && mkdir -p "$folder/resources/demo"
    cp -r "$root/resources/demo/reads" "$folder/resources/demo"
  fi
  (cd "$folder" && snakemake --snakefile "$root/Snakefile" "$@" ${few[@]+"${few[@]}"} >said.txt 2>&1) || {
    tail -n 30 "$folder/said.txt" >&2
    return 1
  }
  echo "$folder: $((SECONDS - started)) s"
}

rm -rf "$work"
bash "$root/benchmarks/one_node_slurm.sh" start "$cores"
trap 'bash "$root/benchmarks/one_node_slurm.sh" stop' EXIT
for demo in "${demos[@]}"; do
  on_slurm=(--workflow-profile "$root/workflow/profiles/slurm")
  # a job that asks for more threads than the node has would wait for ever
  if [ "$demo" = reads ] && [ "$cores" -lt 8 ]; then
    on_slurm+=(--set-threads "assemble_denovo=$cores" "screen_novelty=$cores")
  fi
  run "$demo" here --workflow-profile "$root/workflow/profiles/default"
  run "$demo" slurm "${on_slurm[@]}"
  python - "$work/$demo-here/results" "$work/$demo-slurm/results" <<'TEXT'
import sys
from pathlib import Path

# these hold dates, paths or times besides what was found
APART = ("logs/", "benchmarks/", "reads/qc/", "reads/fastp/", "reads/quantification/", "reads/hybrid/")


def files(folder):
    found = {str(path.relative_to(folder)): path for path in Path(folder).rglob("*") if path.is_file()}
    return {name: path.read_bytes() for name, path in found.items() if not name.startswith(APART)}


one, other = map(files, sys.argv[1:])
wrong = sorted(name for name in one.keys() | other.keys() if one.get(name) != other.get(name))
print(f"{len(one)} files of results compared, {len(wrong)} differ")
sys.exit("\n".join(wrong) or None)
TEXT
done
