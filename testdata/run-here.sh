#!/bin/sh
# Starts the live monitor on this host, with the rights it needs.
# usage: run-here.sh PROGRAM [ARGUMENT ...]
prog=$1
shift
if [ ! -t 1 ]; then
	echo "spiketop: standard output is no terminal: going on as 'spiketop headless'" >&2
	set -- headless "$@"
fi
if [ "$(id -u)" = 0 ]; then
	exec "$prog" "$@"
fi
if ! command -v sudo >/dev/null; then
	echo "spiketop: capture: not root, and sudo is not installed" >&2
	echo "hint: run 'make run' as root" >&2
	exit 3
fi
echo "spiketop: capturing needs root, asking sudo" >&2
exec sudo "$prog" "$@"
