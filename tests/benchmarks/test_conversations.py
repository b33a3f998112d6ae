"""The messages that are measured with, and how they are shared out."""

import json
from pathlib import Path

import pytest

from benchmarks.conversations import FILE_VARIABLE, append_plan, find_file, load_plan, read_file, short_plan, whole_plan

CONVERSATIONS = [[{"n": f"{name}{number}"} for number in range(length)] for name, length in (("a", 3), ("b", 5))]


def test_every_task_appends_equally_many_messages() -> None:
    """Tasks have the same number of messages, in conversations that no other task writes."""
    plan = append_plan(CONVERSATIONS, tasks=3, operations=30)
    names = [share.conversation for shares in plan for share in shares]
    assert [sum(len(share.messages) for share in shares) for shares in plan] == [10, 10, 10]
    assert len(names) == len(set(names))


def test_a_conversation_is_appended_from_its_beginning() -> None:
    """Each share is the beginning of a conversation of the file, or all of it."""
    for shares in append_plan(CONVERSATIONS, tasks=2, operations=20):
        for share in shares:
            assert any(share.messages == whole[: len(share.messages)] for whole in CONVERSATIONS)


def test_sessions_to_load_are_equally_long() -> None:
    """Sessions are the conversations end to end, cut at one length, however few conversations there are."""
    shares = load_plan(CONVERSATIONS, sessions=3, length=4)
    assert [[message["n"] for message in share.messages] for share in shares] == [
        ["a0", "a1", "a2", "b0"],
        ["b1", "b2", "b3", "b4"],
        ["a0", "a1", "a2", "b0"],
    ]


def test_json_lines_and_an_array_are_read(tmp_path: Path) -> None:
    """A file may hold JSON lines with messages, or one array of messages."""
    lines, array = tmp_path / "lines.jsonl", tmp_path / "array.json"
    lines.write_text("".join(json.dumps({"messages": messages}) + "\n" for messages in CONVERSATIONS))
    array.write_text(json.dumps(CONVERSATIONS[0]))
    assert read_file(lines) == CONVERSATIONS
    assert read_file(array) == [CONVERSATIONS[0]]


def test_a_bad_line_is_named(tmp_path: Path) -> None:
    """A line that is no conversation is an error with its number."""
    file = tmp_path / "bad.jsonl"
    file.write_text('{"messages": [{"a": 1}]}\n{"messages": \n')
    with pytest.raises(ValueError, match=r"bad\.jsonl:2"):
        read_file(file)


def test_a_file_without_messages_is_refused(tmp_path: Path) -> None:
    """There is nothing to measure with in an empty file."""
    file = tmp_path / "empty.jsonl"
    file.write_text("")
    with pytest.raises(ValueError, match="no messages"):
        read_file(file)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    """A file that is asked for and not there is an error, not another file."""
    with pytest.raises(FileNotFoundError, match=r"gone\.jsonl"):
        find_file(tmp_path / "gone.jsonl")


def test_the_environment_names_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The variable is heard where no file is given, and a file that is given wins."""
    named, given = tmp_path / "named.jsonl", tmp_path / "given.jsonl"
    for path in (named, given):
        path.write_text("{}")
    monkeypatch.setenv(FILE_VARIABLE, str(named))
    assert find_file() == named.resolve()
    assert find_file(given) == given.resolve()


def test_whole_sessions_are_the_conversations() -> None:
    """Sessions to weigh are the conversations as they are, from the first one again after the last."""
    shares = whole_plan(CONVERSATIONS, sessions=3)
    assert [share.messages for share in shares] == [CONVERSATIONS[0], CONVERSATIONS[1], CONVERSATIONS[0]]
    assert len({share.conversation for share in shares}) == 3


def test_short_sessions_are_short() -> None:
    """Short messages are texts of users and assistants, cut to one length."""
    whole = [[{"role": "system", "content": "s"}, {"role": "user", "content": "u" * 999}, {"role": "tool"}]]
    (share,) = short_plan(whole, sessions=1, length=2)
    assert share.messages == [{"role": "user", "content": "u" * 200}] * 2
