#!/bin/sh
# Figures 3 to 11 of the nicter report of 2009 again, out of its scenario:
#
#     sh samples/scenarios/figures.sh FOLDER [SCALE]
#
# SCALE is 0.01 if left out: a minute. `INGA` is the program, `inga` if not set.
set -eu
out=$1
scale=${2:-0.01}
inga=${INGA:-inga}
here=$(dirname "$0")
made=$out/conficker-2009
db=$made/history

"$inga" simulate "$here/conficker-2009.yaml" --output "$made" --scale "$scale" --format sightings

# A type is the MD5 of its canonical string.
type_of() { printf '%s' "$1" | md5sum | cut -c 1-32; }
series() { "$inga" series --history "$db" "$@"; }
tile() { "$inga" tile --history "$db" "$@"; }

series --value packets -o "$out/figure-3a.svg"
series --value hosts -o "$out/figure-3b.svg"
series --value hosts --filter 445/tcp -o "$out/figure-3c.svg"
series --value types -o "$out/figure-4.svg"
series --value windows --panels sensor --filter label:seed-type-1 --filter label:seed-type-2 --filter label:seed-type-3 \
    --filter label:seed-type-4 -o "$out/figure-5.svg"

# Types 1 to 4, two beside each other: 2, 3, 1 and 4 packets to one destination.
knocks() { type_of "bt1|sp=1|pk=$1|dp=1|di=1|tr=-|pt=445|pr=TCP:S"; }
tile --sensor I --type "$(knocks 2)" --type "$(knocks 3)" -o "$out/figure-6-types-1-2.svg"
tile --sensor I --type "$(knocks 1)" --type "$(knocks 4)" -o "$out/figure-6-types-3-4.svg"

# One of the types that made the last jump of sensor II, the first of its first group.
first='s/.*"groups":\[{[^[]*"members":\["\([0-9a-f]*\)".*/\1/p'
new=$("$inga" types --history "$db" --sensor II --format json | grep '"direction":"up"' | tail -n 1 | sed -n "$first")
tile --sensor II --type "$new" -o "$out/figure-7.svg"

sample=$made/samples/sample-a
victim=$(sed -n 's/^victims: \[\(.*\)\]/\1/p' "$sample/report.yaml")
"$inga" events "$sample/run.txt" --victim "$victim" > "$out/figure-8.txt"
scan=$("$inga" fingerprint "$sample/run.txt" --victim "$victim" --format json | head -n 1)
type_4a=$(printf '%s' "$scan" | sed 's/.*"type":"\([0-9a-f]*\)".*/\1/')
tile "$sample/run.txt" --host "$victim" --sensor I --type "$type_4a" -o "$out/figure-9-10.svg"
series --filter "type:$type_4a" --mark "$sample/report.yaml" -o "$out/figure-11.svg"
