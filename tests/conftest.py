"""Engines for every test, and an empty one at the start of each.

A test that asks for `engine` runs on fakeredis, valkey, redis and cluster. `@pytest.mark.engines("valkey", "acl")` says
otherwise for a test, a class or (as `pytestmark`) a file. `--engines=valkey,cluster`, or ENGINE in the environment,
narrows a whole run. An engine that this machine does not have is skipped, but fails where CI or
SESSIONCACHE_REQUIRE_ENGINES is set.
"""

from __future__ import annotations

import os
import secrets
from collections.abc import AsyncIterator, Iterator

import pytest
from hypothesis import HealthCheck, settings

from sessioncache import AsyncSessionCache, SessionCache, testing
from tests.engines import DEFAULT, STARTERS, Engine, Engines, KeySeen, MissingEngine, list_keys
from tests.engines.acl import NAMESPACE_PREFIX
from tests.engines.caches import SHARDS, make_async_cache, make_sync_cache
from tests.programs import missing

# The same examples in every run, however slow the machine is. --hypothesis-profile=default plays others each time.
settings.register_profile(
    "same",
    derandomize=True,
    database=None,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
    print_blob=True,
)
settings.load_profile("same")


def pytest_addoption(parser: pytest.Parser) -> None:
    """Declare --engines."""
    parser.addoption(
        "--engines",
        default=os.environ.get("ENGINE", ""),
        help=f"run only on these engines, comma-separated: {', '.join(STARTERS)}",
    )


def pytest_configure(config: pytest.Config) -> None:
    """Declare the marker; refuse engines that do not exist, lest a typing error passes for a green run."""
    config.addinivalue_line("markers", "engines(*names): the engines that a test runs on, instead of the usual four")
    config.addinivalue_line("markers", "foreign_keys: the test writes keys on purpose that are not sessioncache's")
    _check_names(_chosen(config), "--engines")


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """One test per engine, for tests that ask for `engine`, even through other fixtures."""
    if "engine" not in metafunc.fixturenames:
        return
    marker = metafunc.definition.get_closest_marker("engines")
    names = tuple(marker.args) if marker is not None else DEFAULT
    _check_names(names, metafunc.definition.nodeid)
    metafunc.parametrize("engine", names, indirect=True)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Deselect tests on engines that this run does not want; tests without an engine stay."""
    chosen = _chosen(config)
    if not chosen:
        return
    kept: list[pytest.Item] = []
    dropped: list[pytest.Item] = []
    for item in items:
        name = _engine_of(item)
        (kept if name is None or name in chosen else dropped).append(item)
    config.hook.pytest_deselected(items=dropped)
    items[:] = kept


@pytest.fixture(scope="session")
def engines() -> Iterator[Engines]:
    """Every engine of the run, by name; started when first asked for."""
    pool = Engines()
    yield pool
    pool.stop()


@pytest.fixture
def engine(request: pytest.FixtureRequest, engines: Engines) -> Iterator[Engine]:
    """The server of this test; empty before, and emptied after it."""
    try:
        found = engines.get(request.param)
    except MissingEngine as error:
        missing(str(error))
    yield found
    found.flush()


@pytest.fixture
def namespace() -> str:
    """A namespace of this test alone."""
    return f"{NAMESPACE_PREFIX}{secrets.token_hex(3)}"


@pytest.fixture
async def cache(engine: Engine, namespace: str) -> AsyncIterator[AsyncSessionCache]:
    """An open async cache on the engine."""
    async with make_async_cache(engine, namespace) as opened:
        yield opened


@pytest.fixture
async def other_cache(engine: Engine, namespace: str) -> AsyncIterator[AsyncSessionCache]:
    """A second cache on the same namespace, as another process would have it."""
    async with make_async_cache(engine, namespace) as opened:
        yield opened


@pytest.fixture
def sync_cache(engine: Engine, namespace: str) -> Iterator[SessionCache]:
    """An open sync cache on the engine."""
    with make_sync_cache(engine, namespace) as opened:
        yield opened


@pytest.fixture(autouse=True)
def _keys_left_behind(request: pytest.FixtureRequest) -> Iterator[None]:
    """After every test on an engine, before it is emptied: judge each key that the test left.

    The engine is asked for first, so it is torn down, and thereby flushed, after this.
    """
    engine = request.getfixturevalue("engine") if "engine" in request.fixturenames else None
    yield
    if isinstance(engine, Engine) and request.node.get_closest_marker("foreign_keys") is None:
        check_keys(engine, list_keys(engine))


def check_keys(engine: Engine, keys: list[KeySeen]) -> None:
    """Judge the keys that a test left behind: in the catalogue, in their slot, with the expiry they promise."""
    problems = testing.check_keys(keys, shards=SHARDS)
    nodes = {key.name for key in keys}
    if len(nodes) != len(keys):
        problems.append("a key lies on two nodes of the cluster")
    assert problems == [], f"keys left behind on {engine.name}"


def _chosen(config: pytest.Config) -> tuple[str, ...]:
    given: str = config.getoption("--engines")
    return tuple(name.strip() for name in given.split(",") if name.strip())


def _check_names(names: tuple[str, ...], where: str) -> None:
    unknown = [name for name in names if name not in STARTERS]
    if unknown:
        raise pytest.UsageError(f"{where}: unknown engine {', '.join(unknown)}; there are: {', '.join(STARTERS)}")


def _engine_of(item: pytest.Item) -> str | None:
    """The engine that a test is about to run on, if any."""
    callspec = getattr(item, "callspec", None)
    return callspec.params.get("engine") if callspec is not None else None
