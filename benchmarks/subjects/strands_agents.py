"""strands-agents' own session store: `FileSessionManager`, a JSON file a message. No server.

Runs in an environment of its own (`requirements/strands-agents.txt`). Its calls block the event loop, as they do in its
agents, and files are not synchronised to the disk; it stands here for scale.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from importlib.metadata import version
from itertools import count
from tempfile import TemporaryDirectory
from typing import Any

from strands.session.file_session_manager import FileSessionManager
from strands.types.session import SessionAgent, SessionMessage

from benchmarks.conversations import Message
from benchmarks.subjects.serve import serve

AGENT = "agent"


class FileConversation:
    """A session with one agent."""

    def __init__(self, manager: FileSessionManager, name: str) -> None:
        self._manager = manager
        self._name = name
        if manager.read_agent(name, AGENT) is None:
            manager.create_agent(name, SessionAgent(agent_id=AGENT, state={}, conversation_manager_state={}))
        self._numbers = count()
        self._stored = 0

    async def append(self, message: Any) -> object:  # noqa: ANN401  its own type
        """A file."""
        self._stored = next(self._numbers) + 1
        return self._manager.create_message(self._name, AGENT, SessionMessage.from_message(message, self._stored - 1))

    async def fill(self, messages: Sequence[Any]) -> object:
        """One file after another."""
        return [await self.append(message) for message in messages]

    async def load(self, last: int) -> Sequence[Any]:
        """The newest files."""
        first = max(self._stored - last, 0)
        return [found.to_message() for found in self._manager.list_messages(self._name, AGENT, last, first)]

    async def close(self) -> None:
        """Files hold nothing."""


class FileStore:
    """One folder, gone in the end."""

    def __init__(self) -> None:
        self._folder = TemporaryDirectory(prefix="bench-strands-")

    def versions(self) -> dict[str, str]:
        """The framework."""
        return {"strands-agents": version("strands-agents")}

    async def open(self, url: str, tasks: int, features: frozenset[str]) -> None:
        """Nothing to connect to."""

    def native(self, message: Message) -> Any:  # noqa: ANN401  its own type
        """Its message: a user's or an assistant's; what is no text is text, for it has no other place."""
        role = "assistant" if message["role"] == "assistant" else "user"
        rest = {name: value for name, value in message.items() if name not in {"role", "content"}}
        texts = [message.get("content") or "", *([json.dumps(rest)] if rest else [])]
        return {"role": role, "content": [{"text": text} for text in texts]}

    def plain(self, native: Any) -> object:  # noqa: ANN401  as above
        """The message itself."""
        return native

    async def conversation(self, name: str) -> FileConversation:
        """A manager, which makes the session where it is not there."""
        return FileConversation(FileSessionManager(session_id=name, storage_dir=self._folder.name), name)

    async def close(self) -> None:
        """Remove the folder."""
        self._folder.cleanup()


if __name__ == "__main__":
    serve(FileStore)
