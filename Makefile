# Two commands do everything on a fresh machine with Rust, Node and apt: `make demo` and `make test`.
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help

CARGO ?= cargo
DEMO_DIR ?= demo-out
FEDERATION_DIR ?= federation-out
LOAD_DIR ?= load-out
LOG_DIR ?= log-out
ACCEPTANCE_DIR ?= acceptance-out
TOOLS := .tools
export CARGO_TERM_PROGRESS_WHEN ?= never
export INSTA_UPDATE ?= no

.PHONY: help demo federation test bench acceptance campaign import load log-rate setup postgres format lint typos docs unit doctest clean

help: ## Print what can be made
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /\1\t/' | expand -t 12

demo: setup ## Install what is needed, build, and run the whole story into demo-out/
	$(CARGO) build --release --locked --package cli
	target/release/microstamp demo "$(DEMO_DIR)"

federation: setup ## Two issuers, an agency, three witnesses and a directory on this machine: ask, answer, audit
	$(CARGO) build --locked --package cli
	target/debug/microstamp federation demo "$(FEDERATION_DIR)"

test: setup postgres format lint docs typos doctest unit ## Install what is needed and pass all tests
	@cat target/doctest.log target/unit.log | awk '/^test result:/ { passed += $$4; failed += $$6 } END { print passed " passed, " failed " failed" }'

bench: setup ## Run the benchmarks (criterion); compare ratios within one run
	$(CARGO) bench --workspace

acceptance: setup postgres ## Import, load, log, campaigns: each figure beside its aim; an hour on a machine that does nothing else
	crates/xtask/acceptance.sh "$(ACCEPTANCE_DIR)"

campaign: export MICROSTAMP_KILLS = 200
campaign: export MICROSTAMP_HOSTILE = 10000
campaign: setup postgres ## What is too long for every test: 200 kills each, 10,000 hostile requests, schemathesis
	$(CARGO) test --workspace --test it --locked -- --nocapture kill hostile
	crates/server/tests/schemathesis.sh

import: setup ## A table of 1,000,000 bound-book rows, with all checks
	$(CARGO) run --release --locked --package registry --example figures -- import 1000000

log-rate: setup ## 500,000 entries into a node's log, in log-out/
	$(CARGO) run --release --locked --package server --example load -- log "$(LOG_DIR)" 500000

load: setup ## 200 traces a second over 5,000,000 pistols in load-out/ (new, 3 GB)
	$(CARGO) run --release --locked --package registry --features synthetic --example fill_books -- "$(LOAD_DIR)/issuer" 5000000
	$(CARGO) run --release --locked --package server --example load -- run "$(LOAD_DIR)" 200 30

setup: ## Install what building and testing needs, if it is missing
	@command -v $(CARGO) >/dev/null || { echo "error: cargo is missing; install Rust 1.95 first" >&2; exit 1; }
	@command -v cc >/dev/null || { apt-get update -q && apt-get install -y -q build-essential; }

# The books are tested on a real PostgreSQL, which the tests start themselves.
postgres:
	@ls /usr/lib/postgresql/*/bin/initdb >/dev/null 2>&1 || { apt-get update -q && apt-get install -y -q postgresql; }

format:
	$(CARGO) fmt --all --check

lint:
	$(CARGO) clippy --workspace --all-targets --locked -- --deny warnings

docs: ## Build the documentation, warnings denied
	RUSTDOCFLAGS="--deny warnings" $(CARGO) doc --workspace --no-deps --locked

typos: $(TOOLS)/bin/typos
	$(TOOLS)/bin/typos

$(TOOLS)/bin/typos:
	@python3 -c 'import venv, ensurepip' 2>/dev/null || { apt-get update -q && apt-get install -y -q python3-venv; }
	python3 -m venv $(TOOLS)
	$(TOOLS)/bin/pip install --quiet --disable-pip-version-check typos==1.52.0

unit:
	@mkdir -p target
	$(CARGO) test --workspace --lib --bins --tests --examples --locked 2>&1 | tee target/unit.log

doctest:
	@mkdir -p target
	$(CARGO) test --workspace --doc --locked 2>&1 | tee target/doctest.log

clean: ## Remove what was built
	$(CARGO) clean
	rm -rf $(TOOLS) $(DEMO_DIR)
