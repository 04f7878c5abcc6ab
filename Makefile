# Everything starts here: `make demo` shows the main job, `make test` proves it, `make check` is lint and types.
# Needs Python 3.11+ and make, nothing else: what it uses is installed into .venv from uv.lock.

PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
PACKAGES := pipeline workers jobs
# As pip does: the certificates of this machine, a company's own among them.
export UV_SYSTEM_CERTS ?= true
PATHS  := $(PACKAGES) tests benchmarks docs
# Not --quiet, which would hide what --strict finds. The warning is of another version of MkDocs than the locked one.
MKDOCS := NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict

.PHONY: demo test chaos check fix docs pictures bench clean help

help:            ## list the targets
	@sed -n 's/^\([a-z]*\):.*## /\1\t/p' $(MAKEFILE_LIST)

demo: $(VENV)/.run     ## edit nine photos with a real server, a worker and the emulator; no key needed
	@$(BIN)/python -m jobs.demo

test: $(VENV)/.dev     ## every test, with a real server, workers and emulator
	$(BIN)/python -m pytest -n auto --dist worksteal $(T)

chaos: $(VENV)/.dev    ## the chaos suite at full size: about 40 minutes
	$(BIN)/python -m pytest tests/chaos --full -rA

check: $(VENV)/.docs   ## format, lint, types, import rules, the documentation and its links, container files
	$(BIN)/ruff format --check $(PATHS)
	$(BIN)/ruff check $(PATHS)
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(MKDOCS)
	$(BIN)/hadolint Dockerfile
	$(BIN)/check-jsonschema --quiet --builtin-schema vendor.compose-spec docker-compose.yml

fix: $(VENV)/.dev      ## format, fix what ruff can fix, regenerate the reference from the code
	$(BIN)/ruff format $(PATHS)
	$(BIN)/ruff check --fix $(PATHS)
	$(BIN)/python -m docs.generate

docs: $(VENV)/.docs    ## build the documentation in site/; broken links are errors
	$(BIN)/python -m docs.generate
	$(MKDOCS)

pictures: $(VENV)/.dev ## take the screenshots in docs/pictures/ from the newest `make demo`; needs Chromium
	$(BIN)/python -m docs.generate.pictures

bench: $(VENV)/.dev    ## measure the figures of the README on this machine
	$(BIN)/python -m benchmarks

clean:           ## remove what make has created
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

$(VENV)/.docs: $(VENV)/.dev
	$(BIN)/uv sync --quiet --frozen --inexact --group docs
	@touch $@
