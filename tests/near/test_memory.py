"""Room for so many bytes: what stays, what goes."""

from __future__ import annotations

import gc
import tracemalloc
from math import inf

from sessioncache.near.memory import KEPT_BYTES, Kept, Memory
from sessioncache.sealing.models import MadeRows, RawEntry
from sessioncache.transcripts.lua import RawPage
from sessioncache.transcripts.tail import Tail
from sessioncache.wire.codec import encode_json
from sessioncache.wire.messages import MessageEncoder


class Line:
    """A connection that is always there."""

    is_current = True
    confirmed_at = 0.0


def kept(size: int, value: object = None) -> Kept:
    """A value of that size."""
    return Kept(value, inf, size, Line(), inf)


def test_what_was_asked_for_longest_ago_makes_room() -> None:
    """Beyond the limit values go, the one that nobody has asked for longest first."""
    memory = Memory(100)
    for name in "abcd":
        memory.put(name, "record", kept(25))
    assert memory.get("a", "record") is not None
    memory.put("e", "record", kept(20))
    assert [name for name in "abcde" if memory.get(name, "record")] == ["a", "c", "d", "e"]
    assert memory.bytes == 95


def test_large_values_are_not_kept() -> None:
    """What takes more than a quarter of all room does not push everything else out."""
    memory = Memory(100)
    memory.put("a", "record", kept(25))
    assert not memory.put("b", "tail", kept(26))
    assert (len(memory), memory.bytes) == (1, 25)


def test_a_value_takes_the_place_of_the_former() -> None:
    """A value that is put twice is counted once, and one that has grown too large is gone."""
    memory = Memory(100)
    memory.put("a", "record", kept(25))
    memory.put("a", "record", kept(10))
    assert (len(memory), memory.bytes) == (1, 10)
    assert not memory.put("a", "record", kept(30))
    assert (len(memory), memory.bytes) == (0, 0)


def test_a_session_is_dropped_as_a_whole() -> None:
    """Dropping a session drops its record and its tail, and nothing of a session whose name begins like it."""
    memory = Memory(1_000)
    for name in ("s:a", "s:ab", "t:a"):
        memory.put(name, "record", kept(25))
        memory.put(name, "tail", kept(25))
    assert memory.drop("s:a") == 2
    assert memory.drop("s:a") == 0
    assert memory.bytes == 100
    assert memory.drop_all("s:") == 2
    assert memory.drop_all() == 2
    assert (len(memory), memory.bytes) == (0, 0)


def test_bookkeeping_is_counted() -> None:
    """A thousand small values, their keys and their places take no more than is said."""
    memory = Memory(10**7)
    line = Line()
    gc.collect()
    tracemalloc.start()
    for number in range(1_000):
        key = f"sc:{{t:1}}:s:chat{number}"
        memory.put(key, "record", Kept(None, inf, KEPT_BYTES + len(key), line, float(number)))
    taken, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert taken <= memory.bytes <= 2 * taken


def raw_page(number: int) -> RawPage:
    """A page of fifty messages that shares nothing with any other."""
    entries = [
        RawEntry(
            seq,
            1_800_000_000_000 + 1_000 * number + seq,
            encode_json({"role": f"r{number}.{seq}", "content": f"{number}.{seq} " * 20, "n": 10**6 + seq, "a": [{}]}),
        )
        for seq in range(10_001, 10_051)
    ]
    return RawPage(f"gen{number}", 10_000 + number, 50, 10_001, 10_050, MadeRows(entries))


def test_bytes_are_counted_honestly() -> None:
    """Tails take no more of the process's memory than is said, decoded ones neither, and not much less."""
    encoder = MessageEncoder(entry_bytes_max=10**6)
    for is_decoded in (False, True):
        pages = [raw_page(number) for number in range(40)]
        gc.collect()
        tracemalloc.start()
        tails, counted = [], 0
        for page in pages:
            # Payloads belong to the page, so they are counted here as if they had been made now.
            tail = Tail.of(page)
            counted += tail.size + (tail.prepare(encoder) if is_decoded else 0)
            counted -= sum(len(payload) + 33 for payload in tail.payloads)
            tails.append(tail)
        gc.collect()
        taken, _ = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert taken <= counted <= 4 * taken
