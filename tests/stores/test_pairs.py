"""Each contract beside each other one: what one wrote stands after another one has loaded, changed and saved it."""

from __future__ import annotations

from itertools import permutations
from uuid import uuid4

import pytest

from sessioncache import AsyncSessionCache, NotFound
from tests.stores.contracts import CONTRACTS
from tests.stores.five import Stores

PAIRS = list(permutations(CONTRACTS, 2))


@pytest.fixture
def stores(cache: AsyncSessionCache) -> Stores:
    """The five stores on the engine."""
    return Stores(cache)


@pytest.mark.parametrize("first, second", PAIRS)
async def test_a_save_by_another_contract_loses_nothing(stores: Stores, first: str, second: str) -> None:
    """Loaded, changed and saved by the second, all of the first's fields, entries and messages are as they were."""
    session_id = str(uuid4())
    write, look, _ = CONTRACTS[first]
    change = CONTRACTS[second][2]
    await write(stores, session_id)
    messages, others = await look(stores, session_id)
    assert messages or others
    await change(stores, session_id)
    await change(stores, session_id)
    messages_now, others_now = await look(stores, session_id)
    assert messages_now[: len(messages)] == messages
    assert others_now == others
    assert len(await stores.cache.sessions.list()) == 1


@pytest.mark.parametrize("first, second", PAIRS)
async def test_both_contracts_save_by_turns(stores: Stores, first: str, second: str) -> None:
    """Both write, both change, and what each has shows all of its own; one delete ends both."""
    session_id = str(uuid4())
    await CONTRACTS[first][0](stores, session_id)
    _, look_first, change_first = CONTRACTS[first]
    _, look_second, change_second = CONTRACTS[second]
    await change_second(stores, session_id)
    messages_second, others_second = await look_second(stores, session_id)
    await change_first(stores, session_id)
    messages_now, others_now = await look_second(stores, session_id)
    assert messages_now[: len(messages_second)] == messages_second
    assert others_now == others_second
    messages_first, others_first = await look_first(stores, session_id)
    await change_second(stores, session_id)
    messages_now, others_now = await look_first(stores, session_id)
    assert messages_now[: len(messages_first)] == messages_first
    assert others_now == others_first
    await stores.transcript.delete(session_id)
    assert await stores.runtime.load(session_id) is None
    with pytest.raises(NotFound):
        await stores.asset.load(session_id)
