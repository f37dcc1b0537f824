"""Bounds of deciding together: votes, auctions, solving, pools."""

from __future__ import annotations

from typing import Final

DECIDE_SECONDS: Final = 30.0  # for a vote or for bids, where the caller says nothing else
DECIDE_SECONDS_MOST: Final = 86_400.0  # a day, as long as a signed message waits for its peer
DECIDE_LOOK_SECONDS: Final = 0.5  # between two looks at who has come or gone: half of membership's period
DECIDE_KEPT: Final = 1_000  # records of one kind kept on disk: some 20 MB of ordinary ones
DECIDE_RECORD_BYTES: Final = 1_048_576  # of one record: a vote of 1,024 takes 250 KB
DECIDE_OPEN: Final = 64  # questions and lots that wait for one agent's answer
DECIDE_LISTED: Final = 100  # records in one answer: more than a person reads
DECIDE_ENVELOPE_BYTES: Final = 1_024  # of a message around a record that is told
DECIDE_AFTER_SECONDS: Final = 60.0  # an open question outlives its deadline so long, to hear its outcome
DECIDE_KEYS: Final = 4_096  # of others, remembered while a peer runs: as many as members

AUCTION_SECONDS: Final = 5.0  # for bids, where nobody says otherwise: they are made by programs
AUCTION_CONFIRM_SECONDS: Final = 5.0  # for a winner to confirm, likewise
AUCTION_TASK_CHARS: Final = 8_192  # what is to be done, in two pages; the rest is fetched
AUCTION_AWARDS_WAITED: Final = 8  # awards that a bidder waits for to come to it, before it forgets a lot

SOLVE_ITEMS: Final = 16  # ideas or remarks of one member: whoever has more has not chosen
SOLVE_TEXT_CHARS: Final = 8_192  # of the problem, and of one idea or remark: two pages
SOLVE_TOLD_BYTES: Final = (
    196_608  # of all ideas and remarks, shared out evenly: members get them in a message
)
SOLVE_GATHER_SECONDS: Final = 2.0  # for members who are not here at the beginning: as long as a break takes
SOLVE_RESULT_CHARS: Final = 65_536  # of an implementation
SOLVE_MEMBERS: Final = 64  # of one solve: each has 1.5 KB for its ideas then, and as much for remarks
SOLVE_OPTION_CHARS: Final = 200  # of an idea, where it is voted on
SOLVE_BUILDERS: Final = 3  # members asked to implement, one after another
BRAINSTORM_SECONDS: Final = 10.0  # the idea's own: ten to have one,
CRITIQUE_SECONDS: Final = 15.0  # fifteen to see what is wrong with others'
SOLVE_VOTE_SECONDS: Final = 10.0  # a vote of people who have read everything already
IMPLEMENT_SECONDS: Final = 60.0  # for one member to make it

POOL_AGENTS: Final = 1_024  # of one pool: each has an inbox and a notebook
POOL_WORKERS: Final = 4  # turns at once, where nobody says otherwise
POOL_TURN_SECONDS: Final = 60.0  # of one turn, where nobody says otherwise
POOL_TURN_SECONDS_MOST: Final = 86_400.0  # a day: a turn without an end holds a worker for ever
POOL_INBOX: Final = 256  # messages that wait for an agent's next turn
POOL_TRIES: Final = 3  # turns that may fail over the same messages, before they are given up
POOL_LEAVE_SECONDS: Final = 1.0  # a cancelled turn gets this long to clean up
NOTEBOOK_NAME_CHARS: Final = 256  # a name, not a text
NOTEBOOK_ENTRIES: Final = 10_000  # of one agent; the oldest go first
NOTEBOOK_VALUE_BYTES: Final = 262_144  # of one entry as JSON, as of a message
