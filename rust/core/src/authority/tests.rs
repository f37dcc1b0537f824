//! What resolves to what: published constants, hand-made sets, and properties of the whole function.

use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::error::{Reason, Refusal};
use crate::hash::hex;
use crate::id::{NodeId, StatementId};
use crate::identity::SigningKey;

/// The published test keys are made of one byte, repeated.
fn key(seed: u8) -> SigningKey {
    SigningKey::from_seed(&[seed; 32]).unwrap()
}

fn node(last: u8) -> NodeId {
    NodeId::parse(&format!("018f47a0-7b21-7abc-8def-0000000000{last:02x}")).unwrap()
}

fn pin(threshold: usize, seeds: &[u8]) -> AnchorPin {
    AnchorPin::new(threshold, seeds.iter().map(|seed| (*key(*seed).public(), None))).unwrap()
}

fn nonce(text: &str) -> [u8; 16] {
    super::statement::decoded(text).unwrap()
}

fn grant(source: Source, subject: (u8, u8), role: &str, scope: Option<&str>, nonce: [u8; 16]) -> Statement {
    let (last, seed) = subject;
    let act = Act::Grant(Grant {
        node_id: node(last),
        key: *key(seed).public().as_bytes(),
        role: Role::parse(role).unwrap(),
        scope: scope.map(|scope| Scope::parse(scope).unwrap()),
    });
    Statement::draft(source, act, nonce, None).unwrap()
}

fn naming(
    act: impl Fn(std::collections::BTreeSet<StatementId>) -> Act,
    source: Source,
    targets: &[&Statement],
    n: u8,
) -> Statement {
    let targets = targets.iter().map(|target| target.id()).collect();
    Statement::draft(source, act(targets), [n; 16], None).unwrap()
}

fn by(statement: Statement, seeds: &[u8]) -> Statement {
    seeds.iter().fold(statement, |statement, seed| statement.sign(&key(*seed)).unwrap())
}

fn below(above: &Statement) -> Source {
    Source::Grant(above.id())
}

fn standing(statements: &[&Statement], pin: &AnchorPin, quotas: Quotas) -> Vec<&'static str> {
    let resolution = resolve(pin, statements.iter().map(|statement| (*statement).clone()), quotas);
    statements.iter().map(|statement| resolution.standing(statement.id()).unwrap().as_str()).collect()
}

/// The statements of the published vector that its other cases are built on.
struct Published {
    admin: Statement,
    validator: Statement,
    other: Statement,
    participant: Statement,
    worker: Statement,
    foreign: Statement,
}

fn published() -> Published {
    let admin = grant(Source::Anchor, (0x0a, 0xad), "admin", None, nonce("ktFpeQLYKAx4XGw31YD54A"));
    let admin = by(admin, &[0xa1, 0xa2]);
    let other = grant(Source::Anchor, (0x0c, 0xb2), "validator", None, nonce("hL8r2ih1UwQs8On1E6jy6A"));
    let other = by(other, &[0xa2, 0xa3]);
    let validator = grant(below(&admin), (0x0b, 0xb1), "validator", None, nonce("a89tQVzwfExDp0D5d56fgA"));
    let validator = by(validator, &[0xad]);
    let participant = grant(below(&validator), (0x0e, 0xc1), "participant", None, nonce("s_psTdOL0IGaCvNeuwmh3g"));
    let worker = grant(below(&validator), (0x0f, 0xc3), "xmesh-worker", None, nonce("SNyF7VnqwcxaU9Qs57sewA"));
    let foreign = grant(below(&other), (0x10, 0xc2), "participant", None, nonce("xpeG8T2Evz-UsW5c5AFMJQ"));
    Published {
        participant: by(participant, &[0xb1]),
        worker: by(worker, &[0xb1]),
        foreign: by(foreign, &[0xb2]),
        admin,
        validator,
        other,
    }
}

