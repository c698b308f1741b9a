# Every target does its own set-up.  On a fresh machine only Python >= 3.11 and make are needed.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
# Threads are pinned: timings and last digits depend on them.  The tests run two processes of one thread.
ONE_THREAD := OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 MKL_NUM_THREADS=1
TWO_THREADS := OMP_NUM_THREADS=2 OPENBLAS_NUM_THREADS=2 MKL_NUM_THREADS=2

.PHONY: demo test test-slow lint docs bench validate clean install

demo: $(VENV)/.installed
	$(TWO_THREADS) $(BIN)/carryover demo --out demo-report --overwrite

test: $(VENV)/.tested-with
	$(ONE_THREAD) $(BIN)/python -m pytest -n 2 -m "not slow and not validate" $(ARGS)

test-slow: $(VENV)/.tested-with
	$(ONE_THREAD) $(BIN)/python -m pytest -n 2 -m "slow" $(ARGS)

lint: $(VENV)/.tested-with
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports

# Strict: a warning is an error.  The gallery is run; pages of it that did not change are not run again.
docs: $(VENV)/.documented-with
	$(ONE_THREAD) HF_HUB_OFFLINE=1 $(BIN)/python -m sphinx -W --keep-going -n -q -b html -d docs/_build/doctrees docs docs/_build/html
	@echo "docs/_build/html/index.html"

bench: $(VENV)/.tested-with
	$(TWO_THREADS) $(BIN)/python benchmarks/run.py $(ARGS)

validate: $(VENV)/.tested-with
	$(TWO_THREADS) $(BIN)/python benchmarks/validate.py $(ARGS)

install: $(VENV)/.installed

$(VENV)/.installed: pyproject.toml constraints.txt
	$(PYTHON) -c 'import sys; sys.exit("carryover needs Python >= 3.11, this is " + sys.version) if sys.version_info < (3, 11) else None'
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e .
	touch $@

$(VENV)/.tested-with: $(VENV)/.installed
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[test]'
	touch $@

$(VENV)/.documented-with: $(VENV)/.installed
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[docs]'
	touch $@

clean:
	rm -rf $(VENV) build dist demo-report docs/_build docs/gallery docs/sg_execution_times.rst .pytest_cache .ruff_cache .import_linter_cache
