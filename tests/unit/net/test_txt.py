from __future__ import annotations

import hypothesis.strategies as st
from hypothesis import given

from covey.net import txt
from covey.net.mdns import hint_of

NODE = "01900000-0000-7000-8000-000000000001"


def packed(*entries: bytes) -> bytes:
    return b"".join(bytes([len(entry)]) + entry for entry in entries)


def test_keys_compare_without_case_and_the_first_counts() -> None:
    assert txt.pairs(packed(b"Room=one", b"ROOM=two", b"mmp=2.0")) == {"room": "one", "mmp": "2.0"}


def test_a_value_may_hold_equal_signs_and_a_key_may_have_no_value() -> None:
    assert txt.pairs(packed(b"a=b=c", b"flag", b"=nokey")) == {"a": "b=c", "flag": ""}


def test_what_is_cut_off_or_not_utf8_is_left_out() -> None:
    assert txt.pairs(packed(b"a=1", b"b=\xff") + b"\x09c=2") == {"a": "1"}


@given(st.binary(max_size=2000))
def test_any_bytes_give_text_pairs(data: bytes) -> None:
    assert all(key and key == key.lower() for key in txt.pairs(data))


def test_what_we_advertise_is_what_we_read() -> None:
    members = txt.record(NODE, "wri=ter ü", bytes(32), "localhost", "room-1")
    read = txt.pairs(packed(*(f"{key}={value}".encode() for key, value in members.items())))
    assert read == dict(members)
    assert len(read["public-key"]) == 43
    hint = hint_of(read, [("127.0.0.1", 4000)])
    assert hint is not None
    assert (hint.node_id, hint.room, hint.mmp, hint.name) == (NODE, "room-1", "2.0", "wri=ter ü")


def test_a_record_without_node_id_or_port_hints_at_nobody() -> None:
    assert hint_of({"room": "default", "mmp": "2.0"}, [("127.0.0.1", 4000)]) is None
    assert hint_of({"node-id": NODE.replace("0", "A")}, [("127.0.0.1", 4000)]) is None
    assert hint_of({"node-id": NODE}, [("127.0.0.1", 0)]) is None
