//! Open records on their way to one peer: what waits, what was handed to a session, and what receipts say of it.
//!
//! Rules: nothing here is told twice. A record handed to a session that ended without a receipt waits again, in its
//! place; its receiver knows it by its key. How much may wait is its owner's to bound.

use std::borrow::Cow;
use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use serde::Deserialize;
use serde::de::IgnoredAny;

use crate::compact;
use crate::error::{Reason, Refusal};
use crate::id::AssertionId;
use crate::json;
use crate::limits::{RECEIPT_REASON_CHARS, RECEIPTS_PER_FRAME};
use crate::record::Verified;

/// What became of a record at its receiver.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Told {
    /// Memory took it.
    Admitted,
    /// It was addressed to the receiver, and memory did not take it.
    Delivered,
    /// It was there before.
    Duplicate,
    /// The application has finished with it.
    Executed,
    /// The application could not finish with it.
    Unexecuted,
    /// Its deadline had passed.
    Expired,
    /// Memory has it already, in these words or nearly.
    Redundant,
    /// Too far from what memory holds.
    Rejected,
    /// It did not verify.
    Refused,
    /// It was asked about, and is not known.
    Unheard,
}

impl Told {
    /// Every outcome, in declaration order.
    pub const ALL: [Self; 10] = [
        Self::Admitted,
        Self::Delivered,
        Self::Duplicate,
        Self::Executed,
        Self::Unexecuted,
        Self::Expired,
        Self::Redundant,
        Self::Rejected,
        Self::Refused,
        Self::Unheard,
    ];

    /// The word on the wire.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Admitted => "admitted",
            Self::Delivered => "delivered",
            Self::Duplicate => "duplicate",
            Self::Executed => "executed",
            Self::Unexecuted => "unexecuted",
            Self::Expired => "expired",
            Self::Redundant => "redundant",
            Self::Rejected => "rejected",
            Self::Refused => "refused",
            Self::Unheard => "unheard",
        }
    }

    fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|told| told.as_str() == word)
    }
}

/// What a receiver says of one record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Receipt {
    /// The signed assertion.
    pub assertion_id: AssertionId,
    /// What became of it.
    pub told: Told,
    /// One short line of plain characters.
    pub reason: Option<String>,
}

/// One result as the wire spells it: assertion id, outcome, reason.
type Spelled<'a> = (Cow<'a, str>, Cow<'a, str>, Option<Cow<'a, str>>);

/// Read an `x-covey-delivery` frame.
///
/// # Errors
/// Any member is missing, of another type, or past its bound; nothing of the frame counts then.
pub fn read_receipts(frame: &[u8]) -> Result<Vec<Receipt>, Refusal> {
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Frame<'a> {
        #[serde(rename = "type")]
        _kind: IgnoredAny,
        #[serde(borrow)]
        results: Vec<Spelled<'a>>,
    }
    let outside = |what: &str| Refusal::new(Reason::MalformedControl, format!("x-covey-delivery: {what}"));
    let frame: Frame<'_> = json::parse_object(frame).map_err(|refusal| outside(&refusal.detail))?;
    if frame.results.len() > RECEIPTS_PER_FRAME {
        return Err(outside("too many results"));
    }
    let one = |(assertion, told, reason): &Spelled<'_>| {
        Ok(Receipt {
            assertion_id: AssertionId::parse(assertion).map_err(|_| outside("assertionId"))?,
            told: Told::parse(told).ok_or_else(|| outside("outcome"))?,
            reason: match reason {
                Some(reason) if !is_plain(reason) => return Err(outside("reason")),
                reason => reason.as_ref().map(|reason| reason.clone().into_owned()),
            },
        })
    };
    frame.results.iter().map(one).collect()
}

fn is_plain(reason: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b" _.,:<>=/()-".contains(&byte);
    reason.len() <= RECEIPT_REASON_CHARS && reason.bytes().all(plain)
}

/// What the receipts of one frame made of an outlet.
#[derive(Debug, Default)]
pub struct Settled {
    /// Records that met their end, with what was said of each.
    pub ended: Vec<(Arc<Verified>, Receipt)>,
    /// Receipts about nothing that was handed over here.
    pub others: Vec<Receipt>,
}

#[derive(Debug)]
struct Handed {
    record: Arc<Verified>,
    link: u64,
    order: u64,
}

