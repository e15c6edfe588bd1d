# Weir in one image: built on Swift's Debian image, run on a slim one with the libraries it links.
FROM swift:6.3-bookworm AS build
RUN apt-get update \
 && DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends \
      g++ libsimdjson-dev librdkafka-dev librocksdb-dev libpq-dev libcurl4-openssl-dev zlib1g-dev libzstd-dev tzdata \
 && rm -rf /var/lib/apt/lists/*
WORKDIR /src
COPY Package.swift ./
COPY Sources Sources
COPY Tests Tests
COPY scripts/build scripts/build
RUN install -D "$(scripts/build)" /out/weir

FROM swift:6.3-bookworm-slim
RUN apt-get update \
 && DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends \
      ca-certificates libcurl4 libpq5 libxml2 libsimdjson14 librdkafka1 libsnappy1v5 libbz2-1.0 liblz4-1 zlib1g libzstd1 tzdata \
 && rm -rf /var/lib/apt/lists/* \
 && useradd --system --create-home --home-dir /var/lib/weir weir
COPY --from=build /out/weir /usr/local/bin/weir
COPY --chown=weir topologies /var/lib/weir/topologies
USER weir
WORKDIR /var/lib/weir
ENTRYPOINT ["weir"]
CMD ["--help"]
