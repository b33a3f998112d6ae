"""Logs: one line an event, JSON for machines or `key=value` pairs for people.

The rule of this module: a line holds no session's content, no password and no line break; who writes one names sessions
at the level `debug` alone.
"""

from __future__ import annotations

import json
import logging
import sys
from datetime import UTC, datetime

__all__ = ["configure"]


class JsonFormatter(logging.Formatter):
    """`{"at": …, "level": "info", "logger": …, "event": …, …}`."""

    def fields(self, record: logging.LogRecord) -> dict[str, object]:
        """What a line says."""
        said: dict[str, object] = {
            "at": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "event": record.getMessage(),
            **getattr(record, "fields", {}),
        }
        if record.exc_info:
            said["trace"] = self.formatException(record.exc_info)
        return said

    def format(self, record: logging.LogRecord) -> str:
        """One line."""
        return json.dumps(self.fields(record), ensure_ascii=False, default=str)


class TextFormatter(JsonFormatter):
    """`at=… level=info logger=… event="…" key=value …`."""

    def format(self, record: logging.LogRecord) -> str:
        """One line."""
        return " ".join(f"{name}={_value(value)}" for name, value in self.fields(record).items())


def _value(value: object) -> str:
    text = str(value).lower() if isinstance(value, bool) else str(value)
    is_plain = text.isprintable() and text and not any(mark in text for mark in ' "=\\')
    return text if is_plain else json.dumps(text, ensure_ascii=False)


def configure(level: str, style: str) -> None:
    """Write logs to standard error, warnings of Python among them. arq tells only what went wrong."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonFormatter() if style == "json" else TextFormatter())
    logging.basicConfig(level=level.upper(), handlers=[handler], force=True)
    logging.captureWarnings(capture=True)
    logging.getLogger("arq").setLevel(logging.WARNING)
