//! What others signed about each other: kept as it came, bounded, and there again after a restart.

mod common;

use common::{Folder, NOW};
use covey_store::limits::{ATTEST_EVIDENCE_MAX, ATTEST_FRAME_MAX_BYTES, STATEMENT_MAX_BYTES};
use covey_store::{AttestKind, StoreReason};

fn row(kind: AttestKind, frame: &str) -> (AttestKind, String, Vec<u8>) {
    (kind, "signer".to_owned(), frame.as_bytes().to_vec())
}

#[test]
fn statements_come_back_as_they_were_kept() {
    let folder = Folder::new();
    let store = folder.open();
    let kept = [("auth-b".to_owned(), b"two".to_vec()), ("auth-a".to_owned(), b"one".to_vec())];
    store.statements_put(&kept, &[]).unwrap();
    store.statements_put(&[("auth-a".to_owned(), b"a copy".to_vec())], &[]).unwrap();
    store.close().unwrap();
    let store = folder.open();
    let [two, one] = kept;
    assert_eq!(store.statements().unwrap(), [one, two.clone()]);
    store.statements_put(&[], &["auth-a".to_owned(), "auth-never".to_owned()]).unwrap();
    assert_eq!(store.statements().unwrap(), [two]);
    let long = ("auth-c".to_owned(), vec![0; STATEMENT_MAX_BYTES + 1]);
    assert_eq!(store.statements_put(&[long], &["auth-b".to_owned()]).unwrap_err().reason, StoreReason::Input);
    assert_eq!(store.statements().unwrap().len(), 1, "a refusal forgets nothing either");
}

#[test]
fn the_head_of_a_chain_and_what_it_signed_are_kept_together() {
    let folder = Folder::new();
    let store = folder.open();
    assert_eq!(store.attest_chain().unwrap(), None);
    let rows = [row(AttestKind::Attestation, "1"), row(AttestKind::Checkpoint, "c"), row(AttestKind::Attestation, "2")];
    store.attest_put(&rows, Some(b"head"), NOW).unwrap();
    store.attest_put(&[row(AttestKind::Attestation, "3")], None, NOW + 1).unwrap();
    let long = (AttestKind::Witness, "w".to_owned(), vec![0; ATTEST_FRAME_MAX_BYTES + 1]);
    assert_eq!(store.attest_put(&[long], Some(b"lost"), NOW).unwrap_err().reason, StoreReason::Input);
    store.close().unwrap();
    let store = folder.open();
    assert_eq!(store.attest_chain().unwrap().as_deref(), Some(&b"head"[..]));
    let frames = |after, limit| {
        let rows = store.attest_rows(AttestKind::Attestation, after, limit).unwrap();
        rows.into_iter().map(|row| (row.id, row.stored_ms - NOW, row.frame)).collect::<Vec<_>>()
    };
    assert_eq!(frames(None, 2), [(3, 0, b"2".to_vec()), (4, 1, b"3".to_vec())]);
    assert_eq!(frames(Some(1), 1), [(3, 0, b"2".to_vec())]);
    assert_eq!(store.attest_rows(AttestKind::Checkpoint, None, 9).unwrap()[0].signer, "signer");
    assert!(store.attest_rows(AttestKind::Witness, None, 9).unwrap().is_empty());
}

#[test]
fn the_first_evidence_stays_when_there_is_no_room_for_more() {
    let folder = Folder::new();
    let store = folder.open();
    let most = usize::try_from(ATTEST_EVIDENCE_MAX).unwrap();
    let rows: Vec<_> = (0..most + 2).map(|number| row(AttestKind::Evidence, &number.to_string())).collect();
    store.attest_put(&rows, None, NOW).unwrap();
    let kept = store.attest_rows(AttestKind::Evidence, None, most + 9).unwrap();
    assert_eq!(kept.len(), most);
    assert_eq!(kept[0].frame, b"0");
}
