#!/usr/bin/env bash
# What there is to do with this checkout: build | publish | test | bench | scenarios.
set -euo pipefail
cd "$(dirname "$(readlink -f "$0")")"
export DOTNET_CLI_TELEMETRY_OPTOUT=1 DOTNET_NOLOGO=1 DOTNET_SKIP_FIRST_TIME_EXPERIENCE=1

usage() {
    cat <<'TEXT'
usage: ./build.sh COMMAND
  build       compile everything (Release)
  publish     what ./mirror runs: the program and the sample wiki, compiled ahead of time, in .build/
  test        install what tests need (when root, with apt), then run all tests; ends with "N passed, N failed"
  scenarios   only the scenarios, all of them: real processes, real kills; what has figures 20 times (--rounds N); ends with a table
  bench       measure Mirror beside its peers (bench --help: what, and how)
TEXT
}

# One line while it works, everything when it fails. The compiler's server outlives a build, and would keep the lock of the first one (9) for itself.
quietly() {
    local what=$1 log=.build/build.log
    shift
    mkdir -p .build
    if [ -t 2 ]; then printf '%s ...\n' "$what" >&2; fi
    "$@" >"$log" 2>&1 9>&- || { echo "$what failed:" >&2; grep -E 'error|warn' "$log" | sort -u | head -n 40 >&2 || tail -n 40 "$log" >&2; exit 1; }
}

build() { quietly "Building Mirror" dotnet build Mirror.sln -c Release; }

# Published beside, then put in place: an interrupted build leaves the old program.
publish_one() {
    local project=$1 name=$2 add=$3
    shift 3
    rm -rf ".build/$name.new"
    dotnet publish "$project" -c Release -r "$(rid)" "$@" -o ".build/$name.new" || return
    "$add" ".build/$name.new" || return
    rm -rf ".build/$name.old"
    if [ -d ".build/$name" ]; then mv ".build/$name" ".build/$name.old"; fi
    mv ".build/$name.new" ".build/$name"
    rm -rf ".build/$name.old"
}

rid() { case $(uname -m) in x86_64) echo linux-x64 ;; aarch64) echo linux-arm64 ;; *) echo "this machine ($(uname -m)) is not supported" >&2; exit 1 ;; esac; }

publish() {
    mkdir -p .build
    (
        flock 9
        touch .build/stamp.new
        quietly "Building Mirror (the first time takes some minutes)" publish_all
        mv .build/stamp.new .build/stamp
    ) 9>.build/lock
}

publish_all() {
    local with_runtime="--self-contained false -p:PublishReadyToRun=true" site
    publish_one src/Cli/Mirror.Cli.csproj mirror publish_native $with_runtime || return
    # Every version is booted, so a program that is up at once makes for versions that are warm at once: 40 ms instead of 240.
    if linker; then site=-p:PublishAot=true; else site=$with_runtime; fi
    publish_one samples/Wiki/Wiki.csproj wiki without_symbols $site
}

