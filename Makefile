# Python 3.11 to 3.13 and make are all that must be there; everything else goes into .venv, from requirements.lock.
#
#   make setup     the environment alone                        PYTHON=... chooses the interpreter
#   make stores    what object stores need besides
#   make run       the platform and a demonstration             ONCE=1 exits when it has been shown
#   make test      every test                                   TESTS=tests/unit for some of them
#   make test-containers   docker/ built, run and hurt         root and podman (Debian's package)
#   make check     style, types, layers, SQL, contracts, docs
#   make matrix    the unit tests on every other Python from 3.11 to 3.13 that is here
#   make bench     the measured bars of the README
#   make truth     simulated towns through the pipeline, held against what is true of them

VENV := .venv
BIN := $(VENV)/bin
# The environment is made anew when the lock changes, and only then.
MARKER := $(VENV)/.installed-$(shell cksum < requirements.lock | tr ' ' '-')
EMULATOR := tests/object_stores/package-lock.json
STORES := $(VENV)/.stores-$(shell cat requirements-stores.lock $(EMULATOR) | cksum | tr ' ' '-')
CHOICES := $(or $(PYTHON),python3 python3.13 python3.12 python3.11 python)
PIP := $(BIN)/python -m pip install -qq --no-input --disable-pip-version-check --require-hashes --no-deps
FITS := import ensurepip, sys, venv; sys.exit(not (3, 11) <= sys.version_info[:2] < (3, 14))

.DEFAULT_GOAL := help
.PHONY: help setup stores run test test-containers check matrix bench truth

help:
	@sed -n 's/^#   //p' Makefile

setup: $(MARKER)

$(MARKER): requirements.lock
	@for candidate in $(CHOICES); do \
		if "$$candidate" -c '$(FITS)' 2>/dev/null; then chosen="$$candidate"; break; fi; \
	done; \
	if [ -z "$$chosen" ]; then \
		echo "No Python 3.11 to 3.13 with its venv module among: $(CHOICES). Install one (Debian: apt-get install python3-venv)," \
			"or name it: make $(or $(MAKECMDGOALS),setup) PYTHON=/path/to/python3" >&2; \
		exit 1; \
	fi; \
	echo "Making $(VENV) with $$("$$chosen" --version)"; \
	"$$chosen" -m venv $(VENV)
	@# uv, itself out of the lock, installs in seconds what takes pip minutes; where it cannot reach the index, pip may.
	@awk '/^uv==/ {found = 1} found {print} found && !/\\$$/ {exit}' requirements.lock > $(VENV)/uv.lock
	@$(PIP) -r $(VENV)/uv.lock
	@UV_NATIVE_TLS=true $(BIN)/uv pip sync -q --python $(BIN)/python --require-hashes requirements.lock || $(PIP) -r requirements.lock
	@# The package is run from this checkout: a path file needs neither a build nor a network.
	@pwd > "$$($(BIN)/python -c 'import sysconfig; print(sysconfig.get_path("purelib"))')/frontdoor.pth"
	@printf '#!/bin/sh\nexec "$$(dirname "$$0")/python" -P -m frontdoor "$$@"\n' > $(BIN)/frontdoor && chmod +x $(BIN)/frontdoor
	@touch $@

stores: setup $(STORES)

$(STORES): requirements-stores.lock $(EMULATOR) $(MARKER)
	@UV_NATIVE_TLS=true $(BIN)/uv pip install -q --python $(BIN)/python --require-hashes --no-deps -r requirements-stores.lock \
		|| $(PIP) -r requirements-stores.lock
	@mkdir -p $(VENV)/stores && cp $(EMULATOR) $(dir $(EMULATOR))package.json $(VENV)/stores/
	@PATH="$(CURDIR)/$(BIN):$$PATH" npm ci --prefix $(VENV)/stores --ignore-scripts --no-audit --no-fund --silent
	@touch $@

run: setup
	@exec $(BIN)/frontdoor demo $(if $(ONCE),--once)

# Two at a time, a file each.
test: setup stores
	$(BIN)/python -m pytest --numprocesses 2 $(TESTS)

# Alone, and one after the other: a whole stack is as much as two cores carry.
test-containers: setup
	$(BIN)/python -m pytest --containers --timeout 1800 tests/containers

check: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python -m tests.lint_sql
	$(BIN)/python -m frontdoor.contract lint
	$(BIN)/python -m frontdoor.docs --check
	$(BIN)/hadolint docker/Dockerfile
	$(BIN)/check-jsonschema --builtin-schema vendor.compose-spec docker/compose.yaml

matrix: setup
	@ours="$$($(BIN)/python -c 'import sys; print("%d.%d" % sys.version_info[:2])')"; \
	for each in 3.11 3.12 3.13; do \
		if [ "$$each" = "$$ours" ]; then continue; fi; \
		if "python$$each" -c '$(FITS)' 2>/dev/null; then \
			$(MAKE) --no-print-directory test VENV=".venv-$$each" PYTHON="python$$each" TESTS="$(or $(TESTS),-q tests/unit)" || exit 1; \
		else \
			echo "Python $$each is not here."; \
		fi; \
	done

bench: setup
	$(BIN)/python -m tests.bench

truth: setup
	$(BIN)/python -m tests.truth
