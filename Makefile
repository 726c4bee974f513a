# Two commands do all the set-up on a fresh Debian 12 as root with Go installed: make demo, make test.
SHELL   := /bin/bash
GO      ?= go
VERSION ?= 0.1.0
COMMIT  ?= $(shell git rev-parse --short=12 HEAD 2>/dev/null || echo unknown)
LDFLAGS  = -s -w -X main.version=$(VERSION) -X main.commit=$(COMMIT)
# No cgo: one static binary for every distribution, the NixOS one included.
BUILD    = CGO_ENABLED=0 $(GO) build -trimpath -buildvcs=false -ldflags '$(LDFLAGS)'
BINARY  ?= bin/sessiondbd
DIST    ?= dist
ARCHES  ?= amd64 arm64
# The stamp of the version control would fail where git mistrusts the folder's owner; LDFLAGS says as much.
export GOFLAGS += -buildvcs=false
DESTDIR ?=
PREFIX  ?= /usr

STATICCHECK = $(GO) run honnef.co/go/tools/cmd/staticcheck@v0.8.2
GOFUMPT     = $(GO) run mvdan.cc/gofumpt@v0.12.0

.DEFAULT_GOAL := build
.PHONY: root setup-demo FORCE build install setup demo test check lint bench soak deb nix-eval help clean

build: ## bin/sessiondbd and bin/sessiondbd-metrics, static
	$(BUILD) -o $(BINARY) ./cmd/sessiondbd
	$(BUILD) -o $(BINARY)-metrics ./cmd/sessiondbd-metrics

