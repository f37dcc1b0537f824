//! The authenticated three-frame handshake (MMP 2.0 §5.2): client-hello, server-hello, client-finish.
//!
//! Rules: each state is consumed by the step that leaves it, so a failure drops every key and leaves nothing; a
//! failure never produces a frame. Entropy arrives as an argument. Nothing of a peer is believed before both proofs
//! hold: the identity key by its signature over the transcript, the X25519 key by the confirmation.

mod offer;
mod schedule;
#[cfg(test)]
mod tests;

use std::sync::Arc;
use subtle::ConstantTimeEq;
use x25519_dalek::{PublicKey as E2ePublic, StaticSecret};
use zeroize::Zeroize;

pub use offer::{Implementation, Offer};
pub use schedule::transcript;

use crate::error::{Reason, Refusal};
use crate::hash;
use crate::id::{NodeId, SessionId};
use crate::identity::{Identity, PublicKey};
use crate::seal::{Opener, Sealer};
use crate::signature;
use offer::{Answer, Finish};
use schedule::Schedule;

/// The one protocol version of Core Secure.
pub const VERSION: &str = "2.0";

/// Which side of a connection a node is on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// The dialler.
    Client,
    /// The listener.
    Server,
}

impl Role {
    /// The name as the transcript signs it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Client => "client",
            Self::Server => "server",
        }
    }
}

/// Fresh randomness for one handshake: an X25519 secret and a nonce. Wiped when dropped, never used twice.
pub struct Entropy {
    secret: [u8; 32],
    nonce: [u8; 32],
}

impl Entropy {
    /// Split 64 random bytes into the secret (first half) and the nonce (second half).
    pub fn new(random: [u8; 64]) -> Self {
        let (mut secret, mut nonce) = ([0; 32], [0; 32]);
        secret.copy_from_slice(&random[..32]);
        nonce.copy_from_slice(&random[32..]);
        Self { secret, nonce }
    }
}

impl Drop for Entropy {
    fn drop(&mut self) {
        self.secret.zeroize();
    }
}

/// What one side brings into a handshake.
#[derive(Clone, Debug)]
pub struct Config {
    /// Who this side is.
    pub identity: Arc<Identity>,
    /// The room it is in.
    pub room: String,
    /// The software it runs.
    pub implementation: Implementation,
    /// The extensions it can speak.
    pub extensions: Vec<String>,
}

/// A peer whose identity is proven.
#[derive(Clone, Debug)]
pub struct PeerHello {
    /// Its node id, bound to `public_key` by the handshake.
    pub node_id: NodeId,
    /// Its label, in NFC.
    pub name: String,
    /// Its identity key.
    pub public_key: PublicKey,
    /// Its software, as it says.
    pub implementation: Implementation,
    /// The extensions selected: offered by both sides, sorted.
    pub extensions: Vec<String>,
    /// The session the handshake made.
    pub session_id: SessionId,
}

/// A completed handshake.
#[derive(Debug)]
pub struct Established {
    /// Who the other side is.
    pub peer: PeerHello,
    /// Which side this is.
    pub role: Role,
    /// Seals what this side sends.
    pub sealer: Sealer,
    /// Opens what the peer sends.
    pub opener: Opener,
}

/// One side's own offer with the secret behind it.
struct Own {
    identity: Arc<Identity>,
    offer: Offer,
    secret: StaticSecret,
}

impl Own {
    fn new(config: Config, entropy: &Entropy) -> Result<Self, Refusal> {
        let secret = StaticSecret::from(entropy.secret);
        let offer = Offer {
            room: config.room,
            node_id: config.identity.node_id(),
            name: config.identity.name().to_owned(),
            identity_key: *config.identity.key().public(),
            e2e_key: E2ePublic::from(&secret).to_bytes(),
            nonce: entropy.nonce,
            implementation: config.implementation,
            extensions: config.extensions,
        };
        Ok(Self { identity: config.identity, offer: offer.check()?, secret })
    }

    /// Refuse an offer of another room or of this very node.
    fn meet(&self, peer: &Offer) -> Result<(), Refusal> {
        if peer.room != self.offer.room {
            return Err(Refusal::new(Reason::RoomMismatch, "the peer is in another room"));
        }
        let reflected = peer.node_id == self.offer.node_id
            || peer.identity_key == self.offer.identity_key
            || peer.e2e_key == self.offer.e2e_key
            || peer.nonce == self.offer.nonce;
        if reflected {
            return Err(Refusal::new(Reason::SelfPeer, "the peer offers this node's own identity, key or nonce"));
        }
        Ok(())
    }

    fn schedule(&self, role: Role, peer: &Offer, selected: &[String]) -> Result<Schedule, Refusal> {
        let shared = self.secret.diffie_hellman(&E2ePublic::from(peer.e2e_key));
        if !shared.was_contributory() {
            return Err(Refusal::new(Reason::WeakKeyAgreement, "e2ePublicKey: the shared secret is zero"));
        }
        let (client, server) = match role {
            Role::Client => (&self.offer, peer),
            Role::Server => (peer, &self.offer),
        };
        let transcript = schedule::transcript(client, server, selected);
        Ok(Schedule::derive(hash::sha256(&[&transcript]), shared.as_bytes()))
    }

    fn proof(&self, schedule: &Schedule, role: Role) -> [u8; 64] {
        self.identity.key().sign_bytes(&schedule.proof_payload(role))
    }
}

