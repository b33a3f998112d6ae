"""Every option of a worker process, from `SESSIONCACHE_*` and `SESSIONCACHE_WORKER_*` variables.

The rule of this module: a setting exists here, or in `sessioncache.settings`, or it does not exist.
"""

from __future__ import annotations

from typing import Annotated, Any, Final, Literal

from pydantic import AliasChoices, Field, ValidationError, field_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from sessioncache.errors import ConfigurationError
from sessioncache.settings import Settings, check_namespace

__all__ = ["WorkerSettings", "cache_settings", "load_settings"]

JOB_TIMEOUT_S_MAX: Final = 60


class WorkerSettings(BaseSettings):
    """Options of one worker process. Where its Redis is, and as whom it connects, say the settings of the cache."""

    model_config = SettingsConfigDict(
        env_prefix="SESSIONCACHE_WORKER_", extra="forbid", frozen=True, hide_input_in_errors=True, populate_by_name=True
    )

    namespaces: Annotated[tuple[str, ...], NoDecode] = Field(
        default=("default",),
        min_length=1,
        validation_alias=AliasChoices("SESSIONCACHE_NAMESPACES", "SESSIONCACHE_NAMESPACE"),
    )
    """The tenants to look after: SESSIONCACHE_NAMESPACES, separated by commas, or SESSIONCACHE_NAMESPACE."""

    queue_url: str | None = Field(default=None, validation_alias="SESSIONCACHE_QUEUE_URL")
    """Redis of the queue; None: that of the sessions."""

    queue_name: str | None = None
    """None: named after the namespaces, so that workers for the same ones share it and no others do."""

    host: str = "127.0.0.1"
    """Where /livez, /readyz and /metrics are served; 0.0.0.0 in a container."""

    port: int = Field(default=9464, ge=0, le=65_535)
    """Their port; 0 takes a free one and logs it."""

    max_jobs: int = Field(default=4, ge=1, le=64)
    """Most shard jobs at a time in this process."""

    job_timeout_s: int = Field(default=JOB_TIMEOUT_S_MAX, ge=1, le=JOB_TIMEOUT_S_MAX)
    """Longest run of one job. After a crash its jobs are taken up again 10 s later than this."""

    max_tries: int = Field(default=3, ge=1, le=20)
    """How often a job is tried whose server was away, or whose worker died."""

    poll_delay_ms: int = Field(default=500, ge=10, le=10_000)
    """Pause between two looks at the queue."""

    lease_ttl_ms: int = Field(default=30_000, ge=100, le=600_000)
    """How long a shard stays claimed by a worker that died."""

    grace_period_s: float = Field(default=30.0, gt=0)
    """Time from SIGTERM to SIGKILL (`terminationGracePeriodSeconds`): jobs under way may end in the most of it."""

    tick_every_s: int = Field(default=5, ge=1, le=60)
    """How often to look which shards have something to do: a divisor of 60, as the queue's schedule knows seconds."""

    prune_every_s: int = Field(default=300, ge=1)
    """How often each shard's transcripts are trimmed."""

    reconcile_every_s: int = Field(default=3_600, ge=1)
    """How often each shard's lists and totals are compared with its records."""

    compact_every_s: int = Field(default=300, ge=1)
    """How often each shard's messages that are seldom needed are compressed."""

    expire_limit: int = Field(default=20_000, ge=1)
    """Most sessions that one sweep of a shard removes; the next tick goes on."""

    examine_limit: int = Field(default=1_000_000, ge=1)
    """Most sessions of a shard that one run of prune or reconcile looks at."""

    compact_limit: int = Field(default=20_000, ge=1)
    """Most sessions of a shard that one run of compact looks at; the next goes on."""

    gauges_every_s: float = Field(default=15.0, gt=0)
    """How often the gauges of namespaces are refreshed."""

    log_level: Literal["debug", "info", "warning", "error"] = "info"
    """Least severe line that is logged."""

    @field_validator("namespaces", mode="before")
    @classmethod
    def _split(cls, value: object) -> object:
        return tuple(part.strip() for part in value.split(",") if part.strip()) if isinstance(value, str) else value

    @field_validator("namespaces")
    @classmethod
    def _check(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(sorted({check_namespace(namespace) for namespace in value}))

    @field_validator("tick_every_s")
    @classmethod
    def _divides(cls, value: int) -> int:
        if 60 % value:
            raise ValueError(f"{value} does not divide 60; use 1, 2, 3, 4, 5, 6, 10, 12, 15, 20, 30 or 60")
        return value

    @property
    def drain_s(self) -> float:
        """How long jobs may go on after SIGTERM: the grace period, but for 10 s, or half of it, to close up in."""
        return max(self.grace_period_s - 10.0, self.grace_period_s / 2)


def load_settings(**options: Any) -> WorkerSettings:
    """The worker's settings: arguments first, then variables, then defaults.

    Raises:
        ConfigurationError: a value that cannot work; the message names the variable and the reason.
    """
    try:
        return WorkerSettings(**options)
    except ValidationError as error:
        raise ConfigurationError(_problems(error, "SESSIONCACHE_WORKER_")) from error


def cache_settings(**options: Any) -> Settings:
    """The cache's settings, likewise."""
    try:
        return Settings(**options)
    except ValidationError as error:
        raise ConfigurationError(_problems(error, "SESSIONCACHE_")) from error


def _problems(error: ValidationError, prefix: str) -> str:
    found = []
    for item in error.errors(include_url=False, include_input=False):
        name = str(item["loc"][0]) if item["loc"] else ""
        variable = name if name.startswith("SESSIONCACHE_") else f"{prefix}{name.upper()}"
        found.append(f"{variable}: {item['msg']}")
    return "settings cannot work: " + "; ".join(found)
