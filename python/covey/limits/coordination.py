"""Bounds of agents together: membership and messages."""

from __future__ import annotations

from typing import Final

# --- membership ----------------------------------------------------------------------------------------
MEMBERS: Final = 4_096  # members remembered, and pieces of news about them: some 4 MB with the longest lines
MEMBER_META_BYTES: Final = 1_024  # one member's line about itself: sixteen of them and more fit any frame
MEMBER_CLAIMS: Final = 64  # of one frame: 100 KB at the very most, each verified only where it is news
MEMBER_PIGGYBACK: Final = 8  # of them that ride on a probe: what a period costs stays about 2 KB
MEMBER_MEETINGS: Final = 8  # peers that have just come and wait to be compared with; others come by turns
MEMBER_PUSHES: Final = 128  # peers that hear a new word at once: 130 KB of the longest, once a second
MEMBER_ERRANDS: Final = 256  # probes under way for others: a flood of asks gets nacks
MEMBER_FORGET_SECONDS: Final = 3_600.0  # who is gone is remembered this long, so that old news stays old

# --- messages between agents ---------------------------------------------------------------------------
MESSAGE_PAYLOAD_BYTES: Final = 262_144  # as JSON: the bound of one category's text, so it fits a record too
JSON_INTEGER: Final = 9_007_199_254_740_991  # the largest integer that every JSON reader keeps
MESSAGE_HOPS: Final = 8  # hand-ons of one message: two more than the widest room of a hundred needs
MESSAGE_DEPTH: Final = 64  # answers to answers: a chain that long is a loop
PROFILE_TEXT_CHARS: Final = 1_024  # a role or a persona in a few lines
PROFILE_CAPABILITIES: Final = 64  # words of one agent: they ride on membership, whose line is 1 KiB
CAPABILITY_CAPACITY: Final = 10_000  # tasks one agent takes at once: past any real one, and it fits the line
CAPABILITY_SAY_SECONDS: Final = 1.0  # between two words on one's load: membership's own period
NAME_VALUE_BYTES: Final = 196_608  # of one value that a name resolves to: it fits a message with its escapes
TOPIC_WORDS: Final = 16  # of one topic: matching walks them
BUS_HISTORY: Final = 10_000  # messages kept for looking back: some 10 MB of ordinary ones
BUS_DEAD_LETTERS: Final = 1_000  # messages that reached nobody, kept to be looked at
BUS_SEEN: Final = 10_000  # ids that are not handled twice
BUS_INBOX: Final = 1_024  # messages that wait for one coroutine handler
BUS_BLOCK_SECONDS: Final = 5.0  # the longest a sender waits for a slow subscriber that asked for it
BUS_NESTING: Final = 32  # sends inside handlers inside sends: beyond, it is a loop
VOTE_ID_CHARS: Final = 64  # an id, not a text
VOTE_OPTIONS: Final = 16  # of one vote: people still read them
VOTE_OPTION_CHARS: Final = 256  # one line each
VOTE_ELECTORATE: Final = 1_024  # voters: their ballots fit some hundred KB
AUCTION_BIDS: Final = 1_024  # of one auction; ranking sorts them
REQUESTS_RUNNING: Final = 256  # answers one agent works on at once; beyond, askers hear that it is busy
REQUEST_SECONDS: Final = 30.0  # for a reply, where the asker says nothing else
REQUEST_SECONDS_MOST: Final = 86_400.0  # a day, as long as a signed message waits for its peer

# --- messages between peers ----------------------------------------------------------------------------
BUS_FRAME_BYTES: Final = 327_680  # one message with the largest payload and its envelope
BUS_WHO_ENTRIES: Final = 64  # names and patterns of one frame: 70 KB with the longest
BUS_ANNOUNCED: Final = 256  # of one peer: a room of a hundred costs each some 25,000 short words
BUS_PATTERN_CHARS: Final = 1_040  # sixteen words of 64, and their dots
BUS_PEER_MESSAGES_PER_SECOND: Final = 500.0  # of one peer, refused beyond: a tenth of what a core handles
BUS_PEER_MESSAGES_BURST: Final = 2_000  # at once: four seconds' worth, as a round of answers comes
BUS_BYTES_PER_TOKEN: Final = 16_384  # a large message counts as several: 8 MB a second
BUS_WAITING: Final = 4_096  # messages whose fate nobody has said yet
BUS_OUTGOING: Final = 4_096  # messages of other threads on their way to the loop
BUS_TAKEN_SECONDS: Final = 10.0  # for a peer to say that it took a message; then nobody knows
TRACE_MESSAGES: Final = 10_000  # of one tree: a day's work of a fleet, and still read in seconds
BUS_LOGGED_PER_SECOND: Final = 100.0  # lines about messages: a chatty fleet must not rotate the log away
BUS_LOGGED_BURST: Final = 2_000  # at once: the whole of a large vote
CHAIN_ROUNDS: Final = 8  # times one content may come back unanswered: people repeat themselves less often
CHAIN_REACTION_SECONDS: Final = 10.0  # after it was sent; agents react in seconds, schedules in minutes
CHAIN_CONTENTS: Final = 4_096  # remembered as digests: 400 KB
BUS_HELD: Final = 1_024  # signed messages that wait for their agent: the inbox holds them anyway
BUS_PROOF_BYTES: Final = 16_777_216  # of signed messages kept to be shown: some ten thousand ordinary ones
BUS_FATES: Final = 10_000  # messages whose fate can still be asked for