/// The dialler, waiting for a server-hello.
pub struct Client {
    own: Own,
    expected: Option<NodeId>,
}

impl Client {
    /// Start a handshake: the state and the client-hello to send.
    ///
    /// `expected` is the node id the dialler meant to reach; a peer that proves another one is refused.
    ///
    /// # Errors
    /// The configuration is outside the grammar of a hello.
    pub fn start(config: Config, entropy: &Entropy, expected: Option<NodeId>) -> Result<(Self, Vec<u8>), Refusal> {
        let own = Own::new(config, entropy)?;
        let hello = offer::write_hello(&own.offer, None);
        Ok((Self { own, expected }, hello))
    }

    /// Check a server-hello: the session and the client-finish to send.
    ///
    /// # Errors
    /// Anything in it that does not hold (MMP 2.0 §5.2). The connection must be closed, and nothing sent.
    pub fn receive(self, frame: &[u8]) -> Result<(Established, Vec<u8>), Refusal> {
        let (peer, answer) = offer::read_server_hello(frame)?;
        self.own.meet(&peer)?;
        if self.expected.is_some_and(|expected| expected != peer.node_id) {
            return Err(Refusal::new(Reason::UnexpectedNode, format!("nodeId: {} answered", peer.node_id)));
        }
        if answer.client_nonce != self.own.offer.nonce {
            return Err(Refusal::new(Reason::NonceMismatch, "clientNonce: not the one sent"));
        }
        let shared = self.own.offer.shared_extensions(&peer);
        let mut selected = answer.selected;
        selected.sort_unstable();
        if selected != shared {
            return Err(Refusal::new(Reason::ExtensionMismatch, "selectedExtensions: not what both sides offered"));
        }
        let schedule = self.own.schedule(Role::Client, &peer, &shared)?;
        check_proofs(&schedule, Role::Server, &peer.identity_key, &answer.proof, &answer.confirmation)?;
        let finish = offer::write_finish(&Finish {
            transcript_hash: schedule.transcript_hash,
            proof: self.own.proof(&schedule, Role::Client),
            confirmation: schedule.confirmation(Role::Client),
        });
        Ok((establish(&schedule, Role::Client, peer, shared), finish))
    }
}

/// The listener, waiting for a client-hello.
pub struct Server {
    own: Own,
}

impl Server {
    /// Wait for a client.
    ///
    /// # Errors
    /// The configuration is outside the grammar of a hello.
    pub fn new(config: Config, entropy: &Entropy) -> Result<Self, Refusal> {
        Ok(Self { own: Own::new(config, entropy)? })
    }

    /// Check a client-hello: the next state and the server-hello to send.
    ///
    /// # Errors
    /// Anything in it that does not hold. The connection must be closed, and nothing sent.
    pub fn receive(self, frame: &[u8]) -> Result<(Finishing, Vec<u8>), Refusal> {
        let peer = offer::read_client_hello(frame)?;
        self.own.meet(&peer)?;
        let selected = self.own.offer.shared_extensions(&peer);
        let schedule = self.own.schedule(Role::Server, &peer, &selected)?;
        let answer = Answer {
            client_nonce: peer.nonce,
            selected: selected.clone(),
            proof: self.own.proof(&schedule, Role::Server),
            confirmation: schedule.confirmation(Role::Server),
        };
        let hello = offer::write_hello(&self.own.offer, Some(&answer));
        Ok((Finishing { schedule, peer, selected }, hello))
    }
}

/// The listener, waiting for a client-finish.
pub struct Finishing {
    schedule: Schedule,
    peer: Offer,
    selected: Vec<String>,
}

impl Finishing {
    /// Check a client-finish: the session.
    ///
    /// # Errors
    /// Anything in it that does not hold. The connection must be closed, and nothing sent.
    pub fn receive(self, frame: &[u8]) -> Result<Established, Refusal> {
        let finish = offer::read_client_finish(frame)?;
        if finish.transcript_hash != self.schedule.transcript_hash {
            return Err(Refusal::new(Reason::TranscriptMismatch, "transcriptHash: not of this handshake"));
        }
        let key = &self.peer.identity_key;
        check_proofs(&self.schedule, Role::Client, key, &finish.proof, &finish.confirmation)?;
        Ok(establish(&self.schedule, Role::Server, self.peer, self.selected))
    }
}

fn check_proofs(
    schedule: &Schedule,
    role: Role,
    key: &PublicKey,
    proof: &[u8; 64],
    confirmation: &[u8; 32],
) -> Result<(), Refusal> {
    if !bool::from(schedule.confirmation(role).ct_eq(confirmation)) {
        return Err(Refusal::new(Reason::BadConfirmation, "keyConfirmation: does not confirm the session key"));
    }
    signature::verify_bytes(&schedule.proof_payload(role), proof, key)
        .map_err(|_| Refusal::new(Reason::BadProof, "proof: does not prove the identity key"))
}

fn establish(schedule: &Schedule, role: Role, peer: Offer, extensions: Vec<String>) -> Established {
    let (sealer, opener) = schedule.directions(role);
    debug_assert_eq!(sealer.direction(), opener.direction().reversed());
    let peer = PeerHello {
        node_id: peer.node_id,
        name: peer.name,
        public_key: peer.identity_key,
        implementation: peer.implementation,
        extensions,
        session_id: schedule.session_id,
    };
    Established { peer, role, sealer, opener }
}
