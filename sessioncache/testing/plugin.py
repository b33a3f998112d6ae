"""The pytest plugin, active wherever sessioncache is installed beside pytest.

The rule of this module: importing it costs nothing and cannot fail. The fixtures are in `fixtures.py`, which is
imported once all plugins are there, as it builds on one of them.
"""

from __future__ import annotations

from importlib import import_module
from importlib.util import find_spec
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pytest

__all__ = ["pytest_addoption", "pytest_configure"]

NAME = "sessioncache-fixtures"


def pytest_addoption() -> None:
    """Let the conformance suite's assertions say what they compared; this hook runs before any conftest imports it."""
    import_module("pytest").register_assert_rewrite("sessioncache.testing.conformance")


def pytest_configure(config: pytest.Config) -> None:
    """Offer the fixtures, if there is a pytest-asyncio to run them."""
    if find_spec("pytest_asyncio") is not None and not config.pluginmanager.has_plugin(NAME):
        config.pluginmanager.register(import_module("sessioncache.testing.fixtures"), NAME)
