//! Invites: one line that says where a room is, who invites, and how to get there, signed by the inviter.
//!
//! `covey:invite.1.` and the base64url of: the signed bytes, the signature, four bytes of checksum. The signed bytes
//! are the members themselves, so one construction is both what travels and what is signed.
//!
//! Rules: an [`Invite`] that exists holds its signature. It proves that its inviter's key wrote all of it, not that the
//! key is whose name it says: that is for the person who got it to judge. Whoever holds an invite holds its secrets.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use crate::error::{Reason, Refusal};
use crate::grant::RoomGrant;
use crate::hash::sha256;
use crate::id::NodeId;
use crate::identity::{Identity, PublicKey};
use crate::limits;
use crate::netstring::{Reader, Writer};
use crate::signature::verify_bytes;
use crate::text;

const SCHEME: &str = "covey:invite.";
const VERSION: &str = "1";
const DOMAIN: &str = "covey-invite-v1\n";
const SIGNATURE_BYTES: usize = 64;
const CHECKSUM_BYTES: usize = 4;
/// What chat programs and people put around a line.
const WRAPPING: &[char] = &['<', '>', '"', '\'', '`', '*', '(', ')', '[', ']', '.', ',', ';'];

/// What an inviter offers. `Debug` is left out: it would show the token.
#[derive(Clone, PartialEq, Eq)]
pub struct Terms {
    /// The room.
    pub room: String,
    /// Relays, the preferred one first.
    pub relays: Vec<String>,
    /// What opens a channel at the relays.
    pub token: Option<String>,
    /// `host:port` of the inviter, the best first.
    pub addresses: Vec<String>,
    /// The key of the room's owner, where it has one.
    pub owner: Option<[u8; 32]>,
    /// The owner's grant for whom the invite is meant.
    pub grant: Option<RoomGrant>,
    /// When it was made, in milliseconds.
    pub created_ms: u64,
    /// When it ends, in milliseconds.
    pub expires_ms: u64,
    /// Names this invite to its inviter; whoever knows it was invited.
    pub id: [u8; 16],
    /// The first who comes with it is the only one.
    pub once: bool,
}

/// A signed invite.
#[derive(Clone, PartialEq, Eq)]
pub struct Invite {
    inviter: NodeId,
    name: String,
    key: PublicKey,
    terms: Terms,
    signature: [u8; SIGNATURE_BYTES],
}

impl Invite {
    /// Sign an invite.
    ///
    /// # Errors
    /// A term over its bound, outside its grammar or repeated; times out of order or too far apart; a grant of another
    /// room, or without an owner.
    pub fn sign(inviter: &Identity, terms: Terms) -> Result<Self, Refusal> {
        check(&terms)?;
        let mut invite = Self {
            inviter: inviter.node_id(),
            name: inviter.name().to_owned(),
            key: *inviter.key().public(),
            terms,
            signature: [0; SIGNATURE_BYTES],
        };
        invite.signature = inviter.key().sign_bytes(&invite.payload());
        Ok(invite)
    }

    /// Read an invite out of a line, with what chat programs put around it, and check its signature.
    ///
    /// # Errors
    /// No invite, another version, damaged characters, a member outside its bounds, a signature that does not hold.
    pub fn parse(line: &str) -> Result<Self, Refusal> {
        let bytes = unwrapped(line)?;
        let signed = bytes.len().checked_sub(SIGNATURE_BYTES + CHECKSUM_BYTES).ok_or_else(damaged)?;
        let (body, checksum) = bytes.split_at(signed + SIGNATURE_BYTES);
        if sha256(&[body])[..CHECKSUM_BYTES] != *checksum {
            return Err(damaged());
        }
        let (payload, signature) = body.split_at(signed);
        Self::of_parts(payload, signature.try_into().map_err(|_| damaged())?)
    }

    /// Read the signed bytes of an invite, and check their signature.
    ///
    /// # Errors
    /// A member outside its bounds, another spelling than the one that is written, a signature that does not hold.
    pub fn of_parts(payload: &[u8], signature: [u8; SIGNATURE_BYTES]) -> Result<Self, Refusal> {
        let invite = Self::read(payload, signature)?;
        check(&invite.terms)?;
        // Only one spelling is signed, so what was read writes itself again.
        if invite.payload() != payload {
            return Err(malformed("not in its one spelling"));
        }
        verify_bytes(payload, &invite.signature, &invite.key)?;
        Ok(invite)
    }

