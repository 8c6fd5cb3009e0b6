# Every target first brings .venv and the built pages up to date: Python 3.11 or newer and make are enough.

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.PHONY: help setup demo test fast-test torture benchmark check format lock tools

BIN := .venv/bin
UV := $(or $(shell command -v uv),.venv-tools/bin/uv)
# A stamp that holds what .venv was made from, so that it is made again only when that changes.
MADE_FROM = $$(sha256sum requirements-dev.lock pyproject.toml hatch_build.py)
APT := $(shell command -v apt-get >/dev/null && { [ $$(id -u) = 0 ] || sudo -n true 2>/dev/null; } && echo yes)
AS_ROOT := $(shell [ $$(id -u) = 0 ] || echo sudo -n)
# One worker holds all tests that load TensorFlow, the other runs the rest. One that dies ends the run: it would hang.
PYTEST := $(BIN)/pytest -n 2 --dist loadgroup --max-worker-restart 0

help: ## Show the targets.
	@sed -n 's/^\([a-z-]*\):.*## /\1\t/p' Makefile | expand -t 12

demo: setup ## Both stages with simulated readers on phantom films; prints the address and the accounts.
	@$(BIN)/overread demo

test: setup tools ## All tests.
	@$(BIN)/python hatch_build.py test
	@$(PYTEST)

fast-test: setup ## The tests that take under two minutes together.
	@$(PYTEST) -m "not slow and not browser and not torture"

torture: setup tools ## Faults and attacks in their full counts: kills, full disks, fuzzing, 64 readers at once; half an hour.
	@$(BIN)/pytest -n0 -m torture -s

benchmark: setup ## Speed of ingest, server, training and proposals; alone on the machine, as it measures time.
	@$(BIN)/pytest tests/benchmark/{ingest,next_case,training,inference}.py -s

check: setup ## Format, lint, types and layers.
	@$(BIN)/ruff format --check
	@$(BIN)/ruff check
	@$(BIN)/mypy
	@$(BIN)/lint-imports --no-logo
	@$(BIN)/python hatch_build.py check

format: setup ## Put the code in its form.
	@$(BIN)/ruff format
	@$(BIN)/ruff check --fix

lock: $(UV) ## Write the lock files again after a change of dependencies; `make lock UPGRADE=--upgrade` takes newer ones.
	$(UV) pip compile $(UPGRADE) --universal --generate-hashes --no-emit-index-url pyproject.toml -o requirements.lock
	$(UV) pip compile $(UPGRADE) --universal --generate-hashes --no-emit-index-url pyproject.toml --group dev -o requirements-dev.lock

setup: $(UV)
	@[ -x $(BIN)/python ] || $(UV) venv --quiet --python '>=3.11,<3.14' .venv
	@[ "$(MADE_FROM)" = "$$(cat .venv/made-from 2>/dev/null)" ] || { \
	    $(UV) pip sync --python $(BIN)/python --compile-bytecode --require-hashes requirements-dev.lock && \
	    $(UV) pip install --python $(BIN)/python --no-deps --no-build-isolation --editable . && \
	    echo "$(MADE_FROM)" > .venv/made-from; }
	@$(BIN)/python hatch_build.py

.venv-tools/bin/uv: requirements-uv.lock
	@python3 -m venv .venv-tools || { [ "$(APT)" ] && $(AS_ROOT) apt-get update -qq && \
	    $(AS_ROOT) apt-get install -qq --no-install-recommends python3-venv && python3 -m venv --clear .venv-tools; }
	@.venv-tools/bin/pip install --quiet --require-hashes --requirement requirements-uv.lock
	@touch $@

# What some tests use besides Python; where it cannot be installed they skip and say why.
tools:
	@missing=(); \
	command -v chromium chromium-browser google-chrome >/dev/null || missing+=(chromium); \
	command -v firefox-esr firefox >/dev/null || missing+=(firefox-esr); \
	compgen -G '/usr/lib/postgresql/*/bin/initdb' >/dev/null || command -v initdb >/dev/null || missing+=(postgresql); \
	[ "$${#missing[@]}" = 0 ] || [ -z "$(APT)" ] || $(AS_ROOT) apt-get update -qq || true; \
	for tool in "$${missing[@]}"; do \
	    [ "$(APT)" ] && $(AS_ROOT) env DEBIAN_FRONTEND=noninteractive apt-get install -qq --no-install-recommends "$$tool" || \
	        echo "Not installed: $$tool. The tests that need it are skipped."; \
	done
