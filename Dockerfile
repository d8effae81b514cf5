# The server with the built-in model: docker build -t viewfinder . && docker run -p 8000:8000 -e KEY=secret viewfinder
# A tag moves: whoever needs the same image again gives its digest, --build-arg PYTHON=python@sha256:...
ARG PYTHON=python:3.11-slim
FROM ${PYTHON}

# CPU build of torch, and all packages with the hashes of the lock. For a GPU, another torch is put in its place:
# --build-arg TORCH_INDEX=https://download.pytorch.org/whl/cu128
ARG TORCH_INDEX=
WORKDIR /app
COPY pyproject.toml README.md LICENSE requirements.lock ./
RUN pip install --no-cache-dir --require-hashes -r requirements.lock --extra-index-url https://download.pytorch.org/whl/cpu \
    && if [ -n "${TORCH_INDEX}" ]; then pip install --no-cache-dir --force-reinstall torch --index-url "${TORCH_INDEX}"; fi
COPY viewfinder ./viewfinder
# A server offers no kinds of generated data, so neither their libraries nor Chromium and fonts are here: samples are made
# where models are trained (`make setup`). pyarrow writes the answers that people correct in the playground.
RUN pip install --no-cache-dir --no-deps --no-build-isolation . && useradd --create-home viewfinder
USER viewfinder
WORKDIR /home/viewfinder
# so that volumes mounted here belong to this user
RUN mkdir -p samples .cache/huggingface
EXPOSE 8000
HEALTHCHECK --interval=15s --timeout=5s --start-period=60s \
    CMD python -c "import urllib.request as u; u.urlopen('http://127.0.0.1:8000/ready', timeout=4)"
# A key is needed, since the container listens to others; MODEL is a name, a mounted directory or a hub id.
ENV MODEL=tiny
# The key stays in the environment, out of the list of processes. ALLOWED_HOST is the name that clients use, if any.
CMD ["sh", "-c", "VIEWFINDER_API_KEYS=\"${KEY:?set KEY}\" exec viewfinder serve --model \"$MODEL\" --host 0.0.0.0 --samples samples ${ALLOWED_HOST:+--allowed-host \"$ALLOWED_HOST\"}"]