#[test]
fn ids_and_pins_are_the_published_ones() {
    let told = published();
    for (statement, id) in [
        (&told.admin, "auth-4412b71937cef8a780a30caaca1b6e6f62f9418d381ec5677561a22053811ca1"),
        (&told.other, "auth-eeb92147b14f195c77d7a03a3d20679bae19c7d148c5a8bca9cd33494440eb0d"),
        (&told.validator, "auth-153b581feef3425d8a3d70f65d796184036a3b213380d1b35918e3ec93f7ca9f"),
        (&told.participant, "auth-90fe6da3187b891e9692dfcc204e7868f1ec106a2cd4ea5df47d9e69bb8bef50"),
        (&told.worker, "auth-ddd1f057a94651f5661a866791d393384ccf16fa0883aa7cef90f88c37d92b74"),
        (&told.foreign, "auth-2341a2131fb673270b41833f685f832a3c4e696e3f295933f91e8208c8e20f88"),
    ] {
        assert_eq!(statement.id().to_string(), id);
    }
    let targets = [&told.participant].map(Statement::id).into_iter().collect();
    let revoke = Statement::draft(below(&told.admin), Act::Revoke(targets), nonce("qzKgTjwFCux6UfEEeUcb7w"), None);
    let revoke = revoke.unwrap();
    assert_eq!(revoke.id().to_string(), "auth-a1ebefb80b68472784beb0f0237675c1b381ccf40da14e201f61ac30e4fc5277");
    let targets = [told.admin.id()].into_iter().collect();
    let at = Some(1_786_611_600_000);
    let dated = Statement::draft(Source::Anchor, Act::Revoke(targets), nonce("xALwUclJdMVw8euGD8EMvQ"), at).unwrap();
    assert_eq!(dated.id().to_string(), "auth-64cdb29ba89c39a45ce10caee2be159d9a708ef427734a8f7ec24d02d3b0d0bb");
    let targets = [told.validator.id(), revoke.id()].into_iter().collect();
    let endorse = Statement::draft(Source::Anchor, Act::Endorse(targets), nonce("_qbxozotM44XOHHI7WfGqw"), None);
    let id = endorse.unwrap().id().to_string();
    assert_eq!(id, "auth-7486a34dd62cd0c0cdb8199eae2558146c78ba1ef82b48035af10ef3962be642");
    let digest = |pin: AnchorPin| hex(&pin.digest());
    let three = digest(pin(2, &[0xa3, 0xa1, 0xa2]));
    assert_eq!(three, "3ddc2f3aaafd6facd3a6e651203b6f3ce007f256f75fb6daf2fb20e8e52fe7cf");
    let alone = AnchorPin::new(1, [(*key(0xa1).public(), Some(node(0xa1)))]).unwrap();
    assert_eq!(digest(alone), "7ed8d07280d92558ca169ac9bef22db8c486c25cb3d87e5501090babd5ebb37f");
    let both = [0xa2, 0xa1].map(|seed| (*key(seed).public(), Some(node(seed))));
    let either = digest(AnchorPin::new(1, both).unwrap());
    assert_eq!(either, "deb8c1e0e23147d3a02f9cae350b2484edd26be175371f9679e528c51b856408");
}

#[test]
fn a_published_signature_verifies_as_it_was_read() {
    let told = published();
    let sigs = json!([
        {"key": "vHy8tWNjdfodgkNNRmck2SN39TuYBpXdSdJtDOEiBaU",
         "sig": "nmg2tSthipJh6ZaP6WIrPGKn9yZYBhhJV_CDctgn_u-knouDqnyRwgkchyL5rQfGZh9uZ-6On9ZKMUToX3lUCw"},
        {"key": "Zej5sLxurhJBafBXb5c2LSlajPX3cLReFDV85kfTPuw",
         "sig": "IfTDjNMJOACJNovSIyW8ZIbfW27LbBADc-wVDlC2kpBO0tJmsAoHrb0XtYRX2_wL5OuGme0aE59nbt96GxzEBA"},
    ]);
    let mut wire: Value = serde_json::from_slice(&told.admin.to_json()).unwrap();
    wire["sigs"] = sigs;
    let read = Statement::parse(wire.to_string().as_bytes()).unwrap();
    assert_eq!(standing(&[&read], &pin(2, &[0xa1, 0xa2, 0xa3]), Quotas::default()), ["in-force"]);
    assert_eq!(Statement::parse(&read.to_json()), Ok(read));
}

