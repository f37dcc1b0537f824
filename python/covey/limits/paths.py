"""Bounds of how peers find each other: discovery and invites."""

from __future__ import annotations

from typing import Final

# --- discovery -----------------------------------------------------------------------------------------
TXT_BYTES: Final = 1_300  # RFC 6763 §6.2: a TXT record that fits one packet
MDNS_LOOKUP_MS: Final = 3_000  # the library's own pace: three questions for one record
REGISTRY_POLL_SECONDS: Final = 0.25  # a peer on this machine is met within this time
STOCK_REGISTRY_POLL_SECONDS: Final = 2.5  # stock peers look and write every five
STOCK_REGISTRY_FRESH_MS: Final = 30_000  # as stock peers have it: an older entry is of a dead one
STOCK_ROOM_CHARS: Final = 62  # a DNS label has 63 bytes, one of them the underscore
REGISTRY_ENTRIES: Final = 1_024  # files read in one look: a directory anyone local could fill
REGISTRY_ENTRY_BYTES: Final = 4_096  # one entry has nine short members

PEER_INFO_READ: Final = 256  # entries of one peer-info that are read (as deployed peers do); 4,096 may come
PEER_INFO_TOLD: Final = 64  # entries of one we send, the newest first: about 7 KB
PEER_INFO_KEPT: Final = 1_024  # nodes heard of, and peers whose pace is remembered, the oldest forgotten
PEER_INFO_SECONDS: Final = 60.0  # between two peer-info to one peer, and between two of one that are read
PEER_INFO_BURST: Final = 2  # at once: a peer that crashed tells again
PATHS_ASKED: Final = 32  # nodes in one question, and hints kept on one peer's word about others
PATHS_FRAME_BYTES: Final = 24_576  # 32 nodes with eight addresses of 64 characters
PATHS_PER_SECOND: Final = 0.1  # frames of one peer that are read: each may cost dials
PATHS_BURST: Final = 8  # at once
PATHS_TELL_SECONDS: Final = 120.0  # how often a peer says where it listens, so that hints live on
PATHS_HINT_SECONDS: Final = 300.0  # how long a hint lives: it may be missed once
NETWORKS_LOOK_SECONDS: Final = 2.0  # how often interfaces are looked at: 0.3 ms of work

# --- invites -------------------------------------------------------------------------------------------
INVITE_CHARS: Final = 32_768  # one line; the core has the same bound
INVITE_HOURS: Final = 720.0  # thirty days at most: it carries a relay's token; the core has the same bound
INVITE_HOURS_USUAL: Final = 24.0  # until tomorrow: long enough to be read
INVITE_SKEW_MS: Final = 300_000  # how far clocks may differ (as for a room's grants); the core has the same
INVITE_RELAYS: Final = 4  # as many as a peer is connected to; the core has the same bound
INVITE_ADDRESSES: Final = 8  # a host has a few interfaces; the core has the same bound
INVITES: Final = 256  # given by one peer and still open, the oldest forgotten: a list a person made
INVITE_GUESTS: Final = 64  # keys that come with one invite that is not for single use
INVITE_FRAME_BYTES: Final = 128  # an id or an answer
INVITE_TRIES_PER_SECOND: Final = 0.1  # invites one peer may show: each costs a look-up and perhaps a write
INVITE_TRIES_BURST: Final = 4  # at once
INVITES_BYTES: Final = 4_194_304  # of the file: 256 invites of 64 guests, and as many taken
