"""Reading files of conversations: JSON lines with `session_id` and `messages`, or a plain JSON array of messages.

The rule of this module: a file is read and judged as a whole before anything is written anywhere, and what is wrong
with it is said with file, line and reason.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any, Final

from sessioncache.cli.root import UnusableFile, WrongUsage
from sessioncache.errors import SessionCacheError
from sessioncache.types import check_session_id, check_text
from sessioncache.wire.codec import encode_message

__all__ = ["BUNDLED", "Conversation", "bundled_conversations", "read_conversations", "turns_of"]

BUNDLED: Final = "conversations.jsonl"
ENTRY_BYTES_MAX: Final = 1_048_576
USER_BYTES_MAX: Final = 512


@dataclass(frozen=True)
class Conversation:
    """One session's messages, as the bytes that are to lie in Redis."""

    id: str
    user: str | None
    messages: tuple[bytes, ...]


class _Bad(ValueError):
    """The reason why something is no conversation."""


def bundled_conversations() -> list[Conversation]:
    """The conversations that come with the project."""
    text = files("sessioncache.cli.demo").joinpath(BUNDLED).read_text(encoding="utf-8")
    return _parse(text, BUNDLED, stem="bundled")


def read_conversations(paths: Sequence[Path]) -> list[Conversation]:
    """All conversations of some files.

    Raises:
        WrongUsage: there is no such file.
        UnusableFile: a file that cannot be read, a line that is no conversation, an id that occurs twice.
    """
    found: list[Conversation] = []
    origin: dict[str, Path] = {}
    for path in paths:
        for conversation in _parse(_text(path), str(path), stem=path.stem):
            if conversation.id in origin:
                raise UnusableFile(f"{path}: session_id {conversation.id!r} is in {origin[conversation.id]} already")
            origin[conversation.id] = path
            found.append(conversation)
    return found


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        raise WrongUsage(f"there is no file {str(path)!r}; give one with conversations as JSON lines") from None
    except UnicodeDecodeError as error:
        line = path.read_bytes()[: error.start].count(b"\n") + 1
        raise UnusableFile(f"{path}, line {line}: not UTF-8 text; save the file as UTF-8") from None
    except OSError as error:
        raise UnusableFile(f"{path} cannot be read: {error.strerror}") from error


def _parse(text: str, name: str, *, stem: str) -> list[Conversation]:
    plain_array = text.lstrip().startswith("[")
    found: list[Conversation] = []
    lines: dict[str, int] = {}
    for line, conversation in _array(text, name, stem) if plain_array else _lines(text, name):
        if conversation.id in lines:
            raise UnusableFile(
                f"{name}, line {line}: session_id {conversation.id!r} is on line {lines[conversation.id]} already"
            )
        lines[conversation.id] = line
        found.append(conversation)
    if not found:
        raise UnusableFile(f"{name}: there is no conversation in it; write one a line, with session_id and messages")
    return found


def _lines(text: str, name: str) -> Iterator[tuple[int, Conversation]]:
    for number, line in enumerate(text.split("\n"), 1):
        if not line.strip():
            continue
        try:
            yield number, _conversation(_load(line))
        except _Bad as error:
            raise UnusableFile(f"{name}, line {number}: {error}") from None


def _array(text: str, name: str, stem: str) -> Iterator[tuple[int, Conversation]]:
    """The messages of an array, which are one conversation named after its file."""
    decoder = json.JSONDecoder(parse_constant=_refuse_constant)
    payloads: list[bytes] = []
    start = text.index("[") + 1
    first_line = line = text.count("\n", 0, start) + 1
    try:
        while True:
            start = _skip_space(text, start)
            line = text.count("\n", 0, start) + 1
            if text[start : start + 1] == "]" and not payloads:
                raise _Bad("the array holds no messages")
            message, start = decoder.raw_decode(text, start)
            payloads.append(_payload(message, len(payloads)))
            start = _skip_space(text, start)
            line = text.count("\n", 0, start) + 1
            if text[start : start + 1] == "]":
                break
            if text[start : start + 1] != ",":
                raise _Bad("expected a comma or the end of the array")
            start += 1
        if text[start + 1 :].strip():
            raise _Bad("there is something behind the end of the array")
    except json.JSONDecodeError as error:
        raise UnusableFile(f"{name}, line {error.lineno}: not JSON: {error.msg} (column {error.colno})") from None
    except ValueError as error:
        raise UnusableFile(f"{name}, line {line}: {error}") from None
    yield first_line, Conversation(stem or "conversation", None, tuple(payloads))


def _skip_space(text: str, start: int) -> int:
    while text[start : start + 1].isspace():
        start += 1
    return start


def _load(line: str) -> Any:  # noqa: ANN401 - any JSON value
    try:
        return json.loads(line, parse_constant=_refuse_constant)
    except json.JSONDecodeError as error:
        raise _Bad(
            f"not JSON: {error.msg} (column {error.colno}); write one object a line, with session_id and messages"
        ) from None
    except RecursionError:
        raise _Bad("nested too deeply") from None


def _refuse_constant(word: str) -> None:
    raise _Bad(f"not JSON: {word} is no JSON value")


def _conversation(value: object) -> Conversation:
    if not isinstance(value, dict):
        raise _Bad(f"a conversation is an object with session_id and messages, not {_kind(value)}")
    for field in ("session_id", "messages"):
        if field not in value:
            raise _Bad(f"the field {field!r} is missing")
    messages, user = value["messages"], value.get("user_id")
    if not isinstance(messages, list) or not messages:
        raise _Bad("'messages' must be a list with at least one message")
    try:
        session_id = check_session_id(value["session_id"])
        if user is not None:
            check_text(user, what="user_id", bytes_max=USER_BYTES_MAX)
    except SessionCacheError as error:
        raise _Bad(str(error)) from None
    return Conversation(session_id, user, tuple(_payload(item, index) for index, item in enumerate(messages)))


def _payload(message: object, index: int) -> bytes:
    if not isinstance(message, dict):
        raise _Bad(f"message {index} must be an object, not {_kind(message)}")
    try:
        return encode_message(message, bytes_max=ENTRY_BYTES_MAX, position=index)
    except SessionCacheError as error:
        raise _Bad(str(error)) from None


def _kind(value: object) -> str:
    names = {list: "an array", str: "a string", bool: "true or false", int: "a number", float: "a number"}
    return names.get(type(value), "null")


def turns_of(conversation: Conversation) -> list[tuple[bytes, ...]]:
    """The conversation in turns: one begins wherever a person speaks."""
    turns: list[list[bytes]] = []
    for payload in conversation.messages:
        message = json.loads(payload)
        if not turns or message.get("role") == "user" or message.get("type") == "human":
            turns.append([])
        turns[-1].append(payload)
    return [tuple(turn) for turn in turns]
