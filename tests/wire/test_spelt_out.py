"""Whole numbers in commands, where a signal comes in the middle."""

from __future__ import annotations

import subprocess
import sys

import pytest

from sessioncache.transport.dialling import pack
from sessioncache.wire.call import spelt_out

PROGRAM = """
import random, signal
from sessioncache.transport.dialling import pack

class Late(Exception):
    pass

def late(*_):
    raise Late

signal.signal(signal.SIGALRM, late)
seen = 0
while seen < 1_000:
    try:
        signal.setitimer(signal.ITIMER_REAL, random.random() * 0.0003)
        while True:
            pack(b"EVALSHA", "0" * 40, 11, "key", 5)
    except Late:
        seen += 1
"""


def test_numbers_are_text() -> None:
    """Numbers become text, and nothing else changes; what has none is handed on as it is."""
    plain = (b"A", "b")
    assert spelt_out(plain) is plain
    assert spelt_out((b"A", "b", 3, -1)) == (b"A", "b", "3", "-1")
    assert pack(b"A", 12) == b"*2\r\n$1\r\nA\r\n$2\r\n12\r\n"


@pytest.mark.skipif(sys.platform == "win32", reason="there are no such signals")
def test_a_signal_does_not_end_the_process() -> None:
    """A thousand signals whose handler raises, wherever a command is being packed, and the process lives."""
    assert subprocess.run([sys.executable, "-c", PROGRAM], check=False, timeout=120).returncode == 0
