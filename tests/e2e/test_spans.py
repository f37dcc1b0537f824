"""`[telemetry] spans` on a real peer: what a collector gets over OTLP, and what happens without one."""

from __future__ import annotations

import queue
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from tests.e2e.program import ROOM, Program

CONFIG = f"""
[identity]
name = "echo"
role = "generic"
[mesh]
room = "{ROOM}"
[telemetry]
spans = true
[model]
adapter = "scripted"
[[scripted.rules]]
when = {{ author = "observer" }}
emit = {{ focus = "heard: {{focus}}", commitment = "echoed" }}
"""


class Collector:
    """Takes OTLP over HTTP."""

    def __init__(self) -> None:
        took = self.took = queue.Queue[bytes]()

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                took.put(self.rfile.read(int(self.headers["Content-Length"])))
                self.send_response(200)
                self.end_headers()

            def log_message(self, format: str, *args: object) -> None:
                """Say nothing."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"


@pytest.fixture
def collector() -> Iterator[Collector]:
    made = Collector()
    serving = threading.Thread(target=made.server.serve_forever)
    serving.start()
    yield made
    made.server.shutdown()
    serving.join()
    made.server.server_close()


@pytest.fixture
def config(tmp_path: Path) -> Path:
    path = tmp_path / "agent.toml"
    path.write_text(CONFIG)
    return path


def test_a_wake_reaches_the_collector_as_one_trace(
    covey: Program, config: Path, collector: Collector
) -> None:
    where = {"OTEL_EXPORTER_OTLP_ENDPOINT": collector.url}
    assert (
        f"spans  — to {collector.url} (not asked)" in covey("dry-run", "--config", str(config), **where).out
    )
    with covey.start("run", "--config", str(config), "--json", **where) as echo:
        echo.event("ready")
        assert covey("observe", "--focus", "a canary in the text").code == 0
        key = echo.event("agent-emitted")["key"]
        assert covey("stop", "echo").code == 0
        assert echo.process.wait(20) == 0
    raw = collector.took.get(timeout=20)
    assert b"canary" not in raw
    sent = ExportTraceServiceRequest.FromString(raw).resource_spans[0]
    spans = {span.name: span for span in sent.scope_spans[0].spans}
    assert set(spans) == {"covey.wake", "covey.admission", "chat rules", "covey.emission", "covey.block"}
    assert {each.trace_id for name, each in spans.items() if name != "covey.block"} == {
        spans["covey.wake"].trace_id
    }
    assert spans["covey.emission"].links[0].span_id == spans["covey.block"].span_id
    assert key in {each.value.string_value for each in spans["covey.block"].attributes}


def test_a_collector_that_is_away_costs_a_line_in_the_log_and_nothing_else(
    covey: Program, config: Path
) -> None:
    away = {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:9", "OTEL_EXPORTER_OTLP_TIMEOUT": "1"}
    with covey.start("run", "--config", str(config), "--json", **away) as echo:
        echo.event("ready")
        assert covey("observe", "--focus", "one").code == 0
        echo.event("agent-emitted")
        assert covey("stop", "echo").code == 0
        assert echo.process.wait(40) == 0
        assert "Traceback" not in echo.process.stderr.read()
    assert "spans-trouble" in covey("logs", "echo", "--json").out
