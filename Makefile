PYTHON ?= python3
VENV ?= .venv
BIN = $(VENV)/bin
PIP = $(BIN)/python -m pip --disable-pip-version-check --quiet install -c constraints.txt

QUICK = tests/losses tests/models tests/image tests/test_options.py tests/test_methods.py tests/test_picture.py

.PHONY: help setup demo studio test long check bench gallery clean

help:
	@echo "make demo    restyle an example photo with nothing but the small install"
	@echo "make studio  the web page, with every method, on this machine"
	@echo "make setup   everything a developer needs, in $(VENV)"
	@echo "make check   format, lint, types, import contracts, unused dependencies, quick tests"
	@echo "make test    the test suite"
	@echo "make long    tests that take more than a minute each"
	@echo "make bench   the comparisons behind the README's figures (minutes)"
	@echo "make gallery draw the README's pictures again"

$(VENV)/.base: pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(PIP) -e .
	@touch $@

$(VENV)/.dev: $(VENV)/.base
	$(PIP) -e ".[dev]"
	@touch $@

$(VENV)/.bench: $(VENV)/.dev
	$(PIP) -e ".[dev,bench]"
	@touch $@

$(VENV)/.studio: $(VENV)/.base
	$(PIP) -e ".[torch,studio]"
	@touch $@

setup: $(VENV)/.dev

demo: $(VENV)/.base
	@$(BIN)/impasto stylize examples/photos/raccoon.jpg examples/styles/starry-hills.jpg -o demo.png --overwrite
	@echo "open demo.png, then try your own: $(BIN)/impasto stylize PHOTO PAINTING"

studio: $(VENV)/.studio
	@$(BIN)/impasto studio

check: $(VENV)/.dev
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	PYTHONPATH=src $(BIN)/lint-imports
	$(BIN)/deptry .
	$(BIN)/pytest -m "not slow" -n 2 $(QUICK)

test: $(VENV)/.dev
	$(BIN)/pytest -m "not long" -n 2 --dist worksteal

long: $(VENV)/.dev
	$(BIN)/pytest -m long

bench: $(VENV)/.bench
	$(BIN)/python benchmarks/fast_vs_peer.py
	$(BIN)/python benchmarks/gatys_vs_pastiche.py

gallery: $(VENV)/.dev
	$(BIN)/python examples/gallery.py

clean:
	rm -rf $(VENV) build dist .mypy_cache .ruff_cache .pytest_cache
