# Each target sets up .venv by itself; the second time that takes no time. Pass options by ARGS="...".

# The first Python that the pinned packages were tested on, else any newer one.
PYTHON := $(or $(PYTHON),$(shell \
  for p in python3 python3.13 python3.12 python3.11 python; do \
    if $$p -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 14))' 2>/dev/null; then echo $$p; exit; fi; \
  done; \
  if python3 -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then echo python3; fi))

BIN := .venv/bin

.PHONY: help setup demo test test-slow lab bench lint browser wordpress

help:
	@echo "make demo       a sample, its plan, a dry run and a run, in this terminal"
	@echo "make test       all tests but the slow ones (make test-slow runs those)"
	@echo "make lab        JupyterLab on the notebooks"
	@echo "make bench      the benchmarks, with their ratios"
	@echo "make lint       ruff, mypy, stripped notebooks"

setup:
	@if [ -n "$(PYTHON)" ]; then "$(PYTHON)" tools/setup_env.py; \
	elif command -v uv >/dev/null; then uv run --quiet --no-project --python 3.13 tools/setup_env.py; \
	else echo "batchkit needs Python 3.11 or newer, and there is none here. Install it (or uv) and run make again." >&2; exit 1; fi

demo: setup
	@$(BIN)/batchkit demo $(ARGS)
	@command -v batchkit >/dev/null || echo "First: source $(BIN)/activate   (puts batchkit on your path)"

browser: setup
	@$(BIN)/python tools/setup_browser.py

# A real WordPress for the tests: programs by apt, WordPress's own files in .cache.
wordpress: setup
	@$(BIN)/python tools/setup_wordpress.py $(if $(SUITE),--suite $(SUITE))

test: setup browser wordpress
	@$(BIN)/python -m pytest -n auto --dist worksteal $(ARGS)

test-slow: setup browser wordpress
	@$(BIN)/python -m pytest -m slow $(ARGS)

lab: setup
	@$(BIN)/batchkit lab . $(ARGS)

bench: setup
	@$(BIN)/python -m benchmarks $(ARGS)

# All four are tried, so that one call shows all there is to mend.
lint: setup
	@status=0; \
	$(BIN)/ruff check . || status=1; \
	$(BIN)/ruff format --check --quiet . || { echo "not formatted; ruff format . does it"; status=1; }; \
	$(BIN)/mypy || status=1; \
	$(BIN)/python tools/notebooks.py || status=1; \
	exit $$status