#[test]
fn revokes_cut_and_endorses_rescue() {
    let told = published();
    let anchor = pin(2, &[0xa1, 0xa2, 0xa3]);
    let Published { admin, validator, other, participant, worker, foreign } = &told;
    let whole = [admin, validator, other, participant, worker, foreign];
    let judged = |extra: &[&Statement]| {
        let all: Vec<&Statement> = whole.iter().chain(extra).copied().collect();
        standing(&all, &anchor, Quotas::default()).join(" ")
    };
    assert_eq!(judged(&[]), "in-force in-force in-force in-force in-force in-force");
    let remove_admin = by(naming(Act::Revoke, Source::Anchor, &[admin], 1), &[0xa1, 0xa3]);
    assert_eq!(judged(&[&remove_admin]), "removed dead in-force dead dead in-force in-force");
    let keep = by(naming(Act::Endorse, Source::Anchor, &[validator], 2), &[0xa1, 0xa2]);
    assert_eq!(
        judged(&[&remove_admin, &keep]),
        "removed in-force in-force in-force in-force in-force in-force in-force"
    );
    // A sibling of the admin's authority reaches nothing below the admin.
    let across = by(naming(Act::Revoke, below(other), &[validator], 3), &[0xb2]);
    assert_eq!(judged(&[&across]), "in-force in-force in-force in-force in-force in-force in-force");
    let within = by(naming(Act::Revoke, below(admin), &[participant], 4), &[0xad]);
    assert_eq!(judged(&[&within]), "in-force in-force in-force removed in-force in-force in-force");
    // The validator's own revoke falls with it, and is rescued with it; an endorse never is.
    let own = by(naming(Act::Revoke, below(validator), &[worker], 5), &[0xb1]);
    let remove_validator = by(naming(Act::Revoke, below(admin), &[validator], 6), &[0xad]);
    let spare = by(naming(Act::Endorse, Source::Anchor, &[&own, worker], 7), &[0xa1, 0xa2]);
    assert_eq!(
        judged(&[&own, &remove_validator, &spare]),
        "in-force removed in-force dead removed in-force in-force in-force in-force"
    );
    let own_endorse = by(naming(Act::Endorse, below(admin), &[worker], 8), &[0xad]);
    let saves = by(naming(Act::Endorse, Source::Anchor, &[&own_endorse], 9), &[0xa1, 0xa2]);
    assert_eq!(
        judged(&[&remove_admin, &own_endorse, &saves]),
        "removed dead in-force dead dead in-force in-force dead in-force"
    );
}

#[test]
fn what_does_not_hold_is_invalid_and_what_misses_a_link_waits() {
    let told = published();
    let anchor = pin(2, &[0xa1, 0xa2, 0xa3]);
    let Published { admin, validator, other, participant, worker, .. } = &told;
    let mallory = (0xee, 0xee);
    let cases = [
        by(grant(Source::Anchor, mallory, "validator", None, [1; 16]), &[0xa1]), // one of two
        by(grant(Source::Anchor, mallory, "validator", None, [2; 16]), &[0xa1, 0xee]), // a stranger beside it
        by(grant(below(validator), mallory, "validator", None, [3; 16]), &[0xb1]), // beyond the role
        by(grant(below(participant), mallory, "participant", None, [4; 16]), &[0xc1]), // no authority at all
        by(grant(below(validator), mallory, "participant", None, [5; 16]), &[0xee]), // another key
        by(naming(Act::Endorse, below(other), &[worker], 6), &[0xb2]),           // a validator does not endorse
        by(naming(Act::Revoke, below(participant), &[worker], 7), &[0xc1]),
    ];
    for case in &cases {
        let told = standing(&[admin, other, validator, participant, worker, case], &anchor, Quotas::default());
        assert_eq!(told[5], "invalid", "{case:?}");
    }
    assert_eq!(standing(&[validator, participant], &anchor, Quotas::default()), ["pending", "pending"]);
    // Four links are as far as it goes.
    let third = by(grant(below(validator), (0x20, 0x20), "xmesh-worker", None, [8; 16]), &[0xb1]);
    let fourth = by(grant(below(&third), (0x21, 0x21), "participant", None, [9; 16]), &[0x20]);
    assert_eq!(standing(&[admin, validator, &third, &fourth], &anchor, Quotas::default())[3], "invalid");
    let mut chain = vec![admin.clone()];
    for step in 1..5_u8 {
        let above = chain.last().unwrap();
        let signer = if step == 1 { 0xad } else { 0x30 + step - 1 };
        chain.push(by(grant(below(above), (0x30 + step, 0x30 + step), "admin", None, [step; 16]), &[signer]));
    }
    let told = standing(&chain.iter().collect::<Vec<_>>(), &anchor, Quotas::default());
    assert_eq!(told, ["in-force", "in-force", "in-force", "in-force", "invalid"]);
}

