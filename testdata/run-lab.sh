#!/usr/bin/env bash
# make lab: the scenarios of $SCENARIO; progress while they run, then the table.
set -uo pipefail
cd "$(dirname "$0")/.."
mkdir -p .cache
export SPIKETOP_REQUIRE=${SPIKETOP_REQUIRE-uml} # a lab that cannot run has not passed
export SPIKETOP_LAB=${SCENARIO:-all} SPIKETOP_LAB_TABLE=$PWD/.cache/lab.table
[ -z "${KEEP:-}" ] || export SPIKETOP_LAB_KEEP=$(realpath -m "$KEEP")
rm -f "$SPIKETOP_LAB_TABLE"
go test -count=1 -timeout 90m -v -run '^TestLab$' ./testdata/lab 2>&1 | tee .cache/lab.log |
	grep --line-buffered -E '^    lab_test.go:[0-9]+: (pass|FAIL|void)|--- SKIP|^panic|cannot|build failed' |
	sed -u 's/^ *lab_test.go:[0-9]*: //'
status=${PIPESTATUS[0]}
echo
if [ -s "$SPIKETOP_LAB_TABLE" ]; then
	cat "$SPIKETOP_LAB_TABLE"
else
	tail -n 20 .cache/lab.log
fi
exit "$status"
