"""Every test states its fact."""

import ast

from tests.tidy import tree


def test_every_test_has_a_docstring() -> None:
    """Each test function says in a sentence what holds."""
    silent = []
    for name in tree.named(".py"):
        if not name.startswith(("tests/", "sessioncache/testing/")):
            continue
        for function in tree.functions(name):
            fact = (ast.get_docstring(function) or "").split("\n\n")[0]
            if function.name.startswith("test_") and not (fact.endswith(".") and " " in fact):
                silent.append(f"{name}:{function.lineno} {function.name}")
    assert silent == []
