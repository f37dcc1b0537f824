"""Bounds of a relay and its clients."""

from __future__ import annotations

from typing import Final

# --- relay ---------------------------------------------------------------------------------------------
RELAY_AUTH_SECONDS: Final = 10.0  # MMP 2.0 §4.4.1: a client that has not said who it is by then is closed
RELAY_PING_SECONDS: Final = 10.0  # MMP 2.0 §4.4.5: the recommended interval
RELAY_MISSES: Final = 2  # MMP 2.0 §4.4.5: pings in a row without answer, then 4005
RELAY_FRESH_SECONDS: Final = 5.0  # MMP 2.0 §4.4.7: a younger connection is not replaced by a second one
RELAY_MESSAGE_BYTES: Final = 1_052_672  # the largest frame, and 4 KiB of envelope around it
RELAY_OWN_BYTES: Final = 32_768  # a relay frame but relay-peers: relay-auth with the longest push token
RELAY_PEERS: Final = 4_096  # MMP 2.0 relay-frame schema: peers in one relay-peers, so members of one channel
RELAY_PEERS_BYTES: Final = 1_000_000  # of one relay-peers: it fits one message, with wake channels too
RELAY_OFFLINE_PEERS: Final = 1_024  # of one channel, remembered for their wake channels, oldest forgotten
RELAY_NAME_CHARS: Final = 255  # MMP 2.0 relay-frame schema
RELAY_TOKEN_CHARS: Final = 4_096  # MMP 2.0 relay-frame schema
RELAY_WAKE_CHARS: Final = 32  # MMP 2.0 control-frame schema: platform and environment of a wake channel
RELAY_TEXT_CHARS: Final = 1_024  # MMP 2.0 relay-frame schema: message of a relay-error; its other texts too
RELAY_FEATURES: Final = 64  # MMP 2.0 update 1: features a relay may name, 64 characters each
RELAY_CLIENTS: Final = 4_096  # connections of one relay at once: twice what it is measured with
RELAY_STRANGERS: Final = 512  # of them that have not said who they are
RELAY_QUEUE_BYTES: Final = 4_194_304  # that wait for one client; beyond, frames are refused and senders told
RELAY_SLOW_BYTES: Final = 1_048_576  # that wait for one client until it counts as slow: one largest frame
RELAY_CAUGHT_UP_BYTES: Final = 262_144  # and until it counts as caught up
RELAY_QUEUED_BYTES: Final = 67_108_864  # that wait for all clients: a relay stays small whoever is slow
RELAY_FRAMES_PER_SECOND: Final = 100.0  # of one client, then reading pauses; floor of update 1 §19.1: 25
RELAY_FRAMES_BURST: Final = 500  # at once; the floor is 300
RELAY_TOKENS: Final = 4_096  # tokens of one relay: a file a person still reads
RELAY_TOKENS_BYTES: Final = 1_048_576  # of that file
RELAY_HALF_OPEN: Final = 512  # sockets that are no WebSocket yet, TLS included: as many as strangers
RELAY_GOODBYE_SECONDS: Final = 2.0  # a client that does not answer our close is cut off after this
RELAY_REQUEST_SECONDS: Final = 10.0  # for TLS, and for the HTTP request: a slow-loris costs twice as long
RELAYS: Final = 4  # relays one peer is connected to at once: each costs a connection and its pings
RELAY_PACE_PER_SECOND: Final = 20.0  # frames we send to a relay, under the floor of update 1 §19.1 (25)
RELAY_PACE_BURST: Final = 200  # at once, under its floor (300)
RELAY_PONG_SECONDS: Final = 20.0  # unsolicited relay-pong (MMP 2.0 §4.4.5): middle boxes keep the line
RELAY_SILENCE_SECONDS: Final = 60.0  # six pings: a relay as quiet as that is gone
RELAY_RETRY_FIRST_SECONDS: Final = 1.0  # doubling from here (as deployed peers do)
RELAY_RETRY_LAST_SECONDS: Final = 30.0  # up to here
RELAY_RETRY_JITTER: Final = 0.1  # of the delay, added: a restarted relay is not met by everybody at once
RELAY_RETRY_REFUSED_SECONDS: Final = 600.0  # after 4002 or 4003: only a person can mend it
RELAY_STOCK_PEERS: Final = 256  # handshakes kept in a legacy room, 16 KiB each at most
RELAY_WAITING_BATCHES: Final = 512  # of one relayed session not yet judged: four times a stranger's burst
UNKNOWN_SESSION_PER_SECOND: Final = 2.0  # answers to frames of unknown sessions, to all (update 1 §7.2)
UNKNOWN_SESSION_BURST: Final = 8  # at once
UNKNOWN_SESSION_ASKERS: Final = 1_024  # senders remembered, so that each gets one answer a second
RELAY_PACED_HIGH_BYTES: Final = 1_048_576  # that wait for their pace until nothing more is sealed for it
RELAY_PACED_LOW_BYTES: Final = 262_144  # and until it goes on
RELAY_PACED_BYTES: Final = 8_388_608  # frames beyond are given back as undelivered

# --- relays behind one backplane -----------------------------------------------------------------------
CLUSTER_BEAT_SECONDS: Final = 2.0  # each relay says that it lives, and how far its news has come
CLUSTER_SILENCE_SECONDS: Final = 7.0  # three beats and a little: then its clients count as left
CLUSTER_ASK_SECONDS: Final = 2.0  # between two requests for one relay's whole list of clients
CLUSTER_PROBE_SECONDS: Final = 1.5  # for a relay to say whether it holds a nodeId, before it is taken over
CLUSTER_RELAYS: Final = 32  # relays of one cluster: each hears the presence of all
CLUSTER_PART_BYTES: Final = 524_288  # of one message: NATS takes 1 MiB unless told otherwise
CLUSTER_MESSAGE_BYTES: Final = 655_360  # the longest taken from the backplane: a part and its envelope
CLUSTER_QUEUED_BYTES: Final = 16_777_216  # that wait for the backplane; beyond, senders are told "busy"
CLUSTER_PENDING_BYTES: Final = 33_554_432  # held of what arrives, before the library drops and says so
CLUSTER_SNAPSHOT_ENTRIES: Final = 512  # clients in one part of a relay's list
CLUSTER_RETRY_SECONDS: Final = 1  # between attempts to find the backplane again
CLUSTER_PING_SECONDS: Final = 5  # to the NATS server; two unanswered ones are its end
RELAY_RESERVE_WAKE_SECONDS: Final = 1.0  # a lost relay's clients come to the next one spread over this
