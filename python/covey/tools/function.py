"""Python functions as tools: a mark, and what a model must know, read from the signature and the docstring.

    from typing import Annotated
    from covey.tools import tool

    @tool
    def forecast(city: Annotated[str, "its English name"], days: int = 1) -> str:
        \"\"\"Say what the weather will be.\"\"\"

Rules: pure. The schema is what is enforced: a call whose arguments do not fit it never reaches the function.
A signature that cannot be described is refused where it is written, not when a model calls it.
"""

from __future__ import annotations

import enum
import inspect
import re
import types
import typing
from collections.abc import Callable, Mapping
from typing import Annotated, Any, Literal, TypeVar, Union, get_args, get_origin, overload

from covey.values import dataclass

Function = TypeVar("Function", bound=Callable[..., Any])

_MARK = "__covey_tool__"
_NAME = re.compile(r"[A-Za-z0-9_-]{1,38}\Z")
_SIMPLE: Mapping[type, tuple[str, str]] = {
    bool: ("boolean", "true or false"),
    int: ("integer", "an integer"),
    float: ("number", "a number"),
    str: ("string", "a string"),
}
_SUPPORTED = (
    "str, int, float, bool, None, Literal, Enum, list[…], dict[str, …], unions of these, Annotated, Any"
)


class ToolDefinitionError(TypeError):
    """A function cannot be a tool as it stands; the message says what to change."""


class ArgumentError(ValueError):
    """A model's arguments do not fit; the message says which and how, for the model to read."""


@dataclass(frozen=True, slots=True)
class Described:
    """A function as a tool: what a model is told, and how its arguments become the function's."""

    name: str
    description: str
    schema: Mapping[str, object]
    function: Callable[..., Any]
    kinds: Mapping[str, Any]
    required: tuple[str, ...]

    @property
    def is_async(self) -> bool:
        """Say whether the function is a coroutine function."""
        return inspect.iscoroutinefunction(self.function)

    def arguments(self, given: Mapping[str, object]) -> dict[str, Any]:
        """Return the arguments as the function takes them.

        Raises:
            ArgumentError: One is missing, unknown or of another type.
        """
        unknown = [name for name in given if name not in self.kinds]
        if unknown:
            known = ", ".join(self.kinds) or "none"
            raise ArgumentError(f"{unknown[0][:60]}: no such argument; there are: {known}")
        missing = [name for name in self.required if name not in given]
        if missing:
            raise ArgumentError(f"{missing[0]}: missing")
        return {name: _fitted(self.kinds[name], value, name) for name, value in given.items()}


@overload
def tool(function: Function, /) -> Function: ...
@overload
def tool(*, name: str | None = None, description: str | None = None) -> Callable[[Function], Function]: ...
def tool(
    function: Function | None = None, /, *, name: str | None = None, description: str | None = None
) -> Function | Callable[[Function], Function]:
    """Mark a function as a tool; it stays the function it is.

    Args:
        function: The function, plain or async; every parameter has a type.
        name: What the model calls it; the function's own name, if not said.
        description: What the model is told of it; the docstring's beginning, if not said.

    Raises:
        ToolDefinitionError: Its signature cannot be described to a model.
    """

    def mark(given: Function) -> Function:
        setattr(given, _MARK, described(given, name=name, description=description))
        return given

    return mark if function is None else mark(function)


def marked(function: object) -> Described | None:
    """Return what the mark says of a function, or None where it has none."""
    found = function if isinstance(function, Described) else getattr(function, _MARK, None)
    return found if isinstance(found, Described) else None


def found_in(members: Mapping[str, object]) -> dict[str, Described]:
    """Return the tools among a module's members, by name.

    Raises:
        ToolDefinitionError: Two have one name.
    """
    found: dict[str, Described] = {}
    for member in members.values():
        each = marked(member)
        if each is not None and found.setdefault(each.name, each) is not each:
            raise ToolDefinitionError(f"{each.name}: two tools of this name")
    return found


def described(
    function: Callable[..., Any], *, name: str | None = None, description: str | None = None
) -> Described:
    """Return a function as a tool.

    Raises:
        ToolDefinitionError: Its name, a parameter or a type cannot be described.
    """
    called: str = name or str(getattr(function, "__name__", ""))
    if not _NAME.match(called):
        raise ToolDefinitionError(f"{called!r}: a tool's name has 1 to 38 letters, digits, _ and -")
    try:
        hints = typing.get_type_hints(function, include_extras=True)
    except (NameError, TypeError) as error:
        raise ToolDefinitionError(f"{called}: its types cannot be read: {error}") from None
    about, of_parameters = _docstring(inspect.getdoc(function) or "")
    properties: dict[str, Any] = {}
    required = []
    for parameter in inspect.signature(function).parameters.values():
        if parameter.kind not in (parameter.POSITIONAL_OR_KEYWORD, parameter.KEYWORD_ONLY):
            raise ToolDefinitionError(f"{called}: {parameter.name}: parameters are given by name")
        if parameter.name not in hints:
            raise ToolDefinitionError(f"{called}: {parameter.name}: has no type")
        schema = _schema(hints[parameter.name], f"{called}: {parameter.name}")
        if parameter.name in of_parameters:
            schema.setdefault("description", of_parameters[parameter.name])
        if parameter.default is parameter.empty:
            required.append(parameter.name)
        properties[parameter.name] = schema
    whole = {"type": "object", "properties": properties, "required": required, "additionalProperties": False}
    kinds = {each: hints[each] for each in properties}
    return Described(called, description or about or called, whole, function, kinds, tuple(required))


