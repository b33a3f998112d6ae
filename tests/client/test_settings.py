"""Settings out of the environment: which variable is read, what wins, and how a bad value is told."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import ValidationError

from sessioncache import AsyncSessionCache, ConfigurationError, Settings


def test_every_setting_can_come_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """A variable is the setting's name behind the prefix, in any case, and is read as what the setting is."""
    monkeypatch.setenv("SESSIONCACHE_NAMESPACE", "from-environment")
    monkeypatch.setenv("SESSIONCACHE_SHARDS", "8")
    monkeypatch.setenv("sessioncache_tls_check_hostname", "no")
    monkeypatch.setenv("SessionCache_Tls_Ca_File", "/etc/ca.pem")
    monkeypatch.setenv("SESSIONCACHE_PASSWORD", "secret")
    settings = Settings()
    assert (settings.namespace, settings.shards, settings.tls_check_hostname) == ("from-environment", 8, False)
    assert settings.tls_ca_file == Path("/etc/ca.pem")
    assert settings.password is not None
    assert settings.password.get_secret_value() == "secret"
    assert "secret" not in repr(settings)


def test_arguments_win(monkeypatch: pytest.MonkeyPatch) -> None:
    """An argument wins over the environment, None and a validated dictionary among them."""
    monkeypatch.setenv("SESSIONCACHE_SHARDS", "8")
    monkeypatch.setenv("SESSIONCACHE_USERNAME", "somebody")
    assert Settings(shards=16).shards == 16
    assert Settings(username=None).username is None
    assert Settings.model_validate({"shards": 32}).shards == 32
    assert Settings.model_validate({}).shards == 8


def test_other_variables_are_not_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    """Variables of the workers, and others with the prefix, are left alone; an unknown argument is refused."""
    monkeypatch.setenv("SESSIONCACHE_WORKER_TASKS", "3")
    monkeypatch.setenv("SESSIONCACHE_UNKNOWN", "3")
    assert "unknown" not in Settings().model_dump()
    with pytest.raises(ValidationError, match="Extra inputs are not permitted"):
        Settings(unknown=3)


@pytest.mark.parametrize(
    "name, value, told",
    [
        ("SHARDS", "0", "shards"),
        ("SHARDS", "", "shards"),
        ("NAMESPACE", "a b", "namespace"),
        ("TRANSPORT", "pigeon", "transport"),
        ("TLS_CHECK_HOSTNAME", "perhaps", "tls_check_hostname"),
    ],
)
def test_a_bad_variable_is_told_by_the_settings_name(
    name: str, value: str, told: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A value that cannot work, an empty one among them, is a ConfigurationError that names the setting."""
    monkeypatch.setenv(f"SESSIONCACHE_{name}", value)
    with pytest.raises(ConfigurationError, match=told):
        AsyncSessionCache.from_url("redis://localhost")


def test_the_environment_is_read_when_settings_are_made(monkeypatch: pytest.MonkeyPatch) -> None:
    """A variable that is set after the import counts; settings that exist do not change."""
    before = Settings()
    monkeypatch.setenv("SESSIONCACHE_CLIENT_NAME", "later")
    assert Settings().client_name == "later"
    assert before.client_name == "sessioncache"
    with pytest.raises(ValidationError, match="frozen"):
        before.client_name = "other"  # type: ignore[misc]  # that it is refused is the fact
