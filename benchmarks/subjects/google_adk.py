"""google-adk's own session store on disk: `SqliteSessionService`, which its command line uses for agents. No server.

Runs in an environment of its own (`requirements/google-adk.txt`). SQLite makes every append durable before it
answers, which is more than the others promise; it stands here for scale.
"""

from __future__ import annotations

from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from google.adk.events import Event
from google.adk.sessions.base_session_service import GetSessionConfig
from google.adk.sessions.sqlite_session_service import SqliteSessionService
from google.genai.types import Content, Part

from benchmarks.conversations import Message
from benchmarks.subjects.serve import serve

APP, USER = "bench", "user"


class EventConversation:
    """A session."""

    def __init__(self, service: SqliteSessionService, session: Any) -> None:  # noqa: ANN401  its own type
        self._service = service
        self._session = session

    async def append(self, event: Event) -> object:
        """One event."""
        return await self._service.append_event(self._session, event)

    async def fill(self, events: Sequence[Event]) -> object:
        """One event after another."""
        return [await self.append(event) for event in events]

    async def load(self, last: int) -> Sequence[Any]:
        """The session with its newest events."""
        session = await self._service.get_session(
            app_name=APP,
            user_id=USER,
            session_id=self._session.id,
            config=GetSessionConfig(num_recent_events=last),
        )
        return list(session.events)

    async def close(self) -> None:
        """The service is shared."""


class EventStore:
    """One database file, gone in the end."""

    def __init__(self) -> None:
        self._folder = TemporaryDirectory(prefix="bench-adk-")

    def versions(self) -> dict[str, str]:
        """The framework."""
        return {name: version(name) for name in ("google-adk", "aiosqlite")}

    async def open(self, url: str, tasks: int, features: frozenset[str]) -> None:  # noqa: ARG002  it has no server
        """Name the file."""
        self._service = SqliteSessionService(str(Path(self._folder.name) / "session.db"))

    def native(self, message: Message) -> Event:
        """Its event; what is no text is metadata."""
        role = "user" if message["role"] == "user" else "model"
        content = Content(role=role, parts=[Part(text=message.get("content") or "")])
        rest = {name: value for name, value in message.items() if name != "content"}
        return Event(author=role, content=content, custom_metadata=rest)

    def plain(self, native: Event) -> object:
        """Text and metadata."""
        return native.content.parts[0].text, native.custom_metadata

    async def conversation(self, name: str) -> EventConversation:
        """A session, made where it is not there."""
        session = await self._service.get_session(app_name=APP, user_id=USER, session_id=name)
        if session is None:
            session = await self._service.create_session(app_name=APP, user_id=USER, session_id=name)
        return EventConversation(self._service, session)

    async def close(self) -> None:
        """Remove the file."""
        await self._service.close()
        self._folder.cleanup()


if __name__ == "__main__":
    serve(EventStore)
