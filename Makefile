# make run     the server with everything embedded, on http://127.0.0.1:8080
# make cluster a gateway, PostgreSQL and six storage nodes on this machine; PORT=8080
# make test    everything that must hold before a change lands
# make lint types unit     the parts of it
# make bench   us and the peers in turn, CPU, wall time and memory as ratios
# make load    many users at once on a server, every byte checked; ARGS='mix --short'
# make work-baseline  what operations may cost in counted work, renewed
# make docs    the documentation as a site, in site/; fails where a link leads nowhere
# make dist    wheel and sdist, in dist/
# make release-check  whether this checkout can be released
# make reference  the pages of docs/reference/ that are made of settings and commands
.DEFAULT_GOAL := run
.PHONY: work-baseline run cluster test lint types unit tools bench load docs reference dist release-check constraints clean

PYTHON ?= $(firstword $(foreach p,python3 python3.14 python3.13 python3.12 python3.11,\
	$(shell $(p) -c 'import sys; sys.version_info >= (3, 11) and print("$(p)")' 2>/dev/null)))
# Processes that tests run in, side by side.
PROCESSES ?= 2
VENV := .venv
BIN := $(VENV)/bin

run: $(VENV)/.run
	$(BIN)/penstock serve

cluster: $(VENV)/.cluster
	@$(BIN)/python deploy/cluster.py --port $(or $(PORT),8080)

test: tools lint types unit

lint: $(VENV)/.dev
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/lint-imports

types: $(VENV)/.dev
	$(BIN)/mypy

unit: $(VENV)/.dev
	$(BIN)/pytest --numprocesses=$(PROCESSES) --dist=loadfile $(ARGS)

tools:
	tests/install-tools

bench: $(VENV)/.dev
	$(BIN)/python -m bench $(ARGS)

load: $(VENV)/.dev
	$(BIN)/python -m load $(ARGS)

work-baseline: $(VENV)/.dev
	$(BIN)/python -m bench.work --renew

docs: $(VENV)/.dev
	$(BIN)/mkdocs build --strict
	@echo "the documentation is in site/index.html"

$(BIN)/python:
	@test -n "$(PYTHON)" || { echo "Penstock needs Python 3.11 or newer; install it, or say make PYTHON=/path/to/python3"; exit 1; }
	@$(PYTHON) -m venv $(VENV) || { echo "python3 cannot make virtual environments; on Debian and Ubuntu: apt install python3-venv"; rm -rf $(VENV); exit 1; }
	$(BIN)/pip install --quiet --upgrade 'pip>=25.1'

$(VENV)/.run: $(BIN)/python pyproject.toml constraints.txt
	$(BIN)/pip install --quiet -c constraints.txt -e .
	@touch $@

$(VENV)/.cluster: $(BIN)/python pyproject.toml constraints.txt
	$(BIN)/pip install --quiet -c constraints.txt -e '.[postgres]'
	@touch $@ $(VENV)/.run

$(VENV)/.dev: $(BIN)/python pyproject.toml constraints.txt
	$(BIN)/pip install --quiet -c constraints.txt -e '.[all]' --group dev
	@touch $@ $(VENV)/.run $(VENV)/.cluster

reference: $(VENV)/.dev
	$(BIN)/python -m tools.reference

dist: $(VENV)/.dev
	$(BIN)/python -m build --no-isolation

release-check: $(VENV)/.dev
	$(BIN)/python -m tools.release_check

constraints: $(VENV)/.dev
	$(BIN)/pip install --quiet --upgrade --upgrade-strategy eager -e '.[all]' --group dev
	$(BIN)/pip freeze --exclude-editable > constraints.txt

clean:
	rm -rf $(VENV) .mypy_cache .pytest_cache .ruff_cache .hypothesis dist site
