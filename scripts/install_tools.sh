#!/usr/bin/env bash
# Installs the programs that the workflow runs on reads (aligner, assembler, quantifier and their helpers), unless they
# are there: from Debian or Ubuntu with apt-get, and only what is missing.
#
#   bash scripts/install_tools.sh [--check]
#
#   --check   installs nothing: succeeds if all is there, else names what is missing
#
# DEEPMAPPER_TOOLS  where Trinity lives when it gets a folder of its own (default: .tools in the repository)
#
# Trinity: one of at least 2.15 that is on PATH is used; else the system's package where it is recent enough (Debian 13,
# Ubuntu 24.04); else, on Debian 12, the package of Debian 13 in a private folder with the few libraries that it needs.
# No package of the system is upgraded for that.
#
# Safe to run again and safe to interrupt: a stamp is written only when Trinity is complete, a folder without its stamp
# is made again, and two runs at once wait for each other.
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
tools=${DEEPMAPPER_TOOLS:-$root/.tools}
case $tools in /*) ;; *) tools=$PWD/$tools ;; esac
home=$tools/trinity
link=$tools/bin/Trinity
oldest_trinity=2.15
release=trixie
keyring=/usr/share/keyrings/debian-archive-keyring.gpg
export DEBIAN_FRONTEND=noninteractive LC_ALL=C

# PROGRAM:PACKAGE. Trinity runs bowtie2, jellyfish, ParaFly and java besides salmon and samtools.
programs=(
  hisat2:hisat2 samtools:samtools fastp:fastp gffread:gffread minimap2:minimap2 stringtie:stringtie salmon:salmon
  rnaspades.py:spades bowtie2:bowtie2 jellyfish:jellyfish ParaFly:parafly java:default-jre-headless
)
# What the private Trinity needs besides: Java classes, numpy for its helpers, and the program that adapts it.
companions=(
  libgetopt-java libjung-free-java libcommons-collections4-java jaligner python3 python3-numpy perl patchelf
)

say() { printf '[tools] %s\n' "$*"; }
die() {
  printf '[tools] ERROR: %s\n' "$1" >&2
  shift
  for line in "$@"; do printf '[tools]        %s\n' "$line" >&2; done
  exit 1
}
with_conda=(
  "Or let conda bring all of them: bash scripts/demo.sh --conda; snakemake --software-deployment-method conda."
  "To analyse a matrix none of them is needed: DEEPMAPPER_SKIP_TOOLS=1 bash scripts/setup.sh"
)

# PATH without the folder that this script fills.
outside=$(printf '%s' "$PATH" | tr : '\n' | grep -vxF "$tools/bin" | paste -sd :)
on_path() { PATH=$outside command -v "$1" >/dev/null; }

# at_least OLDEST VERSION
at_least() { [ -n "$2" ] && [ "$(printf '%s\n' "$1" "$2" | sort -V | head -n 1)" = "$1" ]; }

# Prints the version that a Trinity tells; a Trinity asks its maker's site for a newer one, hence the limit.
trinity_version() {
  { PATH=$outside timeout 20 "$1" --version 2>/dev/null || true; } | sed -n 's/.*Trinity-v\([0-9][0-9.]*\).*/\1/p'
}
trinity_on_path() { on_path Trinity && at_least "$oldest_trinity" "$(trinity_version Trinity)"; }
# The private one knows its own place, and this script made it.
stamp=$(printf '%s\n' "$home" | cat - "${BASH_SOURCE[0]}" | sha256sum | cut -d ' ' -f 1)
trinity_private() { [ -x "$link" ] && [ "$(cat "$home/.stamp" 2>/dev/null)" = "$stamp" ]; }
trinity_packaged() {
  at_least "$oldest_trinity" "$(apt-cache policy trinityrnaseq 2>/dev/null | sed -n 's/^ *Candidate: *\([0-9][^ ]*\)/\1/p')"
}

missing_programs() {
  local entry
  for entry in "${programs[@]}"; do on_path "${entry%%:*}" || printf '%s\n' "$entry"; done
}

check_only() {
  local missing
  missing=$(missing_programs | cut -d : -f 1 | paste -sd ' ')
  trinity_private || trinity_on_path || missing="$missing${missing:+ }Trinity"
  [ -z "$missing" ] || printf '%s\n' "$missing"
  [ -z "$missing" ]
}

case ${1:-} in
  "") ;;
  --check)
    check_only
    exit
    ;;
  *) die "unknown option: $1" "usage: bash scripts/install_tools.sh [--check]" ;;
