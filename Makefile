# The commands of the project. `make` alone lists them.

PYTHON ?= python3
PRESET ?= quick
CORES ?= all
# For make compare: names of finished runs. For make sweep: a file with a key and its values.
RUNS :=
SWEEP :=
# A package index with builds of PyTorch for CPUs. If empty, PyTorch comes with CUDA.
TORCH ?=

# Packages are those of the environment, not others that the user has loaded.
unexport PYTHONPATH

BIN := .venv/bin
INSTALLED := .venv/installed
CLUSTER := .venv-cluster
# Files of the user's own, whose keys replace those of the preset; a later file replaces keys of an earlier one.
CONFIG :=
# The preset quick is config.yaml itself; the other presets change some of its keys.
CONFIGS := config.yaml $(if $(filter quick,$(PRESET)),,workflow/presets/$(PRESET).yaml) $(filter-out config.yaml,$(CONFIG))
OVERLAYS := $(filter-out config.yaml,$(CONFIGS))
SNAKEMAKE := $(BIN)/snakemake $(if $(OVERLAYS),--configfile $(OVERLAYS)) --cores $(CORES)
STAGES := configuration categories shards scenes variants train_network import_network record_network decode_network perturb_network \
	decode_scenes examples parameters tables scorecard figure report
PACKAGE := PYTHONPATH=workflow/scripts $(BIN)/python -m recurrence
# Prints the name of the run, or what is wrong with the files.
NAME := $(PACKAGE).configuration $(CONFIGS)
SPACE := $() $()
COMPARISON = results/$(subst $(SPACE),+,$(strip $(RUNS)))/comparison
AGAIN := $(MAKE) --no-print-directory -f $(firstword $(MAKEFILE_LIST))

# The memory of the machine or container in MB, so that only as many jobs run at a time as fit in it; at least one.
MEMORY := import os, pathlib; limit = pathlib.Path("/sys/fs/cgroup/memory.max"); \
	limits = [int(text) for text in (limit.read_text().split() if limit.exists() else []) if text != "max"]; \
	machine = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"); \
	print(max(2500, min([machine, *limits]) // 10**6))

.PHONY: help reproduce status clean-states compare sweep archive dag test test-long test-cluster benchmark lint reference clean-venv
.DELETE_ON_ERROR:

help:
	@echo "make reproduce     do the whole study and say where the report is; finished files are not made again"
	@echo "make status        count the files that each stage has made, and those that are left"
	@echo "make clean-states  delete the states of trainings that the run no longer needs; make status lists them"
	@echo "make compare       show what differs between finished runs: RUNS=\"quick fewer-objects\""
	@echo "make sweep         do the runs of a sweep and compare them: SWEEP=sweeps/timesteps.yaml"
	@echo "make archive       put the run into one zip file, with its code, configuration and provenance"
	@echo "make test          check the code and run the tests"
	@echo "make lint          only check the code"
	@echo "make test-long     kill many jobs, and run the smoke preset on one core and on two: 15 minutes"
	@echo "make test-cluster  try profiles/slurm on a real Slurm, started on this machine (Debian, as root)"
	@echo "make benchmark     compare the fast code with plain code, on a network of the run; needs a quiet machine"
	@echo "make reference     write docs/configuration.md and the JSON schema, from the classes of the configuration"
	@echo "make dag           draw docs/dag.svg, the graph of the rules; needs graphviz"
	@echo "make clean-venv    remove the Python environment; it is installed again when needed"
	@echo
	@echo "PRESET=quick       or $(patsubst workflow/presets/%.yaml,%,$(wildcard workflow/presets/*.yaml)): for reproduce, status, clean-states, sweep and archive"
	@echo "CONFIG=            files with the keys that differ in your run, later ones over earlier ones: for the same commands"
	@echo "CORES=all          or a number"
	@echo "PYTHON=python3     the Python (3.11 or newer) for the environment"
	@echo "TORCH=             a package index with PyTorch for CPUs: the environment then takes 2 GB, not 7"

reproduce: $(CONFIGS) $(INSTALLED)
	@$(NAME) > /dev/null
	@$(PACKAGE).estimation --cores $(CORES) $(CONFIGS)
	@$(SNAKEMAKE) --resources mem_mb=$$($(BIN)/python -c '$(MEMORY)')
	@results=results/$$($(NAME)) && echo && cat $$results/scorecard.txt && echo && \
	echo "The report, with the figures: $$results/report.html" && \
	echo "The scorecard, row by row:    $$results/tables/scorecard.csv"

