"""Bounds of memory over time: lifecycle, feedback, retention, and carrying it away."""

from __future__ import annotations

from typing import Final

FEEDBACK_SLICE: Final = 256  # words about blocks that are acted upon at once
FEEDBACK_SHOWN: Final = 4  # of them in one question to a model: a word of authority, not a history
FEEDBACK_WORDS: Final = 64  # words about one block that are weighed, and blocks below it that are asked
GROUNDED_BLOCKS: Final = 256  # blocks below one that are looked at for an outcome
GROUNDINGS_PER_TARGET: Final = 16  # one outcome of one block by one author in an hour; the core takes no more
GROUNDING_SECONDS: Final = 3_600  # that hour
GROUNDING_PAIRS: Final = 4_096  # blocks and outcomes that are counted, the oldest forgotten
STEPS_SHOWN: Final = 64  # steps of authority that `memory about` lists
MEMORY_FIRST_SECONDS: Final = 60.0  # after a start: peers that live as long as a command never keep house
MEMORY_EVERY_SECONDS: Final = 21_600.0  # four times a day; days are what retention is counted in
ENCODING_FIRST_SECONDS: Final = 1.0  # after a start: peers that live as long as a command read nothing anew
ENCODING_BREATH_SECONDS: Final = (
    0.01  # between two slices of 128 blocks: the writer and the loop are others', too
)
ENCODING_EVERY_SECONDS: Final = (
    30.0  # what came since is read: of a busy stream only what is still among the newest
)
ARCHIVE_AFTER_DAYS: Final = 30.0  # MMP 2.0 §19: archiveAfterSeconds
FORGET_PASS: Final = 1 << 18  # blocks that one pass looks for: 26 bytes each, 7 MB; behind it comes the next
MEMORY_DAYS: Final = 36_500.0  # a hundred years are for ever
REMIXES_PER_ROOT: Final = 32  # what machines of one peer say in one thread: a long talk, and an end to it
REMIXES_CUT_OFF: Final = 16  # remixes that left their subject, with nothing from outside in between
WORDS_CHARS: Final = 4_000  # one text about a block: a page; the wire would take 65 times that
RECENT_WORDS_KEPT: Final = 128  # recent blocks whose words are not read again: those of some agents' contexts
RECENT_WORDS_CHARS: Final = 4_000  # longer ones are read each time; with their words at most 18 MB
CARRY_PAGE: Final = 256  # records of one page of an export over the control socket
CARRY_PAGE_BYTES: Final = 400_000  # and their bytes: one line of the socket holds a MiB, escaped
CARRY_LINE_BYTES: Final = 1_600_000  # one record of the wire's largest size, escaped, and its frame
CARRY_AUTHORS: Final = 65_536  # as many keys as a store binds
"""Keys of authors in one file."""
