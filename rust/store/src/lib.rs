//! covey-store: durable memory of one peer.
