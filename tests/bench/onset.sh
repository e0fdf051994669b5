#!/bin/sh
# Days from the onset of an outbreak until `inga incident update` opens an incident of it, and until its family is a
# likely cause:
#
#     sh tests/bench/onset.sh FOLDER [SEED...]
#
# Each scenario is simulated to the end of its first day of infections, of the second, and so on, as `inga watch` sees
# it when a day is over. The samples are known from the beginning. A row has the scenario, seed, onset, and the numbers
# of the days, counted from 1; `-` if it is none of the first fourteen. `INGA` is the program, `inga` if not set.
set -eu
folder=$1
shift
[ $# -gt 0 ] || set -- 1
inga=${INGA:-inga}
scenarios=$(dirname "$0")/../../samples/scenarios

# Prints a field of the incident whose first day is near the onset; nothing if there is none.
near() {
    "$inga" incident list --all --history "$1" --format json | python3 -c '
import datetime, json, sys
onset = datetime.date.fromisoformat(sys.argv[1])
for line in sys.stdin:
    incident = json.loads(line)
    day = datetime.date.fromisoformat(incident["first"])
    if abs((day - onset).days) <= 7:
        likely = any(cause["verdict"] == "likely" for cause in incident["causes"])
        print("likely" if likely else "opened")
' "$2"
}

printf 'scenario\tseed\tonset\topened\tlikely\n'
measure() {
    name=$1 onset=$2 seed=$3 opened=- likely=-
    for number in 1 2 3 4 5 6 7 8 9 10 11 12 13 14; do
        last=$(date -u -d "$onset + $((number - 1)) days" +%F)
        made=$folder/$name-$seed-$number
        sed "s/^last: .*/last: $last/" "$scenarios/$name.yaml" > "$made.yaml"
        "$inga" simulate "$made.yaml" --seed "$seed" --format sightings -o "$made" > /dev/null
        "$inga" sample add "$made"/samples/*/report.yaml --history "$made/history" > /dev/null 2>&1
        "$inga" incident update --history "$made/history" > /dev/null
        found=$(near "$made/history" "$onset")
        rm -r "$made" "$made.yaml"
        [ "$opened" != - ] || [ -z "$found" ] || opened=$number
        case $found in *likely*) likely=$number; break ;; esac
    done
    printf '%s\t%s\t%s\t%s\t%s\n' "$name" "$seed" "$onset" "$opened" "$likely"
}

mkdir -p "$folder"
for seed; do
    measure byte-reversed 2020-02-10 "$seed"
    measure dhcp-churn 2020-02-10 "$seed"
    measure never-scans 2020-02-10 "$seed"
    measure own-sixteen 2020-02-03 "$seed"
    measure two-families 2020-02-10 "$seed"
    measure two-threads 2020-02-10 "$seed"
done
