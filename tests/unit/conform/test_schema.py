"""The second opinion on schemas: every keyword from both sides, and nothing unknown skipped."""

from typing import Any

import pytest

from covey.conform.instances import beside, example
from covey.conform.schema import SchemaError, Validator


def valid(schema: Any, value: Any, **others: Any) -> bool:
    return Validator({"here": schema, **others}).is_valid(schema, value, "here")


@pytest.mark.parametrize(
    ("schema", "good", "bad"),
    [
        (True, 1, None),
        ({"type": "integer"}, 3, "3"),
        ({"type": "integer"}, 3.0, True),
        ({"type": ["string", "null"]}, None, 1),
        ({"const": "2.0"}, "2.0", "2.1"),
        ({"const": True}, True, 1),
        ({"enum": ["a", "b"]}, "b", "c"),
        ({"required": ["a"]}, {"a": 1}, {}),
        ({"minLength": 2, "maxLength": 3}, "\U0001f9e0\U0001f9e0\U0001f9e0", "a"),
        ({"minLength": 2, "maxLength": 3}, "ab", "abcd"),
        ({"minimum": 0, "maximum": 9}, 9, 10),
        ({"minItems": 1, "maxItems": 1}, [0], []),
        ({"uniqueItems": True}, [1, 2], [1, 1]),
        ({"pattern": "^[a-z]+$"}, "abc", "abc\n"),
        ({"format": "uuid"}, "018f47a0-7b21-7abc-8def-0123456789ab", "018f47a0"),
        ({"format": "uri"}, "https://example.org/x", "not one"),
        ({"items": {"type": "string"}}, ["a"], ["a", 1]),
        ({"properties": {"a": {"type": "null"}}}, {"a": None}, {"a": 1}),
        ({"properties": {"a": True}, "additionalProperties": False}, {"a": 1}, {"b": 1}),
        ({"allOf": [{"minimum": 1}, {"maximum": 2}]}, 2, 3),
        ({"anyOf": [{"const": 1}, {"const": 2}]}, 2, 3),
        ({"oneOf": [{"minimum": 1}, {"minimum": 5}]}, 3, 7),
        ({"if": {"const": 1}, "then": True, "else": {"const": 2}}, 2, 3),
        ({"$ref": "other"}, "x", 1),
        ({"$ref": "#/$defs/a", "$defs": {"a": {"const": 4}}}, 4, 5),
    ],
)
def test_keywords(schema: Any, good: Any, bad: Any) -> None:
    assert valid(schema, good, other={"type": "string"})
    assert schema is True or not valid(schema, bad, other={"type": "string"})


@pytest.mark.parametrize(
    "schema",
    [{"patternProperties": {}}, {"format": "email"}, {"$ref": "nowhere"}, {"$ref": "#/no"}, "a text"],
)
def test_what_it_does_not_know_is_an_error(schema: Any) -> None:
    with pytest.raises(SchemaError):
        valid(schema, "x")


FRAME = {
    "type": "object",
    "required": ["type", "keys", "at"],
    "additionalProperties": False,
    "properties": {
        "type": {"const": "frame"},
        "keys": {"type": "array", "maxItems": 2, "uniqueItems": True, "items": {"$ref": "#/$defs/key"}},
        "at": {"type": "integer", "minimum": 0},
        "note": {"type": "string", "maxLength": 3},
    },
    "$defs": {"key": {"type": "string", "pattern": "^cmb-[0-9a-f]{64}$"}},
}


def test_values_beside_a_frame_hit_every_bound_from_both_sides() -> None:
    validator = Validator({"frame": FRAME})
    base = example(validator, FRAME, "frame")
    assert validator.is_valid(FRAME, base, "frame")
    made = {
        label: validator.is_valid(FRAME, value, "frame")
        for label, value in beside(validator, FRAME, "frame", {**base, "note": "abc"})
    }
    assert made["keys: 2 items"] and not made["keys: 3 items"]
    assert made["at: the number 0"] and not made["at: the number -1"]
    assert made["note: 3 characters"] and not made["note: 4 characters"]
    assert made["note is gone"] and not made["at is gone"]
    assert not made["<whole> has one more"] and not made["type: another word"]
    assert not made["keys: the same item twice"]
    assert len(made) > 40
