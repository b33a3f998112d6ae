"""What the stores' models have in common: fields that nobody declared are kept, optional ones are left out where null.

The rule of this module: one base class; what is read through it has the store's own errors, and nothing is written that
could not be read back.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Any, TypeVar, get_args

from pydantic import (
    BaseModel,
    ConfigDict,
    SerializerFunctionWrapHandler,
    ValidationError,
    model_serializer,
    model_validator,
)
from pydantic_core import ErrorDetails, PydanticSerializationError

from sessioncache.errors import DecodeError, InvalidArgument
from sessioncache.types import JSONObject

__all__ = [
    "StoredModel",
    "as_list",
    "dumped",
    "dumped_message",
    "dumped_messages",
    "dumped_plain",
    "given",
    "read_back",
    "read_message",
]

M = TypeVar("M", bound=BaseModel)


class StoredModel(BaseModel):
    """A model of something that is stored as JSON."""

    model_config = ConfigDict(extra="allow", validate_assignment=False)

    @model_validator(mode="before")
    @classmethod
    def _null_is_absent(cls, values: object) -> object:
        """Take the default where a field is null that cannot be: OpenAI's clients write `tool_calls: null`, say."""
        if not isinstance(values, dict):
            return values
        never_null = _fields_of(cls)[1]
        return {name: value for name, value in values.items() if value is not None or name not in never_null}

    @model_serializer(mode="wrap")
    def _without_nulls(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """Leave out the nulls that absence reads as; all others stay."""
        values: dict[str, Any] = handler(self)
        optional = _fields_of(type(self))[0]
        return {name: value for name, value in values.items() if value is not None or name not in optional}


@cache
def _fields_of(kind: type[BaseModel]) -> tuple[frozenset[str], frozenset[str]]:
    """The fields of a model whose default is null; and those that have another default and cannot be null."""
    fields = kind.__pydantic_fields__.items()
    null = frozenset(name for name, field in fields if not field.is_required() and field.default is None)
    never = frozenset(
        name
        for name, field in fields
        if not field.is_required()
        and name not in null
        and field.annotation is not Any
        and type(None) not in get_args(field.annotation)
    )
    return null, never


def dumped(model: BaseModel, **which: Any) -> JSONObject:
    """What is stored of a model.

    Raises:
        InvalidArgument: it holds something that is no JSON.
    """
    try:
        if not which and type(model).model_dump is BaseModel.model_dump:
            # What that does, without handing on fifteen options.
            found: JSONObject = model.__pydantic_serializer__.to_python(model, mode="json", warnings=False)
            return found
        return model.model_dump(mode="json", warnings=False, **which)
    except PydanticSerializationError as error:
        raise InvalidArgument(f"{type(model).__name__} cannot be stored: {str(error)[:200]}") from error


def dumped_plain(model: StoredModel) -> JSONObject | None:
    """What `dumped` says of a model of ours whose fields hold texts, nulls and defaults; else None. Quicker.

    Most messages are such. Of other values, numbers among them, pydantic knows what each field makes of them.
    """
    kind = type(model)
    optional = _fields_of(kind)[0]
    defaults = _plain_defaults(kind)
    found: JSONObject = {}
    for name, value in model.__dict__.items():
        if type(value) is str:
            found[name] = value
        elif value is None:
            if name not in optional:
                found[name] = None
        elif name in defaults and value is defaults[name]:
            found[name] = value
        else:
            return None
    for name, value in (model.__pydantic_extra__ or {}).items():
        if type(value) is not str or type(name) is not str:
            return None
        found[name] = value
    return found


@cache
def _plain_defaults(kind: type[BaseModel]) -> dict[str, bool | int]:
    """Defaults that are dumped as they are: truths, and numbers that are one object wherever they come up."""
    defaults = {name: field.default for name, field in kind.__pydantic_fields__.items()}
    return {name: value for name, value in defaults.items() if type(value) in {bool, int} and value in {0, 1}}


def given(kind: type[M], value: object, *, what: str) -> M:
    """The model that a caller gave, or the one in the object or the fields that a caller gave.

    Fields of a caller's object can be set to anything, so what is to be stored is read back here first.

    Raises:
        InvalidArgument: it is none.
    """
    if isinstance(value, kind):
        return value
    if isinstance(value, BaseModel):
        value = dumped(value)
    try:
        return kind.model_validate(value)
    except ValidationError as error:
        raise InvalidArgument(f"{what} is no {kind.__name__}: {_first(error)}") from error


def dumped_message(kind: type[BaseModel], message: object, *, what: str) -> JSONObject:
    """What is stored of a message that a caller gave.

    Raises:
        InvalidArgument: it is none, or its role is no text: nobody could read it back.
    """
    found = dumped(given(kind, message, what=what))
    if not isinstance(found.get("role"), str):
        raise InvalidArgument(f"{what} is no {kind.__name__}: its role must be a text")
    return found


def dumped_messages(kind: type[BaseModel], messages: object, *, what: str) -> list[JSONObject]:
    """What is stored of the messages that a caller gave.

    Raises:
        InvalidArgument: it is no list of them, or one could not be read back.
    """
    return [
        dumped_message(kind, message, what=f"{what} {position}")
        for position, message in enumerate(as_list(messages, what=what))
    ]


def as_list(messages: object, *, what: str) -> Sequence[object]:
    """The messages that a caller gave.

    Raises:
        InvalidArgument: that is no list.
    """
    if not isinstance(messages, Sequence) or isinstance(messages, str | bytes):
        raise InvalidArgument(f"{what}s must be a list, not {type(messages).__name__}")
    return messages


def read_back(kind: type[M], value: object, *, what: str, seq: int | None = None) -> M:
    """The model in a stored JSON value.

    Raises:
        DecodeError: the value is none of this kind.
    """
    try:
        return kind.model_validate(value)
    except ValidationError as error:
        raise DecodeError(f"{what} is no {kind.__name__}: {_first(error)}", seq=seq) from error


def read_message(kind: type[M], value: JSONObject, *, what: str, seq: int) -> M:
    """The model in a stored message, which another contract may have written.

    An optional field that is of another kind there stays as it is stored: one message must not lock up a session.

    Raises:
        DecodeError: the message is none of this kind, even without such fields.
    """
    try:
        return kind.model_validate(value)
    except ValidationError as error:
        odd = {str(fault["loc"][0]) for fault in _faults(error) if fault["loc"]}
    model = read_back(kind, {name: part for name, part in value.items() if name not in odd}, what=what, seq=seq)
    for name in odd & value.keys():
        setattr(model, name, value[name])
    return model


def _first(error: ValidationError) -> str:
    """The first fault, without the value, which may be long or secret."""
    fault = _faults(error)[0]
    place = ".".join(str(part) for part in fault["loc"])
    return f"{place}: {fault['msg']}" if place else str(fault["msg"])


def _faults(error: ValidationError) -> list[ErrorDetails]:
    return error.errors(include_url=False, include_input=False, include_context=False)
