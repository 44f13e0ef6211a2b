# `make` lists the targets. Everything runs from .venv, which is made from the locks when it is first needed.
SHELL := /bin/sh
BIN := .venv/bin
READY := .venv/.ready
MYPY_LINK := .mypy/finlake

ifeq ($(OS),Windows_NT)
$(error finlake does not run on native Windows: install WSL2 (wsl --install), clone the project there, and run make in it)
endif

# A virtual environment whose project was moved, or whose Python is gone, is made again.
ifneq ($(shell cat $(READY) 2>/dev/null),$(realpath .))
$(shell rm -f $(READY))
endif
ifneq ($(shell test -x $(BIN)/python && echo yes),yes)
$(shell rm -f $(READY))
endif

ifdef DATA
export FINLAKE_DATA := $(shell cd "$(DATA)" 2>/dev/null && pwd || echo "$(DATA)")
endif
# The user's site packages and another project's path must not shadow the lock.
export PYTHONNOUSERSITE := 1
unexport PYTHONPATH
# Containers often forbid Python to keep what it compiled; each command would then compile Spark's modules again.
unexport PYTHONDONTWRITEBYTECODE

.DEFAULT_GOAL := help
.PHONY: help setup jdk demo test long unit doctor bench scoreboard lint types format check lock clean purge

help: ## this list
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-10s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

$(READY): requirements-dev.lock requirements-jdk.lock requirements-uv.lock pyproject.toml scripts/setup.py
	@python=$$(scripts/find-python.sh) && "$$python" scripts/setup.py && touch $(READY)

setup: $(READY) ## make .venv from the locks (all other targets do it when needed)

jdk: $(READY) ## put a Java into .venv (setup does it where none is found)
	@$(BIN)/python scripts/setup.py --jdk

demo: $(READY) ## generate data, run the nightly job, show what came out
	@$(BIN)/finlake demo $(ARGS)

# The longest files stand first: begun last, one of them would keep a single worker busy while the other waits.
IN_ORDER := -n 2 --dist loadgroup --no-loadscope-reorder
test: lint types unit ## lint, types, architecture and tests (DATA=folder for the tests on real data)
	@$(BIN)/python -m pytest $(IN_ORDER) -m "not long" tests/jobs tests/spark

long: $(READY) ## what takes too long for make test: demo, three weeks, kill -9 in every step; DATA=folder for the public files
	@$(BIN)/python -m pytest $(IN_ORDER) -m long tests/long tests/jobs tests/spark

unit: $(READY) ## the tests that need no Spark, in seconds
	@$(BIN)/python -m pytest -n 2 --dist loadgroup tests/unit

doctor: ## what this machine lacks, and how to mend it
	@scripts/doctor.sh
	@if [ -f $(READY) ]; then $(BIN)/finlake doctor $(ARGS); fi

bench: $(READY) ## measure, and print numbers beside their references
	@$(BIN)/python -m benchmarks $(ARGS)

scoreboard: $(READY) ## public data by published protocols, beside the published figures (DATA=folder)
	@$(BIN)/python -m benchmarks.scoreboard $(ARGS)

lint: $(READY) ## ruff: rules and format
	@$(BIN)/ruff check . && $(BIN)/ruff format --check --output-format concise . || { echo "  make format mends most of it"; exit 1; }

types: $(READY) ## mypy
	@mkdir -p $(dir $(MYPY_LINK)) && ln -sfn ../src $(MYPY_LINK)
	@$(BIN)/mypy

format: $(READY) ## mend what ruff can mend
	@$(BIN)/ruff check --fix --quiet . ; $(BIN)/ruff format .

check: $(READY) ## read all of conf/ and the bundle, and list every problem
	@$(BIN)/finlake check $(ARGS)

COMPILE := $(BIN)/uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header
lock: $(READY) ## resolve the locks again after a change of pyproject.toml (ARGS=--upgrade for newer versions)
	@$(COMPILE) $(ARGS) --extra local --extra postgres pyproject.toml -o requirements.lock
	@$(COMPILE) $(ARGS) --extra local --extra postgres --group dev pyproject.toml -o requirements-dev.lock
	@$(COMPILE) $(ARGS) --no-annotate --group jdk -o requirements-jdk.lock
	@$(COMPILE) $(ARGS) --no-annotate --group setup -o requirements-uv.lock

clean: ## remove what builds and tests leave behind
	@rm -rf build dist .mypy .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache *.egg-info spark-warehouse
	@find . -name __pycache__ -type d -not -path './.venv/*' -prune -exec rm -rf {} +

purge: clean ## also remove .venv, the cached jars and the demo's lake
	@rm -rf .venv .cache lake