without_symbols() { rm -f "$1"/*.dbg; }

# The tools as machine code, in front of the program with a runtime, which they become for everything else. That takes a C compiler's linker; without one, `mirror` is the program with a runtime.
publish_native() {
    local into=$1
    linker || return 0
    dotnet publish src/Native/Mirror.Native.csproj -c Release -r "$(rid)" $(instructions) -o .build/native || return
    mv "$into/mirror" "$into/mirror-host"
    mv .build/native/Mirror.Native "$into/mirror" || return
    rm -rf .build/native
}

# The loops of deltas are twice as fast with vectors of 32 bytes, which nearly every server since 2015 has. What is published on one that has them runs only on such machines.
instructions() {
    local flag
    [ "$(uname -m)" = x86_64 ] || return 0
    for flag in avx2 bmi1 bmi2 f16c fma abm movbe; do grep -qw "$flag" /proc/cpuinfo || return 0; done
    echo -p:IlcInstructionSet=x86-64-v3
}

linker() {
    local compiler
    compiler=$(command -v clang || command -v gcc) || return
    echo 'int main(void) { return 0; }' | "$compiler" -x c - -o /dev/null -lpthread -ldl -lrt -lm 2>/dev/null
}

# Debian packages the tests use. Without root, tests that need a missing one fail and name it.
needs() {
    local missing=()
    linker || missing+=(gcc libc6-dev)
    command -v rsync >/dev/null || missing+=(rsync)
    command -v setfattr >/dev/null || missing+=(attr)
    command -v setfacl >/dev/null || missing+=(acl)
    command -v docker-compose >/dev/null || missing+=(docker-compose)
    [ -n "$(ls -d /usr/lib/postgresql/*/bin/initdb 2>/dev/null)" ] || missing+=(postgresql)
    [ -x /usr/sbin/mariadbd ] || missing+=(mariadb-server)
    command -v sqlite3 >/dev/null || missing+=(sqlite3)
    command -v ip >/dev/null || missing+=(iproute2)
    command -v nft >/dev/null || missing+=(nftables)
    [ -n "$(ls /usr/lib/*/faketime/libfaketimeMT.so.1 2>/dev/null)" ] || missing+=(libfaketime)
    [ ${#missing[@]} -gt 0 ] || return 0
    if [ "$(id -u)" != 0 ]; then echo "Tests also need: ${missing[*]} (apt-get install ${missing[*]})" >&2; return 0; fi
    quietly "Installing ${missing[*]}" sh -c "apt-get update && DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends ${missing[*]}"
}

# Projects run one after another: real processes and two cores do not mix with parallel test runs.
run_tests() {
    local passed=0 failed=0 log summary
    mkdir -p .build/tests
    for project in "$@"; do
        log=.build/tests/$(basename "$project" .csproj).log
        dotnet test "$project" -c Release --no-build --logger "console;verbosity=normal" >"$log" 2>&1 || true
        summary=$(grep -E '^ *(Passed|Failed|Total tests|Skipped): ' "$log" || true)
        p=$(sed -nE 's/^ *Passed: ([0-9]+)$/\1/p' "$log" | tail -n 1)
        f=$(sed -nE 's/^ *Failed: ([0-9]+)$/\1/p' "$log" | tail -n 1)
        if [ -z "$summary" ]; then f=1; echo "$(basename "$project" .csproj) did not run:"; tail -n 30 "$log"; fi
        printf '%-28s %5d passed %3d failed\n' "$(basename "$project" .csproj)" "${p:-0}" "${f:-0}"
        if [ "${f:-0}" != 0 ]; then grep -A 25 -E '^ +Failed ' "$log" || true; fi
        passed=$((passed + ${p:-0})); failed=$((failed + ${f:-0}))
    done
    echo
    echo "$passed passed, $failed failed"
    [ "$failed" = 0 ]
}

scenarios() {
    local rounds=20 ended=0
    case ${1:-} in
        '') ;;
        --rounds) rounds=${2:?--rounds needs a number} ;;
        *) usage >&2; return 2 ;;
    esac
    needs; build; publish
    rm -f .build/scenarios.md
    MIRROR_ROUNDS=$rounds run_tests tests/Scenarios/Mirror.Scenarios.csproj || ended=$?
    if [ -e .build/scenarios.md ]; then cat .build/scenarios.md; fi
    return $ended
}

bench_usage() {
    cat <<'TEXT'
usage: ./build.sh bench delta|stores|capture|dumps|thinning|scale|proxy|kernels|limits|workloads|all [OPTIONS]
  delta       two-file tools: mirror delta beside rdiff, xdelta3, zstd --patch-from, rsync
  stores      versions of a folder: mirror save beside rsync, restic, borg, rdiff-backup, duplicity
  capture     from a file's change to a version, and a full scan that finds nothing, by the size of the site
  dumps       pg_dump into nothing beside a capture of the same database, first and changed
  thinning    half of many versions dropped: mirror forget beside restic forget --prune (--versions N)
  scale       what a version costs when the tree is large, the history long, a file huge
  proxy       requests a second through Mirror's proxy beside YARP alone, nginx and HAProxy; or its memory while requests wait (--held N)
  kernels     the innermost loops, in one process
  limits      what this machine can copy, hash, write and compress at most
  workloads   only make what is measured on
  all         everything; hours on two cores, 16 GiB of room

  --work DIR        where workloads and runs lie (bench/.work; /dev/shm/NAME compares programs and not disks)
  --scale X         size of the workloads; 1 is what docs/benchmarks.md shows, 0.01 a trial
  --runs N          rounds, of which medians are taken (3)
  --workloads A,B   of bigfile, dump, dumphex, log, random, tree
  --tools A,B       only these, by the names that the tables show
  --synthetic       make dumps without PostgreSQL
  --limit SECONDS   what one command may take (600)

Tables go to standard output as Markdown. Peers are not needed: one that is not installed is named and left out. All of them, and PostgreSQL for real dumps:
  apt-get install xdelta3 rdiff zstd rsync restic borgbackup rdiff-backup duplicity postgresql wrk nginx-light haproxy
TEXT
}

bench() {
    case ${1:-} in
        delta|stores|thinning|all) publish ;;
        capture|dumps|scale|proxy|kernels|limits|workloads) ;;
        ''|-h|--help|help) bench_usage; return ;;
        *) bench_usage >&2; return 2 ;;
    esac
    quietly "Building the benchmarks" dotnet build bench/Mirror.Bench -c Release
    exec dotnet bench/Mirror.Bench/bin/Release/net10.0/Mirror.Bench.dll "$@"
}

case ${1:-} in
    build) build ;;
    publish) publish ;;
    test) needs; build; publish; run_tests $(ls tests/*/*.csproj | grep -vE 'tests/(Testing|GuardHost|ShopApp)/|Scenarios') tests/Scenarios/Mirror.Scenarios.csproj ;;
    scenarios) shift; scenarios "$@" ;;
    bench) shift; bench "$@" ;;
    *) usage; exit 2 ;;
esac
