"""Messages, references, profiles and topics: they come back as they were written, or say what is wrong."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from covey import limits
from covey.fleet.message import (
    EVERYBODY,
    PROTOCOL_VERSION,
    Message,
    MessageError,
    MessageType,
    NewerProtocolError,
    UnknownTypeError,
    parse_type,
)
from covey.fleet.names import Umr, parse_umr
from covey.fleet.profile import AgentProfile, ProfileError
from covey.fleet.topics import TopicError, check_pattern, check_topic, matches

IDS = st.text("0123456789abcdef", min_size=12, max_size=32)
NAMES = st.from_regex(r"[A-Za-zé_-]{1,20}", fullmatch=True)
JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53), 2**53)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=8,
)
MESSAGES = st.builds(
    Message,
    id=IDS,
    sender=NAMES,
    recipient=NAMES | st.just(EVERYBODY),
    type=st.sampled_from([str(kind) for kind in MessageType]) | st.just("X_MY_OWN"),
    payload=st.dictionaries(st.text(max_size=8), JSON, max_size=4),
    timestamp_ms=st.integers(0, 2**53 - 1),
    in_reply_to=IDS | st.just(""),
    correlation_id=IDS | st.just(""),
    trace=IDS | st.just(""),
    depth=st.integers(0, limits.MESSAGE_DEPTH),
    hops=st.integers(0, limits.MESSAGE_HOPS),
    deadline_ms=st.integers(0, 2**53 - 1),
)
HISTORIC = [
    "EXPERIMENT_DATA",
    "PAPER_DRAFT",
    "REVIEW_RESULT",
    "REVISION_REQUEST",
    "TASK_COMPLETE",
    "REQUEST",
    "RESPONSE",
    "ERROR",
    "HEARTBEAT",
    "IDENTITY_REQUEST",
    "IDENTITY_RESPONSE",
    "GOAL_PROPOSAL",
    "GOAL_ACCEPTED",
    "GOAL_REJECTED",
    "GOAL_RESULT",
    "EXPERIENCE_OFFER",
    "EXPERIENCE_REQUEST",
    "EXPERIENCE_RESPONSE",
    "CAUSAL_LINK_SHARE",
    "REFLECTION_SHARE",
    "PREDICT_REQUEST",
    "PREDICT_RESPONSE",
    "INFERENCE_REQUEST",
    "INFERENCE_RESPONSE",
]


@given(MESSAGES)
def test_m09_a_message_comes_back_as_it_was_written(message):
    assert Message.from_dict(message.to_dict()) == message


def test_m10_a_newer_version_is_refused_naming_both_and_a_missing_one_is_the_first():
    plain = {"id": "0" * 12, "sender": "a", "recipient": "b", "type": "REQUEST"}
    assert Message.from_dict(plain).protocol_version == 1
    with pytest.raises(
        ValueError, match=rf"version {PROTOCOL_VERSION + 1}.*reads {PROTOCOL_VERSION}"
    ) as caught:
        Message.from_dict({**plain, "protocol_version": PROTOCOL_VERSION + 1})
    assert isinstance(caught.value, NewerProtocolError)
    for wrong in ("1", 1.0, True, None, 0):
        with pytest.raises(MessageError, match="protocol_version"):
            Message.from_dict({**plain, "protocol_version": wrong})


def test_m10_an_unknown_type_is_a_typed_error():
    with pytest.raises(UnknownTypeError, match="X_"):
        Message.from_dict({"id": "0" * 12, "sender": "a", "recipient": "b", "type": "NO_SUCH"})


def test_m11_all_historic_names_parse_and_own_ones_under_their_prefix():
    assert len(HISTORIC) == 24
    assert [parse_type(name) for name in HISTORIC] == HISTORIC
    assert parse_type("X_WEATHER_2") == "X_WEATHER_2"
    with pytest.raises(UnknownTypeError):
        parse_type("X_")


def test_s05_the_types_of_coordination_are_there():
    for name in (
        "TASK_REQUEST",
        "TASK_RESULT",
        "COLLABORATION_INVITE",
        "CAPABILITY_QUERY",
        "HEARTBEAT",
        "CONSENSUS_VOTE",
        "TASK_AUCTION",
    ):
        assert parse_type(name) == name


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"id": "xyz"}, "id"),
        ({"sender": "*"}, "sender"),
        ({"recipient": ""}, "recipient"),
        ({"payload": [1]}, "payload"),
        ({"payload": {"a": float("nan")}}, "payload"),
        ({"payload": {"a": {1, 2}}}, "payload"),
        ({"payload": {"a": "x" * limits.MESSAGE_PAYLOAD_BYTES}}, "larger"),
        ({"hops": limits.MESSAGE_HOPS + 1}, "hops"),
        ({"depth": -1}, "depth"),
        ({"timestamp_ms": 1.5}, "timestamp_ms"),
        ({"in_reply_to": "nope"}, "in_reply_to"),
        ({"more": 1}, "unknown member 'more'"),
    ],
)
def test_what_is_wrong_with_a_message_is_said(change, says):
    plain = {"id": "0" * 12, "sender": "a", "recipient": "b", "type": "REQUEST"}
    with pytest.raises(MessageError, match=says):
        Message.from_dict({**plain, **change})


def test_m13_references_have_three_parts_and_the_id_may_hold_dots():
    assert parse_umr("a.b.c.d") == Umr("a", "b", "c.d")
    for wrong in ("a.b", "a", "", "a..c", "..", ".b.c", "a.b.", "a.b.c..d", "a.b.c.", "a b.c.d", "ä.b.c"):
        with pytest.raises(ValueError, match="expected"):
            parse_umr(wrong)


@given(
    st.from_regex(r"[A-Za-z0-9_][\w-]{0,8}", fullmatch=True).filter(str.isascii),
    st.lists(st.from_regex(r"[a-z0-9]{1,5}", fullmatch=True), min_size=1, max_size=4),
)
def test_m13_what_is_read_is_written_the_same(part, ref):
    text = f"{part}.{part}.{'.'.join(ref)}"
    assert str(parse_umr(text)) == text


def test_m12_a_profile_comes_back_and_shows_a_short_name():
    profile = AgentProfile(
        "writer-of-very-long-papers", "writes", "0123456789ab", ("draft", "edit"), started_at_ms=5
    )
    assert AgentProfile.from_dict(profile.to_dict()) == profile
    assert profile.display_name == "writer-of-very-lo..." and len(profile.display_name) == 20
    assert profile.log_prefix == "[writer-of-very-lo...]"
    plain = AgentProfile.from_dict({"nickname": "ann", "role": "", "agent_id": "0123456789ab"})
    assert (plain.capabilities, plain.personality, plain.entity_type) == ((), "", "agent")
    assert plain.display_name == "ann"


@pytest.mark.parametrize(
    "change",
    [
        {"nickname": "a b"},
        {"entity_type": "robot"},
        {"agent_id": "?"},
        {"capabilities": "draft"},
        {"more": 1},
        {"capabilities": [""]},
        {"role": 3},
    ],
)
def test_m12_what_is_wrong_with_a_profile_is_said(change):
    with pytest.raises(ProfileError, match=next(iter(change))):
        AgentProfile.from_dict({"nickname": "ann", "role": "", "agent_id": "0123456789ab", **change})


def test_s06_patterns_match_words_and_tails():
    for pattern, topic, fits in [
        ("a.b", "a.b", True),
        ("a.*", "a.b", True),
        ("a.*", "a.b.c", False),
        ("a.>", "a.b.c", True),
        ("a.>", "a", False),
        (">", "a", True),
        ("*.b.>", "x.b.c.d", True),
        ("*.b.>", "x.c.c.d", False),
    ]:
        assert matches(check_pattern(pattern), check_topic(topic)) is fits, (pattern, topic)


@pytest.mark.parametrize("wrong", ["", "a..b", "a b", "a.>.b", ".".join("a" * 17)])
def test_s06_what_is_no_pattern_is_refused(wrong):
    with pytest.raises(TopicError):
        check_pattern(wrong)


@pytest.mark.parametrize("wrong", ["a.*", ">", "a.>"])
def test_s06_wildcards_are_no_topic(wrong):
    with pytest.raises(TopicError):
        check_topic(wrong)
