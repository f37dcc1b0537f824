"""Dataclasses whose methods are made when they are first used.

`dataclasses` writes and compiles some six functions for every class, at import: half of a peer's start, for
hundreds of messages that most peers never see. Here the class is made at once, with its slots, and the
functions by `dataclasses` itself when the first of them is called, but for the constructors of frozen
classes, which write their slots by a shorter way. Everything else is as it is there:
`fields`, `replace`, `asdict`, copies, pickles, patterns, and the speed of what has been used once. What it
refuses (a mutable default, a field without a default after one with) is refused at the first use, too.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from dataclasses import MISSING, Field, FrozenInstanceError, field
from functools import partial
from types import FunctionType, MemberDescriptorType
from typing import Any, Final, Self, TypeVar, dataclass_transform

_T = TypeVar("_T")

_FIELDS: Final = "__dataclass_fields__"
_PLAN: Final = "__covey_plan__"
"""Holds, until the methods are made, what they are made of: flags, annotations and defaults."""
_NO_FIELD: Final = ("ClassVar", "typing.ClassVar", "InitVar", "dataclasses.InitVar")
_ORDER: Final = ("__lt__", "__le__", "__gt__", "__ge__")
_FACTORY: Final = getattr(dataclasses, "_HAS_DEFAULT_FACTORY", object())
"""Stands in a signature for a default that a factory makes."""


@dataclass_transform(field_specifiers=(field,))
def dataclass(
    *, frozen: bool = False, slots: bool = True, eq: bool = True, order: bool = False
) -> Callable[[type[_T]], type[_T]]:
    """Make a class a dataclass with slots; its methods are made when the first of them is called.

    Args:
        frozen: Nothing may be assigned once it is made.
        slots: True: there is no other kind here; said so that a class reads the same everywhere.
        eq: Equal by fields, and hashed by them when frozen.
        order: Ordered by fields.
    """
    if not slots:
        raise TypeError("a value has slots: use dataclasses for a class with a dictionary")

    def made(cls: type[_T]) -> type[_T]:
        return _slotted(cls, {"frozen": frozen, "eq": eq, "order": order})

    return made


def _slotted(cls: type[_T], flags: dict[str, bool]) -> type[_T]:
    """Make the class anew, with slots for its fields and stand-ins for its methods."""
    space = dict(cls.__dict__)
    said: dict[str, Any] = space.get("__annotations__", {})
    own = [name for name, kind in said.items() if not str(kind).startswith(_NO_FIELD)]
    defaults = {name: space.pop(name) for name in own if name in space}
    for name in ("__dict__", "__weakref__"):
        space.pop(name, None)
    taken = {slot for base in cls.__mro__[1:-1] for slot in base.__dict__.get("__slots__", ())}
    methods = ["__init__", "__repr__"]
    if flags["eq"]:
        methods.append("__eq__")
        if flags["frozen"]:
            methods.append("__hash__")
        else:
            space.setdefault("__hash__", None)
    if flags["order"]:
        methods.extend(_ORDER)
    shared: dict[str, Any] = {name: _STAND_INS[name] for name in methods}
    if flags["frozen"]:
        shared.update(_FROZEN)
    plan = (flags, said, defaults, [name for name in methods if name not in space])
    space = {**shared, **space, "__slots__": tuple(name for name in own if name not in taken)}
    space[_FIELDS], space[_PLAN] = _LATER, plan
    space["__dataclass_params__"] = _LATER_PARAMS
    space["__match_args__"] = _matched(cls, own, defaults)
    meta: Any = type(cls)
    made: type[_T] = meta(cls.__name__, cls.__bases__, space)
    made.__qualname__ = cls.__qualname__
    return made


def _matched(cls: type, own: list[str], defaults: dict[str, Any]) -> tuple[str, ...]:
    """Return the fields that a positional pattern names: what the constructor takes, bases first."""
    inherited = [name for base in cls.__bases__ for name in getattr(base, "__match_args__", ())]
    left_out = {
        name
        for name, each in defaults.items()
        if isinstance(each, dataclasses.Field) and (not each.init or each.kw_only is True)
    }
    return tuple(dict.fromkeys(name for name in (*inherited, *own) if name not in left_out))


def _make(cls: type) -> None:
    """Make the methods of a class and of its bases, where they are not made yet.

    Two threads may both make them: they make the same, and no stand-in is left when either is done.
    """
    for each in reversed(cls.__mro__):
        plan = each.__dict__.get(_PLAN)
        if plan is None:
            continue
        flags, said, defaults, methods = plan
        space = {"__annotations__": said, "__module__": each.__module__, "__doc__": "so that none is made up"}
        if hasattr(each, "__post_init__"):
            space["__post_init__"] = each.__post_init__
        bases = tuple(base for base in each.__mro__[1:] if _FIELDS in base.__dict__)
        model = type(each.__name__, bases, {**space, "__qualname__": each.__qualname__, **defaults})
        writes = flags["frozen"] and "__init__" in methods and _only_writes(model, said)
        made: Any = dataclasses.dataclass(**flags, init=not writes)(model)
        if writes:
            made.__init__ = _constructor(each, dataclasses.fields(made))
            made.__dataclass_params__.init = True
        for name in (*methods, _FIELDS, "__dataclass_params__"):
            setattr(each, name, made.__dict__[name])
        setattr(each, _PLAN, None)


def _only_writes(model: Any, said: dict[str, Any]) -> bool:
    """Tell whether to make such a value is to write its slots, and nothing else."""
    inherited = [each.type for each in getattr(model, _FIELDS, {}).values()]
    kinds = [str(kind) for kind in (*said.values(), *inherited)]
    return not hasattr(model, "__post_init__") and not any(kind.startswith(_NO_FIELD[2:]) for kind in kinds)


def _constructor(cls: type, every: tuple[Field[Any], ...]) -> FunctionType:
    """Return the `__init__` of a frozen class, which writes each slot by the slot's own descriptor.

    What `dataclasses` makes calls `object.__setattr__` for each field, which looks the slot up by its name
    every time: that takes twice as long. The arguments, and what `inspect` says of them, are the same.
    """
    placed = [each for each in every if each.init and not each.kw_only]
    named = [each for each in every if each.init and each.kw_only]
    me = "self" if all(each.name != "self" for each in every) else "__self__"
    heads = [me, *(each.name for each in placed), *(["*"] if named else ()), *(each.name for each in named)]
    lines = [f"def __init__({', '.join(heads)}):", "    pass"]
    space: dict[str, Any] = {"_FACTORY": _FACTORY, "__name__": cls.__module__}
    for each in every:
        name, value = each.name, each.name
        if each.default_factory is not MISSING:
            space[f"_new_{name}"] = each.default_factory
            value = f"_new_{name}()" + (f" if {name} is _FACTORY else {name}" if each.init else "")
        elif not each.init:
            continue
        held = [base.__dict__.get(name) for base in cls.__mro__]
        space[f"_set_{name}"] = next(slot for slot in held if isinstance(slot, MemberDescriptorType)).__set__
        lines.append(f"    _set_{name}({me}, {value})")
    exec("\n".join(lines), space)
    init: FunctionType = space["__init__"]
    init.__defaults__ = _defaults(placed)
    init.__kwdefaults__ = {
        each.name: _default(each) for each in named if _default(each) is not MISSING
    } or None
    init.__annotations__ = {**{each.name: each.type for each in (*placed, *named)}, "return": None}
    init.__qualname__ = f"{cls.__qualname__}.__init__"
    return init


def _default(each: Field[Any]) -> Any:
    return each.default if each.default_factory is MISSING else _FACTORY


def _defaults(placed: list[Field[Any]]) -> tuple[Any, ...] | None:
    """Return the defaults of a constructor's arguments; behind the first that has one, all have."""
    has = [_default(each) is not MISSING for each in placed]
    late = [
        each.name for each, one, before in zip(placed[1:], has[1:], has, strict=False) if before and not one
    ]
    if late:
        raise TypeError(f"non-default argument {late[0]!r} follows default argument")
    return tuple(_default(each) for each, one in zip(placed, has, strict=True) if one) or None