/// Open records on their way to one peer.
#[derive(Debug, Default)]
pub struct Outlet {
    waiting: VecDeque<Arc<Verified>>,
    sent: BTreeMap<AssertionId, Handed>,
    order: u64,
    bytes: usize,
}

/// How much a receiver will take now, in records and in bytes as [`compact::size`] counts them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Allowance {
    /// Records.
    pub records: usize,
    /// Their bytes.
    pub bytes: usize,
}

impl Allowance {
    /// Everything.
    pub const ALL: Self = Self { records: usize::MAX, bytes: usize::MAX };

    /// Take a record off; whether it fits.
    fn takes(&mut self, record: &Verified) -> bool {
        let left = self.bytes.checked_sub(compact::size(record.record()));
        let (Some(records), Some(bytes)) = (self.records.checked_sub(1), left) else { return false };
        *self = Self { records, bytes };
        true
    }
}

impl Outlet {
    /// Let a record wait.
    pub fn offer(&mut self, record: Arc<Verified>) {
        self.bytes += compact::size(record.record());
        self.waiting.push_back(record);
    }

    /// Bytes of everything that waits or has no receipt yet, as [`compact::size`] counts them.
    pub const fn bytes(&self) -> usize {
        self.bytes
    }

    /// How many wait or have no receipt yet.
    pub fn len(&self) -> usize {
        self.waiting.len() + self.sent.len()
    }

    /// Whether nothing is on its way.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// How many wait to be handed over.
    pub fn waiting(&self) -> usize {
        self.waiting.len()
    }

    /// Whether a record waits to be handed over.
    pub fn waits(&self, assertion_id: AssertionId) -> bool {
        self.waiting.iter().any(|record| record.record().metadata.assertion_id == assertion_id)
    }

    /// Hand over what waits, in order, as far as it is allowed. `kept` says whether `link` will bring receipts for it.
    pub fn take(&mut self, link: u64, kept: bool, mut allowed: Allowance) -> Vec<Arc<Verified>> {
        let fitting = self.waiting.iter().take_while(|record| allowed.takes(record)).count();
        let taken: Vec<_> = self.waiting.drain(..fitting).collect();
        if kept {
            for record in &taken {
                self.order += 1;
                let handed = Handed { record: Arc::clone(record), link, order: self.order };
                self.sent.insert(record.record().metadata.assertion_id, handed);
            }
        } else {
            self.bytes -= taken.iter().map(|record| compact::size(record.record())).sum::<usize>();
        }
        taken
    }

    /// Take what a peer says.
    pub fn settle(&mut self, receipts: Vec<Receipt>) -> Settled {
        let mut settled = Settled::default();
        for receipt in receipts {
            match self.sent.remove(&receipt.assertion_id) {
                Some(handed) => {
                    self.bytes -= compact::size(handed.record.record());
                    settled.ended.push((handed.record, receipt));
                }
                None => settled.others.push(receipt),
            }
        }
        settled
    }

    /// Let what a link took, and no receipt named, wait again before everything else, in its order.
    pub fn ended(&mut self, link: u64) {
        let lost: Vec<AssertionId> =
            self.sent.iter().filter(|(_, handed)| handed.link == link).map(|(id, _)| *id).collect();
        let mut again: Vec<Handed> = lost.iter().filter_map(|id| self.sent.remove(id)).collect();
        again.sort_unstable_by_key(|handed| std::cmp::Reverse(handed.order));
        for handed in again {
            self.waiting.push_front(handed.record);
        }
    }