status: $(CONFIGS) $(INSTALLED)
	@$(NAME) > /dev/null
	@$(SNAKEMAKE) --summary 2>/dev/null | awk -F '\t' -v stages='$(STAGES)' ' \
		NR > 1 { all[$$3]++; if ($$6 == "no update") made[$$3]++ } \
		END { if (!NR) { print "The workflow cannot start: see what make reproduce says"; exit 1 } \
		      printf "%-15s %5s %5s   (files)\n", "stage", "made", "left"; \
		      for (i = 1; i <= split(stages, stage, " "); i++) \
		          if (all[stage[i]]) printf "%-15s %5d %5d\n", stage[i], made[stage[i]], all[stage[i]] - made[stage[i]] }'
	@$(PACKAGE).states $(CONFIGS)

clean-states: $(CONFIGS) $(INSTALLED)
	@$(NAME) > /dev/null
	@$(PACKAGE).states --clean $(CONFIGS)

compare: $(CONFIGS) $(INSTALLED)
	@$(if $(word 2,$(RUNS)),,echo 'Name two finished runs or more: make compare RUNS="quick fewer-objects"' >&2; exit 1)
	@$(SNAKEMAKE) --allowed-rules compare -- $(COMPARISON).html
	@echo
	@echo "The comparison:  $(COMPARISON).html"
	@echo "Its rows:        $(COMPARISON).csv"

sweep: $(CONFIGS) $(SWEEP) $(INSTALLED)
	@$(if $(SWEEP),,echo 'Name a sweep: make sweep SWEEP=sweeps/timesteps.yaml' >&2; exit 1)
	@runs=$$($(PACKAGE).sweep $(SWEEP) $(CONFIGS)) && for run in $$runs; do \
		$(AGAIN) reproduce CONFIG="$(CONFIG) results/$$run/sweep.yaml" || exit 1; done && \
	$(AGAIN) compare RUNS="$$runs"

archive: $(CONFIGS) $(INSTALLED)
	@$(NAME) > /dev/null
	@$(SNAKEMAKE) -- archive
	@echo "The run in one file: results/$$($(NAME)).zip"

dag: $(INSTALLED)
	@graph=$$($(BIN)/snakemake --forceall --rulegraph dot -- all archive 2>/dev/null) && \
	printf '%s\n' "$$graph" | dot -Tsvg -o docs/dag.svg

test: lint
	$(BIN)/pytest

test-long: $(INSTALLED)
	KILLS=8 $(BIN)/pytest -s --numprocesses 0 -m "long or kills"

test-cluster: $(CLUSTER)/installed
	tests/cluster/slurm.sh $(CLUSTER)/bin/python

benchmark: $(INSTALLED)
	PYTHONPATH=workflow/scripts:tests $(BIN)/python -m benchmark \
		results/$$($(NAME))/multiplicative/instance1/model.safetensors data results/benchmark

lint: $(INSTALLED)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/snakefmt --check Snakefile workflow/rules
	$(BIN)/snakemake --lint

reference: $(INSTALLED)
	$(PACKAGE).configuration.reference

$(INSTALLED): envs/requirements.lock
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
		echo "Python 3.11 or newer is needed, and $(PYTHON) is older or missing. Name another one, such as" >&2; \
		echo "    make PYTHON=python3.12 $(MAKECMDGOALS)" >&2; exit 1; }
	@$(PYTHON) envs/install.py $(if $(TORCH),--torch "$(TORCH)")
	@touch $@

# The Slurm plugin has an environment of its own, which also sees the packages of .venv.
PURELIB := import sysconfig; print(sysconfig.get_path("purelib"))
$(CLUSTER)/installed: envs/cluster.lock $(INSTALLED)
	$(BIN)/python -m venv --clear --without-pip $(CLUSTER)
	echo "import site; site.addsitedir('$$($(BIN)/python -c '$(PURELIB)')')" \
		> "$$($(CLUSTER)/bin/python -c '$(PURELIB)')/venv.pth"
	$(CLUSTER)/bin/python -m pip install --quiet --no-deps --require-hashes -r $<
	$(CLUSTER)/bin/python -m pip check --quiet
	@touch $@

$(filter-out $(wildcard $(CONFIG) $(SWEEP)),$(CONFIG) $(SWEEP)):
	@echo "There is no file $@, which CONFIG or SWEEP names" >&2; exit 1

workflow/presets/%.yaml:
	@echo "There is no preset $*. Choose quick or one of" $(patsubst workflow/presets/%.yaml,%,$(wildcard workflow/presets/*.yaml)) >&2; exit 1

clean-venv:
	@case "$$(readlink .venv)" in */category-orthogonal-recurrence-*) rm -rf "$$(readlink .venv)";; esac
	rm -rf .venv $(CLUSTER)
