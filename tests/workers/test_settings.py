"""Settings of the worker process."""

from __future__ import annotations

import pytest

from sessioncache.errors import ConfigurationError
from sessioncache.maintenance.jobs import JOBS
from sessioncache_workers.settings import load_settings


def test_namespaces_are_a_list_of_names(monkeypatch: pytest.MonkeyPatch) -> None:
    """Several namespaces are separated by commas; each is there once."""
    monkeypatch.setenv("SESSIONCACHE_NAMESPACES", "b, a,b")
    assert load_settings().namespaces == ("a", "b")


def test_one_namespace_is_enough(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where only the cache's own variable is set, that namespace is looked after."""
    monkeypatch.delenv("SESSIONCACHE_NAMESPACES", raising=False)
    monkeypatch.setenv("SESSIONCACHE_NAMESPACE", "acme")
    assert load_settings().namespaces == ("acme",)


def test_every_job_has_its_period() -> None:
    """Each job that there is can be given a period, or be turned off with 0, by a variable of its own."""
    for name, job in JOBS.items():
        settings = load_settings(**{f"{name}_every_s": 0})
        assert settings.periods[name] == 0
        assert load_settings().periods[name] == (1 if job.every_s is None else job.every_s)
        assert settings.limit(name) > 0


@pytest.mark.parametrize("grace_s, drain_s", [(30.0, 20.0), (60.0, 50.0), (12.0, 6.0), (1.0, 0.5)])
def test_jobs_may_use_most_of_the_grace_period(grace_s: float, drain_s: float) -> None:
    """Ten seconds of the grace period, or half of a short one, are left to close up in."""
    assert load_settings(grace_period_s=grace_s).drain_s == drain_s


@pytest.mark.parametrize("option, value", [("job_timeout_s", 3_601), ("max_jobs", 0), ("port", 65_536)])
def test_limits_are_named(option: str, value: int) -> None:
    """A value beyond its limit is refused by the name of its variable."""
    with pytest.raises(ConfigurationError, match=f"SESSIONCACHE_WORKER_{option.upper()}"):
        load_settings(**{option: value})
