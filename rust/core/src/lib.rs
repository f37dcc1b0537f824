//! covey-core: encoding, addressing, signing, sealing and admission of MMP 2.0, and nothing that touches the world.
//!
//! Rules of the house: no clock, socket, file, thread, environment or randomness in here. Time and entropy
//! arrive as arguments, so one engine runs on a socket, in a test fed byte by byte, and in a simulator.
//!
//! Trust is a type. Wire bytes become [`record::Unverified`]; only [`signature::verify`] (or signing by
//! oneself) makes a [`record::Verified`]; only a `Verified` is ever judged or stored.

pub mod address;
pub mod attest;
pub mod authority;
pub mod base64url;
pub mod category;
pub mod clock;
pub mod compact;
pub mod encoder;
pub mod error;
pub mod feedback;
pub mod frame;
pub mod grant;
pub mod handshake;
pub mod hash;
pub mod hlc;
pub mod id;
pub mod identity;
pub mod intake;
pub mod invite;
pub mod json;
pub mod limits;
pub mod netstring;
pub mod outlet;
pub mod record;
pub mod routing;
pub mod seal;
pub mod session;
pub mod signature;
pub mod state;
pub mod statement;
pub mod svaf;
pub mod tether;
pub mod text;

pub use error::{Reason, Refusal};
