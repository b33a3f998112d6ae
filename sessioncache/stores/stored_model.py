"""What the stores' models have in common: fields that nobody declared are kept, optional ones are left out where null.

The rule of this module: one base class, and what is read through it has the store's own errors.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict, SerializerFunctionWrapHandler, ValidationError, model_serializer

from sessioncache.errors import DecodeError, InvalidArgument
from sessioncache.types import JSONObject

__all__ = ["StoredModel", "dumped", "given", "read_back"]

M = TypeVar("M", bound=BaseModel)


class StoredModel(BaseModel):
    """A model of something that is stored as JSON."""

    model_config = ConfigDict(extra="allow", validate_assignment=False)

    @model_serializer(mode="wrap")
    def _without_nulls(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """Leave out declared fields that are None; undeclared ones stay, null or not."""
        values: dict[str, Any] = handler(self)
        return {name: value for name, value in values.items() if value is not None or name not in self._declared()}

    @classmethod
    def _declared(cls) -> Mapping[str, object]:
        return cls.__pydantic_fields__


def dumped(model: BaseModel) -> JSONObject:
    """What is stored of a model."""
    return model.model_dump(mode="json")


def given(kind: type[M], value: object, *, what: str) -> M:
    """The model that a caller gave, or the one in the object that a caller gave.

    Raises:
        InvalidArgument: it is neither.
    """
    if isinstance(value, kind):
        return value
    if isinstance(value, BaseModel):
        value = dumped(value)
    try:
        return kind.model_validate(value)
    except ValidationError as error:
        raise InvalidArgument(f"{what} is no {kind.__name__}: {_first(error)}") from error


def read_back(kind: type[M], value: object, *, what: str, seq: int | None = None) -> M:
    """The model in a stored JSON value.

    Raises:
        DecodeError: the value is none of this kind.
    """
    try:
        return kind.model_validate(value)
    except ValidationError as error:
        raise DecodeError(f"{what} is no {kind.__name__}: {_first(error)}", seq=seq) from error


def _first(error: ValidationError) -> str:
    """The first fault, without the value, which may be long or secret."""
    fault = error.errors(include_url=False, include_input=False, include_context=False)[0]
    place = ".".join(str(part) for part in fault["loc"])
    return f"{place}: {fault['msg']}" if place else str(fault["msg"])
