"""Chunks: what was put in comes out, byte by byte, or a ValueError does."""

from __future__ import annotations

import json

import pytest
import zstandard
from hypothesis import given, settings
from hypothesis import strategies as st

from sessioncache.sealing.chunks import body_of, dictionary_id, needed_dictionary, open_chunk, pack_chunk
from sessioncache.sealing.dictionaries import pack_dictionary, remember_dictionary, unpack_dictionary
from sessioncache.sealing.models import ChunkPlace, RawEntry
from sessioncache.sealing.plan import grouped

objects = st.dictionaries(st.text(max_size=3), st.integers() | st.text(max_size=20) | st.none(), max_size=3)
payloads = objects.map(lambda value: json.dumps(value, ensure_ascii=False).encode("utf-8", "replace")) | st.binary(
    max_size=40
)
odd = st.sampled_from([b'{"a":"\\ud800"}', b'{"a":1}, {"b":2}', b"[", b"]", b"", b"\x01zip", b'{"a":' + b"[" * 300])


@st.composite
def transcripts(draw: st.DrawFn) -> list[RawEntry]:
    """Messages with gaps between their numbers, and clocks that go back."""
    stored = draw(st.lists(payloads | odd, min_size=1, max_size=30))
    gaps = draw(st.lists(st.sampled_from([1, 1, 1, 2, 300, 2**33]), min_size=len(stored), max_size=len(stored)))
    times = draw(st.lists(st.integers(0, 2**45), min_size=len(stored), max_size=len(stored)))
    marks = draw(st.lists(st.sampled_from("mmc"), min_size=len(stored), max_size=len(stored)))
    seq = 0
    entries = []
    for payload, gap, ms, mark in zip(stored, gaps, times, marks, strict=True):
        seq += gap
        entries.append(RawEntry(seq, ms, payload, mark))
    return entries


DATA = zstandard.train_dictionary(
    512, [b'{"role":"user","content":"order %d"}' % (n * 37) for n in range(500)]
).as_bytes()
NAME = dictionary_id(DATA)
DICTIONARY = remember_dictionary(NAME, DATA)


@settings(max_examples=300, deadline=None, derandomize=True, database=None)
@given(transcripts(), st.sampled_from([None, DICTIONARY]), st.data())
def test_every_part_of_a_chunk_comes_out_as_it_went_in(
    entries: list[RawEntry], dictionary: zstandard.ZstdCompressionDict | None, data: st.DataObject
) -> None:
    """Numbers, times, marks and payloads of any part are those that were put in; its text is theirs, with commas."""
    place, body = body_of(entries)
    chunk = pack_chunk(body, dictionary, NAME)
    opened = open_chunk(ChunkPlace.parse(str(place).encode()), chunk, {NAME: DICTIONARY})
    first = data.draw(st.integers(0, len(entries)))
    last = data.draw(st.integers(first, len(entries)))
    found = opened.rows(first, last)

    assert list(found) == entries[first:last]
    assert len(found) == last - first
    assert not found or found.ends == (entries[first].seq, entries[last - 1].seq)
    assert list(found.reversed()) == entries[first:last][::-1]
    assert list(opened.seqs) == [entry.seq for entry in entries]
    assert (place.size, place.mark) == (sum(len(entry.payload) for entry in entries), entries[0].mark)
    if found.texts is not None:
        assert b"".join(found.texts) == b",".join(entry.payload for entry in found)


def test_plain_messages_are_decoded_together_and_compressed() -> None:
    """Of JSON objects every message is decoded at once, and a chunk takes a part of their bytes."""
    entries = [RawEntry(n, 5, b'{"role":"user","content":"order %d"}' % n) for n in range(1, 200)]
    place, body = body_of(entries)
    chunk = pack_chunk(body, DICTIONARY, NAME)

    assert needed_dictionary(chunk) == NAME
    assert len(chunk) * 5 < place.size
    [text] = open_chunk(place, chunk, {NAME: DICTIONARY}).rows(0, 199).texts or []
    assert json.loads(b"[%b]" % bytes(text)) == [json.loads(entry.payload) for entry in entries]


def test_any_damage_is_found() -> None:
    """A chunk of which one byte is another, or that is cut off, is a ValueError, and never other messages."""
    entries = [RawEntry(n, n, b'{"content":"%d"}' % (n * 7919)) for n in range(1, 60)]
    place, body = body_of(entries)
    chunk = pack_chunk(body, None, "")
    for at in range(len(chunk)):
        damaged = chunk[:at] + bytes([chunk[at] ^ 0x55]) + chunk[at + 1 :]
        for broken in (damaged, chunk[:at]):
            with pytest.raises((ValueError, IndexError)):
                open_chunk(place, broken, {})


def test_a_dictionary_is_what_its_name_says() -> None:
    """A dictionary comes back from its stored form; one that is damaged is refused."""
    stored = pack_dictionary(DATA)
    assert len(stored) <= len(DATA)
    assert unpack_dictionary(stored) == DATA
    with pytest.raises(ValueError, match="damaged"):
        unpack_dictionary(stored[:-3])
    with pytest.raises(ValueError, match="its hash is another"):
        remember_dictionary(NAME, DATA + b"x")


def test_chunks_end_where_a_transcript_may_be_cut() -> None:
    """Chunks are of about one length, and none begins with a message that continues the one before it."""
    entries = [RawEntry(n, 0, b"{}", "m" if n % 3 == 1 else "c") for n in range(1, 301)]
    groups = grouped(entries, 64)

    assert [entry for group in groups for entry in group] == entries
    assert all(group[0].mark == "m" for group in groups)
    assert all(55 <= len(group) <= 66 for group in groups)
