"""Which call fails, how, and how often: the plan that both faulty transports follow.

The rule of this module: plans are counted, never random, so a test that fails fails again.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from sessioncache.errors import BackendTimeout, BackendUnavailable, SessionCacheError

__all__ = ["Fault", "Faults"]

Kind = Literal["refuse", "lose_reply", "repeat", "delay"]


@dataclass(slots=True)
class Fault:
    """What happens to some calls."""

    name: str
    """`<noun>.<verb>`, or `*` for every call."""
    kind: Kind
    skip: int
    """How many such calls go through first."""
    times: int
    """How many are hit after that."""
    error: Callable[[], SessionCacheError]
    wait_ms: int = 0
    hit: int = 0
    """How many were hit so far."""

    def takes(self, name: str) -> bool:
        """Whether this call is hit; counts it."""
        if self.name not in ("*", name) or self.hit >= self.times:
            return False
        if self.skip > 0:
            self.skip -= 1
            return False
        self.hit += 1
        return True


class Faults:
    """The faults to come. Each method adds one and answers it, so that a test can look at its `hit`."""

    def __init__(self) -> None:
        self._planned: list[Fault] = []

    def refuse(
        self,
        name: str = "*",
        *,
        skip: int = 0,
        times: int = 1,
        error: Callable[[], SessionCacheError] = lambda: BackendUnavailable("refused by the test"),
    ) -> Fault:
        """Raise before anything is sent: the call does not happen."""
        return self._plan(Fault(name, "refuse", skip, times, error))

    def lose_reply(
        self,
        name: str = "*",
        *,
        skip: int = 0,
        times: int = 1,
        error: Callable[[], SessionCacheError] = lambda: BackendTimeout("the reply was lost by the test"),
    ) -> Fault:
        """Send, and raise instead of answering: the call happened, but nobody knows."""
        return self._plan(Fault(name, "lose_reply", skip, times, error))

    def repeat(self, name: str = "*", *, skip: int = 0, times: int = 1) -> Fault:
        """Send twice, and answer what came second, as a driver does that repeats blindly."""
        return self._plan(Fault(name, "repeat", skip, times, SessionCacheError))

    def delay(self, wait_ms: int, name: str = "*", *, skip: int = 0, times: int = 1) -> Fault:
        """Wait before sending."""
        return self._plan(Fault(name, "delay", skip, times, SessionCacheError, wait_ms))

    def for_call(self, name: str) -> list[Fault]:
        """The faults that hit the call that is about to be sent."""
        return [fault for fault in self._planned if fault.takes(name)]

    def clear(self) -> None:
        """From now on all goes well."""
        self._planned.clear()

    def _plan(self, fault: Fault) -> Fault:
        self._planned.append(fault)
        return fault
