# Every target does its own set-up. The stamps in .venv remember what is done: a second run
# installs nothing and needs no network. EXTRA=gpu takes vLLM for CUDA instead.

PYTHON ?= python3
EXTRA ?= cpu

BIN := .venv/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check
TORCH := $(shell grep '^torch==' locks/cpu.txt)
TORCH_INDEX := https://download.pytorch.org/whl/cpu

.PHONY: setup serve check test bench lock
.NOTPARALLEL:

setup: .venv/project.stamp

# The address and a first request appear when the gateway is ready; Ctrl-C stops everything.
serve: setup
	@$(BIN)/serve-app models fetch smollm2-135m-instruct
	@$(BIN)/serve-app wait & exec $(BIN)/serve run deployments/local.yaml

check: .venv/dev.stamp
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/serve-app check deployments/*.yaml
	$(BIN)/serve-app reference --check

test: check
	$(BIN)/serve-app models fetch smollm2-135m-instruct
	$(BIN)/pytest tests/core --cov=serve_app.core --cov-branch --cov-fail-under=100 --cov-report=
	$(BIN)/pytest --ignore=tests/core

# Compares with rivals on this machine and writes docs/bench; ONLY=frames|peers|bare|flood|slow for one.
bench: .venv/dev.stamp build/peers.stamp
	$(BIN)/serve-app models fetch smollm2-135m-instruct
	$(BIN)/python -m serve_app.bench.here $(ONLY) --router build/peers/bin/vllm-router

build/peers.stamp:
	$(PYTHON) -m venv --clear build/peers
	build/peers/bin/python -m pip install --quiet vllm-router==0.1.17
	@touch $@

# A lock is complete, so nothing is resolved: --no-deps also keeps out what vLLM asks for and a
# machine without a GPU cannot use (locks/cpu-excludes.txt). Another lock, another .venv.
# Compiling to bytecode takes a third of the time and halves the start of every process after.
.venv/$(EXTRA).stamp: locks/$(EXTRA).txt
	@$(PYTHON) -c 'import sys; v = sys.version_info; sys.exit(v < (3, 11) and \
	  "Python 3.11 or newer is needed, this is %d.%d: make PYTHON=python3.11" % v[:2] or 0)'
	@echo 'Installing $<: a minute or two, more where the network is slow'
	$(PYTHON) -m venv --clear .venv
	$(PIP) install --quiet --upgrade 'pip>=26'
	$(if $(filter cpu,$(EXTRA)),$(call from_either_index,install))
	$(PIP) install --no-deps --requirement $<
	@touch $@

.venv/project.stamp: .venv/$(EXTRA).stamp pyproject.toml
	PYTHONWARNINGS=ignore $(PIP) install --quiet --no-deps --no-build-isolation --editable .
	@touch $@

.venv/dev.stamp: .venv/project.stamp locks/dev.txt
	$(PIP) install --no-deps --requirement locks/dev.txt
	@touch $@

# CPU torch is on PyTorch's own index, unless the index or folder that pip is set to has it too.
from_either_index = $(PIP) $(1) --no-deps $(TORCH) 2>/dev/null \
	  || $(PIP) $(1) --no-deps --index-url $(TORCH_INDEX) $(TORCH)

# Keeps every pin that pyproject.toml still allows; delete locks/???.txt first to renew them all.
LOCK := $(BIN)/uv pip compile pyproject.toml --quiet --universal --python-version 3.11 \
  --no-annotate --custom-compile-command 'make lock'

lock: .venv/$(EXTRA).stamp
	$(PIP) install --quiet uv
	$(call from_either_index,download --dest build/torch)
	$(LOCK) --extra cpu --excludes locks/cpu-excludes.txt --find-links build/torch -o locks/cpu.txt
	$(LOCK) --extra dev --constraints locks/cpu.txt -o locks/dev.txt
	$(LOCK) --extra gpu --constraints locks/dev.txt -o locks/gpu.txt
