# Everything starts here: `make demo` shows the main job, `make test` proves it, `make check` is lint and types.
# Needs Python 3.11+ and make, nothing else: what it uses is installed into .venv from uv.lock.

PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
PACKAGES := pipeline workers jobs
PATHS  := $(PACKAGES) tests benchmarks

.PHONY: demo test chaos check fix bench clean help

help:            ## what there is to make
	@sed -n 's/^\([a-z]*\):.*## /\1\t/p' $(MAKEFILE_LIST)

demo: $(VENV)/.run     ## the main job on real pictures, with server, worker and emulator; no key needed
	@$(BIN)/python -m jobs.demo

test: $(VENV)/.dev     ## every test, with a real server, workers and emulator
	$(BIN)/python -m pytest $(T)

chaos: $(VENV)/.dev    ## the chaos suite with its big numbers: about 20 minutes
	$(BIN)/python -m pytest tests/chaos --full -rA

check: $(VENV)/.dev    ## format, lint, types, import rules, container files
	$(BIN)/ruff format --check $(PATHS)
	$(BIN)/ruff check $(PATHS)
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/hadolint Dockerfile
	$(BIN)/check-jsonschema --quiet --builtin-schema vendor.compose-spec docker-compose.yml

fix: $(VENV)/.dev      ## format and mend what ruff can mend
	$(BIN)/ruff format $(PATHS)
	$(BIN)/ruff check --fix $(PATHS)

bench: $(VENV)/.dev    ## the figures of the README, measured on this machine
	$(BIN)/python -m benchmarks

clean:           ## remove what make has made
	rm -rf $(VENV) .pytest_cache .mypy_cache .ruff_cache .import_linter_cache

$(BIN)/uv:
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "retouch needs Python 3.11 or newer: make PYTHON=/path/to/python3.13")'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check uv

$(VENV)/.run: $(BIN)/uv pyproject.toml uv.lock
	$(BIN)/uv sync --quiet --frozen --inexact --compile-bytecode --no-dev
	$(BIN)/python -m compileall -q $(PACKAGES)
	@touch $@

$(VENV)/.dev: $(BIN)/uv pyproject.toml uv.lock
	$(BIN)/uv sync --quiet --frozen --inexact --compile-bytecode
	$(BIN)/python -m compileall -q $(PACKAGES)
	@touch $@ $(VENV)/.run
