# Reactor: everything sets itself up. A fresh machine needs python3 (3.11 or newer, with venv), make and git.
#
#   make demo      a simulated day of daily revenue in the terminal
#   make test      style, types, floors, then every test
#   make lint      style, types, floors
#   make bench     what this machine reaches
#   make torture   2,000 kills and more (KILLS=5000)
#   make lock      write constraints.txt anew (needs uv)
#   make clean     remove what was made here

PYTHON ?= $(shell for p in python3.11 python3.12 python3.13 python3; do \
	$$p -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$p && break; done)
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
KILLS ?= 2000
PYTEST_ARGS ?=

.PHONY: demo test lint bench torture lock clean setup
.DEFAULT_GOAL := test

setup: $(STAMP)

# The log is shown only when a step fails. The hashes are checked for every package that enters the environment.
$(STAMP): constraints.txt pyproject.toml
	@test -n "$(PYTHON)" || { echo "No Python 3.11 or newer with venv was found. Install it (Debian: apt-get install python3-venv) or say make PYTHON=/path/to/python3" >&2; exit 1; }
	@echo "Setting up $(VENV) ..." >&2
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@{ $(BIN)/python -m pip install --disable-pip-version-check --no-input --require-hashes -r constraints.txt && \
	   $(BIN)/python -m pip install --disable-pip-version-check --no-input --no-deps --no-build-isolation -e . ; \
	 } > $(VENV)/setup.log 2>&1 || { cat $(VENV)/setup.log >&2; exit 1; }
	@touch $@

demo: $(STAMP)
	@$(BIN)/reactor demo

lint: $(STAMP)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

test: lint
	@$(BIN)/python -m tests.services
	$(BIN)/python -m pytest $(PYTEST_ARGS)

bench: $(STAMP)
	$(BIN)/python -m tests.bench

torture: $(STAMP)
	REACTOR_TORTURE_KILLS=$(KILLS) $(BIN)/python -m pytest tests/torture -rP

lock:
	uv pip compile pyproject.toml --all-extras --group dev --universal --python-version 3.11 --generate-hashes \
	  --no-emit-index-url --no-emit-find-links --no-annotate --no-header --quiet --output-file constraints.txt

clean:
	rm -rf $(VENV) build dist *.egg-info .mypy_cache .pytest_cache .ruff_cache .import_linter_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
