"""The control socket over a real Unix socket: hostile clients, many requests, slow subscribers."""

from __future__ import annotations

import asyncio
import json
import socket
import stat
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from covey import limits
from covey.errors import IpcError, NotRunningError, RefusedArgumentError, UsageError
from covey.net.ipc.client import IpcClient
from covey.net.ipc.codec import Request
from covey.net.ipc.server import IpcServer


class Peer:
    """A server on its own loop and thread, with a handler that tests can steer."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.complaints: list[tuple[str, BaseException]] = []
        self.gate = asyncio.Event()
        self.started = threading.Event()
        self.at_work = 0
        self.most_at_work = 0
        self.server = IpcServer(self.handle, complain=lambda cmd, error: self.complaints.append((cmd, error)))
        self.loop = asyncio.new_event_loop()
        self.thread = threading.Thread(target=self.loop.run_forever, daemon=True)

    async def handle(self, request: Request) -> Mapping[str, Any]:
        if request.cmd == "echo":
            return {"said": dict(request.arguments)}
        if request.cmd == "wait":
            self.at_work += 1
            self.most_at_work = max(self.most_at_work, self.at_work)
            self.started.set()
            await self.gate.wait()
            self.at_work -= 1
            return {"waited": True}
        if request.cmd == "bug":
            raise RuntimeError("the secret detail")
        if request.cmd == "big":
            return {"text": "x" * 3_000_000}
        if request.cmd == "narrow":
            raise UsageError("width: expected a number", hint="--width 7")
        raise IpcError(f"unknown verb: {request.cmd}", code="unknown_cmd", hint="one of: echo")

    def do(self, work: Callable[[], Any]) -> Any:
        async def run() -> Any:
            found = work()
            return await found if asyncio.iscoroutine(found) else found

        return asyncio.run_coroutine_threadsafe(run(), self.loop).result(10)


@contextmanager
def running(tmp_path: Path) -> Iterator[Peer]:
    peer = Peer(tmp_path / "p.sock")
    peer.thread.start()
    peer.do(lambda: peer.server.start(peer.path))
    try:
        yield peer
    finally:
        peer.do(peer.server.close)
        peer.loop.call_soon_threadsafe(peer.loop.stop)
        peer.thread.join(10)
        peer.loop.close()


@pytest.fixture
def peer(tmp_path: Path) -> Iterator[Peer]:
    with running(tmp_path) as found:
        yield found


def raw(peer: Peer) -> socket.socket:
    connection = socket.socket(socket.AF_UNIX)
    connection.settimeout(10)
    connection.connect(str(peer.path))
    return connection


def lines(connection: socket.socket, count: int) -> list[dict[str, Any]]:
    data = b""
    while data.count(b"\n") < count:
        piece = connection.recv(65536)
        assert piece, f"closed after {data!r}"
        data += piece
    return [json.loads(line) for line in data.splitlines()]


def test_a_request_is_answered_with_its_id(peer: Peer) -> None:
    with raw(peer) as connection:
        connection.sendall(b'{"id":41,"cmd":"echo","a":[1]}\n{"id":"b","cmd":"nope"}\n')
        by_id = {reply["id"]: reply for reply in lines(connection, 2)}
    assert by_id[41] == {"id": 41, "ok": True, "result": {"said": {"a": [1]}}}
    assert by_id["b"] == {
        "id": "b",
        "ok": False,
        "error": {
            "code": "unknown_cmd",
            "message": "unknown verb: nope",
            "hint": "one of: echo",
            "kind": "failed",
        },
    }


@pytest.mark.parametrize(
    "garbage",
    [
        b"null\n",
        b"\x00\xff\xfe\n",
        b"[]\n",
        b'{"cmd":"toString"}\n',
        b'{"cmd":"__class__"}\n',
        b"x" * (limits.IPC_LINE_BYTES + 1) + b"\n",
        b"[" * 200_000 + b"\n",
        b"\n\r\n  \n",
    ],
    ids=["null", "bytes", "list", "prototype", "dunder", "huge", "deep", "blank"],
)
def test_after_any_garbage_the_same_connection_still_answers(peer: Peer, garbage: bytes) -> None:
    with raw(peer) as connection:
        connection.sendall(garbage + b'{"id":7,"cmd":"echo"}\n')
        replies = lines(connection, 2 if garbage.strip() else 1)
    assert {"id": 7, "ok": True, "result": {"said": {}}} in replies
    assert sum(not reply["ok"] for reply in replies) == (1 if garbage.strip() else 0)
    assert peer.complaints == []


def test_half_a_line_and_a_sudden_end_harm_nobody(peer: Peer) -> None:
    for half in (b'{"id":1,"cmd":"ec', b"", b'{"id":1,"cmd":"big"}\n' * 5):
        connection = raw(peer)
        connection.sendall(half)
        connection.close()
    with IpcClient(peer.path) as client:
        assert client.request("echo", {"a": 1}) == {"said": {"a": 1}}
    assert peer.complaints == []


def test_a_bug_in_a_handler_costs_one_reply_and_says_nothing_secret(peer: Peer) -> None:
    with IpcClient(peer.path) as client:
        with pytest.raises(IpcError, match="internal error in bug") as caught:
            client.request("bug")
        assert client.request("echo") == {"said": {}}
    assert caught.value.code == "internal"
    assert [cmd for cmd, _ in peer.complaints] == ["bug"]


def test_a_wrong_argument_is_told_from_what_could_not_be_done(peer: Peer) -> None:
    with IpcClient(peer.path) as client:
        with pytest.raises(RefusedArgumentError) as wrong:
            client.request("narrow")
        with pytest.raises(IpcError) as other:
            client.request("nope")
    assert (wrong.value.code, wrong.value.hint, wrong.value.exit_code) == ("usage", "--width 7", 2)
    assert isinstance(wrong.value, IpcError), "who asks a peer expects those"
    assert not isinstance(other.value, UsageError) and other.value.exit_code == 1


def test_a_slow_request_does_not_hold_up_the_next_and_only_so_many_are_at_work(peer: Peer) -> None:
    with raw(peer) as connection:
        connection.sendall(b'{"id":0,"cmd":"wait"}\n{"id":1,"cmd":"echo"}\n')
        assert lines(connection, 1)[0]["id"] == 1
        connection.sendall(b'{"id":2,"cmd":"wait"}\n' * 40)
        assert peer.started.wait(10)
        peer.loop.call_soon_threadsafe(peer.gate.set)
        assert len(lines(connection, 41)) == 41
    assert peer.most_at_work <= limits.IPC_IN_FLIGHT


def test_too_many_connections_are_told_so(peer: Peer) -> None:
    held = [raw(peer) for _ in range(limits.IPC_CONNECTIONS)]
    for connection in held:
        connection.sendall(b'{"id":1,"cmd":"echo"}\n')
        lines(connection, 1)
    with raw(peer) as one_more:
        assert lines(one_more, 1)[0]["error"]["code"] == "too_many_connections"
        assert one_more.recv(1) == b""
    for connection in held:
        connection.close()


def test_a_subscriber_that_asks_for_less_hears_less_and_a_wrong_wish_is_refused(peer: Peer) -> None:
    def narrow(wish: Mapping[str, Any]) -> Callable[[Mapping[str, Any]], bool]:
        if "least" not in wish:
            raise UsageError("least: expected a number", code="invalid_weights")
        return lambda event: bool(event["n"] >= wish["least"])

    peer.server._narrow = narrow
    with IpcClient(peer.path) as client, pytest.raises(IpcError) as caught:
        client.subscribe(["a"])
    assert caught.value.code == "invalid_weights"
    with IpcClient(peer.path) as client:
        heard = client.subscribe(["a"], least=2)
        for number, name in enumerate(["a", "x", "x", "a"]):
            peer.do(lambda event={"event": name, "n": number}: peer.server.publish(event))
        assert next(heard)["n"] == 3
    assert peer.server.narrowed == 1, "what it did not ask for by name is not counted"


@pytest.mark.parametrize("form", ["json", "msgpack"])
def test_a_subscriber_hears_the_events_it_asked_for_in_order(peer: Peer, form: str) -> None:
    with IpcClient(peer.path) as client:
        heard = client.subscribe(["a", "b"], form=form)
        for number, name in enumerate(["a", "x", "b", "a"]):
            peer.do(lambda event={"event": name, "n": number}: peer.server.publish(event))
        assert [(event["event"], event["n"]) for event in (next(heard) for _ in range(3))] == [
            ("a", 0),
            ("b", 2),
            ("a", 3),
        ]


def test_a_msgpack_subscription_is_answered_in_json_first_and_in_frames_after(peer: Peer) -> None:
    import msgpack

    with raw(peer) as connection:
        connection.sendall(b'{"id":1,"cmd":"subscribe","format":"msgpack"}\n')
        assert lines(connection, 1)[0] == {
            "id": 1,
            "ok": True,
            "result": {"subscribed": [], "format": "msgpack"},
        }
        connection.sendall(b'{"id":2,"cmd":"echo"}\n')
        size = int.from_bytes(connection.recv(4, socket.MSG_WAITALL), "big")
        assert msgpack.unpackb(connection.recv(size, socket.MSG_WAITALL)) == {
            "id": 2,
            "ok": True,
            "result": {"said": {}},
        }


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        ({"events": "a"}, "invalid_request"),
        ({"events": [1]}, "invalid_request"),
        ({"format": "xml"}, "invalid_request"),
        ({"format": []}, "invalid_request"),
    ],
)
def test_a_bad_subscription_is_refused_by_name(peer: Peer, arguments: dict[str, object], code: str) -> None:
    with IpcClient(peer.path) as client, pytest.raises(IpcError) as caught:
        client.request("subscribe", arguments)
    assert caught.value.code == code


def test_a_second_subscription_on_one_connection_is_refused(peer: Peer) -> None:
    with IpcClient(peer.path) as client:
        client.request("subscribe")
        with pytest.raises(IpcError, match="subscribed already"):
            client.request("subscribe")


def test_what_a_slow_subscriber_misses_is_counted_and_told_at_its_place(peer: Peer) -> None:
    bound = limits.IPC_SUBSCRIBER_EVENTS

    def flood() -> None:
        for _ in range(bound * 3):
            peer.server.publish({"event": "a", "text": "x" * 1000})

    with IpcClient(peer.path) as client:
        heard = client.subscribe()
        peer.do(flood)
        assert [next(heard)["seq"] for _ in range(bound)] == list(range(1, bound + 1))
        assert next(heard) == {"event": "dropped", "count": bound * 2}
        peer.do(lambda: peer.server.publish({"event": "b"}))
        assert next(heard) == {"event": "b", "seq": bound * 3 + 1}
    assert peer.server.dropped == bound * 2


def test_stopping_lets_the_last_reply_leave_and_removes_the_socket(tmp_path: Path) -> None:
    with running(tmp_path) as peer, raw(peer) as connection:
        connection.sendall(b'{"id":1,"cmd":"wait"}\n')
        assert peer.started.wait(10)
        peer.loop.call_soon_threadsafe(peer.gate.set)
        peer.do(peer.server.close)
        assert lines(connection, 1)[0]["result"] == {"waited": True}
        assert connection.recv(1) == b""
        assert not peer.path.exists()


def test_stopping_ends_a_subscription_after_its_events(tmp_path: Path) -> None:
    with running(tmp_path) as peer, IpcClient(peer.path) as client:
        heard = client.subscribe()
        peer.do(lambda: peer.server.publish({"event": "last"}))
        peer.do(peer.server.close)
        assert [event["event"] for event in heard] == ["last"]


def test_the_socket_is_private_and_takes_the_place_of_a_dead_one(tmp_path: Path) -> None:
    path = tmp_path / "p.sock"
    dead = socket.socket(socket.AF_UNIX)
    dead.bind(str(path))
    dead.close()
    with pytest.raises(NotRunningError, match="no peer answers at"):
        IpcClient(path)
    with running(tmp_path) as peer:
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        with IpcClient(peer.path) as client:
            assert client.request("echo") == {"said": {}}


def test_something_else_in_its_place_is_named_and_left(tmp_path: Path) -> None:
    path = tmp_path / "p.sock"
    path.write_text("mine")

    async def handle(request: Request) -> Mapping[str, Any]:
        return {}

    with pytest.raises(IpcError, match="something that is no socket is there"):
        asyncio.run(IpcServer(handle).start(path))
    assert path.read_text() == "mine"


def test_a_client_names_a_peer_that_is_not_there_or_does_not_answer(peer: Peer, tmp_path: Path) -> None:
    with pytest.raises(NotRunningError, match=f"no peer answers at {tmp_path}/ghost"):
        IpcClient(tmp_path / "ghost")
    with IpcClient(peer.path, timeout_seconds=0.05) as client, pytest.raises(IpcError) as caught:
        client.request("wait")
    assert caught.value.code == "timeout"
    peer.loop.call_soon_threadsafe(peer.gate.set)


def test_a_client_refuses_what_is_not_the_protocol(tmp_path: Path) -> None:
    path = tmp_path / "odd.sock"
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))
        listener.listen()
        client = IpcClient(path)
        connection, _ = listener.accept()
        with connection:
            connection.sendall(b"SSH-2.0-OpenSSH\n")
            with client, pytest.raises(IpcError, match="does not speak covey's control protocol"):
                client.request("status")
