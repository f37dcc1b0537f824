"""Dataclasses whose methods are made at their first use: the same in everything but when."""

from __future__ import annotations

import copy
import dataclasses
import importlib
import inspect
import pickle
import pkgutil
import threading
from collections.abc import Callable, Iterator
from dataclasses import FrozenInstanceError, asdict, astuple, field, fields, is_dataclass, replace
from typing import Any, ClassVar, Generic, TypeVar

import pytest
from hypothesis import given
from hypothesis import strategies as st

import covey.model
import covey.proto
import covey.settings
from covey.values import Deferred, dataclass

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Place:
    """Somewhere."""

    host: str
    port: int = 7
    tags: tuple[str, ...] = field(default_factory=tuple)
    kinds: ClassVar[int] = 3


@dataclasses.dataclass(frozen=True, slots=True)
class Plain:
    """The same, by the standard library."""

    host: str
    port: int = 7
    tags: tuple[str, ...] = field(default_factory=tuple)
    kinds: ClassVar[int] = 3


@dataclass(frozen=True, slots=True, order=True)
class Version:
    major: int
    minor: int = 0


@dataclass(slots=True)
class Box(Generic[T]):
    content: T
    opened: int = field(default=0, compare=False)
    doubled: int = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        self.doubled = self.opened * 2


@dataclass(slots=True, eq=False)
class Door:
    name: str


def fresh() -> type[Any]:
    """Return a class of which nothing was used yet."""

    @dataclass(frozen=True, slots=True)
    class Fresh:
        one: int
        two: str = "b"

    return Fresh


def test_it_is_what_the_standard_library_makes():
    ours, theirs = Place("h", tags=("a",)), Plain("h", tags=("a",))
    assert repr(ours) == repr(theirs).replace("Plain", "Place")
    assert asdict(ours) == asdict(theirs) and astuple(ours) == astuple(theirs)
    assert [f.name for f in fields(Place)] == [f.name for f in fields(Plain)]
    assert Place.__slots__ == Plain.__slots__ and Place.__match_args__ == Plain.__match_args__
    assert inspect.signature(Place) == inspect.signature(Plain)
    assert Place.kinds == 3 and not hasattr(ours, "__dict__")
    assert hash(ours) == hash(theirs) and ours == Place("h", 7, ("a",)) != Place("h")
    assert ours != theirs
    assert is_dataclass(Place) and Place.__dataclass_params__.frozen


@given(st.text(), st.integers(), st.text(), st.integers())
def test_equality_and_hashes_go_by_the_fields(one, first, two, second):
    left, right = Place(one, first), Place(two, second)
    assert (left == right) is ((one, first) == (two, second))
    assert left != right or hash(left) == hash(right)
    assert (Version(first) < Version(second)) is (first < second)


@pytest.mark.parametrize(
    "use",
    [
        lambda kind: kind(1),
        lambda kind: fields(kind),
        lambda kind: kind.__dataclass_params__.frozen,
        lambda kind: is_dataclass(kind),
        lambda kind: asdict(kind(1, two="c")),
        lambda kind: replace(kind(1), one=2),
        lambda kind: copy.deepcopy(kind(1)),
        lambda kind: repr(kind(1)),
        lambda kind: kind(1) == kind(1) and {kind(1)},
    ],
)
def test_whatever_is_used_first_works(use):
    assert use(fresh())


def test_nothing_is_made_before_it_is_used():
    kind = fresh()
    before = kind.__init__
    kind(1)
    assert kind.__init__ is not before and kind.__init__.__code__.co_varnames[:3] == ("self", "one", "two")


def test_a_frozen_value_refuses_assignment():
    with pytest.raises(FrozenInstanceError, match="port"):
        Place("h").port = 8  # type: ignore[misc]  # the very thing refused
    with pytest.raises(FrozenInstanceError):
        del Place("h").port
    with pytest.raises(AttributeError):
        Door("d").other = 1  # type: ignore[attr-defined]  # has slots


def test_wrong_arguments_are_type_errors_from_the_first_call_on():
    for _ in range(2):
        with pytest.raises(TypeError, match="one"):
            fresh()()
        with pytest.raises(TypeError, match="unexpected"):
            Place("h", ports=1)  # type: ignore[call-arg]  # the very thing refused


