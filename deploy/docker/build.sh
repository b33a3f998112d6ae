#!/bin/sh
# Builds the image: deploy/docker/build.sh [ARGUMENT OF THE ENGINE…]
#
#   ENGINE=podman        instead of docker
#   IMAGE=registry/name  instead of sessioncache
#   PYTHON_DIGEST=…      sha256:… of the base image; a release sets it
set -eu

cd "$(dirname "$0")/../.."
version=$(sed -n 's/^version = "\(.*\)"$/\1/p' pyproject.toml | head -n 1)

engine=${ENGINE:-docker}
# Podman's own format has no place for HEALTHCHECK.
case $engine in *podman) set -- --format docker "$@" ;; esac

exec "$engine" build \
    --file deploy/docker/Dockerfile \
    --tag "${IMAGE:-sessioncache}:$version" \
    --build-arg "VERSION=$version" \
    --build-arg "REVISION=$(git rev-parse HEAD 2>/dev/null || echo unknown)" \
    --build-arg "CREATED=$(date -u +%Y-%m-%dT%H:%M:%SZ)" \
    --build-arg "PYTHON_DIGEST=${PYTHON_DIGEST:-}" \
    "$@" .
