# Needs Python 3.10 or later as $(PYTHON). Everything lands in $(VENV) (and .venv-tf1, .venv-tf16
# for the tests on old TensorFlow, where there is a Python 3.6).

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet
# The CUDA build of TensorFlow where there is an NVIDIA GPU, the CPU build elsewhere.
FLAVOUR := $(shell command -v nvidia-smi >/dev/null 2>&1 && nvidia-smi >/dev/null 2>&1 \
	&& echo tensorflow-cuda || echo tensorflow)
# The first Python 3.6 that answers: a name on the PATH may be a shim for one that is not there.
PYTHON36 ?= $(shell for python in python3.6 "$(HOME)"/.pyenv/versions/3.6.*/bin/python; do \
	"$$python" -c 'import sys; sys.exit(sys.version_info[:2] != (3, 6))' >/dev/null 2>&1 \
	&& echo "$$python" && break; done)

# The Pythons that constraints.txt is for: the oldest, and the first that gets newer releases.
PYTHONS ?= python3.10 python3.11

# Hundreds of tests start a program: what Python compiles is kept, wherever this says otherwise.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: help install demo test test-fast test-capped soak docs check format bench constraints build clean

help:
	@echo "make install   .venv with convdiff and TensorFlow"
	@echo "make demo      one case that holds, one sweep and one net that drift"
	@echo "make test      all tests, with what they need; of each soak a part"
	@echo "make test-fast what needs no framework, in .venv-fast: half a minute"
	@echo "make test-capped   a minute of them as on an older CPU: without AVX-512"
	@echo "make soak      the soaks, whole: an hour or so"
	@echo "make docs      what README.md and docs/ say is printed, written anew, and the picture"
	@echo "make check     ruff, mypy --strict, and how complex the code may be"
	@echo "make coverage  which lines and branches of the parent process are reached; no gate"
	@echo "make format    what make check asks of the layout, done"
	@echo "make bench     how fast it is, as ratios"
	@echo "make build     the wheel and the source archive, in dist/"
	@echo "make constraints   constraints.txt, anew: what pip chooses today for '$(PYTHONS)'"

$(BIN)/python:
	@$(PYTHON) -m venv $(VENV)

$(VENV)/.installed: pyproject.toml constraints.txt | $(BIN)/python
	@echo "Installing convdiff and TensorFlow ($(FLAVOUR)) into $(VENV); this takes a minute …"
	@$(PIP) install --constraint constraints.txt --editable '.[$(FLAVOUR)]'
	@touch $@

$(VENV)/.installed-test: $(VENV)/.installed
	@$(PIP) install --constraint constraints.txt --editable '.[$(FLAVOUR),test]'
	@touch $@

$(VENV)/.installed-check: pyproject.toml constraints.txt | $(BIN)/python
	@$(PIP) install --constraint constraints.txt --editable '.[check]'
	@touch $@

$(VENV)/.installed-coverage: $(VENV)/.installed-test
	@$(PIP) install --constraint constraints.txt --editable '.[$(FLAVOUR),test,coverage]'
	@touch $@

# Old TensorFlows, each in its own environment on Python 3.6. Without one, the tests on them skip.
OLD := $(if $(PYTHON36),.venv-tf1/.installed .venv-tf16/.installed)

.venv-tf1/.installed: TF := 1.0.0
.venv-tf16/.installed: TF := 1.6.0
.venv-tf1/.installed .venv-tf16/.installed: requirements-old-tensorflow.txt
	@echo "Installing TensorFlow $(TF) for $(PYTHON36) into $(@D) …"
	@$(PYTHON36) -m venv $(@D)
	@$(@D)/bin/python -m pip --disable-pip-version-check --quiet install -r $<
	@$(@D)/bin/python -m pip --disable-pip-version-check --quiet install --no-deps tensorflow==$(TF)
	@touch $@

install: $(VENV)/.installed
	@echo "Done. Try: $(BIN)/convdiff run"

demo: $(VENV)/.installed
	@BIN=$(BIN) sh cases/demo.sh

# One more than there are cores: some tests wait.
PROCESSES ?= $(shell expr $$(getconf _NPROCESSORS_ONLN) + 1)

test: $(VENV)/.installed-test $(OLD)
	$(BIN)/python -m pytest -q -n $(PROCESSES) --dist loadfile --no-loadscope-reorder

# In an environment of its own, which has no framework: that these tests need none is seen each time.
.venv-fast/.installed: pyproject.toml constraints.txt
	@$(PYTHON) -m venv .venv-fast
	@.venv-fast/bin/python -m pip --disable-pip-version-check --quiet install \
		--constraint constraints.txt --editable '.[test-fast]'
	@touch $@

test-fast: .venv-fast/.installed
	.venv-fast/bin/python -m pytest -q -n auto --dist loadfile -m "not framework and not slow and not soak"

# What a library may choose from: the kernels of another machine, where this one has AVX-512.
CAPS := ONEDNN_MAX_CPU_ISA=AVX2 MKL_CBWR=AVX2 ATEN_CPU_CAPABILITY=avx2 \
	XLA_FLAGS=--xla_cpu_max_isa=AVX2

test-capped: $(VENV)/.installed-test
	CONVDIFF_SOAK=1 $(CAPS) $(BIN)/python -m pytest -q -n auto --dist loadfile tests/test_origin.py \
		tests/order/test_orders_of_tensorflow.py tests/frameworks/test_tickets.py \
		-k "todays or replayed or origin_has or 134908 or 116369 or 27795 or 18946"

soak: $(VENV)/.installed-test $(OLD)
	CONVDIFF_SOAK=1 $(BIN)/python -m pytest -q -n auto -m soak

docs: $(VENV)/.installed-test $(OLD)
	$(BIN)/python docs/blocks.py
	$(BIN)/python docs/picture.py

check: $(VENV)/.installed-check
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/python tools/complexity.py

format: $(VENV)/.installed-check
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

# The tests that need no framework, and two runs that do.
.PHONY: coverage
coverage: $(VENV)/.installed-coverage
	$(BIN)/coverage erase
	-$(BIN)/coverage run -m pytest -q -n auto --dist loadfile -m "not framework and not slow and not soak"
	-$(BIN)/coverage run -m convdiff sweep cases/variable_padding.yaml --lengths 7..20 >/dev/null
	-$(BIN)/coverage run -m convdiff run cases/single_output.yaml \
		--vary TF_ENABLE_ONEDNN_OPTS=1,0 >/dev/null
	$(BIN)/coverage combine --quiet
	$(BIN)/coverage report

bench: $(VENV)/.installed-test
	$(BIN)/python bench/bench.py

build: | $(BIN)/python
	@$(PIP) install 'hatchling>=1.27'
	rm -rf dist
	$(BIN)/hatchling build

# Resolves, installs nothing; PYTHONS="python3.10 python3.12" takes others.
constraints:
	$(PYTHON) tools/constraints.py $(PYTHONS)

clean:
	rm -rf $(VENV) .venv-fast .venv-tf1 .venv-tf16 build dist
