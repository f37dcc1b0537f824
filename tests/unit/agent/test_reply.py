import json

import pytest

from covey.agent.reply import Answer, Silent, Unreadable, Uses, read
from covey.limits import ANSWER_CATEGORY_CHARS
from covey.model import ModelReply, ToolCall, Usage


def reply(text="", *calls, stop="stop"):
    return ModelReply(text, calls, Usage(), stop, "m")


def call(arguments, raw="", name="emit_cmb"):
    return ToolCall("1", name, arguments, raw)


def test_a_tool_call_becomes_an_answer():
    answer = read(reply("", call({"focus": " a ", "issue": "b"})))
    assert answer == Answer({"focus": "a", "issue": "b"}, "tool")


def test_blank_and_neutral_categories_say_nothing():
    answer = read(reply("", call({"focus": "a", "issue": "  ", "mood": "neutral", "intent": None})))
    assert answer == Answer({"focus": "a"}, "tool")


def test_unknown_members_and_non_text_are_ignored_and_named():
    answer = read(reply("", call({"focus": "a", "issue": 3, "colour": "red"})))
    assert answer.categories == {"focus": "a"}
    assert answer.ignored == ("issue: not text", "colour: unknown")


def test_a_category_may_be_an_object_with_text_as_in_the_record():
    assert read(reply("", call({"mood": {"text": "calm", "valence": 0.2}}))).categories == {"mood": "calm"}


def test_only_the_first_call_counts_and_the_rest_is_named():
    answer = read(reply("", call({"focus": "a"}), call({"focus": "b"})))
    assert answer.categories == {"focus": "a"}
    assert answer.ignored == ("1 further emit_cmb calls",)


@pytest.mark.parametrize(
    "text",
    [
        '{"focus": "a"}',
        'Sure!\n```json\n{"focus": "a"}\n```\nDone.',
        '{"name": "emit_cmb", "arguments": {"focus": "a"}}',
        '{"name": "emit_cmb", "arguments": "{\\"focus\\": \\"a\\"}"}',
        '{"emit_cmb": {"focus": "a"}}',
        '{"not": "it"} and then {"categories": {"focus": "a"}}',
        'a { brace, then {"focus": "a"}',
    ],
)
def test_x08_json_in_text_is_read_when_there_is_no_tool_call(text):
    assert read(reply(text)) == Answer({"focus": "a"}, "text")


def test_malformed_arguments_are_unreadable_unless_json_can_be_found_in_them():
    assert read(reply("", call(None, '{"focus": '))).reason == "malformed-arguments"
    assert read(reply("", call(None, 'x {"focus": "a"} y'))) == Answer({"focus": "a"}, "tool-text")


def test_text_without_json_is_a_choice_to_be_silent():
    assert read(reply("Not my turn:\n the draft is missing.")) == Silent("Not my turn: the draft is missing.")
    assert read(reply("")) == Silent("")


def test_an_answer_that_says_nothing_is_unreadable():
    assert read(reply("", call({}))).reason == "empty"
    assert read(reply("", call({"focus": ""}))).reason == "empty"


def test_another_tool_and_a_cut_off_reply_say_so():
    assert read(reply("", call({}, name="rm"))).reason == "unknown-tool"
    assert read(reply("I was going to", stop="max_tokens")).reason == "cut-off"
    assert read(reply("I was going to", stop="length")).reason == "cut-off"


def test_too_long_a_category_is_refused_not_cut():
    found = read(reply("", call({"focus": "a" * (ANSWER_CATEGORY_CHARS + 1)})))
    assert isinstance(found, Unreadable) and found.reason == "category-too-long"


def test_text_is_normalised_and_lone_surrogates_cannot_reach_the_signer():
    answer = read(reply("", call({"focus": "e\u0301", "issue": json.loads('"a\\ud800b"')})))
    assert answer.categories == {"focus": "é", "issue": "a?b"}


def test_a_page_of_braces_is_read_in_bounded_time():
    assert isinstance(read(reply("{" * 200_000)), Silent)
    assert isinstance(read(reply('{"a":' * 50_000)), Silent)


def test_calls_of_other_tools_come_before_an_answer_but_never_beside_one():
    other = call({"path": "a"}, name="files__read")
    assert read(reply('{"focus": "a"}', other), tools=True) == Uses((other,))
    assert read(reply("", other, call({"focus": "a"})), tools=True) == Answer(
        {"focus": "a"}, "tool", ("1 calls of other tools beside it",)
    )


@pytest.mark.parametrize(
    "text", ['{"focus": "a', 'Sure: {"issue": unquoted}', '{"categories": {"focus": ', '{ "emit_cmb" : [}']
)
def test_json_that_went_wrong_is_an_attempt_and_no_silence(text):
    assert read(reply(text)).reason == "malformed-json"


@pytest.mark.parametrize("text", ["I would set {x}", '{"other": 1}', "focus: nothing", ""])
def test_other_text_is_a_choice_to_be_silent_unless_json_was_asked_for(text):
    assert isinstance(read(reply(text)), Silent)
    assert read(reply(text), as_json=True).reason == "no-json"


def test_a_model_without_tools_says_so_when_it_is_silent():
    assert read(reply('{"silent": "not my turn"}'), as_json=True) == Silent("not my turn")
    assert read(reply('{"focus": "a"}'), as_json=True) == Answer({"focus": "a"}, "text")
