# make run     the demo project, from nothing to matrix and report, through `snakemake --profile divvy`
# make test    the tests, in minutes      make check   lint and types      make demo   only the demo project's files
# make test-slow   the other tests: whole runs, real schedulers, R and a browser, where these are installed
# make readers   extra packages for the tests of matrix formats, MultiQC and SnapATAC2
# make bench   counting compared with other tools on simulated reads
# make bench-scale   collecting and normalizing cohorts of growing size
# make bench-executors   this executor compared with others on a Slurm of its own
# make lock    update the lock files

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
INSTALLED := $(VENV)/installed
DEVELOPERS := $(VENV)/developers
DEMO := demo/simulation.json
SOURCES := scripts src tests executor benchmarks
PIP_INSTALL := -m pip install --quiet --disable-pip-version-check
PYTEST := $(BIN)/python -m pytest --dist loadgroup --durations 10 --numprocesses

.DELETE_ON_ERROR:
.PHONY: install demo run test test-slow readers check bench bench-executors bench-scale preflight project lock clean

install: $(INSTALLED)

$(INSTALLED): requirements.lock pyproject.toml executor/pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and f"expected Python 3.11 or newer, found {sys.version.split()[0]}; set it: make PYTHON=python3.12")'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python $(PIP_INSTALL) --require-hashes --requirement requirements.lock
	$(BIN)/python $(PIP_INSTALL) --no-deps --no-build-isolation --editable . --editable executor
	$(BIN)/python -c 'from divvy_coverage.counting.kernel.load import get_run; get_run()'
	@touch $@

$(DEVELOPERS): requirements-dev.lock | $(INSTALLED)
	$(BIN)/python $(PIP_INSTALL) --require-hashes --requirement $<
	@touch $@

demo: $(DEMO)

$(DEMO): | $(INSTALLED)
	$(BIN)/python scripts/make_demo.py --out demo

run: $(INSTALLED) $(DEMO)
	@PATH="$(CURDIR)/$(BIN):$$PATH" snakemake --profile divvy
	@echo
	@echo "matrix:      results/matrix/peak_set.matrix_raw.csv.gz (and .parquet), normalized: matrix_norm"
	@echo "statistics:  results/matrix/peak_set.stats.tsv"
	@echo "logs:        results/logs (of the rules), logs/divvy (of the jobs)"
	@echo "report:      $(CURDIR)/results/report.html"

test: $(DEVELOPERS)
	$(PYTEST) auto -m "not slow"

# many of these wait for schedulers
test-slow: $(DEVELOPERS)
	$(PYTEST) 3 --no-loadscope-reorder -m slow

# what people open the results with or count with and our environment lacks: anndata, MultiQC, SnapATAC2
readers: $(VENV)/readers/installed

$(VENV)/readers/installed: tests/readers.lock | $(INSTALLED)
	$(PYTHON) -m venv $(VENV)/readers
	$(VENV)/readers/bin/python $(PIP_INSTALL) --no-deps --require-hashes --requirement $<
	@touch $@

check: $(DEVELOPERS)
	$(BIN)/ruff check $(SOURCES)
	$(BIN)/ruff format --check $(SOURCES)
	$(BIN)/mypy
	$(BIN)/snakefmt --check workflow
	PATH="$(CURDIR)/$(BIN):$$PATH" snakemake --lint

# 20 M reads and 100,000 regions take a quarter of an hour; less: make bench BENCH="--reads 2000000 --rounds 1"
bench: $(INSTALLED)
	$(BIN)/python benchmarks/bench.py $(BENCH)

# needs root and Slurm's programs, and takes an hour; less: make bench-executors BENCH="--install --jobs 8"
bench-executors: $(INSTALLED)
	$(BIN)/python benchmarks/executors.py $(BENCH)

# collecting and normalizing up to 10,000 samples, half an hour; less: make bench-scale BENCH=--quick
bench-scale: $(INSTALLED)
	$(BIN)/python benchmarks/scale.py $(BENCH)

# check the inputs without running a job
preflight: $(INSTALLED)
	@PATH="$(CURDIR)/$(BIN):$$PATH" snakemake --profile divvy preflight

# a folder of your own from which `snakemake --profile divvy` works: make project DIR=~/my_cohort ASSAY=atac
project: $(INSTALLED)
	$(BIN)/python scripts/new_project.py "$(DIR)" --assay "$(ASSAY)"

# versions that are in a lock file stay; to take the newest, remove the files first
UV := $(VENV)/uv/bin/uv
COMPILE := $(UV) pip compile --universal --python-version 3.11 --generate-hashes --no-emit-index-url \
  --no-emit-find-links --no-header --quiet

lock: $(INSTALLED)
	$(PYTHON) -m venv $(VENV)/uv
	$(VENV)/uv/bin/python $(PIP_INSTALL) uv
	$(COMPILE) pyproject.toml executor/pyproject.toml --extra workflow --group pyproject.toml:build \
	  --no-emit-package snakemake-executor-plugin-divvy --output-file requirements.lock
	$(COMPILE) --group pyproject.toml:dev --constraints requirements.lock --output-file requirements-dev.lock
	$(COMPILE) tests/readers.in --override tests/readers.overrides --output-file tests/readers.lock

clean:
	rm -rf demo results logs .snakemake
