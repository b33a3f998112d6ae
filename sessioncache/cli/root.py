"""The root of the command line: global options anywhere, errors in one sentence, exit codes.

The rule of this module: whatever happens below, what leaves is one sentence and a code of `exits.py`; a traceback only
under `--debug`.
"""

from __future__ import annotations

import asyncio
import os
import sys
import traceback
import warnings
from collections.abc import AsyncIterator, Coroutine, Sequence
from contextlib import aclosing, asynccontextmanager, suppress
from dataclasses import dataclass, field
from difflib import get_close_matches
from io import TextIOWrapper
from typing import Any, NoReturn, TypeVar

import typer
from typer.core import TyperGroup

from sessioncache.cli.exits import Exit, exit_code_for
from sessioncache.cli.output import Output, hide_password
from sessioncache.client._async import AsyncSessionCache
from sessioncache.client.build import make_settings
from sessioncache.errors import (
    BackendTimeout,
    BackendUnavailable,
    ConfigurationError,
    DataError,
    DecodeError,
    SchemaTooNew,
    SessionCacheError,
)
from sessioncache.namespaces.server import EvictionPolicyWarning
from sessioncache.settings import Settings

__all__ = [
    "ChildEnded",
    "Incomplete",
    "NegativeAnswer",
    "Root",
    "State",
    "UnusableFile",
    "WrongUsage",
    "nearest",
    "run",
    "state_of",
]

T = TypeVar("T")

FLAGS = frozenset({"--json", "--debug"})
VALUED = frozenset({"--url", "--namespace", "--shards"})


class NegativeAnswer(Exception):
    """The command's own no: exit code 1, with this sentence."""


class ChildEnded(Exception):
    """A process that should run has ended, or does not become ready: exit code 3, with this text."""


class Incomplete(Exception):
    """Nothing wrong was found, but not all was looked at: exit code 7, with this sentence."""


class UnusableFile(Exception):
    """A file that cannot be used: exit code 5, with this sentence."""


class WrongUsage(Exception):
    """An argument that cannot work: exit code 2, with this sentence."""


@dataclass
class State:
    """The global options of one run."""

    url: str | None = None
    namespace: str | None = None
    shards: int | None = None
    debug: bool = False
    output: Output = field(default_factory=lambda: Output(as_json=False))

    def settings(self, **more: object) -> Settings:
        """Settings of the cache that the options name, `SESSIONCACHE_*` variables filling in."""
        options: dict[str, Any] = dict(more)
        if self.shards is not None:
            options["shards"] = self.shards
        return make_settings(self.url, self.namespace, options)

    def cache(self, **more: object) -> AsyncSessionCache:
        """The cache that the options name. A person waits, so it gives up on a dead server after 5 s."""
        return AsyncSessionCache.from_url(self.url, namespace=self.namespace, **self._options(more))

    @asynccontextmanager
    async def found(self) -> AsyncIterator[AsyncSessionCache]:
        """The cache of a namespace that is there, with the shard count that it has; one is never made by looking.

        Raises:
            ConfigurationError: there is no such namespace, or the options say another shard count.
        """
        settings = self.settings()
        cache = await AsyncSessionCache.find(self.url, namespace=self.namespace, **self._options({}))
        if cache is None:
            raise ConfigurationError(
                f"there is no namespace {settings.namespace!r} at {hide_password(settings.url)}; whoever writes to it "
                "first makes it"
            )
        async with aclosing(cache):
            if "shards" in settings.model_fields_set and settings.shards != cache.keys.shards:
                raise ConfigurationError(
                    f"namespace {settings.namespace!r} has {cache.keys.shards} shards, not {settings.shards}; that was "
                    f"fixed when it was created: leave out --shards, or set SESSIONCACHE_SHARDS={cache.keys.shards}"
                )
            yield cache

    def _options(self, more: dict[str, Any]) -> dict[str, Any]:
        options = {"client_name": "sessioncache-cli", **more}
        if self.shards is not None:
            options["shards"] = self.shards
        if "SESSIONCACHE_CALL_TIMEOUT_MS" not in os.environ:
            options.setdefault("call_timeout_ms", 5_000)
        return options


def state_of(context: typer.Context) -> State:
    """The global options."""
    state = context.obj
    return state if isinstance(state, State) else State()


def run(work: Coroutine[Any, Any, T]) -> T:
    """Run a command's coroutine to its end."""
    return asyncio.run(work)


def nearest(given: str, known: Sequence[str]) -> str:
    """What would have been right, as the end of a sentence."""
    near = get_close_matches(given, known, n=3, cutoff=0.5)
    return f"did you mean {' or '.join(near)}?" if near else f"there are: {', '.join(known)}"


