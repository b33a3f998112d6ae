# Everything a contributor or a user of a clone runs. `make` alone lists the targets.
# Needs Python 3.11 or newer, pip and make; every target makes what it needs, and the second run is quick.
#
#   ARGS="..."      is handed to the command behind up, demo, observe, test and bench:  make test ARGS="tests/sessions -x"
#   PYTHON=...      is the interpreter that .venv is made with

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help venv up demo observe test test-redis8 check fix sync bench image chart pins clean

VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
VENV_REDIS8 := .venv-redis8
STAMP_REDIS8 := $(VENV_REDIS8)/.installed
# What `make test-redis8` runs: the folders whose code meets the driver. Those that do not exist yet are left out.
REDIS8_TESTS := $(wildcard tests/transport tests/wire tests/sessions tests/transcripts tests/feed)
CHECKED := sessioncache workers scripts grafana deploy tests $(wildcard benchmarks examples)

export PYTHON
export PYTHONUNBUFFERED := 1

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' $(firstword $(MAKEFILE_LIST))

venv: $(STAMP) ## make .venv with both packages and all tools
	@:

$(STAMP): pyproject.toml workers/pyproject.toml constraints.txt scripts/venv.sh
	@scripts/venv.sh $(VENV) $(STAMP) -c constraints.txt -e '.[all,dev]' -e ./workers

$(STAMP_REDIS8): pyproject.toml scripts/venv.sh
	@scripts/venv.sh $(VENV_REDIS8) $(STAMP_REDIS8) -e '.[all,dev]' 'redis[hiredis]>=8,<9'

# `exec` puts the program directly under make, so Ctrl-C reaches it once and it alone decides how to end.
up: $(STAMP) ## start a server, the workers and the health port; Ctrl-C stops them, the data stays
	@exec $(BIN)/sessioncache up $(ARGS)

demo: $(STAMP) ## replay conversations through many agents at once and prove that nothing was lost
	@exec $(BIN)/sessioncache demo $(ARGS)

test: $(STAMP) ## run the tests: make test ARGS="tests/sessions -k append"
	@exec $(BIN)/python -m pytest $(ARGS)

test-redis8: $(STAMP_REDIS8) ## run the core's tests on redis-py 8, in an environment without the workers
	@exec $(VENV_REDIS8)/bin/python -m pytest $(or $(REDIS8_TESTS),$(error there are no tests of the core yet)) $(ARGS)

check: $(STAMP) ## all that continuous integration checks besides the tests
	$(BIN)/ruff format --check $(CHECKED)
	$(BIN)/ruff check $(CHECKED)
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python scripts/unasync.py --check
	$(BIN)/python scripts/reference.py --check
	$(BIN)/python -m scripts.dashboards --check
	$(BIN)/python -m scripts.chart --check
	$(BIN)/python -m pytest -q tests/tidy tests/scripts

fix: $(STAMP) ## format, apply the safe fixes and regenerate
	$(BIN)/ruff check --fix-only $(CHECKED)
	$(BIN)/ruff format $(CHECKED)
	$(BIN)/python scripts/unasync.py
	$(BIN)/python scripts/reference.py
	$(BIN)/python -m scripts.dashboards
	$(BIN)/python -m scripts.chart

sync: $(STAMP) ## regenerate the sync code, the tables in docs/, dashboards, alert rules and what the chart takes of them
	$(BIN)/python scripts/unasync.py
	$(BIN)/python scripts/reference.py
	$(BIN)/python -m scripts.dashboards
	$(BIN)/python -m scripts.chart

observe: $(STAMP) ## run server, workers, agents and a Prometheus with the alert rules; --picture FOLDER draws the dashboards
	@exec $(BIN)/python -m scripts.observe $(ARGS)

bench: $(STAMP) ## measure speed and memory beside other stores: make bench ARGS="append load --quick"
	@exec $(BIN)/python -m benchmarks $(ARGS)

image: ## build the container image with docker, or ENGINE=podman; PYTHON_DIGEST=sha256:... pins its base
	@exec deploy/docker/build.sh $(ARGS)

chart: $(STAMP) ## check and package the Helm chart into dist/; needs helm
	$(BIN)/python -m scripts.chart --check
	@mkdir -p dist
	helm package deploy/helm/sessioncache --destination dist
	@cd dist && sha256sum sessioncache-*.tgz

pins: $(STAMP) ## write the versions now in .venv to constraints.txt
	@{ sed -n '/^#/p' constraints.txt; $(BIN)/python -m pip freeze --exclude-editable | sed '/^#/d; / @ /d'; \
	   sed -n '/^[^#].*;/p' constraints.txt; } > constraints.txt.new && mv constraints.txt.new constraints.txt

clean: ## remove environments, caches and builds; the data of `make up` stays
	rm -rf .venv .venv-redis8 .venv-bench-* build dist .mypy_cache .pytest_cache .ruff_cache .import_linter_cache .hypothesis htmlcov
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
