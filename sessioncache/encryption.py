"""Payloads that only who has the key can read: AES-GCM, with keys that have names so that they can be changed.

The rule of this module: a payload says which key it was written with, and is refused as a whole if a bit of it was
changed.

```
payload    0x01 · length of the key's name (1 byte) · its name · nonce (12 bytes) · ciphertext · tag (16 bytes)
           └────────── authenticated, not secret ──────────┘
```
"""

from __future__ import annotations

import base64
import binascii
import os
import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Final

from sessioncache.errors import ConfigurationError, DecodeError

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

__all__ = ["AESGCMCodec"]

NONCE_BYTES: Final = 12
TAG_BYTES: Final = 16
KEY_BYTES: Final = frozenset({16, 24, 32})
KEY_NAME: Final = re.compile(r"[A-Za-z0-9._-]{1,32}")


class AESGCMCodec:
    """Encrypts payloads with AES-GCM (NIST SP 800-38D); a `codec` of a cache.

    Plain JSON that lies there from before is read as it is, so that encryption can be switched on at any time. A key
    is changed in two steps: give the new one to every process behind the old ones, then to every process in front. An
    old key is needed for as long as something lies there that was written with it.

    Nonces are random, so one key should write at most 2^32 payloads.
    """

    header = b"\x01"

    def __init__(self, keys: Mapping[str, bytes], *, current: str | None = None) -> None:
        """A codec with these keys.

        Args:
            keys: by name (1 to 32 letters, digits, `.`, `_`, `-`), each 16, 24 or 32 random bytes.
            current: the name of the key to write with; the first one unless given.

        Raises:
            ConfigurationError: no key, a bad name or length, or the package `cryptography` is missing.
        """
        if not keys:
            raise ConfigurationError("there is no key to encrypt with; give at least one")
        try:
            from cryptography.hazmat.primitives.ciphers.aead import AESGCM  # noqa: PLC0415 - an extra
        except ImportError as error:
            raise ConfigurationError(
                "encryption needs a package: pip install 'sessioncache[encryption]' brings it"
            ) from error
        self._keys: dict[bytes, AESGCM] = {}
        for name, key in keys.items():
            if KEY_NAME.fullmatch(name) is None:
                raise ConfigurationError(f"key name {name!r} is not usable: use 1 to 32 of letters, digits, . _ and -")
            if len(key) not in KEY_BYTES:
                raise ConfigurationError(f"key {name!r} has {len(key)} bytes; an AES key has 16, 24 or 32")
            self._keys[name.encode()] = AESGCM(key)
        self.current = next(iter(keys)) if current is None else current
        if self.current.encode() not in self._keys:
            raise ConfigurationError(f"there is no key {self.current!r} among {', '.join(keys)}")
        written = self.current.encode()
        self._prefix = self.header + bytes([len(written)]) + written
        self._cipher = self._keys[written]

    @classmethod
    def from_text(cls, text: str) -> AESGCMCodec:
        """A codec with keys as the setting `encryption_keys` has them: `name:base64`, by commas, the current one first.

        Raises:
            ConfigurationError: as the constructor, or something is no such pair; no part of a key is in the text.
        """
        keys: dict[str, bytes] = {}
        for position, part in enumerate(text.split(",")):
            name, colon, encoded = part.strip().partition(":")
            try:
                key = base64.b64decode(encoded, validate=True)
            except (binascii.Error, ValueError):
                key = b""
            if not colon or not key:
                raise ConfigurationError(f"encryption key {position + 1} is not of the form name:base64")
            if name in keys:
                raise ConfigurationError(f"there are two encryption keys of the name {name!r}")
            keys[name] = key
        return cls(keys)

    def encode(self, json_bytes: bytes) -> bytes:
        """The payload, written with the current key."""
        nonce = os.urandom(NONCE_BYTES)
        return self._prefix + nonce + self._cipher.encrypt(nonce, json_bytes, self._prefix)

    def decode(self, payload: bytes) -> bytes:
        """The JSON bytes again.

        Raises:
            DecodeError: the key is not among these, or the payload was changed.
        """
        if not payload.startswith(self.header):
            if payload[:1] < b" ":
                raise DecodeError(
                    f"payload starts with the header byte 0x{payload[:1].hex()}, which is not encryption's"
                )
            return payload
        name = self.key_of(payload)
        cipher = self._keys.get(name.encode())
        if cipher is None:
            raise DecodeError(f"payload was encrypted with key {name!r}, which this cache does not have")
        at = 2 + len(name)
        try:
            return cipher.decrypt(payload[at : at + NONCE_BYTES], payload[at + NONCE_BYTES :], payload[:at])
        except Exception as error:
            # InvalidTag, or ValueError where there is too little for a tag.
            raise DecodeError(f"payload does not fit key {name!r}: it was changed, or the key is another") from error

    def key_of(self, payload: bytes) -> str:
        """The name of the key that a payload was written with.

        Raises:
            DecodeError: the payload is not encrypted, or is damaged.
        """
        length = payload[1] if payload.startswith(self.header) and len(payload) > 1 else 0
        name = payload[2 : 2 + length].decode("ascii", "replace")
        if KEY_NAME.fullmatch(name) is None or len(payload) < 2 + length + NONCE_BYTES + TAG_BYTES:
            raise DecodeError("payload is not encrypted, or is damaged")
        return name
