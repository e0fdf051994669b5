#!/usr/bin/env bash
# The fault campaign: what inga writes survives failing system calls, kills, power failures, full disks, a second
# writer and damage.
#
# Usage: tests/faults/run.sh [--program FILE] [--calls N]
#
#   --program FILE   the program; target/release/inga, else target/debug/inga
#   --calls N        numbers of calls that are tried for each operation and kind of fault, spread evenly over all of
#                    them; `all` tries each (some minutes). 3, the short form, takes about a minute.
#
# Each operation starts from the same files. After a fault they must be as before the operation or as after it, by the
# answers of `inga` itself: this script knows nothing of a history's format and takes it for a path. The program must end
# with 0, or with 2 and a message that names the cause, and never panic; the same operation, run again, must succeed and
# leave the same files as a quiet run. Linux only: calls fail by a preloaded library (shim.c, durable.c).
set -euo pipefail
cd "$(dirname "$0")/../.."
root=$PWD

program=target/release/inga
[ -x "$program" ] || program=target/debug/inga
calls=3
while [ $# -gt 0 ]; do
    case $1 in
        --program) program=$2 ;;
        --calls) calls=$2 ;;
        *) echo "unknown option $1; see the beginning of $0" >&2; exit 2 ;;
    esac
    shift 2
done
program=$(realpath "$program")
work=$(realpath "$(mktemp -d)")
trap 'umount "$work/disk" 2>/dev/null || true; rm -rf "$work"' EXIT
cc -O1 -shared -fPIC -o "$work/shim.so" tests/faults/shim.c tests/faults/durable.c -ldl

place=$work/place       # what an operation works on, put back before each
history=$place/history/h
export TMPDIR=$place/tmp LC_ALL=C
tried=0 failed=0 survived=0 refused=0

inga() { "$program" "$@"; }

fail() {
    failed=$((failed + 1))
    echo "FAILED $1: $2"
    head -5 "$work/printed" 2>/dev/null | sed 's/^/    /'
    return 0
}

# ---- operations -------------------------------------------------------------------------------------------------

captures=samples/darknet/north
op_make() { inga sensor add north --history "$history" --prefix 203.0.113.0/24 --kind dark; }
op_observe() { inga observe --threads 1 --sensor north --history "$history" $captures/2009-01.pcap.zst; }
op_sample() { inga sample add --history "$history" samples/ping-sweep/report.yaml; }
op_compact() { inga history compact --history "$history"; }
op_retain() { inga history retain --history "$history" --from 2008-12-10 --yes; }
# Done once, these would be refused the second time; what a power failure brought back is deleted by whoever writes next.
is_fed() { "$program" capture list --history "$history" | grep "$1" >/dev/null; }
op_remove() { is_fed 2008-12 || { op_make; return; }; inga capture remove $captures/2008-12.pcap.zst --sensor north --history "$history" --yes; }
op_drop() { is_fed 2008-11 || { op_make; return; }; inga history drop --sensor north --from 2008-11-01 --to 2008-11-30 --history "$history" --yes; }
op_join() {
    [ -s "$history/catalog.sqlite" ] || { inga history merge "$place/in/a" "$place/in/b" --output "$history"; return; }
    # Whoever reads a history next puts away what a reader left beside its catalog.
    inga sensor list --history "$place/in/a" && inga sensor list --history "$place/in/b"
}
op_correlate() { inga correlate --threads 1 --history "$history" samples/udp-worm/report.yaml -o "$place/out/report.html"; }
op_accept() { inga check --accept "$place/out/sample"; }
operations="make observe sample compact retain remove drop join correlate accept"