esac

# Runs a command with its output in a file, the end of which is shown only when it fails.
logged() { "$@" >>"$tools/install.log" 2>&1 || { tail -n 25 "$tools/install.log" >&2 && return 1; }; }

# Installs system packages; those that are there already are left as they are.
install_packages() {
  [ $# -gt 0 ] || return 0
  say "installing $# packages with apt-get, and what they need: $*"
  logged apt-get -o DPkg::Lock::Timeout=600 install -y --no-install-recommends "$@" ||
    die "apt-get could not install them; its last lines are above, all of them in $tools/install.log." "${with_conda[@]}"
}

# Prints those of the packages that are not installed.
absent_packages() {
  local package
  for package in "$@"; do
    [ "$(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null)" = installed ] || printf '%s\n' "$package"
  done
}

# Prints the address from which this machine itself takes Debian, whichever way its sources are written.
debian_mirror() {
  # shellcheck disable=SC2016 # the fields are apt-get's
  apt-get indextargets --format '$(ORIGIN) $(LABEL) $(REPO_URI)' 'Created-By: Packages' |
    sed -n 's/^Debian Debian //p' | sed -n 1p
}

# download_trinity FOLDER MIRROR: Trinity and its libraries as Debian 13 has them. The system's own apt is told of nothing.
# shellcheck disable=SC2317 # called through `logged`
download_trinity() {
  local folder=$1 mirror=$2
  mkdir -p "$folder/lists/partial" "$folder/cache/archives/partial" "$folder/packages"
  : >"$folder/status"
  # Packages alone: what other programs make apt fetch along (contents, translations) is not wanted here.
  printf 'deb [arch=amd64 target=Packages signed-by=%s] %s %s main\n' "$keyring" "$mirror" "$release" >"$folder/sources.list"
  cat "${APT_CONFIG:-/dev/null}" - >"$folder/apt.conf" <<CONF
Dir::State::lists "$folder/lists";
Dir::State::status "$folder/status";
Dir::Cache "$folder/cache";
Dir::Etc::sourcelist "$folder/sources.list";
Dir::Etc::sourceparts "/dev/null";
Dir::Etc::preferences "/dev/null";
Dir::Etc::preferencesparts "/dev/null";
APT::Sandbox::User "root";
#clear APT::Update::Pre-Invoke;
#clear APT::Update::Post-Invoke;
#clear APT::Update::Post-Invoke-Success;
CONF
  (
    export APT_CONFIG=$folder/apt.conf
    cd "$folder/packages" && apt-get update --error-on=any &&
      apt-get download trinityrnaseq libc6 libstdc++6 libgcc-s1 libgomp1 zlib1g
  )
}

# Makes the unpacked package in $home find its own parts: it expects to be the system's.
adapt_trinity() {
  local libraries=$home/usr/lib/x86_64-linux-gnu scripts=$home/usr/lib/trinityrnaseq file
  # The compiled parts take Debian 13's C library, by its full name, and nothing else does.
  for file in "$home"/usr/bin/* "$scripts/trinity-plugins/BIN/seqtk-trinity" "$scripts/trinity-plugins/slclust/bin/slclust"; do
    patchelf --print-interpreter "$file" >/dev/null 2>&1 || continue # a script
    patchelf --set-interpreter "$libraries/ld-linux-x86-64.so.2" --set-rpath "$libraries" "$file"
  done
  { grep -rlIE '/usr/(lib/trinityrnaseq|bin/Trinity|share/java/Butterfly)|_DIR = "/usr' "$scripts" || true; } |
    xargs -r -d '\n' sed -i -E -e "s#/usr/(lib/trinityrnaseq|bin/Trinity|share/java/Butterfly\.jar)#$home/usr/\1#g" \
      -e "s#((INCHWORM|CHRYSALIS)_DIR = \")/usr#\1$home/usr#"
  # The helpers need numpy: the system's Python has it, another one that comes first on PATH may not.
  { grep -rlIE '^#! */usr/bin/env (python3?|perl)' "$scripts" || true; } |
    xargs -r -d '\n' sed -i -E -e '1s|^#! */usr/bin/env python3?|#!/usr/bin/python3|' -e '1s|^#! */usr/bin/env perl|#!/usr/bin/perl|'
  # The package's own start script breaks arguments that hold spaces.
  cat >"$home/usr/bin/Trinity" <<START
#!/bin/sh
# Trinity as Debian 13 packages it, from a folder of its own.
unset PYTHONPATH PYTHONHOME
export PERL5LIB="$scripts/PerlLib\${PERL5LIB:+:\$PERL5LIB}"
export PATH="\$PATH:$scripts"
exec "$scripts/Trinity" "\$@"
START
  chmod +x "$home/usr/bin/Trinity"
}

# Whether each part of the private Trinity starts: its scripts, its compiled parts, its Java part, its helpers' Python.
trinity_works() {
  local said
  at_least "$oldest_trinity" "$(trinity_version "$home/usr/bin/Trinity")" || return 1
  said=$("$home/usr/bin/inchworm" 2>&1 || true) && [[ $said == *Usage* ]] || return 1
  said=$(java -jar "$home/usr/share/java/Butterfly.jar" 2>&1 || true) && [[ $said == *Required* ]] || return 1
  /usr/bin/python3 -c 'import numpy'
}

install_trinity() {
  local started=$SECONDS mirror package
  [ "$(dpkg --print-architecture)" = amd64 ] ||
    die "no recent Trinity for $(dpkg --print-architecture) in this system's packages." \
      "Install one of at least $oldest_trinity by hand and put it on PATH, then run this again." "${with_conda[@]}"
  [[ $tools =~ ^[A-Za-z0-9_./+-]+$ ]] ||
    die "Trinity cannot run from $tools: its scripts stumble over the spaces and special characters." \
      "Name another place: DEEPMAPPER_TOOLS=/some/folder bash scripts/setup.sh (and the same for demo.sh and test.sh)"
  mirror=$(debian_mirror)
  if [ -z "$mirror" ] || [ ! -e "$keyring" ]; then
    die "no recent Trinity in this system's packages, and no Debian in its apt sources to take one from." \
      "On Debian itself, run this first: sudo apt-get update" "${with_conda[@]}"
  fi
  say "no Trinity of at least $oldest_trinity here: taking Debian 13's, in $home"
  rm -rf "$home" "$link"
  mkdir -p "$home" "${link%/*}"
  logged download_trinity "$home/download" "$mirror" ||
    die "Trinity could not be downloaded from $mirror; the last lines are above, all of them in $tools/install.log." \
      "A missing key or signature: the package debian-archive-keyring is too old." "${with_conda[@]}"
  for package in "$home"/download/packages/*.deb; do dpkg -x "$package" "$home"; done
  rm -rf "$home/download"
  adapt_trinity
  trinity_works ||
    die "Trinity was installed in $home but does not start. Try: $home/usr/bin/Trinity --version" "${with_conda[@]}"
  printf '%s\n' "$stamp" >"$home/.stamp"
  ln -sfn ../trinity/usr/bin/Trinity "$link"
  say "Trinity installed in $((SECONDS - started)) s"
}

# Ends this script if nothing is to do.
finish_if_ready() {
  check_only >/dev/null || return 0
  trinity_private || rm -f "$link" # of an older private one, which would hide the one on PATH
  say "programs ready"
  exit
}

finish_if_ready
command -v apt-get >/dev/null ||
  die "missing: $(check_only || true)" "This script knows only apt-get (Debian, Ubuntu), and there is none here." \
    "Install them in the way of this system, Trinity of at least $oldest_trinity, then run this again." "${with_conda[@]}"

mkdir -p "$tools"
exec 9>>"$tools/.lock"
if ! flock -n 9; then
  say "waiting for another run of this script to finish"
  flock 9
  finish_if_ready
fi
: >"$tools/install.log"

# Decided with fresh lists of packages: an old or empty one does not know of the system's Trinity.
[ "$(id -u)" != 0 ] || logged apt-get update --error-on=any ||
  say "WARNING: apt-get update failed in part (its last lines are above); going on with the lists that are here"

mapfile -t needed < <(missing_programs | cut -d : -f 2)
private=
if ! trinity_private && ! trinity_on_path; then
  if trinity_packaged; then
    needed+=(trinityrnaseq python3-numpy)
  else
    private=yes
    mapfile -t -O "${#needed[@]}" needed < <(absent_packages "${companions[@]}")
  fi
fi
if [ "${#needed[@]}" -gt 0 ] && [ "$(id -u)" != 0 ]; then
  die "missing: $(check_only || true). Only root can install packages; run this once, then this script again:" \
    "sudo apt-get update && sudo apt-get install --no-install-recommends ${needed[*]}" "${with_conda[@]}"
fi
install_packages "${needed[@]}"
[ -z "$private" ] || install_trinity
finish_if_ready
die "installed, but still not on PATH: $(check_only || true)" "${with_conda[@]}"