class _Later:
    """A class attribute that is there once the methods are."""

    def __init__(self, name: str) -> None:
        self._name = name

    def __get__(self, instance: object, owner: type) -> Any:
        _make(owner)
        return getattr(owner, self._name)


_LATER: Final = _Later(_FIELDS)
_LATER_PARAMS: Final = _Later("__dataclass_params__")


class Deferred:
    """A base of frozen values whose fields are read when somebody first looks at one of them.

    A value that `later` made is equal to, printed, copied and matched as the one its constructor makes.
    """

    __slots__ = ("_read",)

    _read: Callable[[], Mapping[str, Any]] | None

    @classmethod
    def later(cls, read: Callable[..., Mapping[str, Any]], *of: Any) -> Self:
        """Return a value whose fields are what `read(*of)` returns, if ever they are wanted."""
        value = object.__new__(cls)
        _keep_reading(value, partial(read, *of))
        return value

    def __getattr__(self, name: str) -> Any:
        kind: Any = type(self)
        if name not in kind.__match_args__:
            raise AttributeError(f"{kind.__name__!r} object has no attribute {name!r}")
        read = self._read
        if read is not None:  # else another thread has read it meanwhile
            kind.__init__(self, **read())
            _keep_reading(self, None)
        return object.__getattribute__(self, name)


_keep_reading: Final = Deferred.__dict__["_read"].__set__


def _stand_in(name: str) -> Callable[..., Any]:
    """Return what makes the methods of a class, and then calls the one that was meant."""

    def first(self: Any, /, *args: Any, **named: Any) -> Any:
        # The first class that has it still, not type(self): a subclass may have called it by super().
        holder = next((each for each in type(self).__mro__ if each.__dict__.get(name) is first), type(self))
        _make(type(self))
        return getattr(holder, name)(self, *args, **named)

    first.__name__ = name
    return first


_STAND_INS: Final = {
    name: _stand_in(name) for name in ("__init__", "__repr__", "__eq__", "__hash__", *_ORDER)
}


def _refuse_assignment(self: Any, name: str, value: Any) -> None:
    raise FrozenInstanceError(f"cannot assign to field {name!r}")


def _refuse_deletion(self: Any, name: str) -> None:
    raise FrozenInstanceError(f"cannot delete field {name!r}")


def _state(self: Any) -> list[Any]:
    return [getattr(self, each.name) for each in dataclasses.fields(self)]


def _restore(self: Any, state: list[Any]) -> None:
    for each, value in zip(dataclasses.fields(self), state, strict=True):
        object.__setattr__(self, each.name, value)


_FROZEN: Final = {
    "__setattr__": _refuse_assignment,
    "__delattr__": _refuse_deletion,
    "__getstate__": _state,
    "__setstate__": _restore,
}
