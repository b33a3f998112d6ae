"""What contract 003 calls a session: an asset, with its history, preferences, project and snapshots."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Sequence
from hashlib import blake2b
from typing import Any, Final, Literal
from uuid import uuid4

from pydantic import Field, field_validator

from sessioncache.stores.kept_message import KeptMessage
from sessioncache.stores.message_log import Remembering
from sessioncache.stores.stored_model import StoredModel

__all__ = [
    "ASSET_VERSION",
    "AssetPreferences",
    "AutoTrigger",
    "CodingStyle",
    "CommandGrant",
    "Communication",
    "CompactedTurn",
    "ComponentSnapshot",
    "ConversationHistory",
    "ConversationTurn",
    "LearnedFact",
    "PersistentContext",
    "ProjectContext",
    "SessionAsset",
    "SkillConfig",
    "ToolCall",
]

ASSET_VERSION: Final = 1
"""The layout that this release writes, and the newest that it reads."""

TURNS_MAX: Final = 1_000


def now_ms() -> int:
    """Milliseconds since 1970, by the caller's clock, as the contract wants it."""
    return time.time_ns() // 1_000_000


class ToolCall(StoredModel):
    """A call of a tool within a turn."""

    tool_name: str
    args: Any = None
    result: Any = None
    success: bool = True
    duration_ms: int = 0


class ConversationTurn(KeptMessage):
    """A turn: a message of the session's transcript."""

    id: str = Field(default_factory=lambda: str(uuid4()))
    timestamp_ms: int = Field(default_factory=now_ms)
    role: str
    """`user`, `assistant` or `system`; others, which other writers of the session may use, are kept."""
    content: Any = ""
    tool_calls: list[ToolCall | dict[str, Any]] = Field(default_factory=list)
    tags: list[str] = Field(default_factory=list)
    metadata: Any = Field(default_factory=dict)


class CompactedTurn(StoredModel):
    """The summary that stands for turns that were removed."""

    summary: str
    turn_count: int
    start_time_ms: int
    end_time_ms: int


class ConversationHistory(StoredModel):
    """The turns, and the summaries of those that went before."""

    turns: list[ConversationTurn] = Field(default_factory=list)
    compacted: list[CompactedTurn] = Field(default_factory=list)
    max_turns: int = Field(default=TURNS_MAX, ge=0)

    def summarise(self, summariser: Callable[[Sequence[ConversationTurn]], str]) -> CompactedTurn | None:
        """Replace the oldest turns by a summary, where there are more than `max_turns`; None where there are not.

        Lossy, and never done by itself. `compact` elsewhere in sessioncache loses nothing.
        """
        excess = len(self.turns) - self.max_turns
        if excess <= 0:
            return None
        old = self.turns[:excess]
        summary = CompactedTurn(
            summary=summariser(old),
            turn_count=excess,
            start_time_ms=old[0].timestamp_ms,
            end_time_ms=old[-1].timestamp_ms,
        )
        self.turns = self.turns[excess:]
        self.compacted.append(summary)
        return summary

    def search(self, keyword: str) -> list[ConversationTurn]:
        """The turns with this word in their text or their tags, whatever its case."""
        wanted = keyword.casefold()
        return [turn for turn in self.turns if any(wanted in text.casefold() for text in _texts(turn))]

    def recent(self, count: int) -> list[ConversationTurn]:
        """The newest turns, oldest first."""
        return self.turns[-count:] if count > 0 else []

    def in_range(self, start_ms: int, end_ms: int) -> list[ConversationTurn]:
        """The turns between two times, both included."""
        return [turn for turn in self.turns if start_ms <= turn.timestamp_ms <= end_ms]


def _texts(turn: ConversationTurn) -> list[str]:
    content = turn.content if isinstance(turn.content, str) else json.dumps(turn.content, ensure_ascii=False)
    return [content, *turn.tags]


class CodingStyle(StoredModel):
    """How the user wants code to look."""

    preferred_languages: list[str] = Field(default_factory=list)
    indent: str | None = None
    indent_size: int | None = None
    naming_convention: str | None = None
    comment_style: str | None = None


class Communication(StoredModel):
    """How the user wants to be talked to."""

    verbosity: str | None = None
    language: str | None = None
    formality: str | None = None
    include_examples: bool = False


class AssetPreferences(StoredModel):
    """What the user prefers."""

    coding_style: CodingStyle = Field(default_factory=CodingStyle)
    communication: Communication = Field(default_factory=Communication)
    frequent_tools: list[str] = Field(default_factory=list)
    custom: dict[str, Any] = Field(default_factory=dict)


class LearnedFact(StoredModel):
    """Something learned about the project."""

    key: str
    value: str
    source: str = ""
    confidence: float = 1.0
    learned_at_ms: int = Field(default_factory=now_ms)

    @field_validator("confidence")
    @classmethod
    def _clamp(cls, value: float) -> float:
        return min(max(value, 0.0), 1.0)


