"""A door's page of metrics, by the writer that peers and relays use.

Rules: this only words what the door knows. Accounts and lanes are names that the operator chose; the writer
bounds how many of them become labels.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from covey.runtime.metrics.page import Page, Words

if TYPE_CHECKING:
    from covey.runtime.share.door import Door

_LANE: Final = (
    ("p50_seconds", "covey_door_lane_p50_seconds", "median time of a lane's last answers"),
    ("p99_seconds", "covey_door_lane_p99_seconds", "time that 99 of 100 of a lane's last answers took"),
    ("failed_share", "covey_door_lane_failed_ratio", "share of a lane's last requests that failed"),
    ("tokens_per_second", "covey_door_lane_tokens_per_second", "tokens a second of a lane's last answers"),
)


def page(door: Door, words: Words, version: str, only: str | None = None) -> str:
    """Return the page.

    Args:
        door: Whose.
        words: What labels may say; kept from page to page.
        version: What runs.
        only: The account that it speaks of; None for all.
    """
    found, made = door.view(), Page(words)
    made.gauge("covey_build_info", "the version that runs", 1, version=version)
    made.gauge("covey_door_draining", "1 while no new work is taken", int(found["draining"]))
    made.gauge("covey_door_under_way", "requests that hold a slot", found["under_way"])
    made.gauge("covey_door_slots", "requests that may hold one", found["concurrent"])
    made.gauge("covey_door_waiting", "requests in the queue", found["waiting"])
    made.gauge("covey_door_held_bytes", "bytes of requests' bodies", found["bytes"])
    for name, count in found["counters"].items():
        made.counter("covey_door_events_total", "what the door did, by kind", count, kind=name)
    for name, account in found["accounts"].items():
        if only not in (None, name):
            continue
        for end, count in account["ends"].items():
            made.counter(
                "covey_door_requests_total", "requests by account and end", count, account=name, end=end
            )
        for kind in ("prompt", "completion"):
            tokens = account[f"{kind}_tokens"]
            made.counter(
                "covey_door_tokens_total", "tokens by account and kind", tokens, account=name, kind=kind
            )
    for name, lane in found["lanes"].items():
        for member, metric, about in _LANE:
            if lane[member] is not None:
                made.gauge(metric, about, lane[member], lane=name)
    for name, backend in found["backends"].items():
        made.gauge("covey_door_backend_up", "1 while it answers", int(backend["healthy"]), backend=name)
    made.histogram("covey_door_queue_seconds", "time in the queue of what was let in", door.waits)
    made.histogram("covey_door_first_byte_seconds", "time to a backend's first bytes", door.firsts)
    return made.text()
