"""Calls of a sync cache that a signal breaks off: a handler may raise at any step, as Ctrl-C does."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Callable
from types import FrameType
from typing import Any, Final, TypeVar

import pytest

from sessioncache import SessionCache
from tests.engines import Engine
from tests.engines.caches import make_sync_cache

T = TypeVar("T")

STEPS_MAX: Final = 20_000
STORM: Final = """
import random, signal, sys
from sessioncache import SessionCache, SessionCacheError

def late(*_):
    raise KeyboardInterrupt

def is_late(error):
    # The driver's constructors raise an error of their own in place of what broke them off.
    return isinstance(error, KeyboardInterrupt) or (error is not None and is_late(error.__context__))

signal.signal(signal.SIGALRM, late)
with SessionCache.from_url(sys.argv[1], namespace=sys.argv[2], shards=4, connections_max=2) as cache:
    cache.transcripts.append("storm", {"n": 0})
    seen = 0
    for _ in range(800):
        try:
            signal.setitimer(signal.ITIMER_REAL, 0.00005 + random.random() * 0.0015)
            # A handler that raises in a destructor is not heard of.
            for _ in range(20):
                cache.transcripts.append("storm", {"n": 1})
                assert len(cache.transcripts.list("storm", last=1).messages) == 1
        except BaseException as error:
            if not is_late(error):
                raise
            seen += 1
    try:
        signal.setitimer(signal.ITIMER_REAL, 0)
    except KeyboardInterrupt:
        pass
    assert seen > 300
    for _ in range(20):
        cache.transcripts.append("storm", {"n": 2})
    page = cache.transcripts.list("storm", last=20)
    assert [message["n"] for message in page.messages] == [2] * 20, page
print("done")
"""


class Breaking:
    """Raises KeyboardInterrupt at the n-th moment of this thread in which Python looks for signals."""

    def __init__(self, step: int) -> None:
        self._left = step

    def __call__(self, _frame: FrameType, event: str, _arg: object) -> None:
        """Told by the interpreter: a function begins, one written in C has ended."""
        if event in {"call", "c_return"}:
            self._left -= 1
            if self._left == 0:
                sys.setprofile(None)
                raise KeyboardInterrupt

    @property
    def is_done(self) -> bool:
        """Whether it has raised."""
        return self._left <= 0


def broken_off(step: int, call: Callable[[], Any]) -> bool:
    """Whether the call was broken off at this step; it has fewer otherwise."""
    breaking = Breaking(step)
    try:
        sys.setprofile(breaking)
        try:
            call()
        finally:
            sys.setprofile(None)
    except (KeyboardInterrupt, UnboundLocalError):
        # The driver's constructors raise the second one in place of the first.
        pass
    return breaking.is_done


def in_time(call: Callable[[], T]) -> T:
    """What the call answers, in a thread, so that one that hangs fails."""
    answers: list[T] = []
    thread = threading.Thread(target=lambda: answers.append(call()), daemon=True)
    thread.start()
    thread.join(timeout=20)
    assert answers, "the call hangs, or failed"
    return answers[0]


CALLS: Final[dict[str, Callable[[SessionCache], Any]]] = {
    "write": lambda cache: cache.transcripts.append("one", {"n": 1}),
    "read": lambda cache: cache.sessions.get("one"),
    "many": lambda cache: cache.stats.get(),
}


# A socket that was just made when the call was broken off is closed by nobody but the garbage collector; what was
# broken off in a destructor, nobody hears of.
@pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize("call", CALLS)
@pytest.mark.engines("valkey", "cluster")
def test_whichever_step_a_call_is_broken_off_at_the_next_one_works(call: str, engine: Engine, namespace: str) -> None:
    """With the one connection that there is, the next calls get their own answers, whatever the broken one left."""
    with make_sync_cache(engine, namespace, connections_max=1) as cache:
        cache.transcripts.append("one", {"n": 0})
        cache.transcripts.append("two", {"n": 0})
        CALLS[call](cache)
        for step in range(1, STEPS_MAX):
            if not broken_off(step, lambda: CALLS[call](cache)):
                break
            page = in_time(lambda: cache.transcripts.list("two", last=1))
            assert page.messages == [{"n": 0}]
        assert 100 < step < STEPS_MAX - 1
        for _ in range(20):
            in_time(lambda: cache.transcripts.append("one", {"n": 2}))
        assert cache.transcripts.list("one", last=20).messages == [{"n": 2}] * 20


@pytest.mark.engines("valkey")
def test_a_storm_of_signals_leaves_a_cache_that_works(engine: Engine, namespace: str) -> None:
    """Real signals whose handler raises, one a millisecond: no call hangs, none gets the answer of another."""
    done = subprocess.run(
        [sys.executable, "-c", STORM, engine.url, namespace], check=False, timeout=120, capture_output=True, text=True
    )
    assert done.stdout == "done\n", done.stderr[-2000:]
