"""What contract 004 calls a session and a message, and where each field lies in the session's record."""

from __future__ import annotations

import marshal
from copy import deepcopy
from datetime import datetime
from operator import itemgetter
from typing import Annotated, Any, Final

from pydantic import Field, PrivateAttr

from sessioncache.documents.models import DocumentSet
from sessioncache.errors import DecodeError
from sessioncache.sessions.models import Session
from sessioncache.stores.kept_message import KeptMessage
from sessioncache.stores.message_log import Remembering, memory_of
from sessioncache.stores.stored_model import dumped, given, read_back
from sessioncache.types import JSONObject

__all__ = ["AUTHORITATIVE_KEYS", "DEFAULT_TITLE", "DOCUMENT", "RuntimeMessage", "RuntimeSession"]

DEFAULT_TITLE: Final = "New Session"

AUTHORITATIVE_KEYS: Final = ("gold_config",)
"""Keys of `metadata` that belong to the authoritative group."""

BYPASS: Final = "bypass_permissions"
"""The field of `agent_runtime_state` that belongs to the host."""

DOCUMENT: Final = "runtime"
"""The document that holds what the record has no field for."""

IN_THE_RECORD: Final = {
    "id",
    "title",
    "pinned",
    "title_version",
    "metadata_version",
    "parent_session_id",
    "status",
    "metadata",
    "messages",
    "created_at",
    "updated_at",
}

TIMES: Final = ("created_at", "updated_at")

NOT_CHECKED: Final = {"messages", *TIMES}
"""What is in no document, and is not looked at when one is made."""

Moment = Annotated[datetime | str | None, Field(union_mode="left_to_right")]


class RuntimeMessage(KeptMessage):
    """A message of a runtime session. Fields that are not declared here are kept."""

    id: str | None = None
    role: str
    content: Any = ""
    created_at: Moment = None
    reasoning: str | None = None
    reasoning_signature: str | None = None
    content_parts: Any = None
    image_ocr: Any = None
    phase: Any = None
    tool_calls: list[Any] | None = None
    tool_call_id: str | None = None
    tool_success: bool | None = None
    compressed: bool = False
    compressed_by_event_id: str | None = None
    never_compress: bool = False
    compression_level: int = 0
    metadata: Any = None


