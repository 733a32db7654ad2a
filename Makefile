# make demo   the whole path on the playground: generate, train, evaluate, export, detect
# make demo-real   real people and their actions, without training (VIDEO=film.mp4: in your own film)
# make test   the test suite          make test-long   the tests that take longer
# make fuzz   100,000 damaged inputs for each reader (docs/reliability.md)
# make lint   formatting, likely bugs and types     make coverage   the suite, and what it ran of avatx/
# make benchmark  our trunk against a plain PyTorch peer, in turns (docs/performance.md)
# make setup  only the virtual environment (.venv), from the lock
# make config-docs  docs/config.md, of the comments and options in protos/
# make docs   the site of docs/, in site/ (docs-serve shows it while you write)
# make faults  kills programs at every one of their file operations
# LOCK=newest uses requirements/newest.txt in .venv-newest.

LOCK ?= default
VENV := $(if $(filter default,$(LOCK)),.venv,.venv-$(LOCK))
PYTHON ?= $(shell for python in python3.11 python3.12 python3.10 python3; do \
	$$python -c 'import sys; sys.exit(not (3, 10) <= sys.version_info[:2] <= (3, 12))' 2>/dev/null \
	&& echo $$python && break; done)
RUN := $(VENV)/bin/python
DEMO ?= runs/demo
DEMO_REAL ?= runs/demo-real

.PHONY: benchmark docs docs-serve config-docs setup demo demo-real test test-quick test-long test-docs fuzz faults lint \
	coverage locks clean

setup: $(VENV)/.installed

# The lock is whole; --no-deps because it leaves out what a package asks for and does not need.
$(VENV)/.locked: requirements/$(LOCK).txt
	@test -n "$(PYTHON)" || { echo "error: no Python 3.10 to 3.12 found; name one: make PYTHON=/path/to/python3.11" >&2; exit 2; }
	@echo "Installing the locked environment into $(VENV): about 1.2 GB, some minutes, once."
	$(PYTHON) -m venv --clear $(VENV)
	$(RUN) -m pip install --disable-pip-version-check --no-deps -r requirements/$(LOCK).txt
	@touch $@

# Editable, so that a change of the sources needs no new set-up; a change of a proto does.
$(VENV)/.installed: $(VENV)/.locked setup.py pyproject.toml $(wildcard protos/*.proto)
	$(RUN) -m pip install --quiet --disable-pip-version-check --no-deps --editable .
	@touch $@

demo: setup
	$(RUN) tools/demo.py --output $(DEMO)

demo-real: setup
	$(RUN) tools/demo_real.py --output $(DEMO_REAL) $(if $(VIDEO),--video "$(VIDEO)")

# Four files at a time, on two cores too: a test often waits, for a file, a process or a clock. With
# `python -m pytest` it is one after the other.
AT_ONCE := --numprocesses 4 --dist loadfile

test: setup
	$(RUN) -m pytest -m "not long" $(AT_ONCE)

# Under ten minutes: what a version of Python or TensorFlow is likely to break.
QUICK := tests/core tests/layers tests/predictors tests/config/test_pipeline_config.py \
	tests/config/test_field_options.py tests/builders/test_builders.py tests/data/annotations \
	tests/data/video tests/data/records/test_record.py tests/data/input/test_input_pipeline.py \
	tests/evaluation/test_official_values.py tests/export/test_saved_model.py \
	tests/compatibility/test_configs.py tests/tools/test_csv_tools.py tests/test_architecture.py \
	tests/test_cli.py tests/test_registrations.py

test-quick: setup
	$(RUN) -m pytest -m "not long" $(AT_ONCE) $(wildcard $(QUICK))

test-long: setup
	$(RUN) -m pytest -m long

# What the pages say to run, run: some ten minutes. The notebook needs nbclient, ipykernel and pandas.
test-docs: setup
	$(RUN) -m pytest -m long tests/test_pages_run.py tests/project/test_own_video_page.py tests/test_first_steps.py

# Damaged csv files, label maps, configs and records, CASES of each.
CASES ?= 100000
READERS ?= csv_reader label_map_reader config_reader record_reader
fuzz: setup
	$(RUN) tests/fuzz/run.py --cases $(CASES) --readers $(READERS)

# Some hours: every moment of each program (docs/reliability.md). A sample of them is in `make test`.
faults: setup
	$(RUN) tests/faults/all_moments.py

lint: setup
	$(RUN) -m ruff format --check .
	$(RUN) -m ruff check .
	$(RUN) -m mypy

coverage: setup
	$(RUN) -m coverage run -m pytest -m "not long" $(AT_ONCE)
	$(RUN) -m coverage combine --quiet
	$(RUN) -m coverage report --sort=cover

# The peer's environment: PyTorch for CPUs, 1 GB; on a GPU `make benchmark TORCH=torch`. Needs no avatx.
TORCH ?= torch==2.13.0+cpu --extra-index-url https://download.pytorch.org/whl/cpu
BENCHMARK ?= --num_frames 16 --size 112 --repeats 5

.venv-benchmark/.installed:
	$(PYTHON) -m venv --clear .venv-benchmark
	.venv-benchmark/bin/python -m pip install --quiet --disable-pip-version-check numpy $(TORCH) || \
		{ echo "error: PyTorch cannot be installed here; the other benchmarks run without it" >&2; exit 2; }
	@touch $@

benchmark: setup .venv-benchmark/.installed
	$(RUN) benchmarks/benchmark_peer.py $(BENCHMARK)

config-docs: setup
	$(RUN) -m avatx.config.document protos docs/config.md

# A small environment of its own: the generator reads the sources and imports nothing of them.
.venv-docs/.installed: requirements/docs.txt
	$(PYTHON) -m venv --clear .venv-docs
	.venv-docs/bin/python -m pip install --quiet --disable-pip-version-check -r requirements/docs.txt
	@touch $@

docs: .venv-docs/.installed
	.venv-docs/bin/mkdocs build --strict --clean
	@echo "the site: site/index.html"

docs-serve: .venv-docs/.installed
	.venv-docs/bin/mkdocs serve

# Needs uv (pip install uv).
locks:
	for lock in default newest; do uv pip compile --quiet --universal --python-version 3.10 --no-emit-index-url \
		--no-emit-find-links --override requirements/$$lock.overrides requirements/$$lock.in --output-file requirements/$$lock.txt || exit 1; done

clean:
	rm -rf build *.egg-info avatx/protos/*_pb2.py .venv .venv-newest .venv-docs .venv-benchmark site