#[test]
fn a_key_nobody_can_own_is_no_subject() {
    let told = published();
    let mut weak: Value = serde_json::from_slice(&told.participant.to_json()).unwrap();
    weak["subject"]["key"] = "AQAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA".into();
    let weak = by(Statement::parse(weak.to_string().as_bytes()).unwrap(), &[]);
    let signed = Statement::draft(weak.source(), weak.act().clone(), [1; 16], None).unwrap().sign(&key(0xb1)).unwrap();
    let hangs = by(grant(below(&signed), (0x40, 0x40), "participant", None, [2; 16]), &[0x40]);
    let told = standing(&[&told.admin, &told.validator, &signed, &hangs], &pin(2, &[0xa1, 0xa2]), Quotas::default());
    assert_eq!(told[2..], ["invalid", "pending"]);
}

#[test]
fn scopes_only_narrow() {
    let anchor = pin(1, &[0xa1]);
    let admin = by(grant(Source::Anchor, (1, 1), "admin", Some("xmesh:team"), [1; 16]), &[0xa1]);
    let judged = |scope: Option<&str>| {
        let child = by(grant(below(&admin), (2, 2), "validator", scope, [2; 16]), &[1]);
        standing(&[&admin, &child], &anchor, Quotas::default())[1]
    };
    assert_eq!(judged(Some("xmesh:team")), "in-force");
    assert_eq!(judged(Some("xmesh:team/a")), "in-force");
    assert_eq!(judged(Some("xmesh:teams")), "invalid");
    assert_eq!(judged(None), "invalid");
    let child = by(grant(below(&admin), (2, 2), "validator", Some("xmesh:team/a"), [2; 16]), &[1]);
    let resolution = resolve(&anchor, [admin, child], Quotas::default());
    let reach = |inside: &str| resolution.reach(node(2), key(2).public().as_bytes(), |scope| scope.as_str() == inside);
    assert_eq!((reach("xmesh:team/a"), reach("xmesh:team/b")), (Reach::Validated, Reach::Nothing));
    assert_eq!(resolution.reach(node(1), key(2).public().as_bytes(), |_| true), Reach::Nothing);
}

#[test]
fn quotas_keep_the_lowest_ids_and_a_rescue_is_charged_to_the_rescuer() {
    let anchor = pin(1, &[0xa1]);
    let quotas = Quotas { statements: 2, delegates: 1, anchor: 100 };
    let admin = by(grant(Source::Anchor, (1, 1), "admin", None, [1; 16]), &[0xa1]);
    let mut plain: Vec<Statement> =
        (0..4).map(|n| by(grant(below(&admin), (n, n + 1), "participant", None, [n; 16]), &[1])).collect();
    plain.sort_by_key(Statement::id);
    let all: Vec<&Statement> = std::iter::once(&admin).chain(&plain).collect();
    assert_eq!(standing(&all, &anchor, quotas), ["in-force", "in-force", "in-force", "over-quota", "over-quota"]);
    let mut delegates: Vec<Statement> =
        (0..2).map(|n| by(grant(below(&admin), (n, n + 1), "issuer", None, [n; 16]), &[1])).collect();
    delegates.sort_by_key(Statement::id);
    let told = standing(&[&admin, &delegates[0], &delegates[1]], &anchor, quotas);
    assert_eq!(told, ["in-force", "in-force", "over-quota"]);
    // Cut by a revoke and rescued from above: the rescuer's bucket pays, and it is full after one more.
    let middle = by(grant(below(&admin), (9, 9), "admin", None, [9; 16]), &[1]);
    let low: Vec<Statement> =
        (0..3).map(|n| by(grant(below(&middle), (n, n + 1), "participant", None, [n; 16]), &[9])).collect();
    let revoke = by(naming(Act::Revoke, Source::Anchor, &[&middle], 1), &[0xa1]);
    let endorse = by(naming(Act::Endorse, below(&admin), &[&low[0], &low[1], &low[2]], 2), &[1]);
    let all: Vec<&Statement> = [&admin, &middle, &revoke, &endorse].into_iter().chain(&low).collect();
    let told = standing(&all, &anchor, quotas);
    let count = |word| told.iter().filter(|standing| **standing == word).count();
    // The endorse itself and one rescue fill the admin's two places.
    assert_eq!((count("in-force"), count("over-quota"), count("removed")), (4, 2, 1));
    // A quota's cut is never rescued.
    let none = Quotas { statements: 0, ..quotas };
    let saving = by(naming(Act::Endorse, Source::Anchor, &[&low[0]], 3), &[0xa1]);
    assert_eq!(standing(&[&admin, &middle, &low[0], &saving], &anchor, none)[2], "dead");
}

