# What one does with this repository. `make help` lists it.
SHELL := /bin/bash
.DEFAULT_GOAL := help
.PHONY: help up build console test test-rust test-docs test-console test-browser test-deploy test-polyglot \
	lint lint-rust lint-kernels lint-contracts lint-dependencies lint-deploy lint-scripts lint-docs lint-console bench setup

# Where `make up` keeps its data, and where it listens.
DATA ?= data
LISTEN ?= 127.0.0.1:8080

# The optimised build that starts soonest; `cargo build --release` is smaller and a little faster.
PROFILE ?= quick

VENV := $(CURDIR)/.tools/venv/bin
export PATH := $(VENV):$(CURDIR)/.tools/bin:$(PATH)

# The program that tests drive from outside. Not exported to everything: the program itself reads
# variables that begin with WEFT_, and refuses those it does not know.
WEFT_BIN ?= $(CURDIR)/target/debug/weft

NEXTEST := $(shell command -v cargo-nextest 2>/dev/null)
CONSOLE_SOURCES := $(shell find gateway/console proto/weft -type f \
	-not -path '*/node_modules/*' -not -path '*/dist/*' -not -path '*/src/gen/*' -not -path '*/test-results/*' 2>/dev/null)

help: ## List what can be made
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-18s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

up: console ## Build everything and start a mesh with a real graph on http://localhost:8080
	cargo run --profile $(PROFILE) -p weft -- up --demo --data $(DATA) --listen $(LISTEN)

build: console ## Build the program for release: target/release/weft
	cargo build --release --locked -p weft

console: gateway/console/dist/index.html ## Build the web console, which the program then contains

gateway/console/dist/index.html: $(CONSOLE_SOURCES)
	tools/setup console
	cd gateway/console && npm run --silent build

setup: ## Install what building, testing and checking need and is missing
	tools/setup

# --- tests ---

test: ## Install what the tests need, start servers where none run, run every test
	tools/setup test
	$(MAKE) console
	tools/with-servers $(MAKE) -k test-rust test-docs test-console test-deploy test-polyglot test-browser

# Some of these tests start the program itself, which cargo does not build for the tests of another package.
test-rust: $(WEFT_BIN) ## Tests of the Rust packages (needs servers: tools/with-servers make test-rust)
ifdef NEXTEST
	cargo nextest run --workspace --locked $(if $(CI),--profile ci)
else
	cargo test --workspace --locked --lib --bins --tests --no-fail-fast
endif

# Generated code has examples that are not Rust, and `--doc` asks for them whatever the manifest says.
test-docs: ## Examples in the documentation comments
	cargo test --workspace --locked --doc --exclude weft-proto --exclude weft-tests

test-console: ## Unit tests of the console
	cd gateway/console && npm test --silent

$(CURDIR)/target/debug/weft: FORCE
	cargo build --locked -p weft

.PHONY: FORCE
FORCE:

test-deploy: $(WEFT_BIN) ## The configuration reference is complete and valid
	env -u WEFT_BIN -u WEFT_TEST_POSTGRES -u WEFT_TEST_REDIS $(WEFT_BIN) config check deploy/weft.toml

test-polyglot: $(WEFT_BIN) ## Clients nobody here wrote, and the README's tour, against a running mesh
	WEFT_BIN=$(WEFT_BIN) $(VENV)/python -m pytest -q $(if $(CI),--reruns 1 -r R) tests/polyglot

test-browser: $(WEFT_BIN) ## The console in a headless browser, against a running mesh
	@if [ -f tests/browser/package.json ]; then cd tests/browser && WEFT_BIN=$(WEFT_BIN) npm test --silent; fi

# --- checks ---

lint: ## Check style, contracts, dependencies, scripts, container file, console
	tools/setup lint
	$(MAKE) -k lint-contracts lint-kernels lint-scripts lint-docs lint-deploy lint-dependencies lint-console lint-rust

lint-rust: ## Format and clippy, warnings denied
	cargo fmt --all -- --check
	cargo clippy --workspace --all-targets --locked -- -D warnings

lint-kernels: ## The PTX that is carried for CUDA devices is made of the kernels' sources
	python tools/make-ptx --check

lint-contracts: ## buf lint, format and breaking changes
	buf lint
	buf format --diff --exit-code --path proto/weft
	tools/check-breaking

lint-dependencies: ## Licences, bans and sources of every dependency
	cargo deny --locked check licenses bans sources

lint-deploy: ## The container file and the files that deploy it
	hadolint deploy/Containerfile
	python -c 'import sys, yaml; [list(yaml.safe_load_all(open(path))) for path in sys.argv[1:]]' deploy/*.yaml deploy/*/*.yaml

lint-scripts: ## Shell and Python syntax
	@for script in .ci/run tools/setup tools/with-servers tools/check-breaking; do bash -n $$script || exit 1; done
	python -m compileall -q tests/polyglot
	@for script in tools/check-docs tools/make-config-reference tools/make-demo tools/make-ptx; do \
		python -c 'import ast, sys; ast.parse(open(sys.argv[1]).read())' $$script || exit 1; done

lint-docs: ## Links in the documents lead somewhere; every decision is in the index
	tools/check-docs

lint-console: ## Lint and types of the console
	cd gateway/console && npm run --silent lint

# --- measurements ---

bench: ## Measure (docs/performance.md says what); a few minutes each
	tools/setup bench
	cargo build --release --locked -p weft -p weft-load
	@for scenario in rpc gateway graph analytics layout positions sockets attacks drain commands executions queue triggers graphs telemetry; do target/release/weft-load $$scenario --json; done
	tools/setup test
	cd tests/browser && WEFT_BENCH=1 WEFT_BIN=$(CURDIR)/target/release/weft node run.mjs scale
