"""Bounds of continuity: who goes on with an agent when its node is gone."""

from __future__ import annotations

from typing import Final

CONTINUITY_AGENTS: Final = 64  # agents whose succession one peer knows: some 1 MB of plans and votes
CONTINUITY_OF_PEER: Final = 16  # of them begun by one peer's word: it cannot take every place
CONTINUITY_STANDBYS: Final = 8  # of one agent: each holds a replica, and each is asked before a takeover
CONTINUITY_WITNESSES: Final = 8  # of one agent: they only vote
CONTINUITY_CLASSES: Final = 16  # of state that one plan hands on
CONTINUITY_PLANS: Final = 16  # successive plans of one agent: each proves the next, so all of them travel
CONTINUITY_EPOCHS: Final = 1_000_000  # the highest limit a plan may name
CONTINUITY_EPOCHS_USUAL: Final = 1_000  # takeovers and moves under one plan: a century of monthly ones
CONTINUITY_BODY_BYTES: Final = 32_768  # of one signed text: a plan of all members with the longest names
CONTINUITY_NAME_CHARS: Final = 64  # of a member's name, for people
CONTINUITY_CONFIG_BYTES: Final = 65_536  # of a configuration that travels with an agent
CONTINUITY_REPORT_CHARS: Final = 200  # of one line of a node's report on itself
CONTINUITY_MARKS: Final = 64  # words of a holder that wait for their operations; the oldest go first
CONTINUITY_TICK_SECONDS: Final = 0.5  # between two looks at who is there
CONTINUITY_BEAT_SECONDS: Final = 5.0  # a holder's word of where it stands, while nothing changes
CONTINUITY_DEAD_SECONDS: Final = 1.0  # after membership gave a holder up: time for a word that was late
CONTINUITY_LEFT_SECONDS: Final = 60.0  # after a goodbye, or a start without it: a restart is no death
CONTINUITY_STEP_SECONDS: Final = 1.5  # between two standbys that begin: the first one mostly has it by then
CONTINUITY_ASK_SECONDS: Final = 1.0  # between two requests for the same vote
CONTINUITY_BACK_SECONDS: Final = 2.0  # on average until another try, when two of them began at once
CONTINUITY_FREEZE_SECONDS: Final = 20.0  # a holder that hands on writes nothing for so long; then it goes on
CONTINUITY_ANSWER_SECONDS: Final = 30.0  # until an operator hears what became of a wish
CONTINUITY_LATE_ENTRIES: Final = 1_000  # late writes that are set aside after one takeover; more are counted
CONTINUITY_FREE_BYTES: Final = 67_108_864  # of disk that a node must have to take an agent in