class PersistentContext(StoredModel):
    """Text that is given to the model again and again."""

    id: str
    timing: Any = None
    content: str


class ProjectContext(StoredModel):
    """The project that the session is about."""

    root_path: str | None = None
    name: str | None = None
    technologies: list[str] = Field(default_factory=list)
    key_files: list[str] = Field(default_factory=list)
    architecture_notes: list[str] = Field(default_factory=list)
    learned_facts: list[LearnedFact] = Field(default_factory=list)
    persistent_contexts: list[PersistentContext] = Field(default_factory=list)

    def learn(self, fact: LearnedFact) -> bool:
        """Take a fact; the first one of a key stays, and False says that there was one."""
        if self.fact(fact.key) is not None:
            return False
        self.learned_facts.append(fact)
        return True

    def fact(self, key: str) -> LearnedFact | None:
        """The fact of that key."""
        return next((fact for fact in self.learned_facts if fact.key == key), None)


class AutoTrigger(StoredModel):
    """When a skill runs by itself: triggers such as `{"OnFileEdit": "*.py"}` or `"OnLLMPreRequest"`."""

    enabled: bool = False
    triggers: list[Any] = Field(default_factory=list)


class SkillConfig(StoredModel):
    """How a skill is set up."""

    skill_id: str
    enabled: bool = True
    auto_trigger: AutoTrigger = Field(default_factory=AutoTrigger)
    params: Any = Field(default_factory=dict)


class ComponentSnapshot(StoredModel):
    """The state of a component, to resume from."""

    component_fqn: str
    """`namespace::name`."""
    version: int = 1
    state: Any = None
    metadata: dict[str, Any] = Field(default_factory=dict)


class CommandGrant(StoredModel):
    """Leave to run commands that begin with `pattern`."""

    pattern: str
    kind: Literal["Persistent", "OneTime"] = "Persistent"


class SessionAsset(Remembering):
    """A session with everything that is to survive it. Fields that are not declared here are kept.

    `updated_at_ms` is the caller's: the methods that change something raise it, a save does not.
    """

    id: str = Field(default_factory=lambda: str(uuid4()))
    version: int = ASSET_VERSION
    created_at_ms: int = Field(default_factory=now_ms, ge=0)
    updated_at_ms: int = Field(default_factory=now_ms, ge=0)
    history: ConversationHistory = Field(default_factory=ConversationHistory)
    preferences: AssetPreferences = Field(default_factory=AssetPreferences)
    project_context: ProjectContext = Field(default_factory=ProjectContext)
    skill_configs: dict[str, SkillConfig] = Field(default_factory=dict)
    component_snapshots: dict[str, ComponentSnapshot] = Field(default_factory=dict)
    granted_commands: list[CommandGrant] = Field(default_factory=list)
    metadata: dict[str, Any] = Field(default_factory=dict)

    @classmethod
    def for_project(cls, root_path: str, *, name: str | None = None) -> SessionAsset:
        """A new session about the project in that folder."""
        return cls(project_context=ProjectContext(root_path=root_path, name=name))

    def touch(self) -> None:
        """Raise `updated_at_ms` to now, or, where the clock has not moved on, by one."""
        self.updated_at_ms = max(now_ms(), self.updated_at_ms + 1)

    def add_turn(self, turn: ConversationTurn) -> None:
        """Add a turn at the end."""
        self.history.turns.append(turn)
        self.touch()

    def set_skill_config(self, config: SkillConfig) -> None:
        """Set up a skill."""
        self.skill_configs[config.skill_id] = config
        self.touch()

    def save_snapshot(self, snapshot: ComponentSnapshot) -> None:
        """Keep the state of a component."""
        self.component_snapshots[snapshot.component_fqn] = snapshot
        self.touch()

    def remove_snapshot(self, component_fqn: str) -> ComponentSnapshot | None:
        """Drop the state of a component, and answer it."""
        found = self.component_snapshots.pop(component_fqn, None)
        if found is not None:
            self.touch()
        return found

    def clear_snapshots(self) -> None:
        """Drop the states of all components."""
        if self.component_snapshots:
            self.component_snapshots.clear()
            self.touch()

    def save_grants(self, grants: Sequence[CommandGrant]) -> None:
        """Replace the granted commands."""
        if list(grants) != self.granted_commands:
            self.granted_commands = list(grants)
            self.touch()

    def checksum(self) -> str:
        """A hash of the whole content, turns included."""
        return checksum_of(self.model_dump(mode="json"))


def checksum_of(value: object) -> str:
    """A hash of a JSON value, the same whatever the order of names."""
    text = json.dumps(value, sort_keys=True, separators=(",", ":"))
    return blake2b(text.encode(), digest_size=16).hexdigest()