def hoist(arguments: Sequence[str]) -> list[str]:
    """The global options in front of everything, wherever they were written; what follows `--` stays where it is."""
    front: list[str] = []
    rest: list[str] = []
    words = iter(arguments)
    for word in words:
        if word == "--":
            rest += [word, *words]
        elif word in FLAGS or word.split("=")[0] in VALUED:
            front.append(word)
            if word in VALUED:
                front += [value for value in [next(words, None)] if value is not None]
        else:
            rest.append(word)
    return front + rest


class Root(TyperGroup):
    """The top command."""

    def main(self, args: Sequence[str] | None = None, *rest: Any, **extra: Any) -> NoReturn:
        """Run, and end the process with a code of `exits.py`."""
        given = list(sys.argv[1:] if args is None else args)
        words = hoist(given)
        options = given[: given.index("--")] if "--" in given else given
        # What a terminal has no characters for is shown by its number, and is no failure.
        for stream in (sys.stdout, sys.stderr):
            if isinstance(stream, TextIOWrapper):
                stream.reconfigure(errors="backslashreplace")
        output = Output(as_json="--json" in options)
        with warnings.catch_warnings():
            warnings.simplefilter("always", EvictionPolicyWarning)
            warnings.showwarning = lambda message, *_args, **_more: output.warn(str(message))
            extra["standalone_mode"] = False
            try:
                code = super().main(words, *rest, **extra)
            except BaseException as error:  # noqa: BLE001 - the top: every end of the program is decided here
                if "--debug" in options:
                    traceback.print_exc()
                code = _end(error, output)
        sys.exit(code if isinstance(code, int) else Exit.OK)


def _end(error: BaseException, output: Output) -> int:
    """Say what happened, and the exit code for it."""
    match error:
        case SystemExit():
            code: int = error.code if isinstance(error.code, int) else Exit.NO
        case KeyboardInterrupt() | asyncio.CancelledError() | EOFError():
            code = Exit.INTERRUPTED
        case BrokenPipeError():
            # The reader of our output has seen enough.
            _drop_output()
            code = Exit.OK
        case SessionCacheError():
            code = exit_code_for(error)
            output.fail(_with_remedy(error), code=error.code, exit_code=code)
        case OSError():
            try:
                sys.stdout.flush()
            except OSError:
                _drop_output()
            code = Exit.SYSTEM
            where = f"{error.filename}: " if error.filename else ""
            output.fail(f"{where}{error.strerror or error}", code="system", exit_code=code)
        case _ if type(error).__name__ == "NoArgsIsHelpError":
            # typer brings its own copy of click, whose errors have no public name.
            output.say(str(error))
            code = Exit.USAGE
        case _:
            text, word, code = _explain(error, output)
            output.fail(text, code=word, exit_code=code)
    return code


def _drop_output() -> None:
    """What Python flushes at its end must go somewhere."""
    with suppress(OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


OWN_ENDS: dict[type[BaseException], tuple[str, Exit]] = {
    NegativeAnswer: ("no", Exit.NO),
    WrongUsage: ("usage", Exit.USAGE),
    Incomplete: ("incomplete", Exit.INCOMPLETE),
    UnusableFile: ("file", Exit.DATA),
    ChildEnded: ("child", Exit.UNAVAILABLE),
}


def _explain(error: BaseException, output: Output) -> tuple[str, str, Exit]:
    """The sentence, the word and the code for an end that no exception of the library stands for."""
    if type(error) in OWN_ENDS:
        return (str(error), *OWN_ENDS[type(error)])
    if isinstance(error, typer.Abort):
        output.note("")
        return "nothing was done: it was not confirmed (--yes confirms)", "aborted", Exit.NO
    if hasattr(error, "format_message"):
        # typer brings its own copy of click, whose errors have no public name.
        text = str(error.format_message()).replace("Value error, ", "").rstrip(".")
        context = getattr(error, "ctx", None)
        remedy = f"`{context.command_path} --help` shows what is right" if context is not None else ""
        return f"{text}{' ' if text.endswith('?') else '; '}{remedy}", "usage", Exit.USAGE
    text = f"this is a defect of sessioncache, please report it with the output of --debug: {error!r}"
    return text, "defect", Exit.DEFECT


def _with_remedy(error: SessionCacheError) -> str:
    """The error's sentence, and what to do where it does not say so."""
    text = str(error).rstrip(". ")
    if isinstance(error, BackendUnavailable) and "certificate" not in text:
        return f"{text} (is a server running there? `sessioncache up` starts one; --url says where)"
    if isinstance(error, BackendTimeout):
        return f"{text} (is the server overloaded, or does it speak TLS where --url does not, or the reverse?)"
    if isinstance(error, DecodeError) and error.seq is not None:
        return f"{text}; `transcripts show --skip-damaged` leaves it out"
    if isinstance(error, DataError) and not isinstance(error, SchemaTooNew) and "sessions delete" not in text:
        return f"{text}; restore it from a backup, or remove it with `sessioncache sessions delete`"
    return text
