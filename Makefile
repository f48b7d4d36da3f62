# One front door. `make help` lists the verbs; each target installs what it needs.
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:

PYTHON ?= python3
VENV := $(CURDIR)/.venv
BIN := $(VENV)/bin
SETUP := .venv/.stamp-setup
BUILD := .venv/.stamp-build
BENCH := .venv-bench/.stamp
SDKS := .sdk-newest/.stamp .sdk-oldest/.stamp
SOURCES := $(shell find rust -name '*.rs' -o -name Cargo.toml) Cargo.toml Cargo.lock

# $(call new-venv,DIR,WHAT): a fresh machine's pip is too old for dependency groups.
define new-venv
	$(PYTHON) -c 'import sys; sys.exit("ratelimit_guard needs Python 3.11 or newer: make PYTHON=python3.12 ...") if sys.version_info < (3, 11) else None'
	test -x $(1)/bin/python || $(PYTHON) -m venv $(1)
	$(1)/bin/python -m pip install --quiet --disable-pip-version-check 'pip>=25.1'
	$(1)/bin/python -m pip install --quiet --disable-pip-version-check $(2)
endef

.PHONY: help setup build sdk test lint test-rust test-python bench demo soak wheel clean

help: ## list the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /\1\t/' | expand -t 14

setup: $(SETUP) ## make .venv with the development tools

$(SETUP): pyproject.toml
	$(call new-venv,.venv,--group dev)
	touch $@

build: $(BUILD) ## compile the module into .venv (incremental)

$(BUILD): $(SETUP) $(SOURCES)
	PIP_QUIET=1 VIRTUAL_ENV=$(VENV) $(BIN)/maturin develop --release --quiet
	touch $@

test: setup build lint test-rust test-python ## everything that must pass: lint, types, Rust tests, Python tests

lint: build ## formatting, lints and types of both languages
	cargo fmt --check
	cargo clippy --workspace --all-targets --locked -- -D warnings
	$(BIN)/ruff format --check python tests examples
	$(BIN)/ruff check python tests examples
	$(BIN)/mypy
	$(BIN)/basedpyright --level error

test-rust: ## Rust tests: unit, property, sudden death, portable build, fuzz targets, loom
	cargo test --workspace --locked
	cargo test -p ratelimit-guard-core --features failpoints --locked
	CARGO_TARGET_DIR=target/portable cargo test -p ratelimit-guard-core --features portable --test prompt --test minhash --test scan --test tokens --locked
	CARGO_TARGET_DIR=target/fuzz cargo test --manifest-path rust/fuzz/Cargo.toml --locked
	CARGO_TARGET_DIR=target/loom RUSTFLAGS="--cfg loom" cargo test -p ratelimit-guard-core --release --test loom --locked

sdk: $(SDKS) ## the official clients, newest and oldest, each in an environment of its own

.sdk-%/.stamp: tests/proxy/sdk/%.txt
	$(call new-venv,.sdk-$*,-r $<)
	touch $@

test-python: build sdk ## Python tests
	$(BIN)/python -m pytest

soak: build ## the long form of the property, model, process and thread tests
	RLG_SOAK=1 cargo test -p ratelimit-guard-core --release --test properties --test lives --test extremes --test scan --test prompt --test minhash --test lsh --test hyperloglog --test space_saving --test audit --test detector --test campaign --test live --test saved --test tokens --locked
	RLG_SOAK=1 CARGO_TARGET_DIR=target/fuzz cargo test --manifest-path rust/fuzz/Cargo.toml --locked
	RLG_SOAK=1 $(BIN)/python -m pytest tests/model tests/processes tests/threads tests/prompt tests/sketch tests/campaigns tests/live tests/calls
	$(BIN)/python -m demo.soak --minutes 30

bench: $(BENCH) ## compare with other packages (own environment)
	.venv-bench/bin/python bench/run.py

$(BENCH): $(BUILD) bench/requirements.txt
	$(call new-venv,.venv-bench,-r bench/requirements.txt)
	PIP_QUIET=1 VIRTUAL_ENV=$(CURDIR)/.venv-bench $(BIN)/maturin develop --release --quiet
	touch $@

demo: build ## a simulated day of honest tenants and a campaign against four guarded workers; about a minute
	$(BIN)/python -m demo

wheel: setup ## build the wheel into dist/
	VIRTUAL_ENV=$(VENV) $(BIN)/maturin build --release --locked --out dist

clean: ## remove everything that was built
	rm -rf .venv .venv-bench .sdk-newest .sdk-oldest target dist python/ratelimit_guard/_core*.so
