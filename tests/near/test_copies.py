"""Copies of JSON values: equal, and nobody's but the caller's."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sessioncache.wire.copies import TooDeepError, copied, plan_of

scalars = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5)
values = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=3), inner, max_size=4)
)


def containers(value: object) -> list[object]:
    """All lists and objects in a value."""
    if isinstance(value, dict):
        return [value, *[one for part in value.values() for one in containers(part)]]
    if isinstance(value, list):
        return [value, *[one for part in value for one in containers(part)]]
    return []


@given(st.dictionaries(st.text(max_size=3), values, max_size=4))
def test_a_copy_is_equal_and_shares_no_container(value: dict[str, Any]) -> None:
    """Whatever the value is, its copy is equal, and no list or object is in both."""
    plan, _ = plan_of(value)
    made = copied(value, plan)
    assert repr(made) == repr(value)
    assert {id(one) for one in containers(made)}.isdisjoint({id(one) for one in containers(value)})


def test_what_is_nested_too_deeply_is_refused() -> None:
    """A value nested a thousand times has no plan."""
    value: dict[str, Any] = {}
    for _ in range(1_000):
        value = {"inner": value}
    with pytest.raises(TooDeepError):
        plan_of(value)
