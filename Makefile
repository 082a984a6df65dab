# Everything a newcomer types. GNU make 3.81 or newer.

CARGO ?= cargo
TOOLS := tests/tools/fetch.sh
# Where cargo puts what it builds.
TARGET := $(or $(CARGO_TARGET_DIR),target)
# Versions of nats-server that the end-to-end tests are run on.
NATS_VERSIONS := 2.12.8 2.14.6 2.15.1
# Jobs of the long soak; the one in `make test` is shorter.
ROLECAST_SOAK_JOBS ?= 200000
# Seeds of the protocol simulator in the long tests; `make test` runs 500.
ROLECAST_PROTOCOL_SEEDS_LONG ?= 10000
# Flags for `rolecast demo`, such as --keep.
DEMO_FLAGS ?=
# Flags for the benchmark that is run, such as --nodes or --quick.
BENCH_FLAGS ?=
# Flags for fuzzing with the program `fuzz`, such as --only csv or --seconds 600.
FUZZ_FLAGS ?=
# Flags for the fault matrix, such as --only r3-meta or --seed 7.
CHAOS_FLAGS ?=

# Where `make install` installs, and a root to install into, for packagers.
PREFIX ?= /usr/local
SYSCONFDIR ?= /etc
DESTDIR ?=
# The programs of a release.
PROGRAMS := --bin rolecast --bin rolecast-dispatcher --bin rolecast-worker

.PHONY: help tools build demo test check fmt-check lint deny docs fuzz \
	install uninstall deb test-install test-nats-versions test-long chaos bench-dispatch \
	bench-forecast bench-hostile bench-http bench-page bench-placement bench-policies \
	bench-roles tidy clean

help: ## list these targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-20s %s\n", $$1, $$2}' Makefile

tools: ## fetch nats-server and the Python packages into .tools/, once
	@$(TOOLS)

build: ## build the programs
	$(CARGO) build --workspace --bins

demo: tools build ## run real jobs on four workers, and kill one of them
	$(TARGET)/debug/rolecast demo $(DEMO_FLAGS)

test: tools build ## run all tests, those on a real nats-server included
	@tests/tools/browser.sh
	$(CARGO) test --workspace

check: fmt-check lint deny docs test ## run everything a change must pass

fmt-check:
	$(CARGO) fmt --all --check

lint:
	$(CARGO) clippy --workspace --all-targets --locked -- -D warnings

deny:
	@tests/tools/deny.sh

docs:
	RUSTDOCFLAGS="-D warnings" $(CARGO) doc --workspace --no-deps --locked

fuzz: build ## feed each reader of what comes from outside with odd input, for a minute
	@tests/tools/fuzz.sh $(TARGET)/debug/fuzz $(FUZZ_FLAGS)

install: ## install the programs, man pages, completions, units and sample configs (PREFIX, DESTDIR)
	$(CARGO) build --release --locked $(PROGRAMS)
	@PREFIX=$(PREFIX) SYSCONFDIR=$(SYSCONFDIR) DESTDIR=$(DESTDIR) packaging/install.sh install $(TARGET)/release

uninstall: ## remove what was installed, but no config that was changed
	@PREFIX=$(PREFIX) SYSCONFDIR=$(SYSCONFDIR) DESTDIR=$(DESTDIR) packaging/install.sh uninstall

deb: ## build a Debian package of the command, the dispatcher and the worker
	@$(TOOLS) deb
	$(CARGO) build --release --locked $(PROGRAMS)
	@packaging/deb.sh $(TARGET)

test-install: tools deb ## install the packages in a Debian system, run a job there, remove them (root, network)
	@packaging/test-install.sh $(TARGET)/debian

test-nats-versions: tools build ## run the end-to-end tests on each supported nats-server
	@$(TOOLS) versions
	set -e; for version in $(NATS_VERSIONS); do \
	  echo "== nats-server $$version"; \
	  NATS_SERVER="$(CURDIR)/.tools/nats-$$version/bin/nats-server" $(CARGO) test -p rolecast-tests; \
	done

test-long: tools build ## soak with 200,000 jobs, and simulate the role protocol with 10,000 seeds
	ROLECAST_PROTOCOL_SEEDS=$(ROLECAST_PROTOCOL_SEEDS_LONG) $(CARGO) test -p rolecast-tests --test protocol_sim -- --nocapture
	ROLECAST_SOAK_JOBS=$(ROLECAST_SOAK_JOBS) $(CARGO) test -p rolecast-tests --test soak -- --nocapture

chaos: tools build ## inject faults into real clusters, and check what became of each job (17 minutes)
	$(TARGET)/debug/chaos $(CHAOS_FLAGS)

bench-dispatch: tools ## compare Rolecast with workers that pull from JetStream
	$(CARGO) build --release --workspace --bins
	$(TARGET)/release/bench-dispatch $(BENCH_FLAGS)

bench-hostile: tools ## measure what one hostile party does to all others
	$(CARGO) build --release --workspace --bins
	$(TARGET)/release/bench-hostile $(BENCH_FLAGS)

bench-http: tools ## measure a scrape of the metrics of a dispatcher with 10,000 nodes
	$(CARGO) build --release --workspace --bins
	$(TARGET)/release/bench-http $(BENCH_FLAGS)

bench-page: tools ## measure the weight of the page, and what its viewers cost the dispatcher
	$(CARGO) build --release --workspace --bins
	$(TARGET)/release/bench-page $(BENCH_FLAGS)

bench-forecast: ## measure what forecasts cost: per sample, in memory, for 10,000 nodes
	$(CARGO) build --release -p rolecast-benches --bin bench-forecast
	$(TARGET)/release/bench-forecast $(BENCH_FLAGS)

bench-placement: ## measure what placing a job costs, on 100, 1,000 and 10,000 nodes
	$(CARGO) build --release -p rolecast-benches --bin bench-placement
	$(TARGET)/release/bench-placement $(BENCH_FLAGS)

bench-policies: ## compare placement policies in simulated fleets (BENCH_FLAGS=--quick: a few)
	$(CARGO) build --release -p rolecast-benches --bin bench-policies
	$(TARGET)/release/bench-policies $(BENCH_FLAGS)

bench-roles: tools ## measure what moving a role away from bottlenecks saves (BENCH_FLAGS=--quick: less)
	$(CARGO) build --release --workspace --bins
	$(TARGET)/release/bench-roles $(BENCH_FLAGS)

tidy: ## measure the code's shape: long files and functions, cycles of modules, ...
	$(CARGO) run -q -p rolecast-tests --bin tidy

clean: ## remove what was built and fetched
	$(CARGO) clean
	rm -rf .tools