    /// Hold the invite against the reader's clock.
    ///
    /// # Errors
    /// It has ended, or was made further ahead than clocks differ.
    pub fn check_time(&self, now_ms: u64) -> Result<(), Refusal> {
        if self.terms.created_ms > now_ms.saturating_add(limits::GRANT_SKEW_MS) {
            return Err(refused(Reason::FutureTimestamp, "made further ahead than clocks differ"));
        }
        if self.terms.expires_ms.saturating_add(limits::GRANT_SKEW_MS) <= now_ms {
            return Err(refused(Reason::Expired, "expired"));
        }
        Ok(())
    }

    /// The line.
    pub fn to_line(&self) -> String {
        let mut bytes = self.payload();
        bytes.extend_from_slice(&self.signature);
        let checksum = sha256(&[&bytes]);
        bytes.extend_from_slice(&checksum[..CHECKSUM_BYTES]);
        format!("{SCHEME}{VERSION}.{}", URL_SAFE_NO_PAD.encode(bytes))
    }

    /// Who invites.
    pub const fn inviter(&self) -> NodeId {
        self.inviter
    }

    /// The inviter's name, a label only.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The inviter's key.
    pub const fn key(&self) -> &PublicKey {
        &self.key
    }

    /// What is offered.
    pub const fn terms(&self) -> &Terms {
        &self.terms
    }

    fn payload(&self) -> Vec<u8> {
        let terms = &self.terms;
        let mut writer = Writer::new(DOMAIN);
        writer.lp_str(&terms.room).lp_str(&self.inviter.to_string()).lp_str(&self.name).lp(self.key.as_bytes());
        writer.lp_u64(terms.created_ms).lp_u64(terms.expires_ms).lp(&terms.id);
        writer.lp_str(if terms.once { "once" } else { "" });
        list(&mut writer, &terms.relays);
        writer.lp_str(terms.token.as_deref().unwrap_or_default());
        list(&mut writer, &terms.addresses);
        writer.lp(terms.owner.as_ref().map_or(&[], |owner| owner));
        writer.lp(&terms.grant.as_ref().map(RoomGrant::to_json).unwrap_or_default());
        writer.into_bytes()
    }

    fn read(payload: &[u8], signature: [u8; SIGNATURE_BYTES]) -> Result<Self, Refusal> {
        let mut reader = Reader::new(DOMAIN, payload).ok_or_else(|| malformed("another kind of signed bytes"))?;
        let missing = || malformed("a member is missing or misspelled");
        let room = reader.lp_str().ok_or_else(missing)?.to_owned();
        let inviter = NodeId::parse(reader.lp_str().ok_or_else(missing)?)?;
        let name = reader.lp_str().ok_or_else(missing)?.to_owned();
        text::require_nfc(&name, "name")?;
        text::check_name(&name)?;
        let key = PublicKey::from_bytes(fixed(reader.lp()).ok_or_else(missing)?)?;
        let created_ms = reader.lp_u64().ok_or_else(missing)?;
        let expires_ms = reader.lp_u64().ok_or_else(missing)?;
        let id = fixed(reader.lp()).ok_or_else(missing)?;
        let once = match reader.lp_str() {
            Some("once") => true,
            Some("") => false,
            _ => return Err(missing()),
        };
        let relays = strings(&mut reader, limits::MAX_INVITE_RELAYS).ok_or_else(missing)?;
        let token = reader.lp_str().map(|token| (!token.is_empty()).then(|| token.to_owned())).ok_or_else(missing)?;
        let addresses = strings(&mut reader, limits::MAX_INVITE_ADDRESSES).ok_or_else(missing)?;
        let owner = match reader.lp() {
            Some([]) => None,
            owner => Some(fixed(owner).ok_or_else(missing)?),
        };
        let grant = match reader.lp() {
            Some([]) => None,
            Some(grant) => Some(RoomGrant::parse(grant)?),
            None => return Err(missing()),
        };
        if !reader.rest().is_empty() {
            return Err(malformed("more than an invite holds"));
        }
        let terms = Terms { room, relays, token, addresses, owner, grant, created_ms, expires_ms, id, once };
        Ok(Self { inviter, name, key, terms, signature })
    }
}

