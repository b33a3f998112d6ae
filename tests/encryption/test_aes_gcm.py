"""Encrypted payloads: who has the key reads them, nobody else does, and keys can be changed."""

from __future__ import annotations

import base64
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sessioncache import AsyncSessionCache, DecodeError
from sessioncache.encryption import AESGCMCodec
from sessioncache.errors import ConfigurationError
from sessioncache.transcripts import lua
from tests.engines import Engine
from tests.engines.caches import make_async_cache

OLD, NEW = bytes(range(32)), bytes(range(1, 33))
SECRET = {"role": "user", "content": "my card is 4242 4242"}


@given(st.binary(max_size=300).map(lambda data: b"{" + data))
def test_what_goes_in_comes_out(data: bytes) -> None:
    """Any bytes come back as they were; nothing of them shows, and no two payloads are alike."""
    codec = AESGCMCodec({"k": OLD})
    payload = codec.encode(data)
    assert codec.decode(payload) == data
    assert payload.startswith(b"\x01\x01k")
    assert codec.encode(data) != payload
    assert len(data) < 8 or data not in payload


@given(st.data())
def test_any_change_is_noticed(data: st.DataObject) -> None:
    """A payload of which any bit was changed, or any part is missing, is refused, never read as something else."""
    codec = AESGCMCodec({"k": OLD, "j": OLD})
    payload = codec.encode(b'{"n":1}')
    position = data.draw(st.integers(1, len(payload) - 1))
    bit = data.draw(st.integers(0, 7))
    changed = payload[:position] + bytes([payload[position] ^ 1 << bit]) + payload[position + 1 :]
    with pytest.raises(DecodeError):
        codec.decode(changed)
    with pytest.raises(DecodeError):
        codec.decode(payload[:position])


def test_a_key_is_changed() -> None:
    """What the old key wrote is read while both are there; what is written from then on needs the new one only."""
    before, both = AESGCMCodec({"old": OLD}), AESGCMCodec({"new": NEW, "old": OLD})
    after = AESGCMCodec({"new": NEW})
    first, second = before.encode(b"{}"), both.encode(b"{}")
    assert (both.key_of(first), both.key_of(second)) == ("old", "new")
    assert both.decode(first) == both.decode(second) == after.decode(second) == b"{}"
    with pytest.raises(DecodeError, match="encrypted with key 'old', which this cache does not have"):
        after.decode(first)


def test_a_key_may_be_known_before_it_is_used() -> None:
    """`current` names the key to write with, wherever it stands."""
    assert AESGCMCodec({"new": NEW, "old": OLD}, current="old").encode(b"{}").startswith(b"\x01\x03old")


def test_the_right_name_with_the_wrong_key() -> None:
    """Another key under the same name is told apart by the tag."""
    with pytest.raises(DecodeError, match="does not fit key 'k'"):
        AESGCMCodec({"k": NEW}).decode(AESGCMCodec({"k": OLD}).encode(b"{}"))


@pytest.mark.parametrize(
    "text, problem",
    [
        ("", "encryption key 1 is not of the form name:base64"),
        ("a:" + base64.b64encode(OLD).decode() + ",b", "encryption key 2 is not of the form"),
        ("a:AAAA", "key 'a' has 3 bytes"),
        ("a b:" + base64.b64encode(OLD).decode(), "key name 'a b' is not usable"),
        (",".join(["a:" + base64.b64encode(OLD).decode()] * 2), "two encryption keys of the name 'a'"),
    ],
)
def test_keys_that_cannot_work(text: str, problem: str) -> None:
    """What is wrong with the keys is said without showing any."""
    with pytest.raises(ConfigurationError, match=problem) as caught:
        AESGCMCodec.from_text(text)
    assert base64.b64encode(OLD).decode() not in str(caught.value)


def test_no_key_and_no_such_key() -> None:
    """A codec needs a key, and the current one must be among them."""
    with pytest.raises(ConfigurationError, match="no key to encrypt with"):
        AESGCMCodec({})
    with pytest.raises(ConfigurationError, match="no key 'x' among a, b"):
        AESGCMCodec({"a": OLD, "b": NEW}, current="x")


def test_the_package_is_an_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without it, the error names what brings it."""
    monkeypatch.setitem(sys.modules, "cryptography.hazmat.primitives.ciphers.aead", None)
    with pytest.raises(ConfigurationError, match=r"sessioncache\[encryption\]"):
        AESGCMCodec({"k": OLD})


async def test_a_namespace_is_encrypted_by_its_settings(
    cache: AsyncSessionCache, engine: Engine, namespace: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Keys in the environment encrypt messages and documents; plain messages from before are read beside them."""
    await cache.transcripts.append("s", {"n": 0})
    monkeypatch.setenv("SESSIONCACHE_ENCRYPTION_KEYS", "k:" + base64.b64encode(OLD).decode())
    async with make_async_cache(engine, namespace) as keeper:
        assert "4242" not in repr(keeper.settings)
        await keeper.transcripts.append("s", SECRET)
        await keeper.documents.save("s", {"state": SECRET})
        assert (await keeper.transcripts.list("s")).messages == [{"n": 0}, SECRET]
        assert (await keeper.documents.get("s")).values == {"state": SECRET}
    [entry] = await cache._transport.call(
        lua.read(session=cache.keys.session("s"), start=2, stop=None, limit=1, newest=False)
    )
    assert entry.payload.startswith(b"\x01\x01k")
    assert b"4242" not in entry.payload
    with pytest.raises(DecodeError, match="header byte 0x01"):
        await cache.transcripts.list("s")
