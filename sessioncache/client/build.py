"""Arguments become settings; what is wrong with them is said in one sentence.

The rule of this module: no option is guessed. An unknown one names the nearest that exists.
"""

from __future__ import annotations

from collections.abc import Mapping
from difflib import get_close_matches
from typing import Any, Final

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from sessioncache.errors import ConfigurationError
from sessioncache.settings import Settings
from sessioncache.wire.codec import Codec

__all__ = ["codec_of", "make_settings"]


def make_settings(url: str | None, namespace: str | None, options: Mapping[str, Any]) -> Settings:
    """The settings of a cache: arguments first, then `SESSIONCACHE_*` variables, then defaults.

    Raises:
        ConfigurationError: an unknown option, or a value that cannot work.
    """
    given: dict[str, Any] = {
        name: value for name, value in (("url", url), ("namespace", namespace)) if value is not None
    }
    for name in options:
        if name not in Settings.model_fields:
            near = get_close_matches(name, Settings.model_fields, n=1)
            raise ConfigurationError(f"unknown option {name!r}" + (f"; did you mean {near[0]!r}?" if near else ""))
    try:
        return Settings(**(given | dict(options)))
    except ValidationError as error:
        problems = "; ".join(_problem(item) for item in error.errors())
        raise ConfigurationError(f"settings cannot work: {problems}") from error


def codec_of(settings: Settings) -> Codec | None:
    """The codec that the settings ask for.

    Raises:
        ConfigurationError: keys that cannot work.
    """
    if settings.encryption_keys is None:
        return None
    from sessioncache.encryption import AESGCMCodec

    return AESGCMCodec.from_text(settings.encryption_keys.get_secret_value())


SECRET: Final = ("password", "url", "keys")
"""What the names of settings end in whose values are not shown."""


def _problem(item: ErrorDetails) -> str:
    name = ".".join(map(str, item["loc"]))
    value = "" if name.endswith(SECRET) else f" is {item['input']!r}"
    reason = item["msg"].replace("Input should", "it should").partition(", unable")[0]
    return f"{name} (or SESSIONCACHE_{name.upper()}){value}: {reason}"