impl fmt::Debug for Invite {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "Invite(room {}, by {} {})", self.terms.room, self.name, self.inviter)
    }
}

/// Find the one invite in a line and decode it; white space inside it (a wrapped line) is passed over.
fn unwrapped(line: &str) -> Result<Vec<u8>, Refusal> {
    if line.len() > limits::MAX_INVITE_CHARS {
        return Err(refused(Reason::TooLarge, "longer than an invite can be"));
    }
    let outside = |character: char| character.is_whitespace() || WRAPPING.contains(&character);
    let line = line.trim_matches(outside);
    let rest = line.strip_prefix(SCHEME).ok_or_else(|| malformed("expected covey:invite. and what follows it"))?;
    let (version, data) = rest.split_once('.').ok_or_else(damaged)?;
    if version.is_empty() || version.len() > 4 || !version.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(malformed("expected a version"));
    }
    if version != VERSION {
        return Err(refused(Reason::InviteVersion, &format!("version {version}; this build reads {VERSION}")));
    }
    let data: String = data.chars().filter(|character| !character.is_whitespace()).collect();
    URL_SAFE_NO_PAD.decode(data).map_err(|_| damaged())
}

/// Check that terms are in their bounds: of one to sign, and of one that was read.
fn check(terms: &Terms) -> Result<(), Refusal> {
    text::check_room(&terms.room)?;
    listed(&terms.relays, limits::MAX_INVITE_RELAYS, limits::MAX_INVITE_URL_BYTES, "relays")?;
    listed(&terms.addresses, limits::MAX_INVITE_ADDRESSES, limits::MAX_INVITE_ADDRESS_BYTES, "addresses")?;
    if terms.token.as_ref().is_some_and(|token| !printable(token, limits::MAX_RELAY_TOKEN_BYTES)) {
        return Err(malformed("token: expected printable characters without spaces"));
    }
    if terms.created_ms > limits::MAX_SAFE_INTEGER || terms.expires_ms > limits::MAX_SAFE_INTEGER {
        return Err(malformed("times: beyond the safe integers"));
    }
    let lasts = terms.expires_ms.checked_sub(terms.created_ms);
    if !lasts.is_some_and(|lasts| lasts > 0 && lasts <= limits::MAX_INVITE_MS) {
        return Err(malformed("times: expected to last some time, at most thirty days"));
    }
    if let Some(owner) = terms.owner {
        PublicKey::from_bytes(owner)?;
    }
    match &terms.grant {
        Some(_) if terms.owner.is_none() => Err(malformed("grant: of a room without an owner")),
        Some(grant) if grant.room() != terms.room => Err(malformed("grant: for another room")),
        _ => Ok(()),
    }
}

fn listed(items: &[String], most: usize, longest: usize, what: &str) -> Result<(), Refusal> {
    let repeated = items.iter().enumerate().any(|(at, item)| items[..at].contains(item));
    if items.len() > most || repeated || !items.iter().all(|item| printable(item, longest)) {
        return Err(malformed(&format!("{what}: expected at most {most}, each once, printable, without spaces")));
    }
    Ok(())
}

fn printable(text: &str, longest: usize) -> bool {
    (1..=longest).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic())
}

fn list(writer: &mut Writer, items: &[String]) {
    writer.lp_u64(items.len() as u64);
    for item in items {
        writer.lp_str(item);
    }
}

fn strings(reader: &mut Reader<'_>, most: usize) -> Option<Vec<String>> {
    let count = usize::try_from(reader.lp_u64()?).ok().filter(|&count| count <= most)?;
    (0..count).map(|_| reader.lp_str().map(str::to_owned)).collect()
}

fn fixed<const N: usize>(item: Option<&[u8]>) -> Option<[u8; N]> {
    item.and_then(|item| item.try_into().ok())
}

fn damaged() -> Refusal {
    refused(Reason::InviteDamaged, "cut off, or changed on its way")
}