def _schema(kind: Any, at: str) -> dict[str, Any]:
    if kind in _SIMPLE:
        return {"type": _SIMPLE[kind][0]}
    if kind is Any:
        return {}
    if kind is None or kind is types.NoneType:
        return {"type": "null"}
    if isinstance(kind, type) and issubclass(kind, enum.Enum):
        return {"enum": [member.value for member in kind]}
    origin, inner = get_origin(kind), get_args(kind)
    if origin is Annotated:
        said = next((note for note in inner[1:] if isinstance(note, str)), None)
        return {**_schema(inner[0], at), **({"description": said} if said else {})}
    if origin is Literal:
        return {"enum": list(inner)}
    if origin in (Union, types.UnionType):
        return {"anyOf": [_schema(each, at) for each in inner]}
    if kind is list or origin is list:
        return {"type": "array", **({"items": _schema(inner[0], at)} if inner else {})}
    if origin is dict and inner[0] is str:
        return {"type": "object", "additionalProperties": _schema(inner[1], at)}
    if kind is dict:
        return {"type": "object"}
    raise ToolDefinitionError(f"{at}: {kind}: not a type a model can give; use {_SUPPORTED}")


def _fitted(kind: Any, value: Any, at: str) -> Any:
    """Return a value as its type wants it, or refuse it."""
    if kind is Any:
        return value
    if kind in _SIMPLE:
        return _simple(kind, value, at)
    if kind is None or kind is types.NoneType:
        return _need(value is None, value, at, "null")
    if isinstance(kind, type) and issubclass(kind, enum.Enum):
        values = [member.value for member in kind]
        _need(any(_same(value, each) for each in values), value, at, f"one of {values}")
        return kind(value)
    origin, inner = get_origin(kind), get_args(kind)
    if origin is Annotated:
        return _fitted(inner[0], value, at)
    if origin is Literal:
        return _need(any(_same(value, each) for each in inner), value, at, f"one of {list(inner)}")
    if origin in (Union, types.UnionType):
        return _either(inner, value, at)
    if kind is list or origin is list:
        _need(isinstance(value, list), value, at, "an array")
        return [_fitted(inner[0] if inner else Any, each, f"{at}[{n}]") for n, each in enumerate(value)]
    _need(isinstance(value, dict), value, at, "an object")
    return {name: _fitted(inner[1] if inner else Any, each, f"{at}.{name}") for name, each in value.items()}


def _simple(kind: type, value: Any, at: str) -> Any:
    what = _SIMPLE[kind][1]
    if kind is float:
        fits = isinstance(value, int | float) and not isinstance(value, bool)
        return float(_need(fits, value, at, what))
    fits = isinstance(value, kind) and not (kind is int and isinstance(value, bool))
    if kind is int and isinstance(value, float) and value.is_integer():
        return int(value)  # JSON has one kind of number, and some models write 3.0
    return _need(fits, value, at, what)


def _either(kinds: tuple[Any, ...], value: Any, at: str) -> Any:
    refusals = []
    for kind in kinds:
        try:
            return _fitted(kind, value, at)
        except ArgumentError as error:
            refusals.append(str(error).partition(": expected ")[2].partition(", got")[0])
    raise ArgumentError(f"{at}: expected {' or '.join(refusals)}, got {_shown(value)}")


def _need(fits: bool, value: Any, at: str, what: str) -> Any:
    if not fits:
        raise ArgumentError(f"{at}: expected {what}, got {_shown(value)}")
    return value


def _same(one: Any, other: Any) -> bool:
    return type(one) is type(other) and one == other


def _shown(value: Any) -> str:
    text = ascii(value)
    return text if len(text) <= 60 else f"{text[:57]}..."


def _docstring(text: str) -> tuple[str, dict[str, str]]:
    """Return a docstring's first paragraph, and what its Args section says of each parameter."""
    paragraph = " ".join(text.partition("\n\n")[0].split())
    found: dict[str, str] = {}
    _, has_args, rest = text.partition("\nArgs:\n")
    for line in rest.splitlines() if has_args else ():
        if line and not line.startswith(" "):
            break
        name, colon, about = line.strip().partition(":")
        if colon and name.isidentifier():
            found[name] = about.strip()
    return paragraph, found
