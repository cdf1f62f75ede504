# Two commands do everything on a fresh machine: `make up` and `make test`.

PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
# The factory's folder and port, when they are not the usual ones: make up FACTORY=DIR PORT=8790
FACTORY ?=
PORT    ?=

.DEFAULT_GOAL := help
.PHONY: help install trainer up check static typed imported fix packages test soak bench-gateway bench-noisy bench-replay bench-stream bench-memory bench-journal bench-cost bench-guard bench-vault bench-adapters bench-swap bench-line wheel

help:  ## List the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  %-14s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

install: $(VENV)/.installed  ## Make .venv and install the exact versions of constraints.txt

$(VENV)/.installed: pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
	  || { echo "Inland needs Python 3.11 or later; try: make PYTHON=python3.11 $(MAKECMDGOALS)"; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null \
	  || { echo "Python's venv is missing; on Debian: apt-get install python3-venv"; exit 1; }
	$(PYTHON) -m venv $(VENV)
	@echo 'Installing into $(VENV); this takes a minute or two.'
	$(BIN)/python -m pip install -qq --disable-pip-version-check -c constraints.txt -e '.[dev]'
	@touch $@

trainer: install  ## Make .venv-train: what lines with a [method] train with
	$(BIN)/python -m tests.training.environment

up: install  ## Start the factory in the background and print what to paste
	$(BIN)/inland up --detach $(if $(FACTORY),--home '$(FACTORY)') $(if $(PORT),--port '$(PORT)')

check: static  ## Format, lint, types, import order and architecture; changes nothing
	$(BIN)/python -m pytest -q tests/architecture

static: install
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	@$(MAKE) --no-print-directory -j 2 --output-sync=target typed imported

typed:
	$(BIN)/mypy

imported:
	$(BIN)/lint-imports

fix: install  ## Format, mend what Ruff can mend, renew docs/reference.md
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .
	$(BIN)/python -m tests.architecture.reference

packages: install
	@$(BIN)/python tests/debian_packages.py

test: static packages  ## Static checks, then every law at small size (as root it installs the Debian packages that tests need)
	$(BIN)/python -m pytest -p no:randomly -n auto --maxprocesses 4 --dist loadfile --no-loadscope-reorder

soak: install packages  ## The full figures, seeded, one JSON line each
	$(BIN)/python -m tests.soak

bench-noisy: install  ## A quiet tenant beside 32 flooding streams, and bare llama.cpp, one JSON line
	$(BIN)/python -m bench.noisy_neighbour

bench-replay: install  ## Contracts reported beside what callers saw: make bench-replay TRACE=FILE
	$(BIN)/python -m bench.replay --trace "$(TRACE)"

bench-gateway: install  ## Governed requests/s beside nginx and LiteLLM, one JSON line
	@$(BIN)/python tests/debian_packages.py --bench
	$(BIN)/python -m bench.gateway

bench-stream: install  ## Streamed events/s of one core beside nginx, one JSON line
	@$(BIN)/python tests/debian_packages.py --bench
	$(BIN)/python -m bench.stream

bench-memory: install  ## A gateway's memory over a million requests and beside slow readers, one JSON line
	@$(BIN)/python tests/debian_packages.py --bench
	$(BIN)/python -m bench.memory

bench-journal: install  ## What appending to the journal and booking its records cost, one JSON line
	$(BIN)/python -m bench.journal

bench-cost: install  ## What the token path's Python costs a request and an event, one JSON line each
	$(BIN)/python -m bench.token_path_cost
	$(BIN)/python -m bench.token_path_cost --stream

bench-guard: install  ## What a guard adds to a request and an event, one JSON line a kind of text
	$(BIN)/python -m bench.guard_cost

bench-vault: install  ## 1 GB into the vault and back beside age, one JSON line
	@$(BIN)/python tests/debian_packages.py --bench
	$(BIN)/python -m bench.vault

bench-adapters: install  ## 64 tenants' adapters on one base, and bare llama.cpp, one JSON line
	$(BIN)/python -m bench.adapters

bench-swap: install  ## Times to first token while an adapter is put in and taken out, one JSON line
	$(BIN)/python -m bench.swap

bench-line: trainer  ## A line's run, and a bare script that trains the same, one JSON line
	$(BIN)/python -m bench.line

wheel: install  ## Build a wheel into dist/
	$(BIN)/python -m pip wheel -qq --disable-pip-version-check --no-deps -w dist .
