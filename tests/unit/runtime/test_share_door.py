"""A door on loopback in front of servers that a test holds: keys, limits, lanes, streams, pages."""

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import httpx2
import pytest

from covey import limits
from covey.errors import StoreError
from covey.inference.door import Rules
from covey.inference.keys import Entry, KeyBook
from covey.inference.lanes import Step
from tests.fake_backend import FakeBackend
from tests.unit.runtime.doorkit import SECONDS, entry, key, opened

ANN, BOB, OPS = entry(1, "ann"), entry(2, "bob"), entry(3, "ops", admin=True)


async def until(true: Callable[[], bool]) -> None:
    """Let others run until something is so: what is waited for happens on another thread's loop."""
    async with asyncio.timeout(SECONDS):
        while not true():  # noqa: ASYNC110 - the other loop has no event for this one
            await asyncio.sleep(0)


async def test_m20_no_key_a_wrong_one_and_a_revoked_one_get_401_and_each_is_revoked_alone() -> None:
    with FakeBackend() as backend:
        async with opened({"b": backend.url}, ANN, BOB) as at:
            path = f"{at.url}/v1/chat/completions"
            for headers in (
                {},
                {"authorization": "Bearer"},
                {"authorization": f"Basic {key(1)}"},
                {"authorization": f"Bearer {key(9)}"},
                {"authorization": f"Bearer {key(1)[:-1]}"},
            ):
                answer = await at.client.post(path, json={}, headers=headers)
                assert answer.status_code == 401 and answer.headers["www-authenticate"] == "Bearer"
                assert answer.json()["error"]["code"] == "key"
            twice = [("authorization", f"Bearer {key(1)}"), ("authorization", f"Bearer {key(2)}")]
            assert (await at.client.post(path, json={}, headers=twice)).status_code == 401
            assert (await at.chat(1)).status_code == (await at.chat(2)).status_code == 200
            at.book.book = at.book.book.without(ANN.key_id)
            assert (await at.chat(1)).status_code == 401
            assert (await at.chat(2)).status_code == 200
        assert backend.keys == [None] * 3, "a peer's key goes no further than the door"


async def test_m20_keys_that_cannot_be_read_let_nobody_in() -> None:
    with FakeBackend() as backend:
        async with opened({"b": backend.url}, ANN) as at:

            def damaged() -> KeyBook:
                raise StoreError("damaged")

            at.book.current = damaged  # type: ignore[method-assign]  # a disk that fails
            assert (await at.chat(1)).status_code == 503
        assert backend.asked == []


async def test_m20_without_keys_only_this_machines_own_programs_come_in() -> None:
    with FakeBackend() as backend:
        async with opened({"b": backend.url}, no_keys=True) as at:
            path = f"{at.url}/v1/chat/completions"
            assert (await at.client.post(path, json={})).status_code == 200
            for name, value in (
                ("x-forwarded-for", "203.0.113.9"),
                ("cf-connecting-ip", "203.0.113.9"),
                ("host", "evil.example"),
                ("origin", "http://evil.example"),
            ):
                answer = await at.client.post(path, json={}, headers={name: value})
                assert answer.status_code == 401, name


async def test_an_admins_key_is_for_upkeep_only() -> None:
    with FakeBackend() as backend:
        async with opened({"b": backend.url}, OPS) as at:
            answer = await at.chat(3)
            assert (answer.status_code, answer.json()["error"]["code"]) == (403, "admin-key")


async def test_m21_a_peer_over_its_rate_gets_429_and_another_is_not_slowed() -> None:
    with FakeBackend() as backend:
        async with opened({"b": backend.url}, replace(ANN, per_minute=2), BOB) as at:
            found = [(await at.chat(1)).status_code for _ in range(5)]
            assert found == [200, 200, 429, 429, 429]
            refused = await at.chat(1)
            assert 1 <= int(refused.headers["retry-after"]) <= 30
            error = refused.json()["error"]
            assert (error["code"], error["type"]) == ("rate", "rate_limit_error")
            models = await at.client.get(f"{at.url}/v1/models", headers=at.headers(1))
            assert models.status_code == 429, "looking counts, too"
            mixed = [asyncio.ensure_future(at.chat(1 + number % 2)) for number in range(40)]
            answers = await asyncio.gather(*mixed)
            assert [each.status_code for each in answers[1::2]] == [200] * 20, "all of bob's"
            assert {each.status_code for each in answers[::2]} == {429}
            slowest = max(
                row["queue_ms"] for row in at.door.recent.since(0)["rows"] if row["account"] == "bob"
            )
            assert slowest < 10_000


