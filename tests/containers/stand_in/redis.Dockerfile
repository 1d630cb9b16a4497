# Stands in for the public image of Redis where there is no image registry.
ARG BASE_IMAGE
FROM ${BASE_IMAGE}
RUN groupadd --gid 999 redis && useradd --uid 999 --gid 999 redis \
    && apt-get update && apt-get install -y -qq --no-install-recommends redis-server && rm -rf /var/lib/apt/lists/* \
    && install -d -o 999 -g 999 /data
COPY --chmod=0755 redis.sh /usr/local/bin/docker-entrypoint.sh
WORKDIR /data
ENTRYPOINT ["docker-entrypoint.sh"]
