"""Bounds of channels."""

from __future__ import annotations

from typing import Final

# --- channels: named conversations with keys of their own ----------------------------------------------
CHANNELS: Final = 64  # of one owner: what an agent can tend, and a tenth of its scope's bytes at most
CHANNEL_MEMBERS: Final = 64  # each key is wrapped for each: 64 boxes make a record of 10 KB
CHANNEL_EPOCHS: Final = 64  # keys kept of one channel: who was away for longer reads what is left
CHANNEL_OUT: Final = 256  # agents that a topic does not take again; the oldest are forgotten
CHANNEL_NAME_CHARS: Final = 64  # what people call it
CHANNEL_MESSAGE_BYTES: Final = 32_768  # one message: some pages of text
CHANNEL_MESSAGES: Final = 1_000  # of one author in one channel; the oldest are deleted as new ones come
CHANNEL_OVER: Final = 4_096  # messages of which it is remembered over whom they came
CHANNEL_LISTED: Final = 200  # messages in one answer unless more are asked for
CHANNEL_LISTED_MOST: Final = 1_000  # and at the most
CHANNEL_ANSWER_BYTES: Final = (
    1_048_576  # of messages in one answer: a quarter of a line of the control socket
)
