# make run    builds spiketop and starts it on this host (asks for sudo by itself)
# make test   every test that this machine can run; says what it skipped and why
# make check  gofmt, go vet, staticcheck
# make lab    the seed's incident on the real bonding driver: SCENARIO="..." KEEP=dir; see testdata/lab
# make conformance PCAPS=DIR  spiketop stats against tshark and capinfos on a collection of captures
# make bench  the benchmarks behind docs/PERFORMANCE.md
SHELL    := /bin/bash
GO       ?= go
PACKAGES := ./... ./testdata/netlab ./testdata/lab/...
# What the kernel tests need from Debian, as COMMAND:PACKAGE.
TOOLS    := ip:iproute2 tc:iproute2 ping:iputils-ping sysctl:procps tcpdump:tcpdump tshark:tshark tmux:tmux linux.uml:user-mode-linux modprobe:kmod setsid:util-linux libvirtd:libvirt-daemon qemu-system-x86_64:qemu-system-x86

export CGO_ENABLED := 0

.PHONY: build run test check lab bench conformance tools

build:
	$(GO) build -trimpath -ldflags "-s -w" -o spiketop .

run: build
	@testdata/run-here.sh ./spiketop $(ARGS)

check:
	@unformatted=$$(gofmt -l .); [ -z "$$unformatted" ] || { echo "gofmt would change:"; echo "$$unformatted"; exit 1; }
	$(GO) vet $(PACKAGES)
	$(GO) tool staticcheck $(PACKAGES)

# One apt-get call, as root only, tried twice; without root the tests say what they miss.
tools:
	@missing=""; for t in $(TOOLS); do command -v $${t%%:*} >/dev/null || missing="$$missing $${t##*:}"; done; \
	missing=$$(printf '%s\n' $$missing | sort -u | tr '\n' ' '); [ -z "$${missing// }" ] && exit 0; \
	if [ "$$(id -u)" != 0 ]; then echo "make: not root, so not installing:$$missing(tests that need them skip)"; exit 0; fi; \
	export DEBIAN_FRONTEND=noninteractive; get() { apt-get update -qq && apt-get install -y -qq --no-install-recommends $$missing >/dev/null; }; \
	get || { sleep 5; get; } || echo "make: apt-get could not install:$$missing(tests that need them skip or fail)"

test: tools build
	@testdata/run-tests.sh

lab: tools
	@SCENARIO="$(or $(SCENARIO),all)" KEEP="$(KEEP)" testdata/run-lab.sh

conformance: tools
	@PCAPS="$(abspath $(or $(PCAPS),../shared/pcaps))" SPIKETOP_REQUIRE=tshark $(GO) test -count=1 -v -run '^TestConformance' . | grep -vE '^(=== RUN|=== NAME|    --- PASS)'; exit $${PIPESTATUS[0]}

bench:
	$(GO) test -run '^$$' -bench . -benchmem . ./flow/... ./capture/... ./incident ./ui/...
