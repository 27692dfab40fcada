# `make` or `make help` lists the targets. Everything is installed into .venv; nothing outside this folder is touched.

SUPPORTED := sys.version_info[:2] in [(3, 11), (3, 12), (3, 13)]
CANDIDATES := python3 python3.13 python3.12 python3.11
# The first Python that Paribus supports; `make PYTHON=... <target>` names another.
PYTHON ?= $(shell for each in $(CANDIDATES); do $$each -c 'import sys; sys.exit(not $(SUPPORTED))' 2>/dev/null && { echo $$each; break; }; done)
# Processes that run tests side by side.
WORKERS ?= 2

VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt
SOURCES := pyproject.toml constraints.txt
# One thread a process: the networks are small, and the processes run side by side.
ONE_THREAD := OMP_NUM_THREADS=1
PYTEST := $(ONE_THREAD) $(BIN)/python -m pytest

.DEFAULT_GOAL := help
.NOTPARALLEL:
.PHONY: help install demo test test-all check format-check lint types contracts format bench build clean docs experiments

help:  ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-14s %s\n", $$1, $$2 }' $(firstword $(MAKEFILE_LIST))

install: $(VENV)/.installed-run  ## make .venv and install Paribus in it

demo: install  ## a study on real data, to its verdicts and report (about half a minute after installation)
	$(BIN)/paribus run experiment=robust_regression_demo

test: $(VENV)/.installed-test  ## run the tests that take less than minutes
	$(PYTEST) -n $(WORKERS)

test-all: $(VENV)/.installed-dev  ## run all tests, also the slow ones
	$(PYTEST) -n $(WORKERS) -m "slow or not slow"

check: format-check lint types contracts test  ## what must pass: format, lint, types, import contracts, tests

format-check: $(VENV)/.installed-dev  ## whether the code is formatted
	$(BIN)/ruff format --check .

lint: $(VENV)/.installed-dev  ## look for mistakes without running anything
	$(BIN)/ruff check .

types: $(VENV)/.installed-dev  ## check the type hints
	$(BIN)/mypy

contracts: $(VENV)/.installed-dev  ## check that imports point down
	$(BIN)/lint-imports

format: $(VENV)/.installed-dev  ## format the code and mend what can be mended
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

STUDIES := $(notdir $(patsubst %/,%,$(wildcard experiments/*/)))
# Two need files that do not install with a package: python -m paribus.data.download mnist data/mnist
STUDIES := $(if $(wildcard data/mnist),$(STUDIES),$(filter-out mnist mnist_vae,$(STUDIES)))
experiments: install  ## run every published study, and put what came out in experiments/
	for study in $(STUDIES); do \
	  $(BIN)/paribus run experiment=$$study && \
	  cp runs/$$study/results.csv runs/$$study/comparisons.csv runs/$$study/verdicts.json experiments/$$study/ && \
	  for figure in $$(cd experiments/$$study && ls *.svg *.png 2>/dev/null); do \
	    cp runs/$$study/figures/$$figure experiments/$$study/ || exit 1; \
	  done || exit 1; \
	  $(BIN)/paribus verify runs/$$study > experiments/$$study/verdicts.txt; \
	done

docs: $(VENV)/.installed-test  ## build the site of docs/ in build/docs/html; a broken link fails
	$(BIN)/python docs/site/build.py

bench: $(VENV)/.installed-run  ## a small job in the default trainer against a plain loop
	$(ONE_THREAD) $(BIN)/python benchmarks/one_job.py

build: $(VENV)/.installed-dev  ## make the wheel and the source distribution, in dist/
	$(BIN)/python -m build --outdir dist .

clean:  ## remove what was built, the environment and caches; runs/ stays
	rm -rf $(VENV) build dist .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis
	find src tests benchmarks -name __pycache__ -type d -prune -exec rm -rf {} +

# A stamp says what has been installed, and from which requirements; a larger set includes the smaller ones.
$(VENV)/.installed-run: $(SOURCES) | $(VENV)/.made
	@echo "Installing Paribus in $(VENV): some minutes, once"
	$(PIP) --editable .
	@touch $@

$(VENV)/.installed-test: $(SOURCES) | $(VENV)/.made
	@echo "Installing Paribus and what its tests need in $(VENV): some minutes, once"
	$(PIP) --editable '.[test]'
	@touch $(VENV)/.installed-run $@

$(VENV)/.installed-dev: $(SOURCES) | $(VENV)/.made
	@echo "Installing Paribus and its development tools in $(VENV): some minutes, once"
	$(PIP) --editable '.[dev]'
	@touch $(VENV)/.installed-run $(VENV)/.installed-test $@

$(VENV)/.made:
	@test -n "$(PYTHON)" || { echo "Paribus needs Python 3.11, 3.12 or 3.13; name one: make PYTHON=/path/to/python"; exit 2; }
	@$(PYTHON) -c 'import sys; sys.exit(not $(SUPPORTED))' || \
		{ echo "$(PYTHON) is not Python 3.11, 3.12 or 3.13, which Paribus needs"; exit 2; }
	$(PYTHON) -m venv $(VENV)
	@touch $@
