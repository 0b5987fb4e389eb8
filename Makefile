# `make run` starts a hub on this machine, `make test` runs the whole suite. Both need Python 3.11+ (with venv) only.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
SDKS := .venv-sdks
CELERY := .venv-celery
PROFILER := .venv-profiler

# A production-like environment for `manage.py check`; nothing is started with these keys.
CHECKED := HUB_BASE_URL=https://hub.example.com DATABASE_URL=sqlite:///.venv/check.sqlite3 \
	SECRET_KEY=only-for-the-check-Zr4u7xAD2GKbPdSgVkYp3s6v9yBEHMcQ \
	HUB_ENCRYPTION_KEYS=MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE=

.DEFAULT_GOAL := help
.PHONY: help run test sdks openapi reference docs client fuzz chaos upgrade-check bench bench-engine bench-receive bench-rejections bench-desk bench-sizing bench-growth lint types checks audit dockerfile screenshots format clean

help:  ## list the targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:[^#]*##/\t/'

run: $(VENV)/.runtime .env $(VENV)/.static  ## start the hub: keys, database, first administrator and demo on first run
	@umask 077 && $(BIN)/python manage.py migrate --verbosity 0
	@exec $(BIN)/python manage.py hub --quickstart --end-with-parent

test: $(VENV)/.development $(SDKS)/.stamp  ## the whole suite, on SQLite and on a PostgreSQL that it brings along
	$(BIN)/python -m pytest -n 4 $(PYTEST)
	$(BIN)/python -m tests.with_postgres $(BIN)/python -m pytest -n 4 $(PYTEST)

sdks: $(SDKS)/.stamp  ## the providers' own libraries, which the tests ask to sign and to verify

openapi: $(VENV)/.development  ## write docs/reference/openapi.yaml anew, after a change of the API
	$(CHECKED) $(BIN)/python manage.py spectacular --validate --fail-on-warn --file docs/reference/openapi.yaml

reference: openapi  ## write the pages of the reference that come from the code anew: API, commands, settings, handlers, metrics, providers
	$(CHECKED) $(BIN)/python manage.py describe_reference docs
	$(CHECKED) $(BIN)/python manage.py describe_providers docs

docs: $(VENV)/.development  ## the documentation as a site in docs/_build; a broken link or an orphan fails
	$(BIN)/sphinx-build --quiet --nitpicky --fail-on-warning --keep-going -b html docs docs/_build

client: $(VENV)/.development  ## a typed Python client of the API, in the folder client (TO=folder for another)
	PATH="$(CURDIR)/$(BIN):$$PATH" openapi-python-client generate --path docs/reference/openapi.yaml --config docs/reference/openapi-client.yaml \
		--meta uv --overwrite --output-path $(or $(TO),client)

fuzz: $(VENV)/.development  ## any bytes at every provider's endpoint (EXAMPLES=2000 each), any call of the API (CALLS=200 each)
	HUB_FUZZ_EXAMPLES=$(or $(EXAMPLES),2000) $(BIN)/python -m tests.with_postgres $(BIN)/python -m pytest -n 2 tests/integrations/providers/test_fuzz.py
	HUB_FUZZ_CALLS=$(or $(CALLS),200) $(BIN)/python -m tests.with_postgres $(BIN)/python -m pytest -n 2 tests/deliveries/api/test_fuzz.py

chaos: $(VENV)/.development  ## kill processes 200 times, check every promise (CHAOS="--seed 2 --rounds 50 --database sqlite")
	HUB_MODEL_EXAMPLES=200 $(BIN)/python -m pytest -q tests/deliveries/execution/test_state_machine.py
	HUB_OUTAGE_SECONDS=30 $(BIN)/python -m tests.with_postgres $(BIN)/python -m pytest -q tests/journeys/test_database_away.py
	$(BIN)/python -m tests.chaos $(CHAOS)

upgrade-check: $(VENV)/.development  ## the release before, at work while today's migrations run (FROM=commit or tag)
	HUB_UPGRADE_FROM=$(or $(FROM),the-release-before) $(BIN)/python -m pytest -q tests/journeys/test_upgrade.py
	HUB_UPGRADE_FROM=$(or $(FROM),the-release-before) $(BIN)/python -m tests.with_postgres $(BIN)/python -m pytest -q tests/journeys/test_upgrade.py

bench: bench-rejections bench-engine bench-receive  ## all measurements

