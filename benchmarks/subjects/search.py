"""How it shows that a server lacks RediSearch. Standard library only: this runs in subjects' own environments."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager

from benchmarks.subjects.contract import Unavailable

__all__ = ["without_search"]

UNKNOWN = re.compile(r"unknown command '?([\w.]+)")


@contextmanager
def without_search() -> Iterator[None]:
    """Around the first use of an index.

    Raises:
        Unavailable: the server knows no index.
    """
    try:
        yield
    except Exception as error:
        if found := UNKNOWN.search(str(error)):
            raise Unavailable(f"needs RediSearch: the server does not know {found[1]}") from error
        raise
