"""Several processes at one session: nothing is lost, nothing happens twice, and who lost his lease is kept out.

Each worker is a process of its own (`worker.py`), as in production; they begin together, when all are ready. Nothing
waits for time but a lease that has to run out.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from sessioncache import Change, Session, SessionCache
from tests.engines import Engine
from tests.engines.caches import SHARDS

pytestmark = [pytest.mark.engines("valkey", "cluster"), pytest.mark.timeout(120)]

WORKER = Path(__file__).with_name("worker.py")
TIMES = 80


class Process:
    """A worker that takes tasks, in one namespace after another."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.namespace = ""
        self.owed = 1
        """Answers that are still to come: the first says that it is ready."""
        self.process = subprocess.Popen(
            [sys.executable, str(WORKER), url, str(SHARDS)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    def begin(self, task: str, **given: Any) -> None:
        """Give it a task."""
        assert self.process.stdin is not None
        self.owed += 1
        self.process.stdin.write(json.dumps([self.namespace, task, given]) + "\n")
        self.process.stdin.flush()

    def answer(self) -> Any:  # noqa: ANN401 - whatever the task answers
        """What it answers next."""
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        assert line, "the worker died"
        self.owed -= 1
        return json.loads(line)

    def do(self, task: str, **given: Any) -> Any:  # noqa: ANN401 - whatever the task answers
        """Have a task done."""
        self.begin(task, **given)
        return self.answer()

    def send(self, number: signal.Signals) -> None:
        """Send it a signal."""
        os.kill(self.process.pid, number)

    def kill(self) -> None:
        """End it at once, wherever it is, also where it is paused."""
        self.process.kill()
        self.process.wait()
        for pipe in (self.process.stdin, self.process.stdout):
            if pipe is not None:
                with suppress(BrokenPipeError):
                    pipe.close()


Crew = Callable[[int], list[Process]]


@pytest.fixture(scope="module")
def pool() -> Iterator[list[Process]]:
    """Workers that have nothing to do; they are slow to start, so that they go from test to test."""
    idle: list[Process] = []
    yield idle
    for worker in idle:
        worker.kill()


@pytest.fixture
def crew(engine: Engine, namespace: str, pool: list[Process]) -> Iterator[Crew]:
    """Gives out workers that are ready in the test's namespace."""
    mine: list[Process] = []

    def start(count: int) -> list[Process]:
        found = [worker for worker in pool if worker.url == engine.url][:count]
        for worker in found:
            pool.remove(worker)
        new = [Process(engine.url) for _ in range(count - len(found))]
        mine.extend(found + new)
        assert [worker.answer() for worker in new] == ["ready"] * len(new)
        for worker in found + new:
            worker.namespace = namespace
            assert worker.do("begin") is None
        return found + new

    yield start
    for worker in mine:
        if worker.process.poll() is None and worker.owed == 0:
            pool.append(worker)
        else:
            worker.kill()


def together(workers: list[Process], *tasks: tuple[str, dict[str, Any]]) -> list[Any]:
    """Give each worker its task, all at once; their answers."""
    for worker, (task, given) in zip(workers, tasks, strict=True):
        worker.begin(task, **given)
    return [worker.answer() for worker in workers]


def test_edits_and_runtime_saves(sync_cache: SessionCache, crew: Crew) -> None:
    """Editors and savers in processes of their own: versions are the number of edits, and none is lost."""
    sync_cache.sessions.save(Session(id="s"))
    workers = crew(5)
    editors, savers = ("ann", "bob", "cy"), ("one", "two")
    with sync_cache.feed.subscribe("s") as changes:
        *edits, one, two = together(
            workers,
            *(("edit", {"who": who, "times": TIMES}) for who in editors),
            *(("save", {"who": who, "times": TIMES}) for who in savers),
        )
        session = sync_cache.sessions.get("s")
        assert session is not None
        told: list[Change] = []
        while not told or told[-1].revision < session.revision:
            told += changes.read()

    total = len(editors) * TIMES
    versions = sorted(tuple(version) for done in edits for version in done)
    assert versions == [(n, n) for n in range(1, total + 1)]
    assert (session.title_version, session.metadata_version) == (total, total)
    assert session.authoritative == dict.fromkeys(editors, TIMES - 1)
    assert session.title in {f"{who} {TIMES - 1}" for who in editors}
    assert set(one + two) == {"stored"}
    assert [change.revision for change in told] == list(range(2, session.revision + 1))
    edited = [int(change.details["title_version"]) for change in told if change.kind == "session.updated"]
    assert edited == list(range(1, total + 1))
    by = [(entry.message["who"], entry.message["n"]) for entry in sync_cache.transcripts.each("s")]
    assert [n for who, n in by if who == "one"] == [n for who, n in by if who == "two"] == list(range(TIMES))


def test_appends(sync_cache: SessionCache, crew: Crew) -> None:
    """Four writers of one transcript: no number is given twice, and each writer's messages are there in his order."""
    names = ("a", "b", "c", "d")
    answers = together(crew(4), *(("append", {"who": who, "times": TIMES}) for who in names))
    entries = list(sync_cache.transcripts.each("s"))

    assert [entry.seq for entry in entries] == list(range(1, 4 * TIMES + 1))
    for who, numbers in zip(names, answers, strict=True):
        mine = [entry for entry in entries if entry.message["who"] == who]
        assert [entry.seq for entry in mine] == numbers
        assert [entry.message["n"] for entry in mine] == list(range(TIMES))
    stats = sync_cache.stats.get()
    assert (stats.sessions, stats.messages) == (1, 4 * TIMES)


def test_edits_of_one_question(sync_cache: SessionCache, crew: Crew) -> None:
    """Who edits different fields, or different flags, of one entry takes nothing from the others."""
    entry = sync_cache.qa.append("s", "q", "a")
    fields: dict[str, list[Any]] = {
        "context": ["c0", "c1"],
        "feedback_text": ["t0", None],
        "feedback_score": [1, 5],
        "used_session_context_ids": [["x"], ["y", "z"]],
    }
    tasks = [
        ("answer", {"who": name, "entry": entry, "field": name, "values": values, "times": TIMES})
        for name, values in fields.items()
    ]
    answers = together(crew(4), *tasks)
    found = sync_cache.qa.get("s", entry)
    session = sync_cache.sessions.get("s")

    assert found is not None
    assert session is not None
    assert {name: getattr(found, name) for name in fields} == {name: values[1] for name, values in fields.items()}
    assert found.memify_metadata == dict.fromkeys(fields, False)
    assert all(all(changed) for changed in answers)
    assert session.revision == 1 + 4 * TIMES


def test_a_question_goes_while_others_come(sync_cache: SessionCache, crew: Crew) -> None:
    """Entries are removed while another process adds a thousand: exactly those are gone, the others in order."""
    old = [sync_cache.qa.append("s", f"old {n}", "a") for n in range(20)]
    asked, gone = together(crew(2), ("ask", {"who": "new", "times": 1_000}), ("unask", {"entries": old[::2]}))
    found = list(sync_cache.qa.each("s"))

    assert gone == [True] * 10
    assert [entry.id for entry in found] == old[1::2] + asked
    assert [entry.question for entry in found[10:]] == [f"new {n}" for n in range(1_000)]
    assert sync_cache.qa.count("s") == 1_010


def test_a_hundred_members(sync_cache: SessionCache, crew: Crew) -> None:
    """A hundred sessions that four processes add are a hundred members, though each is added by two of them."""
    names = [f"member {n}" for n in range(100)]
    parts = [names[:50], names[50:], names[25:75], names[75:] + names[:25]]
    answers = together(crew(4), *(("join", {"workspace": "w", "sessions": part}) for part in parts))

    assert sorted(member.session_id for member in sync_cache.workspaces.members("w")) == sorted(names)
    assert sum(sum(added) for added in answers) == 100
    assert sync_cache.sessions.count() == 100


def test_a_session_in_a_hundred_workspaces(sync_cache: SessionCache, crew: Crew) -> None:
    """One session that four processes add to a hundred workspaces is in a hundred."""
    names = [f"w{n}" for n in range(100)]
    together(crew(4), *(("enter", {"workspaces": names[part::4]}) for part in range(4)))

    assert sorted(member.workspace_id for member in sync_cache.workspaces.of_session("s")) == sorted(names)
    assert sync_cache.sessions.count() == 1


def test_mentions_add_up(sync_cache: SessionCache, crew: Crew) -> None:
    """Every mention of an entity counts, whichever process it comes from."""
    names = ("a", "b", "c", "d")
    together(crew(4), *(("mention", {"who": who, "times": TIMES}) for who in names))
    counts = {entity.name: entity.mention_count for entity in sync_cache.entities.each("s")}
    related = {(one.name, one.direction) for one in sync_cache.entities.find_related("s", "shared")}

    assert counts == {"shared": 4 * TIMES} | dict.fromkeys(names, TIMES)
    assert related == {(who, "in") for who in names}


def test_usage_adds_up(sync_cache: SessionCache, crew: Crew) -> None:
    """No line of token usage is lost, each process's lines are in its order, and the sums are those of the lines."""
    names = ("a", "b", "c", "d")
    together(crew(4), *(("use", {"who": who, "times": TIMES}) for who in names))
    lines = [entry.record or {} for entry in sync_cache.usage.each("s")]
    usage = sync_cache.usage.totals("s")

    assert len(lines) == usage.lines == 4 * TIMES * 2
    for who in names:
        mine = [(line["n"], line["model"]) for line in lines if line["who"] == who]
        assert mine == [(n, model) for n in range(TIMES) for model in ("shared", who)]
        assert (usage.by_model[who].calls, usage.by_model[who].input_tokens) == (TIMES, 3 * TIMES)
    assert usage.by_model["shared"].input_tokens == 4 * TIMES * 3
    assert (usage.all.calls, usage.all.output_tokens) == (8 * TIMES, 8 * TIMES)


def test_a_holder_that_dies(sync_cache: SessionCache, crew: Crew) -> None:
    """Where the holder of a lease is killed, the next proceeds when it has run out, and the old token is refused."""
    sync_cache.transcripts.append("s", {"n": 0})
    first, second, late = crew(3)
    lease = first.do("acquire", ttl_ms=60_000)
    assert second.do("acquire", ttl_ms=60_000) == {"error": "LeaseNotAcquired"}
    assert first.do("write", token=lease["token"]) == 2
    first.do("renew", ttl_ms=500, **lease)
    first.kill()
    following = second.do("acquire", ttl_ms=60_000, wait_ms=60_000)

    assert following["token"] > lease["token"]
    assert late.do("write", token=lease["token"]) == {"error": "LeaseLost"}
    assert second.do("write", token=following["token"]) == 3
    assert late.do("write", token=lease["token"]) == {"error": "LeaseLost"}
    assert sync_cache.transcripts.count("s") == 3


def test_a_holder_that_sleeps(sync_cache: SessionCache, crew: Crew) -> None:
    """A holder that was stopped, and wakes up behind its time with a write under way, writes nothing."""
    first, second = crew(2)
    lease = first.do("acquire", ttl_ms=60_000)
    first.do("renew", ttl_ms=500, **lease)
    first.send(signal.SIGSTOP)
    first.begin("write", token=lease["token"])
    following = second.do("acquire", ttl_ms=60_000, wait_ms=60_000)
    first.send(signal.SIGCONT)

    assert first.answer() == {"error": "LeaseLost"}
    assert second.do("write", token=following["token"]) == 1
    assert [message["token"] for message in sync_cache.transcripts.list("s").messages] == [following["token"]]


def test_a_saver_that_is_killed(sync_cache: SessionCache, crew: Crew) -> None:
    """Behind a saver that was killed stand record, messages, documents and updates of one save, and no mixture."""
    for round_ in range(3):
        (saver,) = crew(1)
        saver.begin("save_whole", times=100_000)
        last = [saver.answer() for _ in range(20 + round_)][-1]
        saver.kill()
        session, messages, documents, updates = seen(sync_cache)
        n = session.metadata["n"]

        assert n >= last
        assert messages == list(range(n + 1))
        assert documents == {"state": {"n": n}}
        assert updates == {f"u{number}": number for number in range(n + 1)} | {"newest": n}
        assert sync_cache.sessions.delete("s")


def seen(cache: SessionCache) -> tuple[Session, list[int], dict[str, Any], dict[str, int]]:
    """All of the session, read again where a last write of the dead was still on its way."""
    while True:
        session = cache.sessions.get("s")
        assert session is not None
        messages = [message["n"] for message in cache.transcripts.list("s", limit=10_000).messages]
        documents = cache.documents.get("s").values
        updates = {entry.id: entry.update["n"] for entry in cache.context.each("s")}
        after = cache.sessions.get("s")
        if after is not None and after.revision == session.revision:
            return session, messages, documents, updates
