//! The transcript of a handshake and everything derived from it (MMP 2.0 §5.2, §5.2.1).

use hkdf::Hkdf;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use zeroize::Zeroizing;

use super::offer::Offer;
use super::{Role, VERSION};
use crate::hash::{self, Digest};
use crate::id::SessionId;
use crate::netstring::Writer;
use crate::seal::{Direction, Opener, Sealer};

const TRANSCRIPT_DOMAIN: &str = "mmp-handshake-transcript-v2\n";
const PROOF_DOMAIN: &str = "mmp-handshake-proof-v2\n";
const CONFIRM_DOMAIN: &str = "mmp-key-confirm-v2\n";

type Key = Zeroizing<[u8; 32]>;

/// Every key of one session, wiped when dropped.
pub(crate) struct Schedule {
    pub(crate) transcript_hash: Digest,
    pub(crate) session_id: SessionId,
    pub(crate) client_finished: Key,
    pub(crate) server_finished: Key,
    pub(crate) client_to_server: Key,
    pub(crate) server_to_client: Key,
}

impl Schedule {
    /// Derive the schedule from the transcript `hash` and the X25519 `shared` secret.
    pub(crate) fn derive(hash: Digest, shared: &[u8; 32]) -> Self {
        let hkdf = Hkdf::<Sha256>::new(Some(&hash), shared);
        let expand = |info: &str| {
            let mut key = Zeroizing::new([0_u8; 32]);
            hkdf.expand(info.as_bytes(), key.as_mut()).expect("32 bytes are within what HKDF-SHA256 can expand");
            key
        };
        let mut session = [0_u8; 16];
        session.copy_from_slice(&hash[..16]);
        Self {
            transcript_hash: hash,
            session_id: SessionId::from_bytes(session),
            client_finished: expand("mmp-finished-v2 client"),
            server_finished: expand("mmp-finished-v2 server"),
            client_to_server: expand("mmp-aead-v2 client-to-server"),
            server_to_client: expand("mmp-aead-v2 server-to-client"),
        }
    }

    /// The value by which `role` shows that it holds the X25519 secret behind its offer.
    pub(crate) fn confirmation(&self, role: Role) -> [u8; 32] {
        let key = match role {
            Role::Client => &self.client_finished,
            Role::Server => &self.server_finished,
        };
        let mut mac = Hmac::<Sha256>::new_from_slice(key.as_ref()).expect("HMAC takes a key of any length");
        mac.update(&labelled(CONFIRM_DOMAIN, role, &self.transcript_hash));
        mac.finalize().into_bytes().into()
    }

    /// What `role` signs with its identity key.
    pub(crate) fn proof_payload(&self, role: Role) -> Vec<u8> {
        labelled(PROOF_DOMAIN, role, &self.transcript_hash)
    }

    /// The two directions as `role` uses them.
    pub(crate) fn directions(&self, role: Role) -> (Sealer, Opener) {
        let (client, server) = (Direction::ClientToServer, Direction::ServerToClient);
        match role {
            Role::Client => (
                Sealer::new(&self.client_to_server, self.session_id, client),
                Opener::new(&self.server_to_client, self.session_id, server),
            ),
            Role::Server => (
                Sealer::new(&self.server_to_client, self.session_id, server),
                Opener::new(&self.client_to_server, self.session_id, client),
            ),
        }
    }
}

/// The signed transcript: both offers and what was selected. Nonces and keys enter as the characters on the wire.
pub fn transcript(client: &Offer, server: &Offer, selected: &[String]) -> Vec<u8> {
    let mut writer = Writer::new(TRANSCRIPT_DOMAIN);
    writer.lp_str(VERSION);
    writer.lp_str(&client.room);
    writer.lp_str(&client.nonce_text());
    writer.lp_str(&server.nonce_text());
    for side in [client, server] {
        side.write(&mut writer);
    }
    writer.framed_set(selected.iter().map(String::as_str));
    writer.into_bytes()
}

fn labelled(domain: &str, role: Role, transcript_hash: &Digest) -> Vec<u8> {
    let mut writer = Writer::new(domain);
    writer.lp_str(role.name());
    writer.lp_str(&hash::hex(transcript_hash));
    writer.into_bytes()
}
