#!/usr/bin/env bash
# Runs every test, prints go test's own closing lines, and last what ran and
# what was skipped and why. Exit status: go test's.
set -uo pipefail
cd "$(dirname "$0")/.."
mkdir -p .cache
log=.cache/test.log
rm -f .cache/lab.table
: >"$log"
status=0

# run NAME ARGUMENT ...: one go test run; its closing lines on the screen, all of it in the log.
run() {
	local name=$1
	shift
	echo "== $name"
	"$@" 2>&1 | tee -a "$log" | awk '
		/^(ok|FAIL|\?|panic:|exit status|DATA RACE|WARNING)/ { print; fflush(); next }
		/^ *--- FAIL/ { bad = 1 }
		/^(=== |--- PASS|--- SKIP|    --- )/ { if ($0 !~ /FAIL/) bad = 0 }
		bad || /^ *[a-z_]+_test\.go:[0-9]+:.*(error|want|got|fatal)/ { print; fflush() }'
	local st=${PIPESTATUS[0]}
	[ "$st" = 0 ] || status=$st
}

# The lab first: a machine that is itself a guest may be throttled once it has worked for a while.
run "the lab, in part" env SPIKETOP_LAB_TABLE="$PWD/.cache/lab.table" go test -count=1 -timeout 15m -v ./testdata/lab/...
run "go test ./..." go test -count=1 -timeout 15m -v ./... ./testdata/netlab
if command -v "${CC:-gcc}" >/dev/null; then
	run "go test -race (pure packages)" env CGO_ENABLED=1 go test -race -count=1 -timeout 10m -v -short ./flow ./probe ./incident/... ./ui/... ./capture/decode
else
	echo "-- race detector: skipped, no C compiler on this machine" | tee -a "$log"
fi

[ ! -s .cache/lab.table ] || cat .cache/lab.table

passed=$(grep -cE '^ *--- PASS' "$log")
failed=$(grep -cE '^ *--- FAIL' "$log")
skipped=$(grep -cE '^ *--- SKIP' "$log")
echo "== what ran: $(grep -cE '^ok' "$log") packages; tests: $passed passed, $failed failed, $skipped skipped"
if [ "$skipped" != 0 ]; then
	echo "== skipped, and why:"
	# Tests of one reason are one line.
	awk '
		/^=== (RUN|CONT|NAME)/ { current = $3 }
		/^ *[a-z0-9_]+\.go:[0-9]+: / { text = $0; sub(/^ *[a-z0-9_]+\.go:[0-9]+: /, "", text); reason[current] = text }
		/^ *--- SKIP/ { why = reason[$3]; sub(/: .*/, "", why); name = $3; sub(/\/.*/, "/...", name); line = name ": " why; if (!(line in n)) order[++k] = line; n[line]++ }
		END { for (i = 1; i <= k; i++) print "  " order[i] (n[order[i]] > 1 ? " (" n[order[i]] " times)" : "") }' "$log"
fi
if [ "$failed" != 0 ]; then
	echo "== failed:"
	grep -E '^ *--- FAIL' "$log" | sed 's/^ */  /' | head -40
fi
exit "$status"