    /// Take everything out: what was handed over, in its order, then what waits.
    pub fn drain(&mut self) -> Vec<Arc<Verified>> {
        let mut sent: Vec<Handed> = std::mem::take(&mut self.sent).into_values().collect();
        sent.sort_unstable_by_key(|handed| handed.order);
        self.bytes = 0;
        sent.into_iter().map(|handed| handed.record).chain(self.waiting.drain(..)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::category::Category;
    use crate::id::NodeId;
    use crate::identity::SigningKey;
    use crate::record::Draft;
    use crate::signature::sign;
    use proptest::prelude::*;

    fn record(text: &str) -> Arc<Verified> {
        let mut draft = Draft::new(NodeId::from_bytes([1; 16]), "label", 1_000, "den").unwrap();
        draft.say(Category::Focus, text).unwrap();
        Arc::new(sign(draft, &SigningKey::from_seed(&[1; 32]).unwrap()).unwrap())
    }

    fn id(record: &Verified) -> AssertionId {
        record.record().metadata.assertion_id
    }

    fn receipt(record: &Verified) -> Receipt {
        Receipt { assertion_id: id(record), told: Told::Admitted, reason: None }
    }

    #[test]
    fn what_has_no_receipt_when_its_link_ends_waits_again_in_its_place() {
        let records: Vec<_> = ["a", "b", "c", "d"].map(record).into();
        let mut outlet = Outlet::default();
        records[..3].iter().for_each(|record| outlet.offer(Arc::clone(record)));
        assert_eq!(outlet.take(7, true, Allowance::ALL), records[..3]);
        outlet.offer(Arc::clone(&records[3]));
        let settled = outlet.settle(vec![receipt(&records[1]), receipt(&record("never sent"))]);
        assert_eq!((settled.ended.len(), settled.others.len(), outlet.len()), (1, 1, 3));
        outlet.ended(8);
        assert_eq!(outlet.waiting(), 1);
        outlet.ended(7);
        assert!(outlet.waits(id(&records[0])));
        assert_eq!(outlet.take(9, true, Allowance::ALL), [&records[0], &records[2], &records[3]].map(Arc::clone));
        assert_eq!(outlet.drain(), [&records[0], &records[2], &records[3]].map(Arc::clone));
        assert!(outlet.is_empty());
    }

    #[test]
    fn no_more_is_handed_over_than_its_receiver_takes_and_every_byte_is_counted() {
        let records: Vec<_> = ["a", "b", "c", "d"].map(record).into();
        let one = compact::size(records[0].record());
        let mut outlet = Outlet::default();
        for record in &records {
            outlet.offer(Arc::clone(record));
        }
        assert_eq!(outlet.bytes(), 4 * one);
        let allowed = |records, bytes| Allowance { records, bytes };
        assert!(outlet.take(7, true, allowed(0, usize::MAX)).is_empty());
        assert!(outlet.take(7, true, allowed(9, one - 1)).is_empty());
        assert_eq!(outlet.take(7, true, allowed(1, usize::MAX)), records[..1]);
        assert_eq!(outlet.take(7, false, allowed(9, 2 * one + 1)), records[1..3]);
        assert_eq!((outlet.len(), outlet.bytes()), (2, 2 * one));
        drop(outlet.settle(vec![receipt(&records[0]), receipt(&records[1])]));
        assert_eq!(outlet.bytes(), one);
        outlet.ended(7);
        assert_eq!(outlet.drain(), records[3..]);
        assert_eq!(outlet.bytes(), 0);
    }

    #[test]
    fn without_receipts_nothing_is_kept() {
        let mut outlet = Outlet::default();
        outlet.offer(record("a"));
        assert_eq!(outlet.take(1, false, Allowance::ALL).len(), 1);
        assert!(outlet.is_empty());
    }

    #[test]
    fn a_frame_is_read_as_it_is_described_and_not_otherwise() {
        let good = format!("[\"asrt-{}\",\"rejected\",\"drift 0.7 > 0.5\"]", "ab".repeat(32));
        let frame = |results: &str| format!("{{\"type\":\"x-covey-delivery\",\"results\":[{results}]}}").into_bytes();
        let read = read_receipts(&frame(&good)).unwrap();
        assert_eq!((read[0].told, read[0].reason.as_deref()), (Told::Rejected, Some("drift 0.7 > 0.5")));
        let many = vec![good.as_str(); RECEIPTS_PER_FRAME + 1].join(",");
        let long = good.replace("0.7", &"7".repeat(RECEIPT_REASON_CHARS));
        for bad in [
            good.replace("rejected", "loved"),
            good.replace("asrt-", "asrt_"),
            good.replace("> 0", "\\u001b 0"),
            good.replace(",\"drift 0.7 > 0.5\"", ""),
            good.replace(']', ",1]"),
            many,
            long,
        ] {
            assert_eq!(read_receipts(&frame(&bad)).unwrap_err().reason, Reason::MalformedControl, "{bad:.60}");
        }
        assert!(read_receipts(b"[1,[]]").is_err());
        assert!(read_receipts(b"{\"type\":\"x\",\"results\":[],\"more\":1}").is_err());
    }

    proptest! {
        #[test]
        fn any_bytes_are_receipts_or_a_refusal(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
            if let Ok(read) = read_receipts(&bytes) {
                prop_assert!(read.len() <= RECEIPTS_PER_FRAME);
            }
        }
    }
}
