#!/usr/bin/env bash
# A real Slurm of one node on this machine, to try the cluster profile with: controller, worker daemon, authentication.
#
#   bash benchmarks/one_node_slurm.sh start [CPUS]    as root, on Debian; refuses where a Slurm is configured already
#   bash benchmarks/one_node_slurm.sh stop            ends what start began, jobs included
#
# Its state lives in /tmp/deepmapper-slurm, its configuration in /etc/slurm/slurm.conf, the only place where the commands
# inside a job look. Accounting is off, so jobs are asked for with squeue, which the profile does.
set -euo pipefail

folder=/tmp/deepmapper-slurm
conf=/etc/slurm/slurm.conf
mark="# made by one_node_slurm.sh"

start() {
  local cpus=${1:-$(env -u OMP_NUM_THREADS nproc)} memory host
  host=$(hostname -s)
  memory=$(awk '/MemTotal/ {print int($2 / 1024 * 0.9)}' /proc/meminfo)
  if ! command -v slurmctld slurmd munged sbatch >/dev/null; then
    apt-get update -qq
    apt-get install -y -qq --no-install-recommends slurmctld slurmd slurm-client munge
  fi
  if [ -e "$conf" ] && ! grep -qxF "$mark" "$conf"; then
    echo "$conf exists and is not of this script: this machine has a Slurm already" >&2
    return 1
  fi
  mkdir -p "$folder/state" "$folder/spool" "${conf%/*}"
  cat >"$conf" <<TEXT
$mark
ClusterName=one
SlurmctldHost=$host(127.0.0.1)
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
CredType=cred/munge
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
JobCompType=jobcomp/none
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU_Memory
MpiDefault=none
ReturnToService=2
SlurmdParameters=config_overrides
MinJobAge=300
SchedulerType=sched/backfill
SchedulerParameters=sched_min_interval=100000
StateSaveLocation=$folder/state
SlurmdSpoolDir=$folder/spool
SlurmctldPidFile=$folder/slurmctld.pid
SlurmdPidFile=$folder/slurmd.pid
SlurmctldLogFile=$folder/slurmctld.log
SlurmdLogFile=$folder/slurmd.log
SlurmctldPort=16817
SlurmdPort=16818
NodeName=$host NodeAddr=127.0.0.1 CPUs=$cpus RealMemory=$memory State=UNKNOWN
PartitionName=main Nodes=$host Default=YES MaxTime=INFINITE State=UP
TEXT
  install -d -o munge -g munge -m 0755 /run/munge
  if ! pgrep -x munged >/dev/null; then
    setpriv --reuid=munge --regid=munge --clear-groups munged --foreground >"$folder/munged.log" 2>&1 &
    echo $! >"$folder/munged.pid"
    for _ in 1 2 3 4 5; do munge -n >/dev/null 2>&1 && break || sleep 1; done
  fi
  slurmctld -c
  slurmd
  for _ in $(seq 30); do
    [ "$(sinfo --noheader --format %T 2>/dev/null)" = idle ] && break || sleep 1
  done
  sinfo
}

stop() {
  local name
  if ! grep -qsxF "$mark" "$conf"; then
    echo "nothing to stop: $conf is not of this script" >&2
    return
  fi
  scancel --user=root || true
  # the daemons must live until the jobs are gone
  for _ in $(seq 30); do
    [ -n "$(squeue --noheader 2>/dev/null)" ] && sleep 1 || break
  done
  for name in slurmd slurmctld munged; do
    if [ -s "$folder/$name.pid" ]; then kill "$(cat "$folder/$name.pid")" || true; fi
  done
  for name in slurmd slurmctld munged; do # one that is still ending would be taken for running by the next start
    for _ in $(seq 10); do
      [ -s "$folder/$name.pid" ] && kill -0 "$(cat "$folder/$name.pid")" 2>/dev/null && sleep 1 || break
    done
  done
  rm -rf "$folder" "$conf"
}

case ${1:-} in
  start) shift && start "$@" ;;
  stop) stop ;;
  *) sed -n '2,8p' "$0" && exit 2 ;;
esac
