"""What an author attests of its remix is shown by who holds it, measured again, over real processes."""

from __future__ import annotations

from tests.e2e.program import Program


def test_a_trace_shows_what_the_author_attests_and_what_was_measured_here(covey: Program) -> None:
    with covey.start("listen", "node", "--json") as node:
        node.event("listening")
        said = ("observe", "--peer", "ann", "--json", "--focus")
        root = covey(*said, "the parser drops the last frame of the stream").json["block"]["key"]
        text = "the cause is a buffer that the parser flushes too late"
        remix = covey(*said, text, "--parent", root).json["block"]["key"]
        while node.event("delivered")["delivery"]["block"]["key"] != remix:
            pass
        running = covey("trace", "node", remix, "--json").json["chain"][0]["attested"]
    assert (running["standing"], running["root"]) == ("confirmed", root)
    assert abs(running["drift"] - running["here"]) < 1e-6
    for verb in ("trace", "why"):
        shown = covey(verb, "node", remix)
        assert shown.code == 0 and "attested confirmed: measured again here" in shown.out, shown.out
    assert covey("trace", "ann", remix, "--json").json["chain"][0]["attested"]["standing"] == "own"
