"""Bounds of the machine: configuration, logs, the control socket and commands."""

from __future__ import annotations

from typing import Final

# --- configuration file --------------------------------------------------------------------------------
CONFIG_BYTES: Final = 1_048_576  # far above any written by hand; a mistaken path to a log stops here
PROMPT_BYTES: Final = 65_536  # system text: about 16,000 tokens, twice the default context
PROMPT_VARIABLES: Final = 64  # in [prompt.variables]
PROMPT_VARIABLE_CHARS: Final = 4_096  # one of them: a paragraph, not a file
CONFIG_PROBLEMS: Final = 20  # problems shown at once: more than a screen helps nobody
INTERFACES: Final = 16  # names in [mesh] interfaces: a machine with more is a router
STATIC_PEERS: Final = 256  # addresses in [mesh] peers: each is dialled for as long as the peer lives
TRUST_ENTRIES: Final = 4_096  # identities in [trust]: a directory, not a list, beyond that
API_KEY_CHARS: Final = 4_096  # the longest vendor tokens are JWTs of about 2,000
URL_CHARS: Final = 2_048  # what servers commonly accept
TABLE_MATRIX_BYTES: Final = 1_073_741_824  # a static-embedding table: a million pieces of 256 numbers
TABLE_TOKENIZER_BYTES: Final = 67_108_864  # its vocabulary as JSON

# --- logging -------------------------------------------------------------------------------------------
LOG_FILE_BYTES_MIN: Final = 1_024  # one line must fit
LOG_FILE_BYTES_MAX: Final = 1_073_741_824  # a log of 1 GiB is not read, it is shipped elsewhere
LOG_FILES: Final = 100  # rotated files kept

LOG_LINE_BYTES: Final = 4_194_304  # of one line that is read back: the largest of ours is far smaller
LOG_SHOWN_LINES: Final = 100_000  # of one `covey logs`: some 30 MB of text
LOG_SHOWN_CHARS: Final = 200  # of one value on a terminal; --json shows all

# --- control socket ------------------------------------------------------------------------------------
SOCKET_PATH_BYTES: Final = 100  # sun_path holds 104 bytes on macOS, 108 on Linux, its zero included
IPC_LINE_BYTES: Final = 4_194_304  # seven categories of 262,144 bytes, escaped, and the line around them
IPC_CONNECTIONS: Final = 64  # one user's own programs; more is a leak in one of them
IPC_IN_FLIGHT: Final = 16  # requests of one connection at work; its further lines wait unread
IPC_SUBSCRIBER_EVENTS: Final = 1_024  # a second of a busy peer; a longer wait is a stuck reader
SUBSCRIBER_WEIGHT: Final = 100.0  # of one category for one listener: as the weights of a role
IPC_ANSWER_SECONDS: Final = 5.0  # a peer's answer about itself; verbs that wait for others say more
IPC_LEAVE_SECONDS: Final = 1.0  # what is written gets this long to leave when the peer stops
IPC_RECEIPT_SECONDS: Final = 5.0  # default wait for what peers say of a block; on loopback they take 20 ms
IPC_RECALL_BLOCKS: Final = 200  # blocks in one answer: about 200 KB of usual blocks
IPC_OUTBOX_ROWS: Final = 1_000  # sends in one answer: about 400 KB
IPC_WHY_DECISIONS: Final = 16  # decisions shown of one block: one is usual, a forged one has many
IPC_TRACE_DEPTH: Final = 64  # generations in one tree; more than a person reads

# --- metrics -------------------------------------------------------------------------------------------
METRIC_WORDS: Final = 128  # values of one label: our closed lists are shorter, and a scrape stays under 1 MB
PAGE_REQUEST_BYTES: Final = 8_192  # of a request's head: what every server takes
PAGE_CONNECTIONS: Final = 16  # requests at once: a scraper or two; more is somebody's mistake
PAGE_SECONDS: Final = 5.0  # from connection to answer: a scraper gives up after ten

# --- commands ------------------------------------------------------------------------------------------
CALIBRATE_PAIRS: Final = 20_000  # pairs of texts in one calibration: far more than anybody writes by hand
WATCH_PEERS: Final = 64  # rows of one live table: more than a screen holds
WATCH_THREADS: Final = 8  # peers asked at once: each answers in milliseconds, or not at all
WATCH_ANSWER_SECONDS: Final = 2.0  # a peer that takes longer is shown as silent
MIGRATE_FILE_BYTES: Final = 1_048_576  # of one file of the Node product; its largest is a state of 1 KB
MIGRATE_FILES: Final = 10_000  # of one of its folders
DOCTOR_FILES: Final = 20_000  # files of one home that are looked at: more is no home of a person's peers
DOCTOR_ANSWER_SECONDS: Final = 2.0  # for a running peer's status: it takes milliseconds
DOCTOR_RELAY_SECONDS: Final = 5.0  # to open a WebSocket, its TLS included
DOCTOR_CLOCK_SECONDS: Final = 60.0  # apart: what a person would call a wrong clock
DOCTOR_FREE_BYTES: Final = 104_857_600  # below, a store and its log may fail any day

# --- a peer's process ----------------------------------------------------------------------------------
COLLECTOR_STEPS: Final = (10_000, 10, 10)  # values that live before it looks: a thousand blocks in flight

# --- conformance kit -----------------------------------------------------------------------------------
CONFORM_FILES: Final = 2_000  # JSON files below one folder: the published repository has some 60
CONFORM_FILE_BYTES: Final = 8_388_608  # one artifact; the largest published one has 428 kB
CONFORM_LINE_BYTES: Final = 16_777_216  # one line of an adapter: a text of four-byte signs past a bound
CONFORM_ANSWER_SECONDS: Final = 30.0  # one operation of another implementation, its start included
CONFORM_SESSIONS: Final = 64  # sessions an adapter keeps open for the kit, which uses two at once
CONFORM_DETAILS: Final = 20  # failures listed below the table; --json lists all

# --- measuring ---------------------------------------------------------------------------------------
BENCH_REPORT_BYTES: Final = 4_194_304  # a saved run: ours takes 20 kB, 256 measures of 200 samples 2 MB
BENCH_MEASURES: Final = 256  # of one saved run: ours has sixteen, rivals add theirs
BENCH_HEARERS: Final = 64  # of one speaker, in one process: ten files each, where 1,024 may be open
BENCH_SAMPLES: Final = 200  # of one measure: each is a process or a meeting of its own, ours has six
