# `make demo` and `make test` set everything up by themselves, from Python 3.11 or newer and make alone.
PYTHON ?= python3
VENV   ?= .venv
BIN    := $(VENV)/bin
# Test workers: one a core unless told otherwise.
TEST_WORKERS ?= auto
# Examples of each target of `make fuzz`; a test run takes a few hundred.
FUZZ_EXAMPLES ?= 20000

.DELETE_ON_ERROR:
.PHONY: demo test test-trainers fuzz bench lint format generated clean

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "negforge needs Python 3.11 or newer; set PYTHON=")'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade "pip>=25.1"

$(VENV)/.core: pyproject.toml | $(BIN)/python
	$(BIN)/python -m pip install --quiet --editable .
	@touch $@

$(VENV)/.test: $(VENV)/.core
	$(BIN)/python -m pip install --quiet --group test
	@touch $@

$(VENV)/.lint: $(VENV)/.test
	$(BIN)/python -m pip install --quiet --group lint
	@touch $@

# torch first, by its own version alone: asked for by another package, some indexes would give a build for GPUs.
$(VENV)/.trainers: $(VENV)/.test
	$(BIN)/python -m pip install --quiet "torch==2.13.0"
	$(BIN)/python -m pip install --quiet --group trainers
	@touch $@

$(VENV)/.bench: $(VENV)/.core
	$(BIN)/python -m pip install --quiet --group bench
	@touch $@

demo: $(VENV)/.core  ## the main job on sample_data: no model, no key
	$(BIN)/negforge run pipelines/quickstart.toml
	$(BIN)/negforge show out/quickstart

test: $(VENV)/.test  ## all tests but the trainers'
	$(BIN)/python -m pytest -n $(TEST_WORKERS) -m "not trainer"

test-trainers: $(VENV)/.trainers  ## one offline training step on what was exported
	HF_HUB_OFFLINE=1 $(BIN)/python -m pytest -m trainer tests/trainers

fuzz: $(VENV)/.test  ## damaged files, pipelines and options by the ten thousand; FUZZ_EXAMPLES=100000 for more
	NEGFORGE_FUZZ=$(FUZZ_EXAMPLES) $(BIN)/python -m pytest -n $(TEST_WORKERS) --timeout 0 tests/test_fuzz.py

bench: $(VENV)/.bench  ## speed and memory against peers in one run; BENCH_SCALE=small for a quick one
	$(BIN)/python -m bench

lint: $(VENV)/.lint  ## linter, formatter, strict types
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

format: $(VENV)/.lint
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

generated: $(VENV)/.core  ## write schemas/ and the operator table anew from the code
	$(BIN)/python -m negforge.generated .

clean:
	rm -rf $(VENV) out .pytest_cache .mypy_cache .ruff_cache .hypothesis
