#!/usr/bin/env bash
# Cancels the Slurm jobs that a killed Snakemake left behind: your jobs whose working folder is this one.
#
#   bash scripts/cancel_left.sh [--dry-run]      in the folder of the run, before you give the same command again
#
# Waits until they have ended, since a job that ends removes its incomplete files. Refuses while a Snakemake runs in this
# folder: then no job is left over.
set -euo pipefail

case ${1:-} in
  "") dry= ;;
  --dry-run) dry=yes ;;
  *) sed -n '2,7p' "$0" | sed 's/^# \{0,1\}//' && exit 2 ;;
esac

# every run holds a shared lock on this file until it ends, however it ends
if [ -e .snakemake/running ] && ! flock --exclusive --timeout 3 .snakemake/running true; then
  echo "A Snakemake is running in this folder, so no job is left over; nothing was cancelled." >&2
  exit 1
fi

left() {
  squeue --me --noheader --format="%A %Z" |
    awk -v here="$PWD" -v there="$(pwd -P)" '{folder = substr($0, length($1) + 2)} folder == here || folder == there {print $1}' |
    sort -u
}

jobs=$(left)
if [ -z "$jobs" ]; then
  echo "No job of this folder is in the queue."
elif [ -n "$dry" ]; then
  echo "Would be cancelled:" $jobs
else
  echo "Cancelled:" $jobs
  scancel $jobs
  while [ -n "$(left)" ]; do sleep 1; done
fi
