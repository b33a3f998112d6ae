"""The dispatcher of the demonstration, and the person who edits what agents are writing.

The rule of this module: a turn goes to whichever agent is free, best one of another process than the turn before, and a
session's next turn is handed out only when the one before is done.
"""

from __future__ import annotations

import asyncio
import json
import os
import random
import sys
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from sessioncache.cli.demo.conversations import Conversation, turns_of
from sessioncache.cli.demo.proof import Expected
from sessioncache.cli.root import ChildEnded
from sessioncache.client._async import AsyncSessionCache
from sessioncache.settings import Settings

__all__ = ["AgentProcess", "Replay", "Tally"]

LINE_BYTES_MAX = 64 * 1_048_576
EDITS_SHARE = 0.3
"""Share of turns during which the person edits that session, besides the first edit that every session gets."""


@dataclass
class Tally:
    """What happened during the replay."""

    messages: int = 0
    edits: int = 0
    turns: int = 0
    handovers: int = 0
    """Turns that an agent of another process took than the turn before."""
    appends_s: list[float] = field(default_factory=list)
    saves: int = 0
    retries: int = 0
    counts: Counter[str] = field(default_factory=Counter)
    duration_s: float = 0.0
    problems: list[str] = field(default_factory=list)


class AgentProcess:
    """The dispatcher's end of one process of agents."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process
        self.waiting: dict[int, asyncio.Future[str | None]] = {}
        self.summary: dict[str, Any] = {}
        self._listening: asyncio.Task[None] | None = None

    @classmethod
    async def start(cls, settings: Settings) -> AgentProcess:
        """Start one and wait until it is connected."""
        environment = os.environ | {
            "SESSIONCACHE_URL": settings.url,
            "SESSIONCACHE_NAMESPACE": settings.namespace,
            "SESSIONCACHE_SHARDS": str(settings.shards),
        }
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "sessioncache.cli.demo.agent",
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            env=environment,
            limit=LINE_BYTES_MAX,
            process_group=0,
        )
        agents = cls(process)
        if not await agents._line():
            raise ChildEnded("a process of agents ended before it was ready; its error is above")
        agents._listening = asyncio.create_task(agents._listen())
        return agents

    async def take(self, turn: dict[str, Any]) -> str | None:
        """Hand out a turn and wait until it is done; the problem, if there was one."""
        assert self._process.stdin is not None  # noqa: S101 - it was started with a pipe
        done: asyncio.Future[str | None] = asyncio.get_running_loop().create_future()
        self.waiting[turn["task"]] = done
        self._process.stdin.write(json.dumps(turn).encode() + b"\n")
        await self._process.stdin.drain()
        return await done

    async def finish(self) -> dict[str, Any]:
        """No more turns: the process ends, and tells what it did."""
        if self._process.stdin is not None:
            self._process.stdin.close()
        if self._listening is not None:
            await self._listening
        await self._process.wait()
        return self.summary

    async def kill(self) -> None:
        """End it now."""
        if self._process.returncode is None:
            self._process.kill()
        await self._process.wait()
        if self._listening is not None:
            self._listening.cancel()

    async def _line(self) -> dict[str, Any]:
        assert self._process.stdout is not None  # noqa: S101 - it was started with a pipe
        line = await self._process.stdout.readline()
        found: dict[str, Any] = json.loads(line) if line else {}
        return found

    async def _listen(self) -> None:
        while answer := await self._line():
            if "summary" in answer:
                self.summary = answer["summary"]
            else:
                self.waiting.pop(answer["task"]).set_result(answer["problem"])
        for done in self.waiting.values():
            done.set_exception(ChildEnded("a process of agents has ended; its error is above"))


class Replay:
    """One replay of conversations."""

    def __init__(
        self,
        cache: AsyncSessionCache,
        conversations: Sequence[Conversation],
        *,
        agents: int,
        seed: int,
        tell: Callable[[Tally], None],
    ) -> None:
        self._cache = cache
        self._agents = agents
        self._chance = random.Random(seed)  # noqa: S311 - a seed makes the order of events the same again
        self._tell = tell
        self._turns = {conversation.id: turns_of(conversation) for conversation in conversations}
        self._users = {conversation.id: conversation.user for conversation in conversations}
        self._to_edit: asyncio.Queue[str | None] = asyncio.Queue()
        self.expected = {item.id: Expected(item.id, item.user, item.messages) for item in conversations}
        self.tally = Tally()

    async def run(self, processes: Sequence[AgentProcess]) -> None:
        """Replay everything; `expected` says afterwards what must be there, `tally` what happened."""
        loop = asyncio.get_running_loop()
        began = loop.time()
        person = asyncio.create_task(self._person())
        try:
            await self._dispatch(processes)
            self.tally.duration_s = loop.time() - began
            self._to_edit.put_nowait(None)
            await person
        finally:
            person.cancel()
        for process in processes:
            self._add(await process.finish())

    def _add(self, summary: dict[str, Any]) -> None:
        self.tally.appends_s += summary["appends_s"]
        self.tally.saves += len(summary["saves_s"])
        self.tally.retries += summary["retries"]
        self.tally.counts.update(summary["counts"])

    async def _dispatch(self, processes: Sequence[AgentProcess]) -> None:
        idle = [(number, number % len(processes)) for number in range(self._agents)]
        ready = [(session_id, 0) for session_id in self._turns]
        last: dict[str, int] = {}
        running: dict[asyncio.Task[str | None], tuple[str, int, tuple[int, int]]] = {}
        task_number = 0
        try:
            while ready or running:
                while ready and idle:
                    session_id, turn = ready.pop(self._chance.randrange(len(ready)))
                    agent = self._pick(idle, last.get(session_id))
                    self.tally.handovers += turn > 0 and agent[1] != last[session_id]
                    last[session_id] = agent[1]
                    order = self._order(session_id, turn) | {"agent": agent[0], "task": task_number}
                    running[asyncio.create_task(processes[agent[1]].take(order))] = (session_id, turn, agent)
                    task_number += 1
                    self._maybe_edit(session_id, turn)
                done, _ = await asyncio.wait(running, return_when=asyncio.FIRST_COMPLETED)
                for task in done:
                    session_id, turn, agent = running.pop(task)
                    idle.append(agent)
                    problem = task.result()
                    if problem is not None:
                        self.tally.problems.append(problem)
                    elif turn + 1 < len(self._turns[session_id]):
                        ready.append((session_id, turn + 1))
                    if problem is None:
                        self._count(session_id, turn)
        finally:
            for task in running:
                task.cancel()

    def _pick(self, idle: list[tuple[int, int]], avoid: int | None) -> tuple[int, int]:
        self._chance.shuffle(idle)
        choice = next((index for index, agent in enumerate(idle) if agent[1] != avoid), len(idle) - 1)
        return idle.pop(choice)

    def _order(self, session_id: str, turn: int) -> dict[str, Any]:
        turns = self._turns[session_id]
        return {
            "session": session_id,
            "user": self._users[session_id],
            "turn": turn,
            "before": sum(map(len, turns[:turn])),
            "messages": [payload.decode() for payload in turns[turn]],
            "at_once": self._chance.random() < 0.5,  # noqa: PLR2004 - half of them
            "by_save": self._chance.random() < 0.2,  # noqa: PLR2004 - a fifth of them
            "last": turn == len(turns) - 1,
        }

    def _count(self, session_id: str, turn: int) -> None:
        self.tally.turns += 1
        self.tally.messages += len(self._turns[session_id][turn])
        if turn == 0:
            self._to_edit.put_nowait(session_id)
        self._tell(self.tally)

    def _maybe_edit(self, session_id: str, turn: int) -> None:
        if turn > 0 and self._chance.random() < EDITS_SHARE:
            self._to_edit.put_nowait(session_id)

    async def _person(self) -> None:
        """Rename and pin sessions, one after the other, while agents write to them."""
        while (session_id := await self._to_edit.get()) is not None:
            expected = self.expected[session_id]
            rename = not expected.title_version or self._chance.random() < 0.6  # noqa: PLR2004 - three of five
            if rename:
                expected.title_version += 1
                expected.title = f"Case {self._chance.randrange(10_000):04} · edit {self.tally.edits + 1}"
            if not rename or self._chance.random() < 0.3:  # noqa: PLR2004 - some do both
                expected.pinned = not expected.pinned
            expected.metadata_version += 1
            updated = await self._cache.sessions.update(session_id, title=expected.title, pinned=expected.pinned)
            self.tally.edits += 1
            if (updated.title_version, updated.metadata_version) != (
                expected.title_version,
                expected.metadata_version,
            ):
                self.tally.problems.append(
                    f"{session_id}: edit {expected.metadata_version} was answered with version "
                    f"{updated.metadata_version}: another edit was lost or counted twice"
                )
