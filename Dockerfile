# syntax=docker/dockerfile:1
# Three stages: the wheel, an environment that holds it and its locked requirements, and the image that has only that.
# `docker run --rm hlfast demo` is its smoke test.

FROM rust:1.89-slim-bookworm AS wheel
RUN apt-get update \
    && apt-get install -y --no-install-recommends gcc libc6-dev python3 python3-venv \
    && rm -rf /var/lib/apt/lists/*
WORKDIR /source
COPY requirements/dev.txt requirements/dev.txt
# The build back end comes from the lock file like everything else, checked by hash.
RUN python3 -m venv /build \
    && /build/bin/pip install --no-cache-dir --disable-pip-version-check --require-hashes --only-binary :all: -r requirements/dev.txt
COPY Cargo.toml Cargo.lock pyproject.toml README.md LICENSE ./
COPY rust rust
COPY python python
RUN /build/bin/maturin build --release --locked --out /dist

FROM python:3.11-slim-bookworm AS environment
COPY requirements/run.txt /tmp/run.txt
COPY --from=wheel /dist /dist
RUN python -m venv /opt/hlfast \
    && /opt/hlfast/bin/pip install --no-cache-dir --disable-pip-version-check --require-hashes --only-binary :all: -r /tmp/run.txt \
    && /opt/hlfast/bin/pip install --no-cache-dir --disable-pip-version-check --no-deps --no-index /dist/*.whl \
    && /opt/hlfast/bin/pip check \
    && /opt/hlfast/bin/pip uninstall --yes pip setuptools

FROM python:3.11-slim-bookworm
LABEL org.opencontainers.image.title="hlfast" \
      org.opencontainers.image.description="Copies any Hyperliquid trader into any number of accounts" \
      org.opencontainers.image.licenses="MIT"
# A fixed id, so that a mounted journal or key directory can be given to it.
RUN groupadd --gid 10001 hlfast \
    && useradd --uid 10001 --gid 10001 --no-create-home --home-dir /var/lib/hlfast --shell /usr/sbin/nologin hlfast \
    && install --directory --owner=10001 --group=10001 --mode=0700 /var/lib/hlfast
COPY --from=environment /opt/hlfast /opt/hlfast
ENV PATH=/opt/hlfast/bin:$PATH \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1
USER 10001:10001
WORKDIR /var/lib/hlfast
VOLUME /var/lib/hlfast
EXPOSE 9464
# No shell: the interpreter asks the service itself.
HEALTHCHECK --interval=15s --timeout=3s --start-period=20s --retries=3 \
    CMD ["python", "-c", "import urllib.request as u; u.urlopen('http://127.0.0.1:9464/health', timeout=2).read()"]
ENTRYPOINT ["hlfast"]
CMD ["--help"]
