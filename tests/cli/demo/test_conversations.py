"""Files of conversations are read as they are, and refused with file, line and reason."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from sessioncache.cli.demo.conversations import bundled_conversations, read_conversations, turns_of
from sessioncache.cli.root import UnusableFile, WrongUsage

GOOD = '{"session_id": "a", "messages": [{"role": "user", "content": "hi"}]}'


def written(folder: Path, text: str | bytes, name: str = "talk.jsonl") -> Path:
    """A file with this text."""
    path = folder / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def test_json_lines(tmp_path: Path) -> None:
    """Each line is a conversation; empty lines and the user's name are allowed."""
    text = GOOD + '\n\n{"session_id": "é:{", "user_id": "ann", "messages": [{"x": "ü\\ud83d\\ude00"}, {"y": 1}]}\n'
    first, second = read_conversations([written(tmp_path, text)])
    assert (first.id, first.user, first.messages) == ("a", None, (b'{"role":"user","content":"hi"}',))
    assert (second.id, second.user) == ("é:{", "ann")
    assert [json.loads(payload) for payload in second.messages] == [{"x": "ü😀"}, {"y": 1}]


def test_a_plain_array(tmp_path: Path) -> None:
    """A JSON array of messages is one conversation, named after its file."""
    (only,) = read_conversations(
        [written(tmp_path, '[\n {"role": "user"},\n {"role": "assistant"}\n]\n', "my talk.json")]
    )
    assert (only.id, len(only.messages)) == ("my talk", 2)


@pytest.mark.parametrize(
    "text,told",
    [
        (GOOD + "\n{oops\n", "line 2: not JSON"),
        (GOOD + "\n" + GOOD, "line 2: session_id 'a' is on line 1 already"),
        ("\n7\n", "line 2: a conversation is an object with session_id and messages, not a number"),
        ('{"messages": [{}]}', "line 1: the field 'session_id' is missing"),
        ('{"session_id": "a"}', "line 1: the field 'messages' is missing"),
        ('{"session_id": "a", "messages": []}', "line 1: 'messages' must be a list with at least one message"),
        ('{"session_id": "a", "messages": [{}, "hi"]}', "line 1: message 1 must be an object, not a string"),
        ('{"session_id": "", "messages": [{}]}', "line 1: session id is empty"),
        ('{"session_id": "a\\u0007", "messages": [{}]}', "line 1: session id 'a\\x07' holds the control character"),
        ('{"session_id": "a", "messages": [{"x": NaN}]}', "line 1: not JSON: NaN is no JSON value"),
        (b'{"session_id": "a", "messages": [{}]}\n{"x": "\xff"}', "line 2: not UTF-8 text"),
        ("", "there is no conversation in it"),
        ("[]", "line 1: the array holds no messages"),
        ('[{"a": 1},\n 7]', "line 2: message 1 must be an object, not a number"),
        ('[{"a": 1},\n {"b": ]', "line 2: not JSON"),
        ('[{"a": 1}\n', "line 2: expected a comma or the end of the array"),
        ('[{"a": 1}]\n{}', "line 1: there is something behind the end of the array"),
    ],
)
def test_bad_files(tmp_path: Path, text: str | bytes, told: str) -> None:
    """What is wrong is said with file, line and reason."""
    path = written(tmp_path, text)
    with pytest.raises(UnusableFile) as refused:
        read_conversations([path])
    assert str(path) in str(refused.value)
    assert told in str(refused.value)


def test_one_id_in_two_files(tmp_path: Path) -> None:
    """An id that two files use is refused, naming both."""
    first, second = written(tmp_path, GOOD, "first.jsonl"), written(tmp_path, GOOD, "second.jsonl")
    with pytest.raises(UnusableFile, match=r"second\.jsonl: session_id 'a' is in .*first\.jsonl already"):
        read_conversations([first, second])


def test_a_missing_file(tmp_path: Path) -> None:
    """A file that is not there is wrong usage."""
    with pytest.raises(WrongUsage, match="there is no file"):
        read_conversations([tmp_path / "none.jsonl"])


def test_the_bundled_conversations() -> None:
    """The project's own conversations are at least twelve, of several turns, in three shapes with tool calls."""
    conversations = bundled_conversations()
    assert len(conversations) >= 12
    assert all(len(conversation.messages) >= 4 for conversation in conversations)
    text = b"\n".join(payload for conversation in conversations for payload in conversation.messages)
    for mark in (b'"tool_calls":[{"id"', b'"type":"tool_use"', b'"type":"ai"'):
        assert mark in text


def test_turns() -> None:
    """A turn begins wherever a person speaks, and turns together are the conversation."""
    for conversation in bundled_conversations():
        turns = turns_of(conversation)
        assert [payload for turn in turns for payload in turn] == list(conversation.messages)
        assert len(turns) >= 2