def test_what_dataclasses_refuses_is_refused_at_the_first_use():
    @dataclass(slots=True)
    class Wrong:
        names: list[str] = []  # noqa: RUF012 - the very thing refused

    with pytest.raises(ValueError, match="mutable default"):
        Wrong()


@pytest.mark.parametrize("make", [dataclasses.dataclass(frozen=True, slots=True), dataclass(frozen=True)])
def test_a_constructor_takes_what_the_standard_librarys_takes(make):
    made: list[int] = []

    def tag() -> int:
        made.append(len(made))
        return made[-1]

    @make
    class Base:
        one: int
        tags: int = field(default_factory=tag)

    @make
    class More(Base):
        one: str = "o"  # in its place, with a default from now on
        two: int = 2
        late: int = field(default=3, kw_only=True)
        wanted: str = field(kw_only=True)
        own: int = field(init=False, default_factory=tag)

    first = More(wanted="w")
    assert (first.one, first.tags, first.two, first.late, first.wanted, first.own) == ("o", 0, 2, 3, "w", 1)
    second = More("p", 7, 8, wanted="v", late=9)
    assert (second.one, second.tags, second.two, second.late, second.own) == ("p", 7, 8, 9, 2)
    names = list(inspect.signature(More).parameters)
    assert names == ["one", "tags", "two", "late", "wanted"]
    assert str(inspect.signature(More)).startswith(
        "(one: 'str' = 'o', tags: 'int' = <factory>, two: 'int' = 2"
    )
    assert More.__init__.__annotations__["return"] is None and More.__init__.__qualname__.endswith(
        "More.__init__"
    )
    with pytest.raises(TypeError, match="wanted"):
        More()
    with pytest.raises(TypeError):
        More("o", 1, 2, 3, wanted="w")
    assert replace(first, wanted="x").wanted == "x" and Base(1, 2) == Base(1, tags=2)


def test_a_frozen_field_without_a_default_does_not_follow_one_with():
    @dataclass(frozen=True)
    class Wrong:
        one: int = 1
        two: int  # type: ignore[misc]  # the very thing refused

    with pytest.raises(TypeError, match="'two' follows default"):
        Wrong(1, 2)


def test_a_field_may_be_called_self_and_a_subclass_may_wrap_a_frozen_one():
    @dataclass(frozen=True)
    class Odd:
        self: int
        other: int = 2

    class Wrapped(Odd):
        def __init__(me, value: int) -> None:  # noqa: N805 - `self` is a field
            super().__init__(value, other=value)

    assert Odd(1).self == 1 and (Wrapped(3).self, Wrapped(3).other) == (3, 3)
    with pytest.raises(FrozenInstanceError):
        Wrapped(3).other = 4


def test_what_is_more_than_writing_its_fields_is_made_by_the_standard_library():
    @dataclass(frozen=True)
    class Asked:
        one: int
        asked: dataclasses.InitVar[int]
        doubled: int = field(init=False)

        def __post_init__(self, asked: int) -> None:
            object.__setattr__(self, "doubled", asked * 2)

    assert Asked(1, 4).doubled == 8 and [each.name for each in fields(Asked)] == ["one", "doubled"]


@dataclass(frozen=True, slots=True)
class Read(Deferred):
    one: int
    two: tuple[str, ...] = ()


@pytest.mark.parametrize(
    "look",
    [
        lambda value: value == Read(1, ("a",)),
        lambda value: Read(1, ("a",)) == value,
        lambda value: hash(value) == hash(Read(1, ("a",))),
        lambda value: repr(value) == "Read(one=1, two=('a',))",
        lambda value: asdict(value) == {"one": 1, "two": ("a",)},
        lambda value: replace(value, one=2) == Read(2, ("a",)),
        lambda value: copy.copy(value) == copy.deepcopy(value) == value,
        lambda value: pickle.loads(pickle.dumps(value)) == value,
        lambda value: (value.two, value.one) == (("a",), 1),
    ],
)
def test_a_value_that_is_read_when_somebody_looks_is_as_any_other(look):
    asked = []

    def read(*of: int) -> dict[str, Any]:
        asked.append(of)
        return {"one": 1, "two": ("a",)}

    value = Read.later(read, 3, 4)
    assert isinstance(value, Read) and not asked
    assert look(value) and look(value)
    assert asked == [(3, 4)], "it is read once"
    with pytest.raises(FrozenInstanceError):
        value.one = 2
    with pytest.raises(AttributeError, match="'Read' object has no attribute 'three'"):
        getattr(value, "three")  # noqa: B009 - mypy and ruff know that there is none
    with pytest.raises(AttributeError, match="three"):
        getattr(Read(1), "three")  # noqa: B009 - as above


