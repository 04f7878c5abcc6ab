# syntax=docker/dockerfile:1
# retouch in a container: `docker build -t retouch .`, then `docker run --rm retouch --help`.
# The final stage holds Python, the locked dependencies and the program; no compiler, no uv, no source tree, no key.

FROM python:3.13-slim AS build
# The uv that wrote uv.lock; wheels only, so that nothing is compiled on any architecture.
RUN pip install --no-cache-dir --disable-pip-version-check uv==0.13.9
ENV UV_PROJECT_ENVIRONMENT=/opt/retouch \
    UV_PYTHON_DOWNLOADS=never \
    UV_COMPILE_BYTECODE=1 \
    UV_LINK_MODE=copy
WORKDIR /src
# Dependencies have a layer of their own: they rarely change, and take nearly all of the time.
COPY pyproject.toml uv.lock ./
RUN --mount=type=cache,target=/root/.cache/uv \
    uv sync --frozen --no-dev --no-install-project --no-build
COPY LICENSE README.md ./
COPY pipeline ./pipeline
COPY workers ./workers
COPY jobs ./jobs
RUN --mount=type=cache,target=/root/.cache/uv \
    uv sync --frozen --no-dev --no-editable

FROM python:3.13-slim
LABEL org.opencontainers.image.title="retouch" \
      org.opencontainers.image.description="Edit ten thousand pictures with an image model: nothing lost, nothing paid for twice." \
      org.opencontainers.image.source="https://github.com/retouch-batch/retouch" \
      org.opencontainers.image.documentation="https://github.com/retouch-batch/retouch#readme" \
      org.opencontainers.image.licenses="MIT"
# A fixed user id, so that folders of the host can be made writable for it: `chown 10001 jobs`.
RUN groupadd --gid 10001 retouch \
 && useradd --uid 10001 --gid retouch --home-dir /data --no-create-home --shell /usr/sbin/nologin retouch \
 && install -d -o retouch -g retouch /data /data/jobs
COPY --from=build /opt/retouch /opt/retouch
# Nothing is written outside /data and /tmp, so the root file system may be read-only. Workers and schedulers serve
# /metrics and /healthz on the port, for Prometheus and for the health check below.
ENV PATH=/opt/retouch/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    HOME=/tmp \
    RETOUCH_STORE=/data/jobs \
    RETOUCH_METRICS_PORT=9464 \
    RETOUCH_METRICS_HOST=0.0.0.0
USER 10001:10001
WORKDIR /data
VOLUME /data
EXPOSE 9464
# After SIGTERM, calls in flight finish: allow time for that (`docker stop --time 345`, or less with a lower
# RETOUCH_GRACE_SECONDS).
STOPSIGNAL SIGTERM
# Whether a worker or scheduler makes progress, not just whether its process is alive; other commands have no check.
HEALTHCHECK --interval=30s --timeout=10s --start-period=30s --retries=3 CMD ["retouch", "probe"]
ENTRYPOINT ["retouch"]
CMD ["worker"]
