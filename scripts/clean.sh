#!/usr/bin/env bash
# Deletes intermediate files: no finding needs them any more, and they can be made again.
#
#   bash scripts/clean.sh [--dry-run] [--passes] [RESULTS]        from the folder of the run; RESULTS: results
#
#   --dry-run   list what would be deleted, with sizes, and delete nothing
#   --passes    also delete the trained passes: the findings are kept, but a new ranking needs all passes trained again
#
# Deleted: trimmed and captured reads (including alignments), the pool, indexes, the features that passes read, checkpoints
# of passes, incomplete files of killed runs, and Snakemake's scratch files. Kept: tables, contigs, counts, findings,
# reports, logs, run.json. Afterwards `snakemake` has nothing to do. If something before the findings changes, it makes
# again what it needs; `snakemake -n` shows what that is.
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
  die "$PWD/$results is not a results folder: it has no logs/ and benchmarks/. Run this from the folder of the run."
# every run holds a shared kernel lock on this file
if [ -e .snakemake/running ] && ! flock --exclusive --nonblock .snakemake/running true; then
  die "a run is in progress in $PWD: wait until it ends"
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