def test_a_pattern_reads_what_nobody_has_looked_at():
    match Read.later(lambda: {"one": 5}):
        case Read(one, two):
            assert (one, two) == (5, ())
        case _:
            pytest.fail("no match")


def test_many_threads_may_look_first():
    for _ in range(20):
        value, start = Read.later(lambda: {"one": 1, "two": ("t",)}), threading.Barrier(8)
        seen: list[Any] = []

        def look(value: Read = value, start: Any = start, seen: list[Any] = seen) -> None:
            start.wait()
            seen.append((value.one, value.two))

        threads = [threading.Thread(target=look) for _ in range(8)]
        for each in threads:
            each.start()
        for each in threads:
            each.join()
        assert seen == [(1, ("t",))] * 8


def test_mutable_ones_by_identity_and_post_init():
    assert Door("a") != Door("a") and len({Door("a"), Door("a")}) == 2
    box = Box("x", 4)
    assert box.doubled == 8 and box == Box("x", 9)
    box.opened = 5
    assert repr(box).endswith("Box(content='x', opened=5)")
    with pytest.raises(TypeError, match="unhashable"):
        hash(box)


def test_copies_and_pickles():
    place = Place("h", 1, ("a",))
    assert copy.copy(place) == place == pickle.loads(pickle.dumps(place))
    assert replace(place, port=2) == Place("h", 2, ("a",))


def test_patterns_name_fields_by_position():
    match Place("h", 9):
        case Place(host, port):
            assert (host, port) == ("h", 9)
        case _:
            pytest.fail("no match")
    assert Box.__match_args__ == ("content", "opened")


def test_a_subclass_may_add_fields_and_call_its_base():
    calls = []

    @dataclass(slots=True)
    class Base:
        one: int

    @dataclass(slots=True)
    class More(Base):
        two: int = 2

    class Wrapped(Base):
        def __init__(self, one: int) -> None:
            calls.append(one)
            super().__init__(one)

        def __eq__(self, other: object) -> bool:
            calls.append("eq")
            return super().__eq__(other)

        __hash__ = None  # type: ignore[assignment]  # as for its base

    assert Wrapped(5) == Wrapped(5) and calls == [5, 5, "eq"]
    assert More(1) == More(1, 2) and More.__match_args__ == ("one", "two")
    assert [f.name for f in fields(More)] == ["one", "two"] and More.__slots__ == ("two",)
    assert [f.name for f in fields(Wrapped)] == ["one"]


def test_many_threads_may_use_it_first():
    for _ in range(20):
        kind, start = fresh(), threading.Barrier(8)
        made: list[Any] = []

        def use(kind: Callable[[int], Any] = kind, start: Any = start, made: list[Any] = made) -> None:
            start.wait()
            made.append((kind(3), hash(kind(3)), kind(3) == kind(3)))

        threads = [threading.Thread(target=use) for _ in range(8)]
        for each in threads:
            each.start()
        for each in threads:
            each.join()
        assert made == [(kind(3), hash(kind(3)), True)] * 8


def test_only_with_slots():
    with pytest.raises(TypeError, match="slots"):
        dataclass(slots=False)


def classes() -> Iterator[type[Any]]:
    """Yield every value of the product's pure floors."""
    for package in (covey.model, covey.proto, covey.settings):
        names = [package.__name__]
        if hasattr(package, "__path__"):
            names += [each.name for each in pkgutil.walk_packages(package.__path__, package.__name__ + ".")]
        for name in names:
            for each in vars(importlib.import_module(name)).values():
                if isinstance(each, type) and each.__module__ == name and "__covey_plan__" in vars(each):
                    yield each


def test_every_value_of_the_product_can_be_made():
    """What is refused only at the first use is refused here, for all of them."""
    seen = 0
    for kind in classes():
        names = [each.name for each in fields(kind)]
        bases = [base for base in reversed(kind.__mro__) if base is not Deferred]
        slots = [name for base in bases for name in base.__dict__.get("__slots__", ())]
        assert sorted(names) == sorted(slots), kind
        assert kind.__match_args__ == tuple(each.name for each in fields(kind) if each.init), kind
        seen += 1
    assert seen > 300