# What there is before an operation.
start_of() {
    mkdir -p "$place"/{history,tmp,out}
    cp -r samples/no-scan "$place/out/sample"
    sed -i 's/^  windows: .*/  windows: 99/' "$place/out/sample/report.yaml"
    echo "an older report" >"$place/out/report.html"
    [ "$1" != make ] || return 0
    if [ "$1" = join ]; then
        for part in a/2008-11 b/2008-12; do
            (history=$place/in/${part%/*} && op_make)
            inga observe --sensor north --history "$place/in/${part%/*}" $captures/${part#*/}.pcap.zst >/dev/null
        done
        return 0
    fi
    op_make >/dev/null
    for month in 2008-11 2008-12; do
        inga observe --sensor north --history "$history" $captures/$month.pcap.zst >/dev/null
    done
    [ "$1" != retain ] || op_compact >/dev/null
}

# ---- what the files say -----------------------------------------------------------------------------------------

files() { (cd "$place" && find . -type f | sort); }

# All answers, as one number. A history without a sensor holds nothing, like none.
view() {
    {
        if [ -s "$history/catalog.sqlite" ] && inga sensor list --history "$history" 2>&1 | grep -q north; then
            inga series --history "$history" --by hour --filter 445/tcp --filter icmp --format json 2>&1 || true
            inga series --history "$history" --format json 2>&1 || true
            inga sensor list --history "$history" 2>&1 || true
            inga sample list --history "$history" 2>&1 || true
            inga host 100.64.0.1 --history "$history" --format json 2>&1 || true
        fi
        cat "$place/out/report.html" "$place/out/sample/report.yaml"
    } | sha256sum
}

put_back() {
    rm -rf "$place"
    cp -a "$work/$1.before" "$place"
}

prepare() {
    local op=$1
    rm -rf "$place"
    start_of "$op"
    before=$(view)
    rm -rf "$work/$op.before"
    cp -a "$place" "$work/$op.before"
    "op_$op" >/dev/null 2>"$work/printed" || { cat "$work/printed"; echo "$op fails without a fault"; exit 1; }
    after=$(view)
    files_after=$(files)
    [ "$before" != "$after" ] || [ "$op" = compact ] || { echo "$op changes nothing that is looked at"; exit 1; }
}

# ---- one fault --------------------------------------------------------------------------------------------------

causes="input/output error|disk i/o error|no space left|disk is full|quota exceeded|permission denied"
# SQLite opens a file that it cannot open for writing for reading, and then says the last of these.
causes="$causes|unable to open|file too large|locked|busy|another process|readonly"

# Runs an operation with a fault set by the environment; judges its end and what it left.
try() {
    local name=$1 op=$2 is_kill=$3 status=0
    tried=$((tried + 1))
    ( "${@:4}" "op_$op" ) >"$work/printed" 2>&1 || status=$?
    judge "$name" "$op" "$is_kill" "$status"
    put_back "$op"
}

judge() {
    local name=$1 op=$2 is_kill=$3 status=$4 now left
    if grep -q "panicked" "$work/printed"; then fail "$name" "panic"; fi
    case $status in
        0) survived=$((survived + 1)) ;;
        2) refused=$((refused + 1))
           grep -Eqi "$causes" "$work/printed" || fail "$name" "the message does not name the cause" ;;
        137) [ "$is_kill" = kill ] || fail "$name" "killed" ;;
        *) fail "$name" "exit code $status" ;;
    esac
    if [ -s "$history/catalog.sqlite" ] && ! inga history verify --history "$history" >/dev/null 2>"$work/printed"; then
        fail "$name" "the history is damaged (exit code $status)"
    fi
    now=$(view)
    if [ "$now" != "$after" ]; then
        [ "$status" != 0 ] || fail "$name" "exit code 0, and it was not done"
        [ "$now" = "$before" ] || fail "$name" "neither as before nor as after (exit code $status)"
    fi
    "op_$op" >/dev/null 2>"$work/printed" || fail "$name" "the next run fails"
    [ "$(view)" = "$after" ] || fail "$name" "the next run does not make good"
    left=$(files)
    # A program that is killed while it writes a result leaves what it had written beside it; nobody else knows of it.
    # So does one that makes a history or joins some.
    [ "$is_kill" != kill ] ||
        left=$(grep -v -e '^./out/.*/\?\.tmp[A-Za-z0-9]*$' -e '^./history/\.inga-\(new\|merge\)-' <<<"$left")
    if [ "$left" != "$files_after" ]; then
        diff <(echo "$files_after") <(echo "$left") >"$work/printed" || true
        fail "$name" "other files are left than by a quiet run"
    fi
}

# Sets the shim for a call of the operation; `all` runs before it decide which.
with_shim() {
    export FAULT_CALL=$1 FAULT_AT=$2 FAULT_HOW=$3 FAULT_UNDER=$place FAULT_STAYS=$4
    shift 4
    # Only the program is to meet the fault, not what else this shell starts.
    inga() { LD_PRELOAD=$work/shim.so "$program" "$@"; }
    "$@"
}

