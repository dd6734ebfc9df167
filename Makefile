# Every target sets up what it needs; `make help` lists them.
SHELL := /bin/bash
VENV ?= .venv
BIN := $(VENV)/bin
PYTHON ?= $(shell for p in python3 python3.13 python3.12 python3.11; do $$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && { echo $$p; break; }; done)
MEMBERS := . apps/cli apps/services examples/gpudev-example plugins/gpudev-aws plugins/gpudev-gcp plugins/gpudev-kind
UV_VERSION := 0.13.9
export UV_LINK_MODE ?= copy
# Nothing is written into anybody's home.
export UV_CACHE_DIR ?= $(CURDIR)/.cache/uv
export PIP_NO_CACHE_DIR ?= 1

.PHONY: help setup demo test test-gcs test-cluster test-chart chart-lint chart-docs chart-package sbom unit sim planted lint types wheels fmt lock bench bench-cluster chaos clean

help: ## list the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-10s %s\n", $$1, $$2}'

setup: $(VENV)/.ready ## make the virtual environment with everything in it

$(VENV)/.ready: requirements.lock pyproject.toml $(wildcard apps/*/pyproject.toml examples/*/pyproject.toml plugins/*/pyproject.toml)
	@test -n "$(PYTHON)" || { echo "gpudev needs Python 3.11 or newer; install it and run make again" >&2; exit 1; }
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@$(BIN)/pip install --quiet --disable-pip-version-check uv==$(UV_VERSION)
	@VIRTUAL_ENV=$(abspath $(VENV)) $(BIN)/uv pip install --quiet --require-hashes -r requirements.lock
	@VIRTUAL_ENV=$(abspath $(VENV)) $(BIN)/uv pip install --quiet --no-deps --no-build-isolation $(foreach m,$(wildcard $(MEMBERS:=/pyproject.toml)),-e $(dir $(m)))
	@touch $@

demo: setup ## the main job, for real, in a scratch folder: reserve, ssh, keep the disk, wait in line
	@PYTHON=$(BIN)/python tools/host-packages
	@tools/demo

sbom: setup ## the images of services and dev servers as they ship, built by buildah and tried, and what is in them as CycloneDX in dist/sbom (5 min)
	@PYTHON=$(BIN)/python tools/host-packages
	@$(BIN)/pytest -q tests/images

unit: setup ## the inner loop: pure tests, no services
	@$(BIN)/pytest tests/unit tests/architecture -q

test: setup ## everything that pip can run: unit, contract, journeys
	@PYTHON=$(BIN)/python tools/host-packages
	@$(BIN)/pytest -q -n 4 --dist loadfile

test-gcs: setup ## objects of gpudev-gcp over fake-gcs-server, which Go builds the first time (1 min)
	@folder=$$(tools/fake-gcs-server) && PATH="$$folder:$$PATH" $(BIN)/pytest -q tests/contract/gcp_more/test_objects_fake_gcs_server.py

chart-lint: setup ## the chart: helm lint, golden files, schemas of three Kubernetes versions, kube-score, alerts, laws; Go builds helm, kube-score and promtool the first time (5 min)
	@$(BIN)/python tools/chart-docs --check
	@folder=$$(PYTHON=$(BIN)/python tools/chart-tools):$$(tools/promtool) && PATH="$$folder:$$PATH" $(BIN)/pytest -q -n 2 tests/chart

chart-docs: setup ## the chart's README.md from its schema
	@$(BIN)/python tools/chart-docs

chart-package: setup ## the packaged chart and its index, in dist/charts
	@folder=$$(PYTHON=$(BIN)/python tools/chart-tools) && mkdir -p dist/charts && "$$folder/helm" package charts/gpu-dev-server -d dist/charts && \
	  "$$folder/helm" repo index dist/charts

test-cluster: setup ## a real Kubernetes (KUBECONFIG, kind, or one built here) and what runs on it; the first time builds it (10 min)
	@PYTHON=$(BIN)/python tools/host-packages
	@$(BIN)/pytest -q tests/cluster

test-chart: setup ## the chart on such a Kubernetes, by helm, the command line and ssh: installed, lived in, killed, upgraded, uninstalled (10 min)
	@PYTHON=$(BIN)/python tools/host-packages
	@folder=$$(PYTHON=$(BIN)/python tools/chart-tools) && PATH="$$folder:$$PATH" $(BIN)/pytest -q tests/chart_cluster

sim: setup ## the simulation: SEED=n for one seed, told whole; else a release run (SEEDS=0-259); CLOUD=aws or gcp over that plugin; LIFECYCLES=24 for a shorter life
	@$(BIN)/python -m tests.sim $(if $(CLOUD),--cloud $(CLOUD)) $(if $(LIFECYCLES),--lifecycles $(LIFECYCLES)) $(if $(SEED),--seed $(SEED),--seeds $(or $(SEEDS),0-259))

planted: setup ## put known bugs back one by one, and see each caught (ONLY=text for some, ROTATE=6 for others with each commit)
	@$(BIN)/python tests/planted/plant.py $(if $(ONLY),--only "$(ONLY)") $(if $(ROTATE),--rotate $(ROTATE))

lint: setup ## ruff, import-linter
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/lint-imports

types: setup ## mypy --strict
	@$(BIN)/mypy

wheels: setup ## build every distribution and try the wheels in bare environments
	@tools/check-wheels

bench: setup ## the figures of docs/figures.md, each beside its floor
	@$(BIN)/python benchmarks/start.py
	@$(BIN)/python benchmarks/plugins.py
	@$(BIN)/python benchmarks/planner.py
	@$(BIN)/python benchmarks/long_line.py
	@$(BIN)/python benchmarks/allocation.py
	@$(BIN)/python benchmarks/machine.py
	@$(BIN)/python benchmarks/rows.py

bench-cluster: setup ## the figures of docs/figures.md on a real Kubernetes, each beside its floor (PARTS="start bytes" for some)
	@PYTHON=$(BIN)/python tools/host-packages
	@$(BIN)/python benchmarks/cluster.py $(PARTS)

chaos: setup ## kill everything for MINUTES (30) with SEED (any): prints the figures of docs/figures.md
	@PYTHON=$(BIN)/python tools/host-packages
	@$(BIN)/python -m tests.journeys.chaos --minutes $(or $(MINUTES),30) $(if $(SEED),--seed $(SEED))

fmt: setup ## format the code
	@$(BIN)/ruff check --fix-only --quiet .
	@$(BIN)/ruff format --quiet .

lock: ## pin every dependency with its hashes (no registry address is written)
	@test -x $(BIN)/uv || { $(PYTHON) -m venv $(VENV); $(BIN)/pip install --quiet uv==$(UV_VERSION); }
	@$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-emit-find-links \
	  --custom-compile-command 'make lock' requirements.in -o requirements.lock

clean: ## remove what was built here
	@rm -rf $(VENV) dist build .pytest_cache .mypy_cache .ruff_cache .import_linter_cache
