"""Every option of a cache, its default and its limits, from arguments or from `SESSIONCACHE_*` variables.

The rule of this module: a setting exists here or it does not exist.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, SecretStr, field_validator

from sessioncache.errors import ConfigurationError

__all__ = ["NAMESPACE_PATTERN", "SHARDS_DEFAULT", "SHARDS_MAX", "Settings", "check_namespace", "misspelt_variables"]

NAMESPACE_PATTERN: Final = re.compile(r"[A-Za-z0-9._-]{1,64}")
SHARDS_DEFAULT: Final = 64
SHARDS_MAX: Final = 16_384
PREFIX: Final = "sessioncache_"


def check_namespace(namespace: str) -> str:
    """The namespace's name, if it is one.

    Raises:
        ConfigurationError: anything but 1 to 64 of letters, digits, `.`, `_` and `-`; the name is part of every key
            and of ACL patterns, so it takes no other characters.
    """
    if NAMESPACE_PATTERN.fullmatch(namespace) is None:
        raise ConfigurationError(
            f"namespace {namespace!r} is not usable: use 1 to 64 letters, digits, dots, underscores or hyphens"
        )
    return namespace


class Settings(BaseModel):
    """Options of one cache. Keyword arguments win over `SESSIONCACHE_*` environment variables."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True, validate_default=True)

    url: str = "redis://localhost:6379/0"
    """`redis://`, `rediss://` (TLS), `unix://`, `redis+sentinel://host,host/service`, `redis+cluster://host,host`;
    `valkey` may stand for `redis`."""

    namespace: str = "default"
    """The tenant whose sessions this cache sees."""

    shards: int = Field(default=SHARDS_DEFAULT, ge=1, le=SHARDS_MAX)
    """Shards of the namespace, 1 to 16384. The count is fixed when
    the namespace is created; a differing one is a ConfigurationError."""

    username: str | None = None
    """ACL user, where the URL does not carry it."""

    password: SecretStr | None = None
    """Password, where the URL does not carry it."""

    sentinel_username: str | None = None
    """ACL user at the Sentinels, where they have one of their own."""

    sentinel_password: SecretStr | None = None
    """Password at the Sentinels; they do not take the server's."""

    tls_ca_file: Path | None = None
    """Certificates of the authorities to trust; None means the system's."""

    tls_cert_file: Path | None = None
    """Client certificate, for servers that ask for one."""

    tls_key_file: Path | None = None
    """Key of the client certificate."""

    tls_check_hostname: bool = True
    """Whether the server's certificate must name the host that was dialled."""

    connect_timeout_ms: int = Field(default=2_000, ge=1)
    """Longest wait for a connection, handshake included."""

    command_timeout_ms: int = Field(default=2_000, ge=1)
    """Longest wait for one answer; after it the outcome of that attempt is unknown and the call is sent again."""

    call_timeout_ms: int = Field(default=15_000, ge=1)
    """Longest time that a call, with all its attempts, goes on trying."""

    retry_wait_max_ms: int = Field(default=1_000, ge=1)
    """Longest pause between two attempts; pauses grow exponentially with jitter from 10 ms."""

    transport: Literal["auto", "multiplex", "redis-py"] = "auto"
    """`multiplex` lets all tasks of an async cache share one connection a server, which carries their calls together;
    `redis-py` gives each call a connection from a pool. `auto` is `multiplex`, unless `durability="replicated"`, which
    needs the pool. Sync caches, and caches over a client of one's own, have redis-py in any case."""

    connections_max: int = Field(default=64, ge=1)
    """Most connections to one server in a pool; further calls wait for a free one. Where tasks share one connection,
    only waiting for the feed takes others."""

    durability: Literal["primary", "replicated"] = "primary"
    """`replicated` waits in the same round trip until `replicas_min` replicas have the write, and raises
    NotReplicated if they do not confirm in time. Asynchronous replication can lose acknowledged writes otherwise."""

    replicas_min: int = Field(default=1, ge=1)
    """Replicas that must confirm under `durability="replicated"`."""

    replication_timeout_ms: int = Field(default=500, ge=1)
    """Longest wait for those replicas."""

    near_cache_bytes: int = Field(default=0, ge=0)
    """Room in this process for records and newest messages that were read, given out again until the server tells that
    they have changed; 0: none. Async caches on the shared connection only. Reads may be stale for up to
    `near_cache_stale_ms`; writes of the same cache are seen at once."""

    near_cache_stale_ms: int = Field(default=1_000, ge=1)
    """Longest time since the server was known to have told all changes, for a read to be answered from that room."""

    entry_bytes_max: int = Field(default=1_048_576, ge=1)
    """Largest encoded message, or value of a metadata key, in bytes."""

    encryption_keys: SecretStr | None = None
    """Keys that encrypt payloads with AES-GCM: `name:base64`, by commas. The first one writes, all of them read. Needs
    the extra `encryption`."""

    archive_url: str | None = None
    """Where workers write expiring sessions before they are removed: a folder, or a bucket's URL such as
    `s3://bucket/folder`, as fsspec reads them; None: nowhere. Needs the extra `archive`."""

    summariser: str | None = None
    """Name of the entry point, in the group `sessioncache.summarisers`, that workers have long transcripts summarised
    by, where the policy has `summarise_messages`; None: by none."""

    summariser_timeout_ms: int = Field(default=20_000, ge=1)
    """Longest time that a summariser may take for one session."""

    client_name: str = "sessioncache"
    """Shown by CLIENT LIST on the server."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**(_from_environment() | options))

    @field_validator("namespace")
    @classmethod
    def _namespace(cls, value: str) -> str:
        return check_namespace(value)


def _from_environment() -> dict[str, str]:
    """The settings that the environment gives, in any case of letters.

    Read here, for pydantic-settings takes longer to import than all of this library.
    """
    given = {name.lower(): value for name, value in os.environ.items()}
    return {name: given[PREFIX + name] for name in Settings.model_fields if PREFIX + name in given}


def misspelt_variables(others: Iterable[str] = ()) -> list[str]:
    """A sentence for each `SESSIONCACHE_*` variable that no one reads, but whose name is nearly that of a setting.

    Args:
        others: further names that are read, in small letters and without the prefix.
    """
    from difflib import get_close_matches  # noqa: PLC0415 - for those who look at their settings only

    names = {*Settings.model_fields, *others}
    given = {name.lower().removeprefix(PREFIX) for name in os.environ if name.lower().startswith(PREFIX)}
    near = {name: get_close_matches(name, names, n=1, cutoff=0.85) for name in sorted(given - names)}
    return [
        f"{_variable(name)} is no setting and changes nothing; did you mean {_variable(meant)}?"
        for name, found in near.items()
        for meant in found
    ]


def _variable(name: str) -> str:
    return f"{PREFIX}{name}".upper()