bench-engine: $(VENV)/.development $(CELERY)/.stamp  ## the engine against django-q2 and Celery (BENCH="--save NAME --saturation-seconds 20")
	$(BIN)/python -m bench.engine $(BENCH)

bench-receive: $(VENV)/.development $(PROFILER)/.stamp $(CELERY)/.stamp  ## how fast the hub says yes, beside what the machine can do (BENCH="--seconds 10 --grow 1000000 --profile FOLDER --save NAME")
	PATH="$(CURDIR)/$(PROFILER)/bin:$$PATH" $(BIN)/python -m bench.receive $(BENCH)

bench-desk: $(VENV)/.development  ## the admin's pages at a million events, on PostgreSQL (BENCH="--save NAME")
	$(BIN)/python -m tests.with_postgres $(BIN)/python -m bench.desk $(BENCH)

bench-sizing: $(VENV)/.development  ## what a machine of 1 core and 1 GB carries, and larger ones (BENCH="--machines NAME ... --save")
	$(BIN)/python -m bench.sizing $(BENCH)

bench-growth: $(VENV)/.development  ## when each step towards 100,000,000 events a day is due (BENCH="--measure" measures anew)
	$(BIN)/python -m bench.growth $(BENCH)

bench-rejections: $(VENV)/.development  ## good requests in a flood of bad signatures, on both databases
	$(BIN)/python -m bench.rejection_flood
	$(BIN)/python -m tests.with_postgres $(BIN)/python -m bench.rejection_flood

lint: $(VENV)/.development  ## ruff: errors and format
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(VENV)/.development  ## mypy, strict
	$(BIN)/mypy

checks: $(VENV)/.development  ## migrations are complete, the deployment settings are safe
	$(CHECKED) $(BIN)/python manage.py makemigrations --check --dry-run
	$(CHECKED) $(BIN)/python manage.py check --deploy --fail-level WARNING

audit: $(VENV)/.development  ## known holes in what is pinned; says so where the index cannot be asked
	$(BIN)/python -m tests.dependency_audit requirements-dev.txt requirements-sdks.txt

dockerfile: $(VENV)/.development  ## the Dockerfile's linter
	$(BIN)/hadolint Dockerfile

screenshots: $(VENV)/.development  ## make the pictures in docs/images anew (needs Chromium)
	$(BIN)/python -m tests.journeys.screenshots

format: $(VENV)/.development  ## put the code into its standard form
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

clean:  ## remove what can be made again; the database and the keys stay
	rm -rf $(VENV) $(SDKS) $(CELERY) $(PROFILER) tests/sdks/js/node_modules staticfiles .mypy_cache .ruff_cache .pytest_cache .hypothesis

$(VENV)/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(0 if sys.version_info >= (3, 11) else "hub: Python 3.11 or newer is needed, this is %d.%d; try make PYTHON=python3.12" % sys.version_info[:2])'
	$(PYTHON) -m venv $(VENV)

$(VENV)/.runtime: requirements.txt | $(VENV)/bin/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements.txt
	@touch $@

$(VENV)/.development: requirements.txt requirements-extras.txt requirements-dev.txt | $(VENV)/bin/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements-dev.txt
	@touch $@ $(VENV)/.runtime

$(SDKS)/.stamp: requirements-sdks.txt tests/sdks/install.py tests/sdks/js/package-lock.json | $(VENV)/bin/python
	$(BIN)/python -m tests.sdks.install $(SDKS)
	@touch $@

$(CELERY)/.stamp: bench/requirements-celery.txt | $(VENV)/bin/python
	@command -v redis-server >/dev/null || { echo "redis-server is needed for the comparison with Celery (Debian: apt install redis-server)" >&2; exit 1; }
	$(BIN)/python -m venv $(CELERY)
	$(CELERY)/bin/python -m pip install --quiet --disable-pip-version-check -r bench/requirements-celery.txt
	@touch $@

$(PROFILER)/.stamp: bench/requirements-receive.txt | $(VENV)/bin/python
	$(BIN)/python -m venv $(PROFILER)
	$(PROFILER)/bin/python -m pip install --quiet --disable-pip-version-check -r bench/requirements-receive.txt
	@touch $@

.env: | $(VENV)/.runtime
	@$(BIN)/python -m hub.firstrun

$(VENV)/.static: requirements.txt $(shell find deliveries/static -type f 2>/dev/null) | $(VENV)/.runtime .env
	@$(BIN)/python manage.py collectstatic --noinput --clear --verbosity 0
	@touch $@
