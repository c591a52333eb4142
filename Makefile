# make quickstart: set up and run the main job.   make test: set up and run lint, types and tests.
PYTHON ?= python3.11
VENV := .venv
BIN := $(VENV)/bin

.PHONY: quickstart test install install-test clean

quickstart: install
	$(BIN)/genomic-ulmfit reproduce --out quickstart --quick --or-simulated

test: install-test
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	OMP_NUM_THREADS=1 $(BIN)/pytest -n auto --dist loadfile --no-loadscope-reorder

install: $(VENV)/installed
install-test: $(VENV)/installed-test

$(VENV)/bin/python:
	@command -v $(PYTHON) >/dev/null || { echo "$(PYTHON) not found: install Python 3.11 or newer, or name yours: make PYTHON=python3.12"; exit 2; }
	$(PYTHON) -m venv $(VENV)

# constraints.txt fixes the version of PyTorch that all this was tested with; its CPU build is enough.
$(VENV)/installed: $(VENV)/bin/python pyproject.toml constraints.txt
	$(BIN)/pip install --quiet --disable-pip-version-check -c constraints.txt -e .
	@touch $@

$(VENV)/installed-test: $(VENV)/bin/python pyproject.toml constraints.txt
	$(BIN)/pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[test]'
	@touch $@ $(VENV)/installed

clean:
	rm -rf $(VENV) build dist quickstart
