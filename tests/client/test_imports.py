"""What is imported when: the start of a process is not for what it may never use."""

import json
import subprocess
import sys

import pytest

import sessioncache

LOADED = "import json, sys; {statement}; print(json.dumps(sorted(sys.modules)))"


def loaded_by(statement: str) -> set[str]:
    """The modules that a new interpreter has after a statement."""
    code = LOADED.format(statement=statement)
    return set(json.loads(subprocess.run([sys.executable, "-c", code], check=True, capture_output=True).stdout))


@pytest.mark.parametrize("name, other", [("AsyncSessionCache", "_sync"), ("SessionCache", "_async")])
def test_a_cache_brings_its_own_half(name: str, other: str) -> None:
    """Neither half of the library loads the other, nor nouns that nobody has asked for, nor what extras bring."""
    loaded = loaded_by(f"from sessioncache import {name}")
    assert [module for module in loaded if module.startswith("sessioncache.") and module.endswith(other)] == []
    unused = {"entities", "freshness", "qa", "traces", "usage", "workspaces", "upkeep", "stores", "metrics", "embedded"}
    assert {f"sessioncache.{noun}" for noun in unused} & loaded == set()
    assert {
        "zstandard",
        "tenacity",
        "pydantic_settings",
        "prometheus_client",
        "fakeredis",
        "typer",
        "rich",
        "pytest",
    } & loaded == set()


def test_every_public_name_is_there() -> None:
    """What the package lists can be had, and is listed by dir()."""
    assert [name for name in sessioncache.__all__ if not hasattr(sessioncache, name)] == []
    assert set(sessioncache.__all__) <= set(dir(sessioncache))


def test_an_unknown_name_is_an_attribute_error() -> None:
    """A misspelt name is refused as in any module."""
    with pytest.raises(AttributeError, match="no attribute 'AsyncSessionCash'"):
        _ = sessioncache.AsyncSessionCash