async def test_m22_two_hundred_clients_never_exceed_the_cap_and_are_served_fairly() -> None:
    peers = [entry(number, f"peer-{number}") for number in range(1, 21)]
    rules = Rules(4, 4, queue=400, queue_each=20, queue_seconds=SECONDS, per_minute=10_000)
    with FakeBackend() as backend:
        async with opened({"b": backend.url}, *peers, rules=rules) as at:
            backend.hold()
            clients = [asyncio.ensure_future(at.chat(1 + number // 10)) for number in range(200)]
            await until(lambda: at.door.view()["waiting"] == 196 and backend.under_way == 4)
            backend.go()
            answers = await asyncio.gather(*clients)
            assert {each.status_code for each in answers} == {200}
            assert backend.most == 4
            order = [row["account"] for row in at.door.recent.since(0)["rows"]]
            assert at.door.recent.last == 200 and len(order) == limits.DOOR_RECENT
            last = order[-40:]
            assert max(last.count(peer.account) for peer in peers) <= 4, "turns, not one peer after another"
            assert at.door.view()["under_way"] == at.door.view()["bytes"] == 0


async def test_m22_overflow_is_refused_with_the_queues_depth_and_a_waiting_client_may_leave() -> None:
    rules = Rules(1, 1, queue=1, queue_each=1, queue_seconds=SECONDS, per_minute=10_000)
    with FakeBackend() as backend:
        async with opened({"b": backend.url}, ANN, rules=rules) as at:
            backend.hold()
            first = asyncio.ensure_future(at.chat(1))
            await until(lambda: backend.under_way == 1)
            second = asyncio.ensure_future(at.chat(1))
            await until(lambda: at.door.view()["waiting"] == 1)
            refused = await at.chat(1)
            assert refused.status_code == 429
            assert refused.headers["x-covey-queue-depth"] == "1" and refused.headers["retry-after"]
            assert refused.json()["error"]["queue_depth"] == 1
            second.cancel()
            await until(lambda: at.door.view()["waiting"] == 0)
            backend.go()
            assert (await first).status_code == 200


async def test_m22_a_deadline_ends_a_wait_and_a_wrong_wish_is_refused() -> None:
    rules = Rules(1, 1, queue=9, queue_each=9, queue_seconds=SECONDS, per_minute=10_000)
    with FakeBackend() as backend:
        async with opened({"b": backend.url}, ANN, rules=rules) as at:
            backend.hold()
            first = asyncio.ensure_future(at.chat(1))
            await until(lambda: backend.under_way == 1)
            late = await at.chat(1, headers={"x-covey-deadline-ms": "20"})
            assert (late.status_code, late.json()["error"]["code"]) == (429, "queue-timeout")
            first.cancel()
            await until(lambda: at.door.view()["under_way"] == 0)
            late = await at.chat(1, headers={"x-covey-deadline-ms": "200"})
            assert (late.status_code, late.json()["error"]["code"]) == (504, "deadline")
            assert at.door.view()["backends"]["b"]["healthy"], "that was not the backend's fault"
            over = await at.chat(1, headers={"x-covey-deadline-ms": "0"})
            assert over.status_code == 504
            for name in ("x-covey-deadline-ms", "x-covey-priority"):
                assert (await at.chat(1, headers={name: "soon"})).status_code == 400
            backend.go()


@pytest.mark.parametrize("stream", [False, True])
async def test_m23_a_lane_falls_back_and_its_figures_and_health_are_shown(stream: bool) -> None:
    with FakeBackend(status=500) as sick, FakeBackend() as well:
        lanes = {"large": (Step("sick", "70b"), Step("well", "7b")), "default": (Step("well"),)}
        async with opened({"sick": sick.url, "well": well.url}, ANN, lanes=lanes) as at:
            for _ in range(limits.DOOR_FAILURES + 1):
                answer = await at.chat(1, model="large", stream=stream)
                assert answer.status_code == 200
                assert answer.headers["x-covey-lane"] == "large"
                assert answer.headers["x-covey-backend"] == "well"
            assert [each["model"] for each in sick.asked] == ["70b"] * limits.DOOR_FAILURES, "then it rests"
            assert {each["model"] for each in well.asked} == {"7b"}
            listed = (await at.client.get(f"{at.url}/v1/models", headers=at.headers(1))).json()
            assert {row["id"] for row in listed["data"]} == {"large", "default", "70b", "7b"}
            status = (await at.client.get(f"{at.url}/covey/status", headers=at.headers(1))).json()
            lane = status["lanes"]["large"]
            assert lane["requests"] == 4 and lane["failed_share"] == 0 and lane["tokens_per_second"] > 0
            assert lane["p50_seconds"] <= lane["p99_seconds"]
            assert not status["backends"]["sick"]["healthy"]
            await at.chat(1, model="other")
            assert well.asked[-1]["model"] == "other"


async def test_m23_when_nobody_answers_the_refusal_names_who_was_asked_and_why() -> None:
    with FakeBackend(status=429) as busy, socket.create_server(("127.0.0.1", 0)) as closed:
        address = f"http://127.0.0.1:{closed.getsockname()[1]}/v1"
        closed.close()
        async with opened({"busy": busy.url, "dead": address}, ANN) as at:
            answer = await at.chat(1)
            error = answer.json()["error"]
            assert (answer.status_code, error["code"]) == (502, "backend")
            assert "busy: status-429" in error["message"] and "dead: unreachable" in error["message"]
            assert at.door.view()["under_way"] == 0


async def test_a_backends_own_no_is_handed_on() -> None:
    with FakeBackend(status=400) as backend:
        async with opened({"b": backend.url}, ANN) as at:
            answer = await at.chat(1)
            assert answer.status_code == 400 and "as the test wants it" in answer.text


async def test_m24_chunks_leave_as_they_come() -> None:
    with FakeBackend() as backend:
        async with opened({"b": backend.url}, ANN) as at:
            backend.hold()
            body = {"model": "m", "messages": [], "stream": True, "first_word_free": True}
            path, headers = f"{at.url}/v1/chat/completions", at.headers(1)
            async with at.client.stream("POST", path, json=body, headers=headers) as answer:
                assert answer.headers["content-type"].startswith("text/event-stream")
                pieces = answer.aiter_bytes()
                first = await anext(pieces)
                assert b"one" in first and b"two" not in first, "while the rest is still held"
                backend.go()
                rest = b"".join([piece async for piece in pieces])
            assert rest.endswith(b"data: [DONE]\n\n") and b"usage" not in first + rest
            assert backend.asked[0]["stream_options"] == {"include_usage": True}
            await until(lambda: at.door.view()["under_way"] == 0)
            account = at.door.accounts.view()["ann"]
            assert (account["prompt_tokens"], account["completion_tokens"]) == (7, 3)


async def test_m24_who_hangs_up_ends_the_request_at_the_backend_and_frees_the_slot() -> None:
    with FakeBackend() as backend:
        async with opened({"b": backend.url}, ANN, rules=Rules(1, 1, per_minute=1_000)) as at:
            backend.hold()
            body = {"model": "m", "messages": [], "stream": True, "first_word_free": True}
            path, headers = f"{at.url}/v1/chat/completions", at.headers(1)
            async with at.client.stream("POST", path, json=body, headers=headers) as answer:
                await anext(answer.aiter_bytes())
            assert await asyncio.to_thread(backend.hung_up.wait, SECONDS)
            await until(lambda: at.door.view()["under_way"] == 0)
            assert at.door.accounts.view()["ann"]["ends"] == {"cancelled": 1}
            backend.go()
            assert (await at.chat(1)).status_code == 200


async def test_m24_a_stream_that_breaks_off_says_so_in_its_last_event() -> None:
    with FakeBackend() as backend:
        backend.broken = True
        async with opened({"b": backend.url}, ANN) as at:
            answer = await at.chat(1, stream=True)
            last = answer.text.strip().rpartition("data: ")[2]
            assert json.loads(last)["error"]["code"] == "interrupted"
            assert at.door.accounts.view()["ann"]["ends"] == {"failed": 1}


async def test_an_answer_that_takes_too_long_ends() -> None:
    with FakeBackend() as backend:
        async with opened({"b": backend.url}, ANN, answer_seconds=0.2) as at:
            backend.hold()
            answer = await at.chat(1)
            assert answer.status_code == 502 and "timeout" in answer.json()["error"]["message"]
            streamed = await at.chat(1, stream=True, first_word_free=True)
            assert json.loads(streamed.text.strip().rpartition("data: ")[2])["error"]["code"] == "timeout"
            backend.go()


async def test_a_body_past_its_bound_is_refused_said_or_not() -> None:
    with FakeBackend() as backend:
        async with opened({"b": backend.url}, ANN, body_bytes=2_048) as at:
            path, headers = f"{at.url}/v1/chat/completions", at.headers(1)
            assert (await at.client.post(path, content=b"x" * 2_049, headers=headers)).status_code == 413

            async def pieces() -> Any:
                for _ in range(4):
                    yield b" " * 1_000

            assert (await at.client.post(path, content=pieces(), headers=headers)).status_code == 413
            assert (await at.client.post(path, content=b"[]", headers=headers)).status_code == 400
        assert backend.asked == []


async def test_who_goes_in_the_middle_of_a_body_and_a_fault_of_the_door_leave_nothing_behind() -> None:
    with FakeBackend() as backend:
        async with opened({"b": backend.url}, ANN) as at:
            host, port = at.url.removeprefix("http://").split(":")
            _, writer = await asyncio.open_connection(host, int(port))
            head = f"POST /v1/chat/completions HTTP/1.1\r\nHost: {host}\r\nAuthorization: Bearer {key(1)}\r\n"
            writer.write(f"{head}Content-Length: 900\r\n\r\n{{".encode())
            await until(lambda: at.door.view()["bytes"] == 1)
            writer.close()
            await until(lambda: at.door.view()["counters"].get("left.body") == 1)
            assert at.door.view()["bytes"] == 0

            async def broken(call: Any) -> Any:
                raise ZeroDivisionError

            at.door.answer = broken  # type: ignore[method-assign]  # a bug of ours
            failed = await at.chat(1)
            assert (failed.status_code, failed.json()["error"]["code"]) == (500, "internal")
            assert ("error", "door-failed", {"error": "ZeroDivisionError()"}) in at.logged
            assert at.door.view()["bytes"] == 0


async def test_m26_pages_need_a_key_from_elsewhere_and_show_a_peer_its_own() -> None:
    pages = ("/metrics", "/covey/status", "/covey/version", "/covey/deps", "/covey/requests", "/covey/logs")
    with FakeBackend() as backend:
        async with opened({"b": backend.url}, ANN, BOB, OPS) as at:
            await at.chat(1)
            await at.chat(2)
            forwarded = {"x-forwarded-for": "203.0.113.9"}
            for page in pages:
                assert (await at.client.get(at.url + page, headers=forwarded)).status_code == 401, page
                assert (await at.client.get(at.url + page)).status_code == 200, page
                admins = await at.client.get(at.url + page, headers=at.headers(3, **forwarded))
                assert admins.status_code == 200, page
            assert (await at.client.get(at.url + "/v1/models")).status_code == 401
            assert (await at.client.get(at.url + "/healthz", headers=forwarded)).text == "ok\n"
            text = (await at.client.get(at.url + "/metrics")).text
            assert 'covey_door_requests_total{account="ann",end="answered"} 1\n' in text
            assert 'covey_door_tokens_total{account="bob",kind="prompt"} 7\n' in text
            assert "covey_door_queue_seconds_count 2\n" in text
            own = (await at.client.get(at.url + "/covey/requests", headers=at.headers(1))).json()
            assert [row["account"] for row in own["rows"]] == ["ann"]
            every = (await at.client.get(at.url + "/covey/requests")).json()
            assert [row["account"] for row in every["rows"]] == ["ann", "bob"]
            status = (await at.client.get(at.url + "/covey/status", headers=at.headers(2))).json()
            assert list(status["accounts"]) == ["bob"]
            own_text = (await at.client.get(at.url + "/metrics", headers=at.headers(1))).text
            assert 'account="ann"' in own_text and 'account="bob"' not in own_text
            logs = await at.client.get(at.url + "/covey/logs", headers=at.headers(1))
            assert logs.status_code == 403, "the log names everybody"
            at.door.drain(True)
            assert (await at.client.get(at.url + "/healthz")).status_code == 503
            at.door.drain(False)


async def test_m26_logs_are_read_on_by_their_number_and_a_reader_may_wait() -> None:
    with FakeBackend() as backend:
        async with opened({"b": backend.url}, OPS) as at:
            at.lines('{"evt": "one"}')
            page = (await at.client.get(f"{at.url}/covey/logs?since=0&wait=1")).json()
            assert [row["evt"] for row in page["rows"]] == ["one"]
            waits = asyncio.ensure_future(at.client.get(f"{at.url}/covey/logs?since={page['next']}&wait=1"))
            await asyncio.to_thread(at.lines, '{"evt": "two"}')
            assert [row["evt"] for row in (await waits).json()["rows"]] == ["two"]


async def test_what_changed_is_kept_and_no_text_of_a_request_is() -> None:
    with FakeBackend() as backend:
        async with opened({"b": backend.url}, ANN) as at:
            messages = [{"role": "user", "content": "a canary"}]
            await at.client.post(
                f"{at.url}/v1/chat/completions", json={"messages": messages}, headers=at.headers(1)
            )
            at.door.switch("default", Step("b", "other"))
            await at.door.save()
            kept = at.memory.saved[-1]
            assert kept["accounts"]["ann"]["ends"] == {"answered": 1}
            assert kept["switched"] == {"default": "b=other"}
            for seen in (kept, at.logged, at.door.recent.since(0)):
                assert "canary" not in repr(seen) and key(1) not in repr(seen)


async def test_a_peer_that_came_and_went_in_one_breath_leaves_no_slot_taken() -> None:
    with FakeBackend() as backend:
        async with opened({"b": backend.url}, ANN, rules=Rules(1, 1, per_minute=10_000)) as at:
            for _ in range(10):
                asked = asyncio.ensure_future(at.chat(1))
                await asyncio.sleep(0)
                asked.cancel()
                await asyncio.gather(asked, return_exceptions=True)
            await until(lambda: at.door.view()["under_way"] == at.door.view()["waiting"] == 0)
            assert (await at.chat(1)).status_code == 200
            await asyncio.wait_for(at.door.finished(), SECONDS)


async def test_m26_a_key_of_an_account_called_local_is_no_program_of_this_machine() -> None:
    with FakeBackend() as backend:
        async with opened({"b": backend.url}, ANN, entry(4, "local")) as at:
            await at.chat(1)
            theirs = at.headers(4)
            assert (await at.client.get(at.url + "/covey/logs", headers=theirs)).status_code == 403
            assert (await at.client.get(at.url + "/covey/requests", headers=theirs)).json()["rows"] == []
            assert (await at.client.get(at.url + "/covey/status", headers=theirs)).json()["accounts"] == {}


def test_an_entry_of_this_machine_is_nobodys_key() -> None:
    from covey.runtime.share.gate import LOCAL

    assert isinstance(LOCAL, Entry) and LOCAL.digest == "" and not LOCAL.admin
    assert KeyBook((LOCAL,)).match("") is None
    assert httpx2.__version__
