# covey: one command to see it, one to test it. Everything lands in .venv, target and dist; `make clean` removes them.
#
# Each step leaves a stamp in .venv, so a second run does only what changed.
# PROFILE picks how the native core is built: `dev` (default: third-party code optimised, ours lightly; checks
# on arithmetic stay in) or `release` (slower to build, what the wheel carries).

SHELL   := /bin/sh
VENV    ?= .venv
PROFILE ?= dev
ARGS    ?=
# Tests wait more than they compute: two at a time, each file's in its order (WORKERS=0: one by one, for a debugger).
WORKERS ?= 2
BENCH   ?=

BIN    := $(VENV)/bin
STAMPS := $(VENV)/.stamps
NATIVE := $(STAMPS)/native-$(PROFILE)
RUST   := Cargo.toml Cargo.lock $(shell find rust -name '*.rs' -o -name Cargo.toml)
PIP    := $(BIN)/python -m pip --disable-pip-version-check --quiet

# The interpreter that abi3 settings are read from; the same for every cargo run, so that nothing is built twice.
export PYO3_PYTHON := $(abspath $(BIN)/python)

.DEFAULT_GOAL := help
.NOTPARALLEL:

.PHONY: help
help: ## show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

.PHONY: demo
demo: $(STAMPS)/run $(NATIVE) ## build what is needed, then let three agents think together (ARGS="--adapter scripted")
	@$(BIN)/covey demo $(ARGS)

.PHONY: build
build: $(STAMPS)/run $(NATIVE) ## build only: afterwards .venv/bin/covey works (PROFILE=release for the fast core)

.PHONY: test
test: lint test-rust test-python ## every check and every test; pytest's summary closes it

.PHONY: lint
lint: $(STAMPS)/test ## formats, lints and types, as errors
	@tools/check-toolchain fmt clippy
	cargo fmt --all --check
	cargo clippy --workspace --all-targets --locked --quiet -- -D warnings
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy --strict

.PHONY: test-rust
test-rust: $(STAMPS)/venv ## the Rust tests
	cargo test --workspace --locked --quiet

.PHONY: test-python
test-python: $(STAMPS)/run $(STAMPS)/test $(NATIVE) ## the Python tests (ARGS="-k name" picks some)
	$(BIN)/python -m pytest -n $(WORKERS) --dist loadfile $(ARGS)

.PHONY: bench
bench: $(STAMPS)/run $(STAMPS)/test ## every bench of a release build: long (ARGS="-k sign" narrows the first table only)
	@$(MAKE) --no-print-directory build PROFILE=release
	cargo bench --workspace --locked --quiet
	$(BIN)/python -m benches $(ARGS)
	$(BIN)/covey bench $(BENCH)
	$(BIN)/python -m benches.ask
	$(BIN)/python -m benches.curation
	$(BIN)/python -m benches.loopback --heard
	$(BIN)/python -m benches.rivals
	$(BIN)/python -m benches.scale
	$(BIN)/python -m benches.startup
	$(BIN)/python -m benches.wake
	$(BIN)/python -m benches.wake --tools
	cargo build --release --locked --quiet -p covey-core --example hotpath --example width
	$(BIN)/python -m benches.targets

.PHONY: wheel
wheel: $(STAMPS)/build ## the release wheel, alone in dist/: what lay there, of make wheels too, is removed
	@$(BIN)/python -m tools.check_flags
	rm -rf dist
	$(BIN)/maturin build --release --locked --out dist
	@$(BIN)/python -m tools.plain_lists dist

.PHONY: wheels
wheels: $(STAMPS)/build ## every wheel that can be built here, checked, in dist/; the others are named with the reason
	$(PIP) install --require-hashes -r requirements/wheels.txt
	PYTHON=$(BIN)/python tools/wheels $(ARGS)

.PHONY: lock
lock: ## write requirements/*.txt anew (needs uv)
	tools/lock-requirements

.PHONY: commands-page
commands-page: $(STAMPS)/run ## write docs/commands.md anew, from the commands' own parsers
	PYTHONPATH=python $(BIN)/python -m tools.commands_page

.PHONY: settings-page
settings-page: $(STAMPS)/run ## write docs/configuration.md anew, from the schema of agent.toml
	PYTHONPATH=python $(BIN)/python -m tools.settings_page

.PHONY: docs
docs: $(STAMPS)/docs ## the documentation as a site, in target/site; a broken link is an error
	PYTHONPATH=. $(BIN)/mkdocs build --strict --quiet --config-file mkdocs.yml --site-dir target/site

.PHONY: clean
clean: ## remove everything that make made
	rm -rf $(VENV) target dist .pytest_cache .mypy_cache .ruff_cache .hypothesis .benchmarks
	find python -name '*.so' -delete
	find python tests benches examples -name __pycache__ -type d -prune -exec rm -rf {} +

$(STAMPS)/venv:
	@python=$$(tools/find-python) && "$$python" -m venv $(VENV)
	@mkdir -p $(STAMPS) && touch $@

$(STAMPS)/run: requirements/run.txt $(STAMPS)/venv
	@echo "installing what covey runs with, the model extras included"
	@$(PIP) install --require-hashes -r requirements/run.txt
	@touch $@

$(STAMPS)/build: requirements/build.txt $(STAMPS)/venv
	@tools/check-toolchain
	@$(PIP) install --require-hashes -r requirements/build.txt
	@touch $@

$(STAMPS)/test: requirements/test.txt $(STAMPS)/run
	@echo "installing what the tests need"
	@$(PIP) install --require-hashes -r requirements/test.txt
	@touch $@

$(STAMPS)/docs: requirements/docs.txt $(STAMPS)/venv
	@$(PIP) install --require-hashes -r requirements/docs.txt
	@touch $@

$(NATIVE): $(RUST) pyproject.toml $(STAMPS)/build $(STAMPS)/run
	@echo "building the native core (profile $(PROFILE); the first time takes a few minutes)"
	@PIP_QUIET=1 $(BIN)/maturin develop --quiet --locked --profile $(PROFILE)
	@rm -f $(STAMPS)/native-* && touch $@
