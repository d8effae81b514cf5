# Two commands do everything on a fresh machine: `make demo` and `make test`.
PYTHON ?= python3
PY := .venv/bin/python
PIP := $(PY) -m pip install --quiet --disable-pip-version-check
# Where no GPU is, a pinned release keeps the install small; with one, the newest build that drives it.
TORCH ?= $(shell command -v nvidia-smi >/dev/null 2>&1 && echo 'torch>=2.6' || echo 'torch==2.13.0')
# Extra arguments of that one install, e.g. TORCH_ARGS='--index-url URL' for another index of CPU builds.
TORCH_ARGS ?=
EXTRAS ?= dev,eval,serve,train,agent
# More words for pytest, e.g. PYTEST_ARGS=--no-skips.
PYTEST_ARGS ?=
PYTEST := OMP_NUM_THREADS=1 $(PY) -m pytest -q $(PYTEST_ARGS)

.PHONY: setup demo check test test-agent test-triton test-playground test-tutorial test-clients test-slow parity bench gpu-check gpu-wheels docs real-files fresh clean

setup: .venv/.ready .venv/.system

.venv/.ready: pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "setup: $$($(PYTHON) --version) is too old; \
	Viewfinder needs Python 3.11 or newer: make PYTHON=python3.11" >&2; exit 2; }
	$(PYTHON) -m venv .venv
	$(PIP) '$(TORCH)' $(TORCH_ARGS)
	$(PIP) -e '.[$(EXTRAS)]'
	$(PIP) --no-deps miniwob==1.1.0  # its pages are tested; what it asks for (selenium, gymnasium) is not used
	touch $@

# Programs that pip cannot bring: a browser, an X display, Tk, a C compiler.
.venv/.system: tools/system_packages.sh | .venv/.ready
	tools/system_packages.sh $(PY)
	touch $@

demo: setup
	$(PY) runs/demo.py

check: setup
	.venv/bin/ruff format --check .
	.venv/bin/ruff check .
	.venv/bin/lint-imports
	.venv/bin/pyright

test: setup
	$(PYTEST) -n 2

# Clients of other projects, each in an environment of its own below out/clients; needs a package index.
test-clients: setup
	$(PY) tools/test_clients.py --docs

# Triton's kernel in its interpreter and its compiler, without a GPU: about two minutes of one core, 700 MB in out/triton.
test-triton: setup
	$(PIP) --no-deps --upgrade --target out/triton triton==3.7.1
	TRITON_INTERPRET=1 PYTHONPATH=out/triton $(PYTEST) tests/model/test_paged_decode.py

# The page in a real browser; VIEWFINDER_SHOTS=FOLDER keeps pictures of each step.
test-playground: setup
	$(PYTEST) --no-skips -m 'slow or not slow' tests/serve/test_playground.py tests/serve/test_playground_work.py tests/serve/test_playground_live.py

# The commands of docs/tutorials/own-data.md as they stand there, from drawn pictures to the answer of the server.
test-tutorial: setup
	$(PYTEST) --no-skips -m slow tests/cli/test_tutorial.py

# The agent on real screens, all worlds: half an hour.
test-agent: setup
	$(PYTEST) --no-skips -m 'slow or not slow' tests/agent

test-slow: setup
	$(PYTEST) -m slow

parity: setup
	$(PIP) -e '.[parity]'
	$(PIP) --no-deps lmms-eval==0.7.3
	$(PYTEST) -m parity

# On a GPU: what it is, whether all paths are right, how fast; out/gpu/gpu.md.
gpu-check: setup
	$(PY) bench/gpu.py

# The wheels that a machine with torch for CUDA lacks, for one without a network.
gpu-wheels: setup
	$(PY) bench/gpu.py --fetch-wheels out/wheels

bench: setup
	$(PIP) -e '.[parity]'
	$(PY) bench/run_all.py

# The documentation site, in out/site.
docs: setup
	$(PIP) -e '.[docs]'
	NO_MKDOCS_2_WARNING=1 .venv/bin/mkdocs build --quiet
	@echo "out/site/index.html"

# Some 8,000 real files of pinned public packages beside Pillow, poppler and FFmpeg: half an hour, 3 GB in CACHE.
CACHE ?= out/real-files
real-files: setup
	which pdftotext >/dev/null || (apt-get update && apt-get install -y poppler-utils)
	$(PY) bench/real_files.py --cache $(CACHE)

# The README's commands on a bare Debian 12 made for the purpose (root; minutes).
fresh:
	tools/fresh_machine.sh

clean:
	rm -rf .venv out build *.egg-info
