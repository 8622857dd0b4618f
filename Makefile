# make studio: set up and open · make test: set up and test · the rest is for contributors
PYTHON ?= $(shell command -v python3.11 || command -v python3)
BIN := .venv/bin
STAMP := .venv/.ready
JOBS ?= 2
# Two processes; tests of one file stay together and in order.
PYTEST := $(BIN)/python -m pytest -q -n $(JOBS) --dist loadfile

.PHONY: setup studio test browser check fix bench screenshots
.DEFAULT_GOAL := studio

setup: $(STAMP)

$(STAMP): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
		|| { echo "setup: Python 3.11 or newer is required, got '$$($(PYTHON) --version 2>&1)'. Install it, or name one: make PYTHON=/path/to/python3.11"; exit 2; }
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install -c constraints.txt -e '.[test,dev]'
	@touch $@

studio: setup
	$(BIN)/onepath studio

test: setup browser
	$(PYTEST)

browser: setup
	@$(BIN)/python -m tests.e2e.browser

check: setup browser
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(PYTEST)

fix: setup
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: setup
	@for file in tests/bench/bench_*.py; do name=$$(basename $$file .py); echo "== $$name"; $(BIN)/python -m tests.bench.$$name || exit 1; done

screenshots: setup browser
	$(BIN)/python -m tests.e2e.screenshots
