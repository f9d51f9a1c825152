# syntax=docker/dockerfile:1
# Needs BuildKit (the default builder) for its cache mounts.

FROM rust:1.95-bookworm AS build
WORKDIR /src
COPY . .
# The repository itself stays outside: its revision is told.
ARG REVISION=unknown
ENV MLP_REVISION=${REVISION}
# The registry and the compiled dependencies stay in cache mounts: after a change of the source only
# this crate is compiled again. No stub files, so that any layout of the crate builds.
RUN --mount=type=cache,target=/usr/local/cargo/registry \
    --mount=type=cache,target=/src/target \
    cargo build --release --locked --bin match-list-processor \
    && install -D -m 0755 target/release/match-list-processor /out/match-list-processor \
    && install -d -m 0750 /out/data

# glibc, libgcc, CA certificates and time zones, and nothing else: no shell, no package manager.
FROM gcr.io/distroless/cc-debian12:nonroot
ARG VERSION=0.1.0
ARG REVISION=unknown
ARG CREATED=1970-01-01T00:00:00Z
LABEL org.opencontainers.image.title="match-list-processor" \
      org.opencontainers.image.description="Watches a football match list, records every change durably and makes what the referee team needs" \
      org.opencontainers.image.licenses="MIT" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}" \
      org.opencontainers.image.created="${CREATED}"

COPY --from=build /out/match-list-processor /usr/local/bin/match-list-processor
# A named volume takes its owner from here. A bind mount must belong to 65532 already.
COPY --from=build --chown=65532:65532 /out/data /data

ENV PROCESSOR_MODE=event-driven \
    DATA_FOLDER=/data
# A number, so that an orchestrator can tell that it is not root.
USER 65532:65532
VOLUME ["/data"]
# 8000 is the public server. Administration listens on 127.0.0.1:8001 inside the container and is
# not exposed: set ADMIN_LISTEN together with ADMIN_TOKEN to open it.
EXPOSE 8000
STOPSIGNAL SIGTERM
# Asks /health/simple on the configured PORT.
HEALTHCHECK --interval=15s --timeout=5s --start-period=20s --retries=3 \
    CMD ["match-list-processor", "healthcheck"]
ENTRYPOINT ["match-list-processor"]