#[test]
fn statements_outside_the_schema_are_refused() {
    let told = published();
    let good: Value = serde_json::from_slice(&told.participant.to_json()).unwrap();
    let revoke = by(naming(Act::Revoke, Source::Anchor, &[&told.admin], 1), &[0xa1]);
    let revoke: Value = serde_json::from_slice(&revoke.to_json()).unwrap();
    let bent = |value: &Value, member: &str, to: Value| {
        let mut value = value.clone();
        value[member] = to;
        value
    };
    let sig = |member: &str, to: &str| {
        let mut value = good.clone();
        value["sigs"][0][member] = to.into();
        value
    };
    let repeated = json!([good["sigs"][0], {"key": good["sigs"][0]["key"], "sig": "A".repeat(86)}]);
    let many: Vec<String> = (0..65).map(|n| format!("auth-{n:064x}")).collect();
    let cases = [
        bent(&good, "extra", 1.into()),
        bent(&good, "kind", "endorse".into()),
        bent(&good, "targets", revoke["targets"].clone()),
        bent(&good, "scope", Value::Null),
        bent(&good, "scope", "x:..".into()),
        bent(&good, "role", "anchor".into()),
        bent(&good, "authorisedBy", "nobody".into()),
        bent(&good, "nonce", "AAAAAAAAAAAAAAAAAAAAAB".into()),
        bent(&good, "nonce", "".into()),
        bent(&good, "issuedAt", (-1).into()),
        bent(&good, "issuedAt", 9_007_199_254_740_992_u64.into()),
        bent(&good, "issuedAt", "1".into()),
        bent(&good, "sigs", json!([])),
        bent(
            &good,
            "sigs",
            json!([good["sigs"][0], {"key": "vHy8tWNjdfodgkNNRmck2SN39TuYBpXdSdJtDOEiBaU", "sig": good["sigs"][0]["sig"]}]),
        ),
        bent(&bent(&good, "sigs", repeated), "authorisedBy", "anchor".into()),
        sig("sig", "A"),
        sig("key", "RyG1tjInLmWmjdp6wltBhfiwGRbbGFwUKH25Lit3D65"),
        bent(&revoke, "targets", json!([])),
        bent(&revoke, "targets", json!([revoke["targets"][0], revoke["targets"][0]])),
        bent(&revoke, "targets", json!(many)),
        bent(&revoke, "role", "admin".into()),
    ];
    for case in cases {
        assert!(Statement::parse(case.to_string().as_bytes()).is_err(), "{case}");
    }
    assert!(Statement::parse(bent(&revoke, "targets", json!(many[..64])).to_string().as_bytes()).is_ok());
    assert!(Statement::parse(b"[]").is_err());
}

#[test]
fn a_ledger_asks_for_what_it_misses_and_never_checks_twice() {
    let told = published();
    let mut ledger = Ledger::new(pin(2, &[0xa1, 0xa2, 0xa3]), Quotas::default(), 100);
    let empty_root = *ledger.resolution().root();
    assert_eq!(ledger.price(&told.validator), 0);
    assert_eq!(ledger.offer(told.validator.clone()), Ok(Offered::Missing(told.admin.id())));
    assert!(ledger.is_empty());
    assert_eq!(ledger.price(&told.admin), 2 + crate::limits::KEY_CHECK_COST);
    assert_eq!(ledger.offer(told.admin.clone()), Ok(Offered::New));
    assert_eq!((ledger.price(&told.admin), ledger.offer(told.admin.clone())), (0, Ok(Offered::Known)));
    assert_eq!(ledger.offer(told.validator.clone()), Ok(Offered::New));
    let forged = by(grant(below(&told.admin), (1, 1), "admin", None, [1; 16]), &[0xee]);
    let refused = ledger.offer(forged).map_err(|refusal: Refusal| refusal.reason);
    assert_eq!(refused, Err(Reason::BadSignature));
    assert_ne!(*ledger.resolution().root(), empty_root);
    assert_eq!(ledger.resolution().live().len(), 2);
    let (page, next) = ledger.page("", 1).unwrap();
    assert_eq!(page, [&told.admin]);
    let (page, end) = ledger.page(&next.unwrap(), 1).unwrap();
    assert_eq!((page, end), (vec![&told.validator], None));
    assert!(ledger.page("1.2.x", 1).is_err());
}

