"""A script with its short way, against the same script without it."""

from __future__ import annotations

from typing import Any

import pytest
from redis import Redis
from redis.exceptions import ResponseError

from sessioncache.wire import script as wire_script
from sessioncache.wire.call import Call
from sessioncache.wire.keys import Keyspace

NOW_MS = 1_900_000_000_000
DAY_MS = 86_400_000


def both_texts(monkeypatch: pytest.MonkeyPatch, script: str, *short_ways: str) -> tuple[str, str]:
    """The script's text, and that without its short ways: the fragments of those names never find anything ordinary."""
    include = wire_script._include
    never = {name: f"local function {name}()\n  return nil\nend" for name in short_ways}
    text = wire_script.Script(script).text
    with monkeypatch.context() as patch:
        patch.setattr(wire_script, "_include", lambda name: never.get(name) or include(name))
        long_way = wire_script.Script(script).text
    assert text != long_way
    return text, long_way


class Way:
    """One of two namespaces to which the same is done."""

    def __init__(self, client: Redis, keys: Keyspace, text: str) -> None:
        self.client: Any = client
        self.session = keys.session("chat")
        self.text = text
        self.log: list[Any] = []
        """The replies, and the errors in words."""

    def answer(self, call: Call[Any]) -> object:
        """The reply to a call of the script, or its error in words."""
        try:
            return self.client.eval(self.text, len(call.keys), *call.keys, *call.args)
        except ResponseError as error:
            return str(error)

    def state(self) -> dict[str, Any]:
        """What every write touches."""
        session, shard, client = self.session, self.session.shard, self.client
        return {
            "record": client.hgetall(session.record),
            "transcript": client.xrange(session.transcript),
            "sealed": client.lrange(session.sealed, 0, -1),
            "operations": client.lrange(session.operations, 0, -1)[::2],
            "expiries": [client.pexpiretime(key) for key in (session.record, session.transcript, session.operations)],
            "totals": client.hgetall(shard.totals),
            "feed": client.xrange(shard.feed),
            "by_updated": client.zrange(shard.by_updated, 0, -1, withscores=True),
            "by_user": client.zrange(shard.by_user, 0, -1, withscores=True),
            "deadlines": client.zrange(shard.deadlines, 0, -1, withscores=True),
        }
