"""Free TCP ports on 127.0.0.1.

The rule of this module: ports lie below the range from which the kernel serves outgoing connections (32768 and up), and
so do their cluster bus ports (port + 10000); else a client's own connection may sit on the port that a server wants.
A port that was free a moment ago can still be taken, so who starts a server on one retries with another. What this
process was given lately it is not given again: whoever has it may listen only later, or be down and come back.
"""

from __future__ import annotations

import random
import socket
from collections import deque
from typing import Final

from sessioncache.errors import ConfigurationError

__all__ = ["BUS_OFFSET", "free_port"]

BUS_OFFSET: Final = 10_000
"""A cluster node's bus port is its port plus this, unless configured otherwise."""

_FIRST: Final = 11_000
_LAST: Final = 20_999
_TRIES: Final = 200

_chance = random.SystemRandom()
"""Not the seedable generator: two test runs with one seed would otherwise want the same ports."""

_given: deque[int] = deque(maxlen=1_000)
"""The ports that were given out last."""


def free_port(*, with_bus: bool = False) -> int:
    """A port on which nothing listens now, and that was not given out lately.

    Args:
        with_bus: Its cluster bus port must be free as well.

    Raises:
        ConfigurationError: None of many tried is free.
    """
    for _ in range(_TRIES):
        port = _chance.randint(_FIRST, _LAST)
        if port not in _given and _is_free(port) and (not with_bus or _is_free(port + BUS_OFFSET)):
            _given.append(port)
            return port
    raise ConfigurationError(f"no free port found on 127.0.0.1 between {_FIRST} and {_LAST}")


def _is_free(port: int) -> bool:
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        # As the servers do: a port whose last connection is in TIME_WAIT is free.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True