#[test]
fn an_answer_is_read_as_it_was_written() {
    let told = published();
    let one = Set { request: "r\"1".to_owned(), statements: vec![], missing: vec![], next: None };
    let statements = vec![told.admin.clone(), told.validator.clone()];
    let other = Set { statements, missing: vec![told.worker.id()], next: Some("1.0.é".to_owned()), ..one.clone() };
    for set in [one, other] {
        assert_eq!(Frame::parse("authority-set", &set.to_json()), Ok(Frame::Set(set)));
    }
}

#[test]
fn what_a_disk_kept_is_judged_again_in_any_order() {
    let told = published();
    let anchor = || pin(2, &[0xa1, 0xa2, 0xa3]);
    let good = [&told.participant, &told.validator, &told.worker, &told.admin];
    let kept =
        |statements: &[&Statement]| statements.iter().map(|it| (it.id().to_string(), it.to_json())).collect::<Vec<_>>();
    let mut ledger = Ledger::new(anchor(), Quotas::default(), 100);
    assert_eq!(ledger.restore(kept(&good)), []);
    let whole = *ledger.resolution().root();

    let mut bent = kept(&good);
    // A changed role makes another statement, a changed signature makes it invalid, garbage is none at all.
    let mut other: Value = serde_json::from_slice(&bent[0].1).unwrap();
    other["role"] = json!("admin");
    bent[0].1 = other.to_string().into_bytes();
    let mut unsigned: Value = serde_json::from_slice(&bent[2].1).unwrap();
    unsigned["sigs"][0]["sig"] = json!(format!("{}A", "A".repeat(85)));
    bent[2].1 = unsigned.to_string().into_bytes();
    bent.push((told.foreign.id().to_string(), b"{".to_vec()));
    bent.push((told.foreign.id().to_string(), told.foreign.to_json()));
    let mut ledger = Ledger::new(anchor(), Quotas::default(), 100);
    let refused: Vec<_> = ledger.restore(bent).into_iter().map(|(at, refusal)| (at, refusal.reason)).collect();
    let expected =
        [(0, Reason::Schema), (2, Reason::BadSignature), (4, Reason::MalformedJson), (5, Reason::NotAuthorised)];
    assert_eq!(refused, expected);
    assert_eq!(ledger.len(), 2);
    assert_ne!(*ledger.resolution().root(), whole);
}

#[test]
fn each_statement_is_news_when_it_comes_into_force() {
    let told = published();
    let mut ledger = Ledger::new(pin(2, &[0xa1, 0xa2, 0xa3]), Quotas::default(), 100);
    let ids = |news: Vec<&Statement>| news.into_iter().map(Statement::id).collect::<Vec<_>>();
    ledger.restore([&told.validator, &told.admin].map(|it| (it.id().to_string(), it.to_json())).into());
    assert_eq!(ids(ledger.news()), [told.admin.id(), told.validator.id()]);
    assert!(ledger.news().is_empty());
    let revoke = by(naming(Act::Revoke, Source::Anchor, &[&told.admin], 3), &[0xa1, 0xa2]);
    ledger.offer(revoke.clone()).unwrap();
    assert_eq!(ids(ledger.news()), [revoke.id()]);
    let endorse = by(naming(Act::Endorse, Source::Anchor, &[&told.validator], 4), &[0xa1, 0xa2]);
    ledger.offer(endorse.clone()).unwrap();
    assert_eq!(ids(ledger.news()), [endorse.id(), told.validator.id()]);
}

#[test]
fn a_full_ledger_drops_what_counts_least_and_never_a_removal() {
    let anchor = pin(1, &[0xa1]);
    let mut ledger = Ledger::new(anchor, Quotas::default(), 6);
    let admin = by(grant(Source::Anchor, (1, 1), "admin", None, [1; 16]), &[0xa1]);
    let target = by(grant(below(&admin), (2, 2), "participant", None, [2; 16]), &[1]);
    let revoke = by(naming(Act::Revoke, below(&admin), &[&target], 3), &[1]);
    for statement in [&admin, &target, &revoke] {
        assert_eq!(ledger.offer(statement.clone()), Ok(Offered::New));
    }
    let more: Vec<Statement> =
        (10..20).map(|n| by(grant(below(&admin), (n, n), "participant", None, [n; 16]), &[1])).collect();
    for statement in &more {
        assert_eq!(ledger.offer(statement.clone()), Ok(Offered::New));
        assert!(ledger.len() <= 6);
    }
    // The removed grant went first; what removed it stays, so that it is refused its way back into force.
    assert!(ledger.get(target.id()).is_none());
    assert!(ledger.get(admin.id()).is_some() && ledger.get(revoke.id()).is_some());
}

