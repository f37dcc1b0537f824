"""Bounds of a shared model: the door, its keys, its queue, and the way to it through the mesh."""

from __future__ import annotations

from typing import Final

# --- keys and accounts ---------------------------------------------------------------------------------
DOOR_KEYS: Final = 4_096  # of one door: a fleet has hundreds of peers, and the file is read whole
DOOR_BOOK_BYTES: Final = 4_194_304  # the file of keys: 4,096 entries of under 1 KiB
DOOR_SECRET_BYTES: Final = 32  # of a key: nobody guesses it, so a plain digest keeps it at rest
DOOR_STATE_BYTES: Final = 2_097_152  # the file of accounts and switches: 4,096 accounts of 400 bytes
DOOR_SAVE_SECONDS: Final = 5.0  # between two writes of the accounts: what a crash loses of them

# --- admission -----------------------------------------------------------------------------------------
DOOR_CONCURRENT: Final = 4_096  # requests at a backend at once: past what any one machine serves
DOOR_QUEUE: Final = 65_536  # requests that wait: each holds a body, so the body's bound matters too
DOOR_REQUESTS_PER_MINUTE: Final = 1_000_000  # of one peer: past what the door itself can answer
DOOR_QUEUE_SECONDS: Final = 600.0  # the longest wait for a slot: the longest answer of a backend
DOOR_ANSWER_SECONDS: Final = 3_600.0  # the longest answer: an hour of tokens
DOOR_BODY_BYTES: Final = 67_108_864  # of one request: a million tokens of text, or some images
DOOR_BODY_USUAL_BYTES: Final = 4_194_304  # where nothing is said: the largest text window there is
DOOR_QUEUED_BYTES: Final = 268_435_456  # bodies held at once, waiting or under way: 64 of the usual bound
DOOR_BODY_SECONDS: Final = 60.0  # for a request's body to arrive: a slow sender holds no memory for ever
DOOR_PRIORITY_WEIGHTS: Final = (4, 2, 1)  # turns of high, normal and low: none of them ever starves
DOOR_PATH_CHARS: Final = 64  # of a lane's, backend's or account's name: they become labels

# --- lanes ---------------------------------------------------------------------------------------------
DOOR_BACKENDS: Final = 64  # of one door
DOOR_LANES: Final = 64  # of one door; each is a row of metrics
DOOR_STEPS: Final = 8  # of one fallback chain: each may cost its first-byte time
DOOR_FAILURES: Final = 3  # in a row until a backend is left alone: one may be chance
DOOR_REST_SECONDS: Final = 5.0  # a failing backend's first rest, doubling with every further failure
DOOR_REST_LONGEST_SECONDS: Final = 120.0  # up to here: a server that came back is found in two minutes
DOOR_SAMPLES: Final = 1_024  # answers that percentiles are made from, for each lane
DOOR_REPLY_BYTES: Final = 67_108_864  # of an answer that is no stream: a batch of embeddings is large
DOOR_EVENT_BYTES: Final = 1_048_576  # one event of a stream, as everywhere a model is read

# --- what is shown -------------------------------------------------------------------------------------
DOOR_RECENT: Final = 100  # requests kept for looking back
DOOR_LOG_LINES: Final = 500  # lines kept for `covey peer logs`; the file has them all
DOOR_LOG_PAGE: Final = 200  # of one answer
DOOR_LOG_WAIT_SECONDS: Final = 20.0  # a reader that follows is answered by then: proxies cut at 30

# --- a leader's address, its probe, a mesh of leaders --------------------------------------------------
PEER_BOOK_BYTES: Final = 65_536  # the saved connection, and what its last probe found
PEER_ANSWER_BYTES: Final = 8_388_608  # of one answer that a command of `covey peer` reads
PEER_STAGE_SECONDS: Final = 10.0  # one stage of a test; a model's own answer has longer
PEER_MODEL_SECONDS: Final = 60.0  # for the model's one word: it may have to be loaded first
PEER_PROBES: Final = 20  # answers that a test may time
MESH_NODES: Final = 256  # of one mesh file: people write it
MESH_FILE_BYTES: Final = 262_144  # of it

# --- upkeep --------------------------------------------------------------------------------------------
UPKEEP_SECONDS: Final = 900.0  # one step of an update: an installer may have to build
UPKEEP_OUTPUT_BYTES: Final = 1_048_576  # kept of what a step says
UPKEEP_WORDS: Final = 64  # models, and extras, that an operator allows

# --- through the mesh ----------------------------------------------------------------------------------
DOOR_CHUNK_BYTES: Final = 98_304  # of a body or an answer in one frame: 128 KiB as base64, a part of 1 MiB
DOOR_CREDIT: Final = 16  # chunks on their way without a word of the reader: 1.5 MB for each call
DOOR_CALLS_OUT: Final = 256  # of this peer, to all others at once
DOOR_CALLS_PEER: Final = 64  # of one peer at this door at once, waiting ones included
DOOR_CALLS_IN: Final = 1_024  # of all peers at this door at once
DOOR_FRAME_BYTES: Final = 262_144  # one frame with the largest chunk, and room to spare
DOOR_HEADER_CHARS: Final = 256  # of a lane's name, a content type, a reason
DOOR_OPEN_SECONDS: Final = 15.0  # for a peer to say anything at all of a call
DOOR_STALL_SECONDS: Final = 120.0  # without a chunk or credit, with work to do: the other side is gone
