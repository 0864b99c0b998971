# Two commands are enough: `make run` and `make test`. Both work on a fresh machine with Python 3.11+.
PYTHON ?= python3
ARGS ?=
# Processes that share the tests, a file at a time.
JOBS ?= 2
VENV := .venv/bin

.PHONY: help run test test-full check fmt bench lock clean

help: ## list the commands
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-10s %s\n", $$1, $$2}'

run: ## set up what is missing and start everything; ARGS="--port 9000 --data DIR" go to manage.py up
	@exec $(PYTHON) bin/setup.py run -- $(ARGS)

test: ## set up what is missing and run the tests; ARGS="-k word" go to pytest
	@$(PYTHON) bin/setup.py test
	@exec $(VENV)/python -m pytest -n $(JOBS) --dist loadfile -m "not slow" $(ARGS)

test-full: ## the tests with the counts that a release publishes
	@$(PYTHON) bin/setup.py test
	@exec $(VENV)/python -m pytest -n $(JOBS) --dist loadfile $(ARGS)

# Settings are read by some of these: a throw-away key keeps them from making a data directory, and comparing
# models with migrations needs the name of a database, not the database.
check: export ERPOPS_SECRET_KEY = check
check: export DATABASE_URL = postgresql://check@127.0.0.1:1/check
check: export REDIS_URL = redis://127.0.0.1:1/0
check: ## format, lint, types, templates, migrations, import direction
	@$(PYTHON) bin/setup.py test
	$(VENV)/ruff format --check .
	$(VENV)/ruff check .
	$(VENV)/mypy
	find templates -name '*.html' -print0 | xargs -0 $(VENV)/djade --target-version 5.2 --check
	$(VENV)/python manage.py makemigrations --check --dry-run --skip-checks
	$(VENV)/python -m pytest -q tests/rules

fmt: ## format the code and the templates
	@$(PYTHON) bin/setup.py test
	$(VENV)/ruff check --fix-only --quiet .
	$(VENV)/ruff format .
	find templates -name '*.html' -print0 | xargs -0 $(VENV)/djade --target-version 5.2

bench: ## the benchmark table, each figure as a ratio to the raw limit of the same run
	@$(PYTHON) bin/setup.py test
	@exec $(VENV)/python -m benchmarks $(ARGS)

lock: ## write the lock files anew with the newest versions that pyproject.toml allows
	@$(PYTHON) bin/setup.py lock
	npm install --package-lock-only --ignore-scripts --omit-lockfile-registry-resolved

clean: ## remove everything that set-up made; data stay
	rm -rf .boot .cache .venv node_modules static/vendor staticfiles .pytest_cache .mypy_cache .ruff_cache
