# Everything starts here. `make` alone lists the targets.
# The Python environment and all that is built lie in the user's cache, by content, so that every clone shares them.

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory

CACHE := $(or $(XDG_CACHE_HOME),$(HOME)/.cache)/inferfleet
REQUIREMENTS := requirements/dev.txt
VENV := $(CACHE)/venv-$(shell sha256sum $(REQUIREMENTS) | cut -c1-12)
BIN := $(VENV)/bin
export PYTHONPATH := operator:.
export PYTHONUNBUFFERED := 1
PYTHON := $(BIN)/python
ONLY ?=
FULL ?=
CLUSTER ?= rig
N ?= 500

.PHONY: help
help: ## List the targets
	@grep -hE '^[a-z0-9-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z0-9-]+):[^#]*## /\1\t/' | column -t -s "$$(printf '\t')"

$(VENV)/complete: $(REQUIREMENTS)
	@mkdir -p $(CACHE) && exec 9>$(CACHE)/venv.lock && flock 9 && if [ ! -e $@ ]; then \
	  echo "Installing the Python environment (about two minutes the first time) ..."; \
	  python3 -m venv --clear $(VENV) && $(BIN)/python -m pip install --quiet --require-hashes --no-deps -r $(REQUIREMENTS) && touch $@; fi

.PHONY: demo demo-down
demo: $(VENV)/complete ## Serve a real model on a real cluster: everything is set up (CLUSTER=current uses your kubeconfig)
	@$(PYTHON) -m e2e.demo up --cluster $(CLUSTER)

demo-down: $(VENV)/complete ## Take the demo and its cluster away; what was built stays in the cache (CLUSTER=current: the demo alone)
	@$(PYTHON) -m e2e.demo down --cluster $(CLUSTER)

.PHONY: check static format lint types layers unit coverage
check: static unit ## Format, lint, types, layers, pure and fault tests: no root, two minutes on two idle cores

static: format lint types layers drift

format: $(VENV)/complete
	@$(BIN)/ruff format --quiet --check .

lint: $(VENV)/complete
	@$(BIN)/ruff check --quiet .

types: $(VENV)/complete
	@$(PYTHON) -m mypy --no-error-summary

layers: $(VENV)/complete
	@$(BIN)/lint-imports --no-logo >/dev/null || $(BIN)/lint-imports

.PHONY: drift generate
drift: $(VENV)/complete
	@$(PYTHON) -m tools.generate --check

generate: $(VENV)/complete ## Write the CRD, the chart's copy and the reference pages anew
	@$(PYTHON) -m tools.generate

PYTEST := -m pytest -q -n 2 --dist worksteal tests

unit: $(VENV)/complete
	@$(PYTHON) $(PYTEST) -m "not triton and not contract and not slow"

coverage: $(VENV)/complete ## The tests of check and those that start processes, with the lines that they do not reach
	@$(PYTHON) $(PYTEST) -m "not triton and not contract" --cov --cov-report=term:skip-covered

.PHONY: test e2e
test: static coverage ## check with coverage, contracts, ecosystem and all scenarios on the rig
	@$(PYTHON) -m e2e.test

e2e: $(VENV)/complete ## Scenarios on the rig, one table (ONLY=a,b; FULL=1 runs every crash point)
	@$(PYTHON) -m e2e.scenarios $(if $(ONLY),--only $(ONLY)) $(if $(FULL),--full)

.PHONY: rig-up rig-down rig-status
rig-up: $(VENV)/complete ## Bring up a real Kubernetes on this machine, or find that it is up
	@$(PYTHON) -m e2e.rig up

rig-down: $(VENV)/complete ## Take it down, and leave nothing but what was built, in the cache
	@$(PYTHON) -m e2e.rig down

rig-status: $(VENV)/complete ## Say what runs
	@$(PYTHON) -m e2e.rig status

.PHONY: bench-reconcile
bench-reconcile: $(VENV)/complete ## CPU, memory, writes and delay of the operator with N models (N=500 IDLE=120 JSON=file PLOT=file)
	@$(PYTHON) -m e2e.bench.reconcile --models $(N) $(if $(IDLE),--idle $(IDLE)) $(if $(JSON),--json $(JSON)) $(if $(PLOT),--plot $(PLOT))
