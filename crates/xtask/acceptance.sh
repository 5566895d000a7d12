#!/bin/bash
# Measures what is too long, or too dependent on the machine, for every test, and prints each figure beside its aim.
#
#   crates/xtask/acceptance.sh FOLDER
#
# FOLDER takes the books for the load (3 GB, made anew each time) and what each step printed. Nothing else should run meanwhile: the aims are for
# two cores that do nothing else, load generator included. Ends with 1 when an aim is not met.
set -uo pipefail
cd "$(dirname "$0")/../.."
folder=${1:?a folder for the books and for what is printed}
mkdir -p "$folder"
rm -rf "$folder/books" "$folder/log"
missed=0

# say WHAT FIGURE AIM HOLDS: one line of the table.
say() {
    local verdict=met
    if [ "$4" != 1 ]; then verdict='NOT MET' missed=1; fi
    printf '%-58s %-32s %-26s %s\n' "$1" "$2" "$3" "$verdict"
}

# step NAME COMMAND…: runs it and keeps what it prints.
step() {
    local name=$1
    shift
    echo "… $name: $*" >&2
    "$@" >"$folder/$name.log" 2>&1 || echo "… $name ended with $?; see $folder/$name.log" >&2
}

# figure NAME PATTERN: the first group of the first line that fits, in what a step printed; "none" without one.
figure() {
    local found
    found=$(sed -nE "s/.*$2.*/\1/p" "$folder/$1.log" | head -n 1)
    echo "${found:-none}"
}

# in_us TIME: microseconds of what Rust prints, such as 15.6ms.
in_us() {
    awk -v time="$1" 'BEGIN {
        number = time + 0
        if (time ~ /ns$/) print number / 1000
        else if (time ~ /µs$/) print number
        else if (time ~ /ms$/) print number * 1000
        else if (time ~ /[0-9]s$/) print number * 1000000
        else print "none"
    }'
}

# within FIGURE AIM: whether a number was printed and is no larger than the aim; reaches: no smaller.
within() { awk -v figure="$1" -v aim="$2" 'BEGIN { print (figure ~ /^[0-9.]+$/ && figure + 0 <= aim) ? 1 : 0 }'; }
reaches() { awk -v figure="$1" -v aim="$2" 'BEGIN { print (figure ~ /^[0-9.]+$/ && figure + 0 >= aim) ? 1 : 0 }'; }

# passed NAME TEST: whether a test of that name ran and passed.
passed() { grep -qE "^test [a-z_:]*$2 \.\.\. ok" "$folder/$1.log" && echo 1 || echo 0; }

step import make --no-print-directory import
step load make --no-print-directory load LOAD_DIR="$folder/books"
step log make --no-print-directory log-rate LOG_DIR="$folder/log"
step campaign make --no-print-directory campaign

printf '\n%-58s %-32s %-26s %s\n' 'what' 'figure' 'aim' ''
seconds=$(figure import 'entries in ([0-9.]+) s, 0 rejected')
say '1,000,000 bound-book rows imported with all checks' "$seconds s" 'at most 60 s' "$(within "$seconds" 60)"
memory=$(figure import 'peak memory ([0-9]+) kB')
say 'memory of that import' "$memory kB" 'at most 524288 kB' "$(within "$memory" 524288)"

answered=$(figure load '^([0-9]+) answers, 0 failed')
say 'traces answered, 200 a second for 30 s, none failed' "$answered" '6000' "$(reaches "$answered" 6000)"
p99=$(figure load ' p99 ([0-9.]+[nµm]?s), p99.9')
say 'trace end to end, p99' "$p99" 'at most 25 ms' "$(within "$(in_us "$p99")" 25000)"
look=$(figure load 'look-up of a code: median ([0-9.]+[nµm]?s)')
ratio=$(figure load 'ratio ([0-9.]+)')
say 'look-up of a code, median (ratio to a bare read)' "$look ($ratio)" 'at most 50 µs' "$(within "$(in_us "$look")" 50)"
bundle=$(figure load '(court bundle of the last answer: verifies)')
say 'court bundle of the last answer' "${bundle#*: }" 'verifies' "$([ "$bundle" = none ] && echo 0 || echo 1)"
without=$(grep -oE 'with their records, [0-9]+ without' "$folder/load.log" | grep -vc ', 0 without')
entries=$(grep -cE 'with their records, 0 without' "$folder/load.log")
say 'logs that have every record after the load' "$entries of 2" '2' "$([ "$without" = 0 ] && reaches "$entries" 2 || echo 0)"
rate=$(figure log ': ([0-9]+) a second')
say 'log entries a second, durable, in batches' "$rate" 'at least 20000' "$(reaches "$rate" 20000)"

kills=$(figure campaign '^([0-9]+) kills, [0-9]+ runs cut off')
say 'kills during import, issue and trace; nothing lost' "$kills" '200' \
    "$([ "$(passed campaign killed_at_any_moment_nothing_is_lost)" = 1 ] && reaches "$kills" 200 || echo 0)"
say 'kills during traces under load (200); nothing lost' '' 'passes' "$(passed campaign killed_during_traces_nothing_acknowledged_is_lost)"
hostile=$(grep -cE '^test hostile::.* \.\.\. ok' "$folder/campaign.log")
say 'own hostile requests (10,000): no fault, no leak' "$hostile of 3 tests" '3' "$(reaches "$hostile" 3)"
say 'schemathesis on every role: no fault' '' 'passes' "$(passed campaign 'schemathesis[a-z_:]*')"

printf '\nsystem: %s, %s cores, load %s\n' "$(uname -sm)" "$(nproc)" "$(cut -d' ' -f1-3 /proc/loadavg 2>/dev/null)"
exit "$missed"