/// A set of statements over few signers, so that grants, revokes and endorses meet.
fn arbitrary_set() -> impl Strategy<Value = Vec<Statement>> {
    let step = (0..6_u8, 0..3_u8, any::<prop::sample::Index>(), any::<prop::sample::Index>(), 0..4_usize);
    prop::collection::vec(step, 1..24).prop_map(|steps| {
        let mut all = vec![by(grant(Source::Anchor, (0, 0x50), "admin", None, [0xff; 16]), &[0xa1])];
        for (number, (subject, kind, above, target, role)) in steps.into_iter().enumerate() {
            let n = u8::try_from(number).unwrap();
            let grants: Vec<Statement> = all.iter().filter(|known| known.grant().is_some()).cloned().collect();
            let above = above.get(&grants);
            let (source, signer) =
                if subject == 5 { (Source::Anchor, 0xa1) } else { (below(above), above_seed(above)) };
            let role = ["admin", "validator", "issuer", "participant"][role];
            let statement = match kind {
                0 => grant(source, (subject, 0x50 + subject), role, None, [n; 16]),
                1 => naming(Act::Revoke, source, &[target.get(&all)], n),
                _ => naming(Act::Endorse, source, &[target.get(&all)], n),
            };
            all.push(by(statement, &[signer]));
        }
        all
    })
}

fn above_seed(above: &Statement) -> u8 {
    let key_of = |seed: &u8| *key(*seed).public().as_bytes() == above.grant().unwrap().key;
    (0x50..0x56).find(key_of).unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn order_and_copies_change_nothing(set in arbitrary_set(), seed: u64) {
        let anchor = pin(1, &[0xa1]);
        let quotas = Quotas { statements: 3, delegates: 2, anchor: 4 };
        let told = resolve(&anchor, set.clone(), quotas);
        let mut shuffled: Vec<Statement> = set.iter().chain(&set).cloned().collect();
        let mut state = seed;
        shuffled.sort_by_cached_key(|_| { state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1); state });
        let again = resolve(&anchor, shuffled.clone(), quotas);
        prop_assert_eq!(told.root(), again.root());
        prop_assert_eq!(told.standings().collect::<Vec<_>>(), again.standings().collect::<Vec<_>>());
        // A ledger that is offered them in that order, as often as it takes, comes to the same.
        let mut ledger = Ledger::new(anchor, quotas, 1_000);
        for _ in 0..4 {
            for statement in &shuffled {
                let _ = ledger.offer(statement.clone());
            }
        }
        prop_assert_eq!(ledger.resolution().root(), told.root());
    }

    #[test]
    fn what_is_live_resolves_to_the_same(set in arbitrary_set()) {
        let anchor = pin(1, &[0xa1]);
        let quotas = Quotas { statements: 3, delegates: 2, anchor: 4 };
        let mut ledger = Ledger::new(anchor.clone(), quotas, 1_000);
        for statement in &set {
            let _ = ledger.offer(statement.clone());
        }
        let root = *ledger.resolution().root();
        let live: Vec<StatementId> = ledger.resolution().live().iter().map(|(_, _, id)| *id).collect();
        let sent: Vec<Statement> = live.iter().filter_map(|id| ledger.get(*id).cloned()).collect();
        // In the order of sending nothing ever misses its grant.
        let mut peer = Ledger::new(anchor, quotas, 1_000);
        for statement in sent {
            prop_assert_eq!(peer.offer(statement), Ok(Offered::New));
        }
        prop_assert_eq!(*peer.resolution().root(), root);
    }

    #[test]
    fn garbage_is_refused(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        prop_assert!(Statement::parse(&bytes).is_err());
        for kind in ["authority-statement", "authority-digest", "authority-fetch", "authority-set"] {
            prop_assert!(Frame::parse(kind, &bytes).is_err());
        }
    }
}
