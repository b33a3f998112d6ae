"""The Python in README and in the documentation runs as it stands, against a real server."""

from __future__ import annotations

import ast
import asyncio
import inspect
from types import CodeType
from typing import Any

import pytest

from tests.docs.pages import Block, blocks, pages
from tests.engines import Engine

URL = "redis://localhost:6379"
"""What pages say; a test puts its own server in the place of it."""


def python_of(page: str) -> list[Block]:
    """The blocks of a page that are to run."""
    return [block for block in blocks(page) if block.language == "python" and block.is_run]


def compiled(page: str, block: Block, url: str) -> CodeType:
    """A block with the server's URL in it, its lines numbered as on the page; `await` may stand outside functions."""
    source = "\n" * (block.line - 1) + block.text.replace(URL, url)
    code: CodeType = compile(source, page, "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT, dont_inherit=True)
    return code


@pytest.mark.engines("valkey")
@pytest.mark.parametrize("page", [page for page in pages() if python_of(page)])
def test_the_python_of_a_page_runs(engine: Engine, page: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The blocks of the page run one after another, each seeing the names of those before it."""
    monkeypatch.setenv("SESSIONCACHE_URL", engine.url)
    state: dict[str, Any] = {"__name__": "__main__"}
    with asyncio.Runner() as runner:
        for block in python_of(page):
            code = compiled(page, block, engine.url)
            if code.co_flags & inspect.CO_COROUTINE:
                runner.run(eval(code, state))  # noqa: S307 - the documentation's own code
            else:
                exec(code, state)  # noqa: S102 - as above
