# Each target sets up .venv by itself; Python 3.11 or newer is all it needs. PYTHON=python3.13 picks another one.
PYTHON ?= python3
BIN := .venv/bin

.PHONY: demo test lint build clean

demo: .venv/installed
	$(BIN)/python -m optgen demo

test: .venv/installed
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n 2 --dist worksteal

lint: .venv/installed-dev
	$(BIN)/ruff check .
	$(BIN)/mypy

build: .venv/installed
	$(BIN)/optgen build

clean:
	rm -rf .venv build dist demo *.egg-info

.venv/installed: pyproject.toml constraints.txt
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet -c constraints.txt -e ".[test]"
	touch $@

.venv/installed-dev: .venv/installed
	$(BIN)/python -m pip install --quiet -c constraints.txt -e ".[dev]"
	touch $@
