"""`_core.pyi` says what the native module is: a stub that drifts lies to type checker and reader alike."""

from types import ModuleType

import pytest

from covey import _core
from tests.tidy import tree
from tests.tidy.stubs import differences

STUB = """
from typing import TypeAlias
Text: TypeAlias = str
LIMIT: int
class Peer:
    name: str
    def __init__(self, name: str, *, room: str = ...) -> None: ...
    @property
    def age(self) -> int: ...
    def send(self, block: bytes, to: str | None = None) -> int: ...
    @staticmethod
    def open(path: str) -> "Peer": ...
    def __len__(self) -> int: ...
def encode(text: str, kernel: str = "a") -> list[float]: ...
"""


class Peer:
    __slots__ = ("name",)

    def __init__(self, name, *, room="default"):
        self.name = name

    @property
    def age(self):
        return 1

    def send(self, block, to=None):
        return 1

    @staticmethod
    def open(path):
        return Peer(path)

    def __len__(self):
        return 0


def encode(text, kernel="a"):
    return []


def live(**changes):
    """Return a module that the stub describes, changed."""
    module = ModuleType("sample")
    vars(module).update({"LIMIT": 1, "Peer": Peer, "encode": encode} | changes)
    return module


def test_the_stub_is_the_native_module():
    assert differences(tree.text("python/covey/_core.pyi"), _core) == []


def test_an_exact_stub_passes():
    assert differences(STUB, live()) == []


@pytest.mark.parametrize(
    ("stub", "module", "says"),
    [
        (STUB + "def more() -> None: ...", live(), "only in the stub: more"),
        (STUB, live(more=encode), "not in the stub: more"),
        (STUB.replace("name: str\n", "nome: str\n", 1), live(), "only in the stub: Peer.nome"),
        (STUB.replace("kernel: str = ", "kind: str = "), live(), "signatures differ: encode"),
        (STUB.replace('kernel: str = "a"', "kernel: str"), live(), "signatures differ: encode"),
        (
            STUB.replace("to: str | None = None", "*, to: str | None = None"),
            live(),
            "signatures differ: Peer.send",
        ),
        (STUB.replace("    @staticmethod\n", ""), live(), "static on one side only: Peer.open"),
        (STUB.replace("    @property\n", ""), live(), "an attribute on one side"),
        (STUB.replace("*, room: str = ...", "room: str = ..."), live(), "signatures differ: Peer"),
        (STUB.replace("__len__", "__contains__"), live(), "only in the stub: Peer.__contains__"),
        (STUB, live(encode=3), "not callable: encode"),
        (STUB, live(Peer=encode), "not a class: Peer"),
    ],
)
def test_a_drifted_stub_is_found(stub, module, says):
    assert any(says in line for line in differences(stub, module))
