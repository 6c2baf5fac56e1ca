# `make demo` and `make test` need only Python (3.11 or newer) and make: they set up .venv on first use.
# Each target works in .venv but for `gpu`, which uses the python3 on the path and installs nothing.

PYTHON ?= python3
VENV := .venv
RUN := $(VENV)/bin/python
PIP_INSTALL := $(RUN) -m pip install --quiet --disable-pip-version-check

# Installed first and by itself: asked for through another package, pip would take the newest release with gigabytes
# of CUDA libraries. Another build: make test TORCH='torch==2.13.0 --index-url ...'.
TORCH ?= torch==2.13.0
PYTEST_ARGS ?=
OUT_DIR ?= out

.PHONY: demo test check style types bench docs kernels conformance gpu clean
.DEFAULT_GOAL := demo

# A real photo through the kernel zoo: one picture with titles in out/.
demo: $(VENV)/.images
	$(RUN) -m gpuconv demo $(OUT_DIR)/

# The suite. PYTEST_ARGS='--require=torch tests/core' and the like go to pytest.
test: $(VENV)/.test
	$(RUN) -m pytest $(PYTEST_ARGS)

check: style types

style: $(VENV)/.test
	$(RUN) -m ruff check .
	$(RUN) -m ruff format --check .

types: $(VENV)/.test
	$(RUN) -m mypy

# The quick set of the benchmarks on this machine, in under ten minutes.
bench: $(VENV)/.bench
	$(RUN) -m benchmarks run --quick --json benchmarks/results/local/bench.json

# The pages, the reference and the gallery as HTML in build/docs, made without a network; a warning, a dead link or an
# example of the gallery that fails is an error. `make test` runs the examples of the pages.
docs: $(VENV)/.docs
	$(RUN) -m sphinx --quiet --fail-on-warning --keep-going --builder html docs build/docs
	$(RUN) .ci/check_site.py build/docs

# Every binary that CUDA launchers can ask for, compiled for two architectures: none may spill. Needs no GPU.
kernels: $(VENV)/.test
	$(RUN) -m tests.cuda.registers --all --check

# SciPy's own tests with gpuconv's functions in the place of SciPy's.
conformance: $(VENV)/.test
	$(RUN) -m tests.conformance.run

# GPU tests and benchmarks where there is a GPU, in at most ten minutes; .ci/gpu.py says where the results go.
gpu:
	$(PYTHON) .ci/gpu.py

clean:
	rm -rf $(VENV) .venv-lowest build dist docs/api docs/auto_gallery out .mypy_cache .pytest_cache .ruff_cache

$(VENV)/.python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	    { echo 'gpuconv needs Python 3.11 or newer: give one with `make PYTHON=python3.12 ...`.' >&2; exit 1; }
	$(PYTHON) -m venv $(VENV)
	@touch $@

$(VENV)/.images: pyproject.toml | $(VENV)/.python
	$(PIP_INSTALL) --editable '.[images]'
	@touch $@

$(VENV)/.test: pyproject.toml | $(VENV)/.python
	$(PIP_INSTALL) $(TORCH)
	$(PIP_INSTALL) --editable '.[test]'
	@touch $@

$(VENV)/.bench: pyproject.toml | $(VENV)/.test
	$(PIP_INSTALL) --editable '.[bench]'
	@touch $@

$(VENV)/.docs: pyproject.toml | $(VENV)/.python
	$(PIP_INSTALL) --editable '.[docs]'
	@touch $@
