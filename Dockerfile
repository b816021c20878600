# The tap alone, from its wheel: no root, no shell needed, and nothing is written outside /spool.
#
#   uv build --wheel --clear
#   docker build --tag tap-pigment .
#
# docs/installation.md shows how to run the image, and how to pin the base by its digest.
ARG BASE=python:3.13.16-slim-trixie

FROM ${BASE} AS build
WORKDIR /build
RUN python -m venv uv && uv/bin/pip install --no-cache-dir uv==0.13.9 && mkdir spool
COPY pyproject.toml uv.lock ./
COPY dist/*.whl dist/
# The dependencies are those of uv.lock, checked by their hashes. The root file system is read-only later, so Python
# compiles its modules here.
RUN uv/bin/uv export --quiet --frozen --no-dev --no-emit-project --extra gcs --extra s3 --output-file requirements.txt \
    && python -m venv --without-pip /opt/tap-pigment \
    && uv/bin/uv pip install --python /opt/tap-pigment --compile-bytecode --require-hashes -r requirements.txt \
    && uv/bin/uv pip install --python /opt/tap-pigment --compile-bytecode --no-deps dist/*.whl

FROM ${BASE}
COPY --from=build /opt/tap-pigment /opt/tap-pigment
COPY --from=build --chown=10001:10001 /build/spool /spool
# The default of `spool_dir` is the system directory for temporary files, which TMPDIR names.
ENV PATH="/opt/tap-pigment/bin:$PATH" TMPDIR=/spool
USER 10001:10001
VOLUME ["/spool"]
ENTRYPOINT ["tap-pigment"]
