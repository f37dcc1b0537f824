"""Every bound of the MCP server, with its reason; what it shares with a peer stands in `covey.limits`."""

from __future__ import annotations

from typing import Final

BODIES: Final = 200  # full texts behind compact headers: the window MMP 2.0 §13.9.2 recommends
FOCUS_CHARS: Final = 80  # of a compact header (§13.9.1): a line, not a paragraph
EXCERPT_CHARS: Final = 150  # of a search's hit; the rest is fetched where it is wanted
RESULT_CHARS: Final = 48_000  # of peers' text in one result: about 12,000 tokens
HITS: Final = 10  # of one search
RECORDS: Final = 20  # newest blocks in the list of resources
ANSWERS: Final = 64  # blocks of one answer to a question or a wait
WAIT_SECONDS: Final = 600.0  # longest wait for answers; a longer one is another call
WAIT_USUAL: Final = 45.0  # under the 60 s after which most clients give a call up
SEND_SECONDS: Final = 2.0  # for receipts: on loopback they take 20 ms
SESSIONS: Final = 32  # clients told of news; the one that came first is let go
SUBSCRIPTIONS: Final = 256  # of resources, all clients together
QUEUE: Final = 256  # news on its way to clients; what is beyond is counted, and in the inbox
PUSH_SECONDS: Final = 5.0  # one client may take to take one push
PROGRESS_SECONDS: Final = 5.0  # between signs of life of a wait: a client that counts seconds begins anew
START_SECONDS: Final = 10.0  # a call waits this long for the peer to stand
BODY_BYTES: Final = 2_097_152  # one HTTP request: seven categories of 262,144 bytes
CONFIG_BYTES: Final = 16_777_216  # of a client's configuration; Claude Code's grows to some MB
