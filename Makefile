# The ways in. `make` alone says what there is.

PYTHON ?= python3
PRESET ?= quick
CORES ?= all

BIN := .venv/bin
INSTALLED := .venv/installed
CLUSTER := .venv-cluster
# The preset quick is config.yaml itself; the others are laid over it.
CONFIGS := config.yaml $(if $(filter quick,$(PRESET)),,workflow/presets/$(PRESET).yaml)
SNAKEMAKE := $(BIN)/snakemake --cores $(CORES) $(addprefix --configfile ,$(filter-out config.yaml,$(CONFIGS)))
STAGES := shards scenes variants train_network import_network record_network decode_network perturb_network \
	decode_scenes tables scorecard figure report
# The folder of the results, by the last of these files that names the run.
NAMES := import sys, yaml; runs = [yaml.safe_load(open(f)).get("run", {}) for f in sys.argv[1:]]
RESULTS = results/$(shell $(BIN)/python -c '$(NAMES); print([r["name"] for r in runs if "name" in r][-1])' $(CONFIGS))

# What the machine or the container has, in MB, so that no more jobs run at a time than it holds; one always may.
MEMORY := import os, pathlib; limit = pathlib.Path("/sys/fs/cgroup/memory.max"); \
	limits = [int(text) for text in (limit.read_text().split() if limit.exists() else []) if text != "max"]; \
	machine = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"); \
	print(max(2500, min([machine, *limits]) // 10**6))

.PHONY: help reproduce status test test-long test-cluster benchmark lint clean-venv
.DELETE_ON_ERROR:

help:
	@echo "make reproduce   the whole study, and where its report is; what is there already is not made again"
	@echo "make status      how many files each stage has made, and how many are left"
	@echo "make test        the checks of the code and the tests"
	@echo "make lint        the checks alone"
	@echo "make test-long   many kills, and the smoke preset on one core and two: a quarter of an hour"
	@echo "make test-cluster   profiles/slurm on a real Slurm, started for it on this machine (Debian, as root)"
	@echo "make benchmark   the fast paths beside plain ones, with a network of the run; wants a quiet machine"
	@echo "make clean-venv  remove the Python environment, which is made from envs/requirements.lock when needed"
	@echo
	@echo "PRESET=quick     or $(patsubst workflow/presets/%.yaml,%,$(wildcard workflow/presets/*.yaml)): for reproduce and status"
	@echo "CORES=all        or a number"
	@echo "PYTHON=python3   the Python (3.11 or newer) that the environment is made with"

reproduce: $(CONFIGS) $(INSTALLED)
	@$(BIN)/python workflow/scripts/estimate.py --cores $(CORES) $(CONFIGS)
	$(SNAKEMAKE) --resources mem_mb=$$($(BIN)/python -c '$(MEMORY)')
	@echo
	@cat $(RESULTS)/scorecard.txt
	@echo
	@echo "The report, with the figures: $(RESULTS)/report.html"
	@echo "The scorecard, row by row:    $(RESULTS)/tables/scorecard.csv"

status: $(CONFIGS) $(INSTALLED)
	@$(SNAKEMAKE) --summary 2>/dev/null | awk -F '\t' -v stages='$(STAGES)' ' \
		NR > 1 { all[$$3]++; if ($$6 == "no update") made[$$3]++ } \
		END { if (!NR) { print "The workflow cannot start: see what make reproduce says"; exit 1 } \
		      printf "%-15s %5s %5s   (files)\n", "stage", "made", "left"; \
		      for (i = 1; i <= split(stages, stage, " "); i++) \
		          if (all[stage[i]]) printf "%-15s %5d %5d\n", stage[i], made[stage[i]], all[stage[i]] - made[stage[i]] }'

test: lint
	$(BIN)/pytest

test-long: $(INSTALLED)
	KILLS=8 $(BIN)/pytest -s -m "long or kills"

test-cluster: $(CLUSTER)/installed
	tests/cluster/slurm.sh $(CLUSTER)/bin/python

benchmark: $(INSTALLED)
	PYTHONPATH=workflow/scripts:tests $(BIN)/python -m benchmark \
		$(RESULTS)/multiplicative/instance1/model.safetensors data results/benchmark

lint: $(INSTALLED)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/snakefmt --check Snakefile workflow/rules
	$(BIN)/snakemake --lint

$(INSTALLED): envs/requirements.lock
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
		echo "Python 3.11 or newer is needed, and $(PYTHON) is not one: name another, as in" >&2; \
		echo "    make PYTHON=python3.12 $(MAKECMDGOALS)" >&2; exit 1; }
	@echo "Making the Python environment .venv: some minutes, and up to 7 GB on Linux (PyTorch with CUDA)"
	$(PYTHON) -m venv --clear .venv
	$(BIN)/pip install --quiet --require-hashes -r $<
	@touch $@

# The Slurm plugin in an environment of its own, which sees the packages of .venv after its own.
PURELIB := import sysconfig; print(sysconfig.get_path("purelib"))
$(CLUSTER)/installed: envs/cluster.lock $(INSTALLED)
	$(BIN)/python -m venv --clear --without-pip $(CLUSTER)
	echo "import site; site.addsitedir('$$($(BIN)/python -c '$(PURELIB)')')" \
		> "$$($(CLUSTER)/bin/python -c '$(PURELIB)')/venv.pth"
	$(CLUSTER)/bin/python -m pip install --quiet --no-deps --require-hashes -r $<
	$(CLUSTER)/bin/python -m pip check --quiet
	@touch $@

workflow/presets/%.yaml:
	@echo "There is no preset $*: choose quick or one of" $(patsubst workflow/presets/%.yaml,%,$(wildcard workflow/presets/*.yaml)) >&2; exit 1

clean-venv:
	rm -rf .venv $(CLUSTER)
