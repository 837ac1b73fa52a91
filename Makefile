# Two commands: `make course` runs every notebook, `make test` every test.
# Both first make .venv with the locked versions, once.

SHELL := /bin/bash
.DEFAULT_GOAL := help

# The first Python that is new enough (the lock is tested on 3.11); or name one: make course PYTHON=/path/to/python3.12
PYTHON ?= $(shell for p in python3.11 python3.12 python3.13 python3 python; do \
  command -v $$p >/dev/null 2>&1 && $$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null \
  && { echo $$p; break; }; done)
VENV ?= .venv
SCALE ?= smoke
OUT ?= runs/course
# Notebooks at a time. Longer scales keep the machine, or the GPU, to one notebook.
JOBS ?= $(if $(filter smoke,$(SCALE)),2,1)
BOOK ?= runs/book
PACK ?= runs/teacher.zip
# Where the CPU build of torch comes from on Linux, where pip's own index has the CUDA build (several GB).
# With an NVIDIA driver, or with TORCH_INDEX= (empty), torch comes from pip's own index.
TORCH_INDEX ?= $(shell [ "$$(uname -s)" = Linux ] && ! command -v nvidia-smi >/dev/null 2>&1 \
  && echo https://download.pytorch.org/whl/cpu)
# Test workers. Each uses one thread.
WORKERS ?= 2

STAMP := $(VENV)/.installed
RUN := $(VENV)/bin/python
JUPYTER := $(VENV)/bin/jupyter

# Waiting threads that spin slow a shared machine down many times.
export OMP_WAIT_POLICY ?= PASSIVE

# Of `make paper`: folders of real patients, left out where not given.
LGG ?=
MS ?=
# ImageNet weights of ResNeSt-50, which the paper starts from (medattn fetch resnest50); random where not given.
WEIGHTS ?=

.PHONY: bench bench-gpu gpu help course test pytest lint lab notebooks book teacher doctor paper clean

help:
	@echo "make course     set up, run every notebook at SCALE=$(SCALE), JOBS=$(JOBS) at a time, report in $(OUT)/report.html"
	@echo "make test       set up, run every test"
	@echo "make lab        set up, open JupyterLab at notebook 00"
	@echo "make notebooks  make the notebooks, solutions and slides from notebooks/source"
	@echo "make book       run every notebook, then write them as a static site, $(BOOK)/index.html"
	@echo "make teacher    write $(PACK): solutions, slides, syllabuses with measured times, rubric, assignments"
	@echo "make doctor     what is installed, which device, do widgets show"
	@echo "make gpu        one GPU, ten minutes: is it right, how fast, a first training at published size"
	@echo "make bench      time and memory beside peers on this CPU, some minutes: figures/benchmarks.md (make bench-gpu: on a GPU)"
	@echo "make paper      every recipe at its published size, on a GPU: LGG=DIR MS=DIR add real patients, WEIGHTS=FILE ImageNet; goes on where it stopped"
	@echo "make clean      remove caches, runs/course and runs/book; .venv stays"

course: $(STAMP)
	$(RUN) -m medattn_lite.cli course --scale $(SCALE) --jobs $(JOBS) --out $(OUT)

# The linters run beside the tests, which wait for a browser now and then; what either finds ends with an error.
test: $(STAMP)
	$(MAKE) --no-print-directory -j 2 lint pytest

pytest: $(STAMP)
	OMP_NUM_THREADS=1 MKL_NUM_THREADS=1 $(RUN) -m pytest -n $(WORKERS) --dist worksteal

lint: $(STAMP)
	$(RUN) -m ruff check .
	$(RUN) -m mypy

lab: $(STAMP)
	$(JUPYTER) lab notebooks/00_start_here.ipynb

notebooks: $(STAMP)
	$(RUN) -m medattn_lite.course.generate

book: course
	$(RUN) -m medattn_lite.course.book $(OUT) $(BOOK)

# Its times are those of the last course run here; without one, the course runs first.
teacher: $(STAMP)
	test -f $(OUT)/report.json || $(RUN) -m medattn_lite.cli course --scale $(SCALE) --jobs $(JOBS) --out $(OUT)
	$(RUN) -m medattn_lite.course.teacher $(OUT)/report.json $(PACK)

# Ten minutes of one GPU; the same command goes on where it stopped. LGG=DIR adds real patients.
gpu: $(STAMP)
	$(RUN) -m medattn_lite.cli gpu-check $(if $(LGG),--lgg "$(LGG)",)

# One thread: ratios of CPU time then mean something on a busy machine too. ONLY="rsa cox" measures these entries anew.
ONLY ?=
BENCH = OMP_NUM_THREADS=1 MKL_NUM_THREADS=1 $(RUN) -m medattn_lite.cli study benchmarks $(if $(ONLY),--only $(ONLY),)

bench: $(STAMP)
	$(BENCH)

bench-gpu: $(STAMP)
	$(BENCH) --device cuda

doctor: $(STAMP)
	$(RUN) -m medattn_lite.cli doctor

# Days of one GPU. Every run goes on where it was stopped, so the same command may be given again.
paper: $(STAMP)
	$(RUN) -m medattn_lite.cli study paper $(if $(LGG),--lgg "$(LGG)",) $(if $(MS),--ms "$(MS)",) \
	  $(if $(WEIGHTS),--weights "$(WEIGHTS)",)

# The stamp is written last, so that an interrupted set-up is taken up again.
$(STAMP): requirements.lock pyproject.toml
	@if [ -z "$(PYTHON)" ]; then \
	  echo "medattn_lite needs Python 3.11 or newer, and none was found." >&2; \
	  echo "Install one, or name it: make course PYTHON=/path/to/python3.12" >&2; exit 2; fi
	@"$(PYTHON)" -c 'import sys; v = sys.version_info; sys.exit(0 if v >= (3, 11) else \
	  "medattn_lite needs Python 3.11 or newer; this is %d.%d. Name another: make course PYTHON=..." % v[:2])'
	@test -x $(RUN) || "$(PYTHON)" -m venv $(VENV) || { \
	  echo "The virtual environment could not be made. On Debian and Ubuntu: apt install python3-venv" >&2; exit 2; }
	@echo "Installing the locked versions into $(VENV): once, a few minutes, about 2 GB."
	@if [ -n "$(TORCH_INDEX)" ] && ! $(RUN) -c 'import torch' 2>/dev/null; then \
	  $(RUN) -m pip install --disable-pip-version-check --no-deps --retries 1 --timeout 15 --index-url "$(TORCH_INDEX)" \
	    "$$(grep '^torch==' requirements.lock)" \
	  || echo "$(TORCH_INDEX) did not answer: torch comes from pip's own index" >&2; fi
	$(RUN) -m pip install --disable-pip-version-check -r requirements.lock
	$(RUN) -m pip install --disable-pip-version-check -q --no-deps -e .
	@touch $(STAMP)

clean:
	rm -rf runs/course runs/book .pytest_cache .ruff_cache .hypothesis
	find medattn_lite tests -name __pycache__ -type d -prune -exec rm -rf {} +