fn malformed(detail: &str) -> Refusal {
    refused(Reason::MalformedInvite, detail)
}

fn refused(reason: Reason, detail: &str) -> Refusal {
    Refusal::new(reason, format!("invite: {detail}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::identity::SigningKey;
    use proptest::prelude::*;

    const NOW: u64 = 1_800_000_000_000;
    const HOUR: u64 = 3_600_000;

    fn identity(byte: u8) -> Identity {
        Identity::new(NodeId::from_bytes([byte; 16]), "Ada", SigningKey::from_seed(&[byte; 32]).unwrap()).unwrap()
    }

    fn terms() -> Terms {
        Terms {
            room: "lab".to_owned(),
            relays: vec!["wss://relay.example:8443".to_owned()],
            token: Some("s3cret".to_owned()),
            addresses: vec!["192.0.2.1:7000".to_owned(), "[fe80::1%eth0]:7000".to_owned()],
            owner: None,
            grant: None,
            created_ms: NOW,
            expires_ms: NOW + HOUR,
            id: [7; 16],
            once: true,
        }
    }

    fn reason(line: &str) -> Reason {
        Invite::parse(line).unwrap_err().reason
    }

    #[test]
    fn an_invite_comes_back_whole_whatever_a_chat_program_puts_around_it() {
        let invite = Invite::sign(&identity(1), terms()).unwrap();
        let line = invite.to_line();
        assert!(line.starts_with("covey:invite.1.") && line.bytes().all(|byte| byte.is_ascii_graphic()));
        let (head, tail) = line.split_at(40);
        for dressed in [line.clone(), format!(" <{line}>\r\n"), format!("`{line}`."), format!("{head}\n  {tail}")] {
            assert_eq!(Invite::parse(&dressed).as_ref(), Ok(&invite), "{dressed}");
        }
        assert!(!format!("{invite:?}").contains("s3cret"));
    }

    #[test]
    fn the_byte_exact_form_of_one_invite() {
        // docs/protocol.md shows this one; whoever writes another reader starts here.
        let mut small = terms();
        (small.relays, small.token, small.addresses, small.once) = (Vec::new(), None, Vec::new(), false);
        let payload = Invite::sign(&identity(1), small).unwrap().payload();
        let key = identity(1).key().public().as_bytes().to_vec();
        let mut expected = b"covey-invite-v1\n3:lab36:01010101-0101-0101-0101-0101010101013:Ada32:".to_vec();
        expected.extend(key);
        expected.extend(b"13:180000000000013:180000360000016:");
        expected.extend([7; 16]);
        expected.extend(b"0:1:00:1:00:0:");
        assert_eq!(payload, expected);
    }

    #[test]
    fn times_are_held_against_the_readers_clock() {
        let invite = Invite::sign(&identity(1), terms()).unwrap();
        let judged = |now_ms| invite.check_time(now_ms).map_err(|refusal| refusal.reason);
        assert_eq!(judged(NOW), Ok(()));
        assert_eq!(judged(NOW - limits::GRANT_SKEW_MS - 1), Err(Reason::FutureTimestamp));
        assert_eq!(judged(NOW + HOUR + limits::GRANT_SKEW_MS - 1), Ok(()));
        assert_eq!(judged(NOW + HOUR + limits::GRANT_SKEW_MS), Err(Reason::Expired));
    }

    #[test]
    fn what_is_no_invite_says_why() {
        let line = Invite::sign(&identity(1), terms()).unwrap().to_line();
        assert_eq!(reason("hello"), Reason::MalformedInvite);
        assert_eq!(reason(""), Reason::MalformedInvite);
        assert_eq!(reason(&line.replace("invite.1.", "invite.2.")), Reason::InviteVersion);
        assert_eq!(reason(&line.replace("invite.1.", "invite.x.")), Reason::MalformedInvite);
        assert_eq!(reason("covey:invite.1"), Reason::InviteDamaged);
        assert_eq!(reason(&line[..line.len() - 3]), Reason::InviteDamaged);
        assert_eq!(reason(&format!("{line} hello")), Reason::InviteDamaged);
        assert_eq!(reason(&"x".repeat(limits::MAX_INVITE_CHARS + 1)), Reason::TooLarge);
    }

    /// An invite whose checksum fits, whatever became of what it covers.
    fn resealed(mut body: Vec<u8>) -> String {
        let checksum = sha256(&[&body]);
        body.extend_from_slice(&checksum[..CHECKSUM_BYTES]);
        format!("{SCHEME}{VERSION}.{}", URL_SAFE_NO_PAD.encode(body))
    }

    #[test]
    fn an_invite_that_another_hand_changed_does_not_hold() {
        let invite = Invite::sign(&identity(1), terms()).unwrap();
        let mut body = invite.payload();
        body.extend_from_slice(&invite.signature);
        assert!(Invite::parse(&resealed(body.clone())).is_ok());
        for at in 0..body.len() {
            let mut bent = body.clone();
            bent[at] ^= 1;
            assert!(Invite::parse(&resealed(bent)).is_err(), "byte {at}");
        }
        // Another's key over the same words is another inviter, and shows as one.
        let forged = Invite::sign(&identity(2), terms()).unwrap();
        assert_ne!(Invite::parse(&forged.to_line()).unwrap().key(), invite.key());
    }

    #[test]
    fn terms_out_of_bounds_are_neither_signed_nor_read() {
        let changes: [fn(&mut Terms); 9] = [
            |terms| terms.room = "No".to_owned(),
            |terms| terms.relays = vec!["wss://x".to_owned(); 2],
            |terms| terms.relays = (0..5).map(|at| format!("wss://x{at}")).collect(),
            |terms| terms.token = Some("a b".to_owned()),
            |terms| terms.addresses = vec!["a".repeat(301)],
            |terms| terms.expires_ms = terms.created_ms,
            |terms| terms.expires_ms = terms.created_ms + limits::MAX_INVITE_MS + 1,
            |terms| terms.owner = Some([0; 32]),
            |terms| terms.grant = Some(granted("lab")),
        ];
        for (number, change) in changes.iter().enumerate() {
            let mut bent = terms();
            change(&mut bent);
            assert!(Invite::sign(&identity(1), bent.clone()).is_err(), "{number}");
            let inviter = identity(1);
            let mut unchecked = Invite {
                inviter: inviter.node_id(),
                name: "Ada".to_owned(),
                key: *inviter.key().public(),
                terms: bent,
                signature: [0; SIGNATURE_BYTES],
            };
            unchecked.signature = inviter.key().sign_bytes(&unchecked.payload());
            assert!(Invite::parse(&unchecked.to_line()).is_err(), "{number}");
        }
    }

    fn granted(room: &str) -> RoomGrant {
        let guest = identity(3);
        RoomGrant::sign(&identity(1), room, (guest.node_id(), guest.key().public()), NOW, NOW + HOUR).unwrap()
    }

    #[test]
    fn a_grant_travels_with_the_key_of_its_rooms_owner() {
        let mut with = terms();
        (with.owner, with.grant) = (Some(*identity(1).key().public().as_bytes()), Some(granted("lab")));
        let invite = Invite::sign(&identity(1), with.clone()).unwrap();
        assert_eq!(Invite::parse(&invite.to_line()), Ok(invite));
        with.grant = Some(granted("other"));
        assert!(Invite::sign(&identity(1), with).is_err());
    }

    proptest! {
        #[test]
        fn any_terms_in_bounds_come_back(
            relays in prop::collection::hash_set("wss://[a-z]{1,20}", 0..4),
            addresses in prop::collection::hash_set("[a-z0-9.]{1,20}:[1-9][0-9]{0,3}", 0..8),
            token in prop::option::of("[!-~]{1,40}"),
            lasts in 1..=limits::MAX_INVITE_MS,
            id: [u8; 16],
            once: bool,
        ) {
            let mut some = terms();
            some.relays = relays.into_iter().collect();
            some.addresses = addresses.into_iter().collect();
            (some.token, some.expires_ms, some.id, some.once) = (token, NOW + lasts, id, once);
            let invite = Invite::sign(&identity(1), some).unwrap();
            prop_assert_eq!(Invite::parse(&invite.to_line()), Ok(invite));
        }
    }
}