# How many calls of a kind an operation makes.
count() {
    put_back "$1"
    ( FAULT_COUNT=$work/count with_shim "$2" 0 - "" "op_$1" ) >/dev/null 2>&1
    put_back "$1"
    cat "$work/count"
}

# Numbers from 1 to the first argument, at most as many as are to be tried, the first and last among them.
spread() {
    local all=$1 number last=0 i
    if [ "$calls" = all ] || [ "$all" -le "$calls" ]; then seq "$all"; return; fi
    for ((i = 0; i < calls; i++)); do
        number=$((1 + i * (all - 1) / (calls > 1 ? calls - 1 : 1)))
        [ "$number" = "$last" ] || echo "$number"
        last=$number
    done
}

failing_calls() {
    local op=$1 kind how number all
    for kind in write sync rename open truncate map unlink; do
        all=$(FAULT_COUNT=$work/count count "$op" $kind)
        [ "$all" -gt 0 ] || continue
        for how in EIO ENOSPC EDQUOT; do
            # The others are causes that a write meets.
            [ $how = EIO ] || [ $kind = write ] || continue
            for number in $(spread "$all"); do
                try "$op: $how at $kind $number of $all" "$op" - with_shim $kind "$number" $how ""
            done
        done
    done
}

failing_renames() {
    # In a container that forbids filters, nothing can be said of renames.
    FAULT_CALL=renames LD_PRELOAD=$work/shim.so "$program" --version >/dev/null 2>&1 || return 0
    try "$1: EIO at every rename" "$1" - with_shim renames 1 - ""
}

full_disk() {
    local op=$1 number all
    all=$(count "$op" write)
    [ "$all" -gt 0 ] || return 0
    for number in $(spread "$all"); do
        try "$op: disk full from write $number of $all on" "$op" - with_shim write "$number" ENOSPC stays
    done
}

kills() {
    local op=$1 number all
    all=$(count "$op" any)
    for number in $(spread "$all"); do
        try "$op: killed at call $number of $all" "$op" kill with_shim any "$number" kill ""
    done
    all=$(count "$op" write)
    for number in $(spread "$all"); do
        try "$op: killed within write $number of $all" "$op" kill with_shim write "$number" torn ""
        try "$op: write $number of $all half done" "$op" - with_shim write "$number" short ""
    done
}

# ---- a power failure ---------------------------------------------------------------------------------------------

# Puts together what is left of a folder, by the notes of the shim.
left_of() {
    local node=$1 to=$2 kind below name
    mkdir -p "$to"
    [ -e "$work/kept/$node.names" ] || return 0
    while read -r kind below name; do
        if [ "$kind" = d ]; then left_of "$below" "$to/$name"
        elif [ -e "$work/kept/$below.bytes" ]; then cp "$work/kept/$below.bytes" "$to/$name"
        else : >"$to/$name"; fi
    done <"$work/kept/$node.names"
}

# Runs an operation up to a call, or to its end (0), and takes from it what was not synced.
try_power() {
    local name=$1 op=$2 number=$3 how=$4 status=0
    tried=$((tried + 1))
    rm -rf "$work/kept"
    mkdir "$work/kept"
    ( FAULT_KEPT=$work/kept; export FAULT_KEPT; with_shim any "$number" "$how" "" "op_$op" ) >"$work/printed" 2>&1 || status=$?
    rm -rf "$place"
    left_of "$(cat "$work/kept/root")" "$place"
    judge "$name" "$op" kill "$status"
    put_back "$op"
}

power_failures() {
    local op=$1 how number all
    all=$(count "$op" any)
    for how in nothing names some; do
        for number in $(spread "$all"); do
            try_power "$op: the power fails at call $number of $all, of what is not synced $how stays" "$op" "$number" "power-$how"
        done
    done
    # What was reported as done to a history is there after a power failure. Reports can be made again.
    case $op in correlate | accept) return 0 ;; esac
    try_power "$op: the power fails after it" "$op" 0 power-nothing
}

# ---- a small disk, a small limit ---------------------------------------------------------------------------------

limited() { (ulimit -f "$1"; trap '' XFSZ; "$2"); }

# Files may not grow beyond some KiB.
file_limit() {
    local op=$1 size
    for size in 4 64 160 224; do
        try "$op: files of at most $size KiB" "$op" - limited $size
    done
}