# What the package will do; with DESTDIR only the files.
install: build ## install binary, units and config below DESTDIR, then tell systemd
	install -D -m 0755 $(BINARY) $(DESTDIR)$(PREFIX)/bin/sessiondbd
	install -D -m 0755 $(BINARY)-metrics $(DESTDIR)$(PREFIX)/bin/sessiondbd-metrics
	install -D -m 0644 -t $(DESTDIR)/usr/lib/systemd/system deploy/systemd/*.service deploy/systemd/*.path deploy/systemd/*.socket deploy/systemd/*.timer
	install -D -m 0755 -t $(DESTDIR)/usr/lib/systemd/system-generators deploy/systemd/sessiondbd-generator
	install -D -m 0644 -t $(DESTDIR)/usr/lib/systemd/system/postgresql@.service.d deploy/systemd/postgresql@.service.d/50-sessiondbd.conf
	ln -sfn sessiondbd.service $(DESTDIR)/usr/lib/systemd/system/init-session-schema.service
	install -D -m 0644 deploy/systemd/sessiondbd.sysusers $(DESTDIR)/usr/lib/sysusers.d/sessiondbd.conf
	install -D -m 0644 deploy/systemd/sessiondbd.tmpfiles $(DESTDIR)/usr/lib/tmpfiles.d/sessiondbd.conf
	install -D -m 0644 -t $(DESTDIR)/usr/lib/systemd/catalog deploy/catalog/sessiondbd.catalog
	install -D -m 0644 -t $(DESTDIR)$(PREFIX)/share/man/man8 deploy/man/sessiondbd.8 deploy/man/sessiondbd-metrics.8
	install -D -m 0644 deploy/completions/sessiondbd.bash $(DESTDIR)$(PREFIX)/share/bash-completion/completions/sessiondbd
	install -D -m 0644 deploy/completions/sessiondbd.zsh $(DESTDIR)$(PREFIX)/share/zsh/vendor-completions/_sessiondbd
	install -D -m 0644 -t $(DESTDIR)$(PREFIX)/share/fish/vendor_completions.d deploy/completions/sessiondbd.fish
	install -D -m 0644 -t $(DESTDIR)$(PREFIX)/share/doc/sessiondbd deploy/doc/*.md
	install -D -m 0644 -t $(DESTDIR)$(PREFIX)/share/doc/sessiondbd/examples deploy/systemd/examples/*.conf deploy/systemd/examples/*.service
	install -D -m 0644 -t $(DESTDIR)$(PREFIX)/share/doc/sessiondbd/examples deploy/prometheus/*.yml deploy/grafana/*.json
	[ -e $(DESTDIR)/etc/sessiondbd/config.yaml ] || install -D -m 0644 deploy/config.yaml $(DESTDIR)/etc/sessiondbd/config.yaml
	[ -n "$(DESTDIR)" ] || { systemd-sysusers sessiondbd.conf && systemd-tmpfiles --create sessiondbd.conf && systemctl daemon-reload; }

# The date of the packages is that of the commit, so that the same commit gives the same bytes.
deb: export SOURCE_DATE_EPOCH ?= $(shell git log -1 --format=%ct 2>/dev/null || echo 0)
deb: ## dist/sessiondbd_VERSION_{amd64,arm64}.deb
	@DIST='$(DIST)' VERSION='$(VERSION)' COMMIT='$(COMMIT)' GO='$(GO)' bash deploy/package/build.sh $(ARCHES)

setup: ## install what tests and demo need of Debian (apt)
	@bash internal/lab/setup.sh

setup-demo:
	@bash internal/lab/setup.sh demo

# A program of its own and not `go run`, which a SIGTERM would end without what it runs.
bin/demo bin/tally bin/bench: bin/%: FORCE
	@$(GO) build -o $@ ./internal/lab/$*

# The first time apt and the compiler work side by side, if the compiler can already download without what apt brings.
demo: root ## a throw-away hypervisor gets its session database, and its five VMs use it (STAY=1: it stays until Ctrl-C)
	@$(MAKE) --no-print-directory -j$(if $(wildcard /etc/ssl/certs/ca-certificates.crt),3,1) setup-demo bin/demo build
	@bin/demo $(if $(STAY),-stay)

# Two packages and three tests of each at a time, also on many cores: hypervisors boot beside each other, and tests measure
# how fast the daemon is. On two cores three are not too many: most of a test is waiting.
test: root setup lint bin/tally ## everything: unit, real PostgreSQL, real iptables, booted hypervisor
	@set -o pipefail; $(GO) test -race -count=1 -p 2 -parallel 3 -timeout 25m -tags integration -json ./... | bin/tally

# It has no pass or fail, and a busy machine shows in every figure; ROWS is a regular expression over the measurements' names.
bench: root setup build bin/bench ## the figures of the product against their goals and peers (a quarter of an hour)
	@bin/bench $(if $(ROWS),-rows '$(ROWS)')

# What `make test` takes a sample of, in full: every place where a pass can be killed, 50 rounds of 32 starters, the whole
# corpus on every version of PostgreSQL.
soak: root setup bin/tally ## the long form of the tests (about an hour)
	@set -o pipefail; SESSIONDBD_SOAK=1 $(GO) test -count=1 -p 1 -timeout 3h -tags integration -json ./... | bin/tally

root:
	@[ $$(id -u) = 0 ] || { echo 'needs root, for network namespaces and a container; run: sudo env PATH="$$PATH" make $(MAKECMDGOALS)' >&2; exit 77; }

FORCE:

check: lint ## the fast part: build, vet, staticcheck, gofumpt, unit tests
	$(GO) build ./...
	$(GO) test ./...

# With NIXPKGS_LIB: the lib folders of nixpkgs, one a release, separated by colons.
nix-eval: ## renew what nix/ commits: vendorHash, evaluation results, option documentation
	$(GO) test -count=1 -tags integration ./nix -run 'TestVendorHash|TestEvaluation' -update

lint: ## vet, staticcheck, gofumpt
	$(GO) vet ./...
	$(GO) vet -tags integration ./...
	$(STATICCHECK) -tags integration ./...
	@unformatted=$$($(GOFUMPT) -l .); if [ -n "$$unformatted" ]; then echo "not gofumpt'ed:"; echo "$$unformatted"; exit 1; fi

help: ## what there is
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z]+):[^#]*## /\1\t/' | column -t -s "$$(printf '\t')"

clean:
	rm -rf bin dist
