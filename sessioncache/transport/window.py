"""The window: how far a write may run ahead of the oldest one of its session whose outcome is not known.

The rule of this module: it decides, and does not wait. The server remembers the last 16 operation ids of a session, so
a write whose answer was lost is forgotten, and happens twice when it is repeated, if too many others were done
meanwhile: those that had begun before it, and those that began after it. With a window of `size`, that is at most
`2 * (size - 1)`, however long it takes to hear of the loss.
"""

from __future__ import annotations

from sessioncache.wire.keys import Key

__all__ = ["Window"]


class Window:
    """What is under way, by key. Not safe for threads."""

    def __init__(self, size: int) -> None:
        self._size = size
        self._under_way: dict[Key, _Numbered] = {}

    def begin(self, key: Key) -> int | None:
        """Begin a write; its number, or None where it would be too far ahead."""
        numbered = self._under_way.get(key)
        if numbered is None:
            self._under_way[key] = _Numbered()
            return 0
        number = numbered.begun
        if number - numbered.unknown[0] >= self._size:
            return None
        numbered.begun = number + 1
        numbered.unknown.append(number)
        return number

    def end(self, key: Key, number: int) -> None:
        """The outcome of a write is known."""
        numbered = self._under_way[key]
        numbered.unknown.remove(number)
        if not numbered.unknown:
            del self._under_way[key]


class _Numbered:
    """The writes of one session since nothing was under way, numbered as they begin: first of all, number 0."""

    __slots__ = ("begun", "unknown")

    def __init__(self) -> None:
        self.begun = 1
        self.unknown = [0]
        """Numbers of those whose outcome is not known, the oldest first."""
