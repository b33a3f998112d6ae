"""`sessioncache transcripts`: shown, followed, and not shown where it is damaged."""

from __future__ import annotations

import json
import signal
from typing import Any

import pytest

from sessioncache import SessionCache
from sessioncache.cli.transcripts import message_text
from tests.cli.conftest import Command, clean_environment, start
from tests.engines import Engine
from tests.engines.caches import SHARDS
from tests.engines.raw import client_for

pytestmark = pytest.mark.engines("valkey")


def test_show(command: Command, cache: SessionCache) -> None:
    """The newest messages, oldest first, exactly; stderr says how many there are in all."""
    cache.transcripts.append("s", [{"role": "user", "content": f"{number}"} for number in range(5)])
    shown = command("transcripts", "show", "s", "--last", "2", "--json")
    assert [(item["seq"], item["message"]["content"]) for item in shown.objects] == [(4, "3"), (5, "4")]
    assert "5 messages in all" in shown.err
    ranged = command("transcripts", "show", "s", "--start", "2", "--stop", "3")
    assert [line.split()[-1] for line in ranged.out.splitlines()] == ["1", "2"]


@pytest.mark.usefixtures("cache")
def test_show_of_a_missing_session(command: Command) -> None:
    """No such session is exit code 1, an empty one is not."""
    assert command("transcripts", "show", "nobody").code == 1


def test_a_damaged_message(command: Command, cache: SessionCache, engine: Engine) -> None:
    """A message that cannot be decoded is exit code 5 with its number, unless --skip-damaged leaves it out."""
    cache.transcripts.append("s", [{"n": 1}, {"n": 2}])
    key = cache.keys.session("s").transcript
    with client_for(engine, key) as client:
        entries: Any = client.xrange(key)
        deadline_ms = client.pexpiretime(key)
        client.delete(key)
        for entry_id, fields in entries:
            client.xadd(key, {name: value.replace(b'{"n":2}', b"oops   ") for name, value in fields.items()}, entry_id)
        client.pexpireat(key, int(str(deadline_ms)))
    shown = command("transcripts", "show", "s")
    assert shown.code == 5
    assert "message 2 cannot be decoded" in shown.err
    assert "--skip-damaged` leaves it out" in shown.err
    skipped = command("transcripts", "show", "s", "--skip-damaged", "--json")
    assert skipped.code == 0
    assert [item["message"] for item in skipped.objects] == [{"n": 1}]
    assert "cannot be decoded: 2" in skipped.err


def test_a_torn_session(command: Command, cache: SessionCache, engine: Engine) -> None:
    """A session that lost a part is exit code 5, never a shorter or a missing one, and can be deleted."""
    cache.transcripts.append("s", [{"n": 1}, {"n": 2}])
    key = cache.keys.session("s").transcript
    with client_for(engine, key) as client:
        client.delete(key)
    for words in (("transcripts", "show", "s"), ("sessions", "show", "s")):
        shown = command(*words)
        assert shown.code == 5, words
        assert "remove it with `sessioncache sessions delete`" in shown.err
    assert command("sessions", "delete", "s", "--yes").code == 0


def test_tail(engine: Engine, namespace: str, cache: SessionCache) -> None:
    """It prints what is there, then what is appended, once each, and Ctrl-C ends it with 0."""
    cache.transcripts.append("s", [{"n": 1}, {"n": 2}])
    settings = {"SESSIONCACHE_URL": engine.url, "SESSIONCACHE_NAMESPACE": namespace, "SESSIONCACHE_SHARDS": str(SHARDS)}
    with start(
        "transcripts", "tail", "s", "--last", "1", "--json", env=clean_environment(**settings, PYTHONUNBUFFERED="1")
    ) as process:
        assert process.stdout is not None
        lines: list[Any] = [json.loads(process.stdout.readline())]
        for number in (3, 4):
            cache.transcripts.append("s", {"n": number})
            lines.append(json.loads(process.stdout.readline()))
        process.send_signal(signal.SIGINT)
        rest, errors = process.communicate(timeout=20)
    assert [line["message"]["n"] for line in lines] == [2, 3, 4]
    assert (process.returncode, rest, errors) == (0, "", "")


@pytest.mark.parametrize(
    "message,told",
    [
        ({"role": "user", "content": "hi"}, ("user", "hi")),
        (
            {"role": "assistant", "content": None, "tool_calls": [{"function": {"name": "f", "arguments": "{}"}}]},
            ("assistant", "→ f({})"),
        ),
        (
            {
                "role": "assistant",
                "content": [{"type": "text", "text": "a"}, {"type": "tool_use", "name": "f", "input": {}}],
            },
            ("assistant", "a\n→ f({})"),
        ),
        (
            {"role": "user", "content": [{"type": "tool_result", "content": [{"type": "text", "text": "b"}]}]},
            ("user", "← b"),
        ),
        (
            {"type": "ai", "data": {"content": "", "tool_calls": [{"name": "f", "args": {"x": 1}}]}},
            ("ai", '→ f({"x": 1})'),
        ),
        ({"anything": 1}, ("message", '{"anything": 1}')),
    ],
)
def test_messages_as_text(message: dict[str, Any], told: tuple[str, str]) -> None:
    """OpenAI, Anthropic and LangChain messages read as talk; any other is shown as JSON."""
    assert message_text(message) == told
