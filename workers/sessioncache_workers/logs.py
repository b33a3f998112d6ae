"""Logs: one line an event, `key=value` pairs, for people and machines alike.

The rule of this module: a line holds no session's content, no password and no line break.
"""

from __future__ import annotations

import json
import logging
import sys
from datetime import UTC, datetime

__all__ = ["configure"]


class LineFormatter(logging.Formatter):
    """`at=… level=info logger=… event="…" key=value …`."""

    def format(self, record: logging.LogRecord) -> str:
        """One line."""
        fields = {
            "at": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "event": record.getMessage(),
            **getattr(record, "fields", {}),
        }
        if record.exc_info:
            fields["trace"] = self.formatException(record.exc_info)
        return " ".join(f"{name}={_value(value)}" for name, value in fields.items())


def _value(value: object) -> str:
    text = str(value).lower() if isinstance(value, bool) else str(value)
    is_plain = text.isprintable() and text and not any(mark in text for mark in ' "=\\')
    return text if is_plain else json.dumps(text, ensure_ascii=False)


def configure(level: str) -> None:
    """Write logs to standard error, warnings of Python among them. arq tells only what went wrong."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(LineFormatter())
    logging.basicConfig(level=level.upper(), handlers=[handler], force=True)
    logging.captureWarnings(capture=True)
    logging.getLogger("arq").setLevel(logging.WARNING)
