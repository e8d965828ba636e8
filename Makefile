# `make help` lists the targets. Everything that is installed goes into .venv, everything that the demos write into demo/.

PYTHON ?= python3
VENV := .venv
BIN := $(abspath $(VENV))/bin
STAMP := $(VENV)/.prodserve-installed
PEERS := $(VENV)/.prodserve-peers
DJANGO := demo/django_site
FLASK := demo/flask_site
ADDRESS ?= 127.0.0.1:8000
export PIP_DISABLE_PIP_VERSION_CHECK := 1
export PIP_ROOT_USER_ACTION := ignore

.DEFAULT_GOAL := help
.PHONY: help install demo demo-flask test test-all lint format settings bench fuzz chaos clean

help:  ## show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-11s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

install: $(STAMP)  ## make .venv with the server, both frameworks and the development tools

$(STAMP): pyproject.toml
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@echo "installing into $(VENV) …"
	$(BIN)/python -m pip install -qq "pip>=25.1"
	$(BIN)/python -m pip install -qq -e ".[django,flask]" --group dev
	touch $@

demo: $(STAMP)  ## serve the example Django site (ADDRESS=0:8000 for every address)
	mkdir -p demo && cp -R examples/django_site demo/
	cd $(DJANGO) && $(BIN)/python manage.py migrate -v 0
	cd $(DJANGO) && $(BIN)/python manage.py collectstatic --no-input -v 0
	cd $(DJANGO) && $(BIN)/python manage.py prepare_demo
	@echo "  site   http://$(ADDRESS)/"
	@echo "  admin  http://$(ADDRESS)/admin/  login: admin, password: admin"
	cd $(DJANGO) && exec $(BIN)/python manage.py prodserve $(ADDRESS)

demo-flask: $(STAMP)  ## serve the example Flask site
	mkdir -p demo && cp -R examples/flask_site demo/
	@echo "  site   http://$(ADDRESS)/"
	cd $(FLASK) && exec $(BIN)/flask --app postcards prodserve $(ADDRESS)

test: $(STAMP)  ## run the whole test-suite (PYTEST_ARGS="-k admin" for a part)
	$(BIN)/python -m pytest $(PYTEST_ARGS)

test-all: $(STAMP)  ## run it on every Python and Django version that is present
	$(BIN)/tox

lint: $(STAMP)  ## ruff and mypy
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy

format: $(STAMP)  ## let ruff mend what it can
	$(BIN)/ruff check --fix
	$(BIN)/ruff format

settings: $(STAMP)  ## write docs/settings.md from the table of settings
	$(BIN)/python -m prodserve.config.page > docs/settings.md

$(PEERS): pyproject.toml
	$(BIN)/python -m pip install -qq --group bench
	$(BIN)/python -m pip install -qq bjoern 2>/dev/null || echo "bjoern is left out: it is compiled, and needs libev-dev"
	touch $@

bench: $(STAMP) $(PEERS)  ## prodserve and its peers side by side (benchmarks/README.md)
	$(BIN)/python -m benchmarks $(BENCH_ARGS)

fuzz: $(STAMP)  ## coverage-guided fuzzing of the wire code
	$(BIN)/python -m tests.fuzz $(FUZZ_ARGS)

chaos: $(STAMP)  ## a server under load while everything goes wrong (CHAOS_ARGS="--seconds 600 --seed 1")
	$(BIN)/python -m tests.chaos $(CHAOS_ARGS)

clean:  ## remove what the targets above made, .venv too
	rm -rf $(VENV) demo build .tox .pytest_cache .mypy_cache .ruff_cache .coverage
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