class RuntimeSession(Remembering):
    """A session as an agent's runtime has it. Fields that are not declared here are kept.

    It remembers which of its messages are stored, so that a save sends only new ones; use an object in one task at a
    time. A changed old message is noticed, also deep inside it, unless it is written past the model (`vars(message)`).
    Three groups of fields are merged by a save:

    - `title`, `title_version`, `pinned`, `metadata_version` and `metadata["gold_config"]` win or lose together, by
      `metadata_version`; ties go to the stored ones;
    - `agent_runtime_state["bypass_permissions"]` is always taken from the store, once the session exists;
    - all others are saved as they are.
    """

    id: str
    title: str = DEFAULT_TITLE
    pinned: bool = False
    title_version: int = Field(default=0, ge=0)
    metadata_version: int = Field(default=0, ge=0)
    kind: str = "root"
    """`root` or `child`."""
    parent_session_id: str | None = None
    root_session_id: str | None = None
    spawn_depth: int = 0
    messages: list[RuntimeMessage] = Field(default_factory=list)
    created_at: datetime | None = None
    """Given by the server."""
    updated_at: datetime | None = None
    """Given by the server."""
    status: str | None = None
    """How the run stands, in the runtime's own words."""
    task_list: Any = None
    pending_question: Any = None
    model: str = ""
    model_ref: Any = None
    reasoning_effort: Any = None
    metadata: dict[str, Any] = Field(default_factory=dict)
    token_budget: Any = None
    token_usage: Any = None
    conversation_summary: Any = None
    prompt_snapshot: Any = None
    compression_events: list[Any] = Field(default_factory=list)
    compression_instructions: str | None = None
    agent_runtime_state: dict[str, Any] | None = None
    runtime_metadata: Any = None
    workspace: Any = None

    _group_rest: dict[str, Any] = PrivateAttr(default_factory=dict)
    _untitled: bool = PrivateAttr(default=False)
    """Whether the stored session has no title: the default one is shown then, and not stored."""

    def to_record(self) -> Session:
        """What of it lies in the session's record."""
        metadata = {name: value for name, value in self.metadata.items() if name not in AUTHORITATIVE_KEYS}
        group = {name: self.metadata[name] for name in AUTHORITATIVE_KEYS if self.metadata.get(name) is not None}
        bypass = (self.agent_runtime_state or {}).get(BYPASS)
        return Session(
            id=self.id,
            title=None if self._untitled and self.title == DEFAULT_TITLE else self.title,
            pinned=self.pinned,
            title_version=self.title_version,
            metadata_version=self.metadata_version,
            authoritative=self._group_rest | group,
            host={} if bypass is None else {BYPASS: bypass},
            status=self.status,
            parent=self.parent_session_id,
            metadata=metadata,
        )

    def to_document(self) -> JSONObject:
        """What of it the record has no field for.

        Raises:
            InvalidArgument: what could not be loaded again.
        """
        return deepcopy(self.stored_document())

    def stored_document(self) -> JSONObject:
        """The same, for reading only: the next call may answer the same object."""
        memory, token = memory_of(self), self._token()
        if memory.document is not None and token is not None and memory.document[0] == token:
            return memory.document[1]
        document = dumped(self, exclude=IN_THE_RECORD)
        record = {name: getattr(self, name) for name in IN_THE_RECORD - NOT_CHECKED}
        given(RuntimeSession, document | record, what="the session")
        state = document.get("agent_runtime_state")
        if state is not None:
            document["agent_runtime_state"] = {name: value for name, value in state.items() if name != BYPASS}
        memory.document = None if token is None else (token, document)
        return document

    def _token(self) -> bytes | None:
        """All that decides about the document, told apart by kind as well; None where it is more than plain values.

        A subclass may have computed fields, or serializers of its own: nobody knows what those look at.
        """
        if type(self) is not RuntimeSession:
            return None
        try:
            return marshal.dumps((_checked(self.__dict__), self.__pydantic_extra__), 2)
        except (KeyError, ValueError):
            # Or a field was removed.
            return None

    def take_merged(self, record: Session) -> None:
        """Take what the store decided: the authoritative group, the host's field and the times."""
        memory_of(self).settled = None
        self._untitled = record.title is None
        self.title = DEFAULT_TITLE if record.title is None else record.title
        self.pinned, self.title_version = record.pinned, record.title_version
        self.metadata_version = record.metadata_version
        for name in AUTHORITATIVE_KEYS:
            self.metadata.pop(name, None)
            if name in record.authoritative:
                self.metadata[name] = record.authoritative[name]
        self._group_rest = {
            name: value for name, value in record.authoritative.items() if name not in AUTHORITATIVE_KEYS
        }
        self.take_times(record)
        self.take_bypass(record.host.get(BYPASS))

    def take_times(self, record: Session) -> None:
        """Take the server's times."""
        if type(self) is RuntimeSession:
            # As pydantic sets them, in a tenth of the time.
            self.__dict__.update(created_at=record.created_at, updated_at=record.updated_at)
            self.__pydantic_fields_set__.update(TIMES)
        else:
            self.created_at, self.updated_at = record.created_at, record.updated_at

    def take_bypass(self, value: Any) -> None:  # noqa: ANN401 - any JSON value
        """Take the host's field; None takes it away."""
        if value is not None:
            self.agent_runtime_state = {**(self.agent_runtime_state or {}), BYPASS: value}
        elif self.agent_runtime_state is not None:
            self.agent_runtime_state.pop(BYPASS, None)

    @property
    def bypass(self) -> Any:  # noqa: ANN401 - any JSON value
        """Whether the host lets the agent pass over permissions."""
        return (self.agent_runtime_state or {}).get(BYPASS)

    @classmethod
    def of(cls, record: Session, documents: DocumentSet) -> RuntimeSession:
        """The session in a record and its documents, without messages.

        Raises:
            DecodeError: the document is none of a runtime session.
        """
        what = f"document {DOCUMENT!r} of session {record.id!r}"
        stored = documents.values.get(DOCUMENT, {})
        if not isinstance(stored, dict):
            raise DecodeError(f"{what} is no JSON object")
        fields = {
            "id": record.id,
            "parent_session_id": record.parent,
            "status": record.status,
            "metadata": dict(record.metadata),
        }
        session = read_back(cls, stored | fields, what=what)
        session.take_merged(record)
        return session


_checked: Final = itemgetter(*sorted(set(RuntimeSession.model_fields) - NOT_CHECKED))
"""What decides about the document, out of a session's fields."""
