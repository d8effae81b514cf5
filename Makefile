# Two commands do everything on a fresh machine: `make demo` and `make test`.
PYTHON ?= python3
PY := .venv/bin/python
# Where no GPU is, a pinned release keeps the install small; with one, the newest build that drives it.
TORCH ?= $(shell command -v nvidia-smi >/dev/null 2>&1 && echo 'torch>=2.6' || echo 'torch==2.13.0')
# Extra arguments of that one install, e.g. TORCH_ARGS='--index-url URL' for another index of CPU builds.
TORCH_ARGS ?=
EXTRAS ?= dev,eval,serve,train,agent

.PHONY: setup demo check test test-agent test-playground test-slow parity bench clean

setup: .venv/.ready

.venv/.ready: pyproject.toml
	$(PYTHON) -m venv .venv
	$(PY) -m pip install --quiet --disable-pip-version-check '$(TORCH)' $(TORCH_ARGS)
	$(PY) -m pip install --quiet --disable-pip-version-check -e '.[$(EXTRAS)]'
	touch $@

demo: setup
	$(PY) runs/demo.py

check: setup
	.venv/bin/ruff format --check .
	.venv/bin/ruff check .
	.venv/bin/lint-imports
	.venv/bin/pyright

test: setup
	OMP_NUM_THREADS=1 $(PY) -m pytest -q -n 2

# The page in a real browser; VIEWFINDER_SHOTS=FOLDER keeps pictures of each step.
test-playground: setup
	which chromium >/dev/null || (apt-get update && apt-get install -y chromium)
	VIEWFINDER_SCREENS=required OMP_NUM_THREADS=1 $(PY) -m pytest -q tests/serve/test_playground.py

# The agent on real screens: Chromium, an X display, Tk, MiniWoB++ (whose own requirements are not needed for its pages).
test-agent: setup
	(which chromium && which Xvfb && which xdotool) >/dev/null || (apt-get update && apt-get install -y chromium xvfb xdotool python3-tk)
	$(PY) -m pip install --quiet --disable-pip-version-check -e '.[agent]'
	$(PY) -m pip install --quiet --disable-pip-version-check --no-deps miniwob==1.1.0
	VIEWFINDER_SCREENS=required OMP_NUM_THREADS=1 $(PY) -m pytest -q -m 'slow or not slow' tests/agent

test-slow: setup
	$(PY) -m pytest -q -m slow

parity: setup
	$(PY) -m pip install --quiet --disable-pip-version-check -e '.[parity]'
	$(PY) -m pip install --quiet --disable-pip-version-check --no-deps lmms-eval==0.7.3
	$(PY) -m pytest -q -m parity

bench: setup
	$(PY) -m pip install --quiet --disable-pip-version-check -e '.[parity]'
	$(PY) bench/run_all.py

clean:
	rm -rf .venv out build *.egg-info
