//! covey-legacy: the wire of stock Node peers 0.12, and the flat records of MMP 1.1 before it.
//!
//! A node speaks this only in a room whose owner asked for it; no failed negotiation ever leads here. What this wire
//! cannot do stays visible in the types: a peer is [`session::Claimed`], never proven, and a record is a
//! [`record::LegacyRecord`] with a [`signature::Standing`] beside it. Neither becomes a value of the core that says
//! more. The rules of the core hold here too: no clock, socket, file, thread, environment or randomness.

pub mod address;
pub mod limits;
pub mod record;
pub mod seal;
pub mod session;
pub mod signature;
