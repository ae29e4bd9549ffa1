# Needs Python 3.11 or newer and nothing else; everything is installed into .venv from the lock.
PYTHON ?= python3
BIN := .venv/bin

.PHONY: demo test wordpress run check bench fuzz chaos screenshots lock
.DELETE_ON_ERROR:

demo: .venv/.installed
	$(BIN)/python -m panel.demo

# The tests start hundreds of processes, each of which would compile our modules anew.
unexport PYTHONDONTWRITEBYTECODE

# Five processes, a file at a time, since much of a test is waiting; in a single process, for a debugger: make test ARGS="-n 0
# tests/test_x.py"
test: .venv/.installed
	tests/machine.sh
	$(BIN)/python -m pytest -n 5 --dist loadfile --no-loadscope-reorder --ignore tests/wordpress $(ARGS)

# The must-use plugin on a real WordPress; prints the fired and the arrived events, and the times
SHOW := -o log_cli=true -o log_cli_level=INFO -o log_cli_format="%(message)s"
wordpress: .venv/.installed
	tests/machine.sh
	$(BIN)/python -m pytest tests/wordpress $(SHOW) $(ARGS)

run: .venv/.installed
	exec $(BIN)/gunicorn "app:create_app()"

check: .venv/.installed
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/hadolint deploy/Dockerfile
	$(BIN)/check-jsonschema --quiet --builtin-schema vendor.compose-spec deploy/compose.yaml
	$(BIN)/python -m pytest -q tests/test_deploy.py -k accepts

# Some minutes, on loopback alone; a minute: make bench ARGS=--quick
bench: .venv/.installed
	$(BIN)/python -m bench $(ARGS)

# What foreign data and 100,000 hooks do to us; as long again, with other values: PANEL_FUZZ_SEED=2
fuzz: export PANEL_FUZZ ?= 2000
fuzz: .venv/.installed
	$(BIN)/python -m pytest tests/fuzz -q -s $(ARGS)

# Everything is killed, cut off or slow, for three minutes; longer: make chaos PANEL_STORM=1800
chaos: export PANEL_STORM ?= 180
chaos: .venv/.installed
	tests/machine.sh
	$(BIN)/python -m pytest tests/browser/test_storm.py -q -s $(ARGS)

# Every state × light and dark × both languages × four widths: build/screenshots/index.html
screenshots: .venv/.installed
	tests/machine.sh
	$(BIN)/python -m tests.browser.screenshots $(ARGS)

# Needs uv. Newer versions of everything: make lock UPGRADE=--upgrade
LOCK := uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url
lock:
	$(LOCK) $(UPGRADE) pyproject.toml -o requirements.lock
	$(LOCK) $(UPGRADE) -c requirements.lock --group dev pyproject.toml -o requirements-dev.lock

# The development lock holds the other one too, so one file installs everything.
.venv/.installed: requirements.lock requirements-dev.lock
	$(PYTHON) -c 'import sys; sys.exit("Python 3.11 or newer is needed, this is " + sys.version.split()[0] if sys.version_info < (3, 11) else 0)'
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements-dev.lock
	touch $@