# A file system of its own that is too small. Only root may make one.
small_disk() {
    local op=$1 size used status room
    mkdir -p "$work/disk"
    for room in 0 16 64; do
        used=$(du -sk "$work/$op.before" | cut -f1)
        mount -t tmpfs -o "size=$((used + 16 + room))k" tmpfs "$work/disk" 2>/dev/null || return 0
        tried=$((tried + 1))
        cp -a "$work/$op.before/." "$work/disk/"
        rm -rf "$place"
        ln -s "$work/disk" "$place"
        status=0
        ( "op_$op" ) >"$work/printed" 2>&1 || status=$?
        # Room again for the run that makes good.
        mount -o remount,size=64m "$work/disk"
        judge "$op: a disk with $room KiB left" "$op" - "$status"
        rm "$place"
        umount "$work/disk"
    done
    put_back "$op"
}

# ---- two writers ------------------------------------------------------------------------------------------------

second_writer() {
    local round one two statuses
    prepare observe
    for round in 1 2 3; do
        put_back observe
        tried=$((tried + 1))
        one=0 two=0
        op_observe >/dev/null 2>"$work/printed.1" & first=$!
        op_observe >/dev/null 2>"$work/printed" || two=$?
        wait $first || one=$?
        for statuses in "$one $work/printed.1" "$two $work/printed"; do
            case ${statuses%% *} in
                0) ;;
                2) grep -Eqi "$causes" "${statuses#* }" || fail "second writer" "the message does not name the cause" ;;
                *) fail "second writer" "exit code ${statuses%% *}" ;;
            esac
        done
        [ "$one$two" != 22 ] || fail "second writer" "both were refused"
        [ "$(view)" = "$after" ] || fail "second writer" "the capture was not stored once"
        inga history verify --history "$history" >/dev/null || fail "second writer" "the history is damaged"
    done
}

# ---- damaged bytes ----------------------------------------------------------------------------------------------

# Whatever bytes of a history change, every command ends in order: done, a difference, or a refusal.
damage() {
    local rounds=$1 round file size at state=1 status command noticed=0
    prepare observe
    op_compact >/dev/null
    rm -rf "$work/observe.before"
    cp -a "$place" "$work/observe.before"
    for ((round = 0; round < rounds; round++)); do
        put_back observe
        tried=$((tried + 1))
        mapfile -t all < <(find "$place/history" -type f -size +0 | sort)
        state=$(((state * 1103515245 + 12345) % 2147483648))
        file=${all[$((state / 65536 % ${#all[@]}))]}
        size=$(stat -c %s "$file")
        state=$(((state * 1103515245 + 12345) % 2147483648))
        at=$((state % size))
        # Eight bytes, of which some differ from what stood there.
        printf '%016x' "$((state * 2654435761))" | head -c 8 | dd of="$file" bs=1 seek="$at" conv=notrunc status=none
        for command in verify series info observe; do
            status=0
            (
                ulimit -v 4000000
                case $command in
                    verify) inga history verify --history "$history" ;;
                    series) inga series --history "$history" --format json ;;
                    info) inga history info --history "$history" ;;
                    observe) inga observe --sensor north --history "$history" $captures/2009-02.pcap.zst ;;
                esac
            ) >/dev/null 2>"$work/printed" || status=$?
            [ "$status" -le 2 ] || fail "damage at byte $at of $size, $command" "exit code $status"
            ! grep -q panicked "$work/printed" || fail "damage at byte $at of $size, $command" "panic"
            [ "$command$status" = verify0 ] || [ $command != verify ] || noticed=$((noticed + 1))
        done
    done
    echo "damage: $noticed of $rounds changes were noticed by inga history verify"
}

# ---- all of it --------------------------------------------------------------------------------------------------

for op in $operations; do
    prepare "$op"
    failing_calls "$op"
    failing_renames "$op"
    full_disk "$op"
    kills "$op"
    power_failures "$op"
    file_limit "$op"
    small_disk "$op"
    echo "$op: $tried faults tried so far, $failed failed (${SECONDS}s)"
done
second_writer
case $calls in all) damage 2000 ;; *) damage $((calls * 10)) ;; esac
echo "$tried faults tried: $survived times it was done all the same, $refused times refused with the cause; $failed failed"
# A campaign whose faults never reach the program proves nothing.
[ "$refused" -gt 20 ] || { echo "too few faults reached the program"; exit 1; }
[ "$failed" -eq 0 ]
