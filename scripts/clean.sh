#!/usr/bin/env bash
# Deletes what no finding needs any more: files that were made on the way and can be made again.
#
#   bash scripts/clean.sh [--dry-run] [--passes] [RESULTS]        from the folder of the run; RESULTS: results
#
#   --dry-run   list what would go, with its size, and delete nothing
#   --passes    the trained passes too: findings stay, but another ranking of them needs them all trained again
#
# Goes: trimmed and captured reads (alignments among them), the pool, indexes, the features that passes read, checkpoints of
# passes, what killed runs left half-written, and Snakemake's scratch files. Stays: tables, contigs, counts, findings,
# reports, logs, run.json. Afterwards `snakemake` has nothing to do. When something before the findings changes, it makes
# again, without asking, what it then needs: see what with `snakemake -n`.
set -euo pipefail

dry=no passes=no results=results
die() {
  printf 'clean.sh: %s\n' "$@" >&2
  exit 2
}
while [ $# -gt 0 ]; do
  case $1 in
    --dry-run | -n) dry=yes ;;
    --passes) passes=yes ;;
    -h | --help) sed -n '2,12p' "$0" | sed 's/^# \{0,1\}//' && exit ;;
    -*) die "unknown argument: $1" ;;
    *) results=${1%/} ;;
  esac
  shift
done
[ -d "$results/logs" ] && [ -d "$results/benchmarks" ] ||
  die "$PWD/$results is no folder of results: expected logs/ and benchmarks/ in it. Run this from the folder of the run."
# every run shares a lock of the kernel on this file
if [ -e .snakemake/running ] && ! flock --exclusive --nonblock .snakemake/running true; then
  die "a run is going on in $PWD: wait until it ends"
fi

found=()
for path in "$results"/reads/{trimmed,unaligned,pool,hybrid,reference/hisat2} "$results"/{features,chords/appended,scratch} \
  .snakemake/{scripts,shadow}; do
  if [ -e "$path" ]; then found+=("$path"); fi
done
if [ "$passes" = yes ] && [ -e "$results/passes" ]; then found+=("$results/passes"); fi
while IFS= read -r -d '' path; do found+=("$path"); done < <(
  find "$results" \( -name '.*.part' -o -name '.*.part.*' \) -prune -print0
)
if [ ${#found[@]} = 0 ]; then
  echo "nothing to delete in $PWD/$results"
  exit
fi
du -sch -- "${found[@]}"
if [ "$dry" = yes ]; then
  echo "nothing was deleted (--dry-run)"
else
  rm -rf -- "${found[@]}"
  echo "deleted"
fi
