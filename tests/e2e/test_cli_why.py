"""`covey why` and `covey why-not`, over real processes: asked of a running peer, and read from its store."""

from __future__ import annotations

from tests.e2e.program import Program


def test_why_and_why_not_of_a_running_peer_and_of_its_store(covey: Program) -> None:
    with covey.start("listen", "--json") as listener:
        listener.event("listening")
        said = covey("observe", "--focus", "the parser drops the last frame", "--json")
        held = said.json["block"]["key"]
        listener.event("delivered")
        again = covey("observe", "--focus", "The parser drops the last frame!", "--json").json["block"]["key"]
        while listener.event("judged")["key"] != again:
            pass
        lately = covey("why-not", "listener")
        running = [covey("why", "listener", held[:16]), covey("why-not", "listener", again)]
        wrong = covey("why", "listener", again)
        taken = covey("why-not", "listener", held)
    offline = [covey("why", "listener", held[:16]), covey("why-not", "listener", again)]
    for why, why_not in (running, offline):
        assert (why.code, why_not.code) == (0, 0), why.err + why_not.err
        assert "the parser drops the last frame" in why.out and "compared with" in why.out
        assert "is not held" in why_not.out and "redundant" in why_not.out
        assert held[:16] in why_not.out, "the nearest block is named"
        assert "redundant  redundant" not in why_not.out, "said once"
    assert (wrong.code, taken.code) == (1, 1)
    assert "covey why-not listener" in wrong.err and "covey why listener" in taken.err
    unknown = covey("why", "listener", "cmb-" + "0" * 64, "--json")
    assert unknown.code == 1 and unknown.json["error"]["code"] == "unknown_block"
    kept = covey("why-not", "listener")
    for listed in (lately, kept):
        assert listed.code == 0 and again[:16] in listed.out and held[:16] not in listed.out.splitlines()[0]
        assert listed.out.count("redundant") == 1 and "repeats" in listed.out, "each with its reason"
    found = covey("why-not", "listener", "--json").json
    assert [each["key"] for each in found["turned_away"]] == [again] and found["looked_at"] == 2
    assert covey("why-not", "nobody").code == 1
    assert covey("why-not", "listener", again, "--json").json["decisions"][0]["basis"]["kernel"]
