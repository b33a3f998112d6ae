"""Every option of a worker process, from `SESSIONCACHE_*` and `SESSIONCACHE_WORKER_*` variables.

The rule of this module: a setting exists here, or in `sessioncache.settings`, or it does not exist.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Final, Literal, Self

from pydantic import AliasChoices, Field, ValidationError, field_validator, model_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from sessioncache.errors import ConfigurationError
from sessioncache.maintenance.jobs import JOBS
from sessioncache.settings import Settings, check_namespace, misspelt_variables

__all__ = ["WorkerSettings", "cache_settings", "load_settings", "misspelt"]

JOB_TIMEOUT_S_MAX: Final = 3_600
LOW_BELOW: Final = 0.1
"""How far below the high mark the low one is, unless it is set."""


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

    job_timeout_s: int = Field(default=60, ge=1, le=JOB_TIMEOUT_S_MAX)
    """Longest run of one job; what is not done then goes on at the next tick."""

    max_tries: int = Field(default=3, ge=1, le=20)
    """How often a job is begun whose worker died or was stopped. After that it is put in again, if it is still due."""

    poll_delay_ms: int = Field(default=500, ge=10, le=10_000)
    """Pause between two looks at the queue; with nothing to do, up to four times as long."""

    namespace_jobs_max: int = Field(default=128, ge=1, le=4096)
    """Most jobs of one namespace in the queue. What is due beyond it is put in later, the most urgent first."""

    lease_ttl_ms: int = Field(default=30_000, ge=100, le=600_000)
    """How long a shard stays claimed by a worker that died."""

    grace_period_s: float = Field(default=30.0, gt=0)
    """Time from SIGTERM to SIGKILL (`terminationGracePeriodSeconds`): jobs under way may end in the most of it."""

    tick_every_s: int = Field(default=5, ge=1, le=60)
    """How often somebody looks which shards have something to do; one process does it for all."""

    expire_every_s: int = Field(default=1, ge=0)
    """How often a shard is swept at most, as long as sessions of it are overdue; 0, here and below: never."""

    prune_every_s: int = Field(default=300, ge=0)
    """How often each shard's transcripts are trimmed. Where nothing changes: every 12 times."""

    reconcile_every_s: int = Field(default=3_600, ge=0)
    """How often each shard's lists and totals are compared with its records. Where nothing changes: every 6 times."""

    compact_every_s: int = Field(default=300, ge=0)
    """How often each shard's messages that are seldom needed are compressed."""

    summarise_every_s: int = Field(default=300, ge=0)
    """How often each shard is looked at for transcripts that need a summary, where a summariser is set."""

    collect_every_s: int = Field(default=86_400, ge=0)
    """How often each shard is looked through for what nothing needs any more."""

    archive_every_s: int = Field(default=60, ge=0)
    """How often each shard is looked at for sessions that expire soon, where an archive is set."""

    expire_limit: int = Field(default=20_000, ge=1)
    """Most sessions that one sweep of a shard removes; the next tick goes on."""

    examine_limit: int = Field(default=1_000_000, ge=1)
    """Most sessions of a shard that one run of any job without a limit of its own looks at."""

    compact_limit: int = Field(default=20_000, ge=1)
    """Most sessions of a shard that one run of compact looks at; the next goes on."""

    relieve_high: float = Field(default=0.0, ge=0, le=1)
    """Share of `maxmemory`, such as 0.85, above which LIVE sessions are removed, oldest writes first, pinned and leased
    ones never. 0: live sessions are never removed."""

    relieve_low: float = Field(default=0.0, ge=0, lt=1)
    """Share of `maxmemory` down to which they are; 0: 0.1 below the high mark."""

    relieve_every_s: float = Field(default=5.0, gt=0)
    """How often the memory of the servers is looked at, and, while jobs cannot be started because the queue's server is
    full, what is overdue."""

    relieve_limit: int = Field(default=10_000, ge=1)
    """Most sessions that are looked at for removal at once; the next look goes on."""

    gauges_every_s: float = Field(default=15.0, gt=0)
    """How often the gauges of namespaces are refreshed."""

    log_level: Literal["debug", "info", "warning", "error"] = "info"
    """Least severe line that is logged; only `debug` shows ids of sessions."""

    log_format: Literal["json", "text"] = "json"
    """`json`: an object a line; `text`: `key=value` pairs."""

    @field_validator("namespaces", mode="before")
    @classmethod
    def _split(cls, value: object) -> object:
        return tuple(part.strip() for part in value.split(",") if part.strip()) if isinstance(value, str) else value

    @field_validator("namespaces")
    @classmethod
    def _check(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(sorted({check_namespace(namespace) for namespace in value}))

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if self.relieve_high and not 0 < self.watermarks["low"] < self.relieve_high:
            raise ValueError("SESSIONCACHE_WORKER_RELIEVE_LOW has to be between 0 and SESSIONCACHE_WORKER_RELIEVE_HIGH")
        if self.relieve_low and not self.relieve_high:
            raise ValueError("SESSIONCACHE_WORKER_RELIEVE_LOW says nothing without SESSIONCACHE_WORKER_RELIEVE_HIGH")
        return self

    @property
    def periods(self) -> Mapping[str, int]:
        """By job: how often each shard's turn comes, in seconds; 0: never."""
        return {name: getattr(self, f"{name}_every_s", job.every_s or 0) for name, job in JOBS.items()}

    @property
    def watermarks(self) -> Mapping[str, float]:
        """Shares of maxmemory between which live sessions are removed: `high` and `low`; empty: they are not."""
        if not self.relieve_high:
            return {}
        return {"high": self.relieve_high, "low": self.relieve_low or self.relieve_high - LOW_BELOW}

    def limit(self, job: str) -> int:
        """Most sessions of a shard that one run of a job looks at."""
        limit: int = getattr(self, f"{job}_limit", self.examine_limit)
        return limit

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


def misspelt() -> list[str]:
    """A sentence for each variable that is nearly a setting of the cache or of the worker, and is none."""
    own = {"namespaces", "queue_url"}
    return misspelt_variables(own | {f"worker_{name}" for name in WorkerSettings.model_fields if name not in own})


def _problems(error: ValidationError, prefix: str) -> str:
    found = []
    for item in error.errors(include_url=False, include_input=False):
        name = str(item["loc"][0]) if item["loc"] else ""
        variable = name if not name or name.startswith("SESSIONCACHE_") else f"{prefix}{name.upper()}"
        found.append(f"{variable}: {item['msg']}" if variable else item["msg"])
    return "settings cannot work: " + "; ".join(found)
