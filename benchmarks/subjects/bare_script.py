"""The script of sessioncache's append over a bare connection: what one process could do if the client cost nothing.

One EVALSHA a message with the same keys and arguments, JSON by the standard library, all tasks on one connection
(`pipe.py`). No retries, time limits, telemetry, checks of what is given, or decoding of the reply into a model.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from contextlib import AsyncExitStack
from importlib.metadata import version
from itertools import count

from benchmarks.conversations import Message
from benchmarks.subjects.contract import JSONStore
from benchmarks.subjects.pipe import Pipe
from benchmarks.subjects.serve import serve
from sessioncache import AsyncSessionCache
from sessioncache.transcripts import lua
from sessioncache.wire.call import Write
from sessioncache.wire.keys import Keyspace
from sessioncache.wire.script import Script

NAMESPACE = "bench"


class ScriptConversation:
    """The keys of one session."""

    def __init__(self, store: BareScriptStore, name: str) -> None:
        self._store = store
        self._pipe = store.pipe
        self._name = name
        call = lua.append(session=store.keys.session(name), write=Write("0" * 16), user="", marks="m", payloads=[b"{}"])
        if not isinstance(call.target, Script):
            raise TypeError("an append is a script")
        self.script = call.target
        # What comes after the operation id is the same for every message, up to the payload.
        session_id, _operation, *rest = call.args[:-1]
        self._head = ("EVALSHA", self.script.sha, len(call.keys), *call.keys, session_id)
        self._rest = rest

    async def append(self, message: Message) -> object:
        """EVALSHA."""
        payload = json.dumps(message, ensure_ascii=False, separators=(",", ":")).encode()
        return await self._pipe.send(*self._head, f"{next(self._store.operations):016x}", *self._rest, payload)

    async def fill(self, messages: Sequence[Message]) -> object:
        """One EVALSHA after another."""
        return [await self.append(message) for message in messages]

    async def load(self, last: int) -> Sequence[Message]:
        """Through the public API, for the check at the end."""
        return (await self._store.cache.transcripts.list(self._name, last=last)).messages

    async def close(self) -> None:
        """The connection is shared."""


class BareScriptStore(JSONStore):
    """One connection."""

    def versions(self) -> dict[str, str]:
        """The parser, and the library whose script it is."""
        return {name: version(name) for name in ("sessioncache", "hiredis")}

    async def open(self, url: str, tasks: int, features: frozenset[str]) -> None:  # noqa: ARG002  one connection for all
        """Claim the namespace by the public API, connect, and load the script."""
        self._stack = AsyncExitStack()
        self.cache = await self._stack.enter_async_context(AsyncSessionCache.from_url(url, namespace=NAMESPACE))
        self.pipe = await self._stack.enter_async_context(Pipe.open(url))
        self.keys: Keyspace = self.cache.keys
        self.operations = count(1)
        await self.pipe.send("SCRIPT", "LOAD", ScriptConversation(self, "any").script.text)

    async def conversation(self, name: str) -> ScriptConversation:
        """The keys."""
        return ScriptConversation(self, name)

    async def close(self) -> None:
        """Hang up."""
        await self._stack.aclose()


if __name__ == "__main__":
    serve(BareScriptStore)
