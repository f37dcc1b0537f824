use super::*;
use crate::category::{COUNT, Category, Weights};
use crate::encoder::Encoder;
use crate::identity::SigningKey;
use crate::record::{Application, Draft, MESSAGE_SCHEMA};
use crate::svaf::Thresholds;
use proptest::prelude::*;

pub(super) const NOW: u64 = 1_800_000_000_000;
pub(super) const ROOM: &str = "tests";

pub(super) fn node(number: u8) -> NodeId {
    NodeId::from_bytes([number; 16])
}

pub(super) fn key(number: u8) -> SigningKey {
    SigningKey::from_seed(&[number; 32]).unwrap()
}

/// Node 0 listens; it knows the keys of nodes 0 to 3.
pub(super) fn listening() -> Intake {
    let gate = Gate::new(Weights::UNIFORM, Thresholds::DEFAULT).unwrap();
    let mut intake = Intake::new(node(0), ROOM, Policy::new(gate)).unwrap();
    for number in 0..4 {
        assert_eq!(intake.bind(node(number), *key(number).public()), Binding::Bound);
    }
    intake
}

#[derive(Clone, Debug)]
pub(super) struct Said {
    author: u8,
    texts: Vec<(Category, String)>,
    to: Option<u8>,
    parents: Vec<ContentKey>,
    created_ms: u64,
    room: &'static str,
    application: Option<Application>,
}

impl Said {
    pub(super) fn by(author: u8, focus: &str) -> Self {
        let texts = vec![(Category::Focus, focus.to_owned())];
        Self { author, texts, to: None, parents: Vec::new(), created_ms: NOW, room: ROOM, application: None }
    }

    pub(super) fn with(mut self, category: Category, text: &str) -> Self {
        self.texts.push((category, text.to_owned()));
        self
    }

    fn to(mut self, to: u8) -> Self {
        self.to = Some(to);
        self
    }

    fn at(mut self, created_ms: u64) -> Self {
        self.created_ms = created_ms;
        self
    }

    pub(super) fn citing(mut self, parent: ContentKey) -> Self {
        self.parents.push(parent);
        self
    }

    pub(super) fn signed(&self) -> Verified {
        signature::sign(self.draft(), &key(self.author)).unwrap()
    }

    pub(super) fn draft(&self) -> Draft {
        let mut draft = Draft::new(node(self.author), "someone", self.created_ms, self.room).unwrap();
        for (category, text) in &self.texts {
            draft.say(*category, text).unwrap();
        }
        draft.descend(&self.parents).unwrap();
        if let Some(to) = self.to {
            draft.to(node(to));
        }
        if let Some(application) = &self.application {
            draft.carry(application.clone());
        }
        draft
    }

    pub(super) fn heard(&self) -> Unverified {
        Unverified::distrust(self.signed().into_record())
    }
}

/// A block in which every category says something about one subject.
pub(super) fn full(author: u8, subject: &str) -> Said {
    Category::ALL[1..].iter().fold(Said::by(author, subject), |said, category| said.with(*category, subject))
}

fn hear(intake: &mut Intake, record: Unverified) -> Outcome {
    hear_all(intake, vec![record]).outcomes.remove(0)
}

fn hear_all(intake: &mut Intake, records: Vec<Unverified>) -> OutcomeBatch {
    intake.evaluate(Batch(records), node(1), NOW).unwrap()
}

fn reason(outcome: &Outcome) -> Option<Reason> {
    outcome.refusal.as_ref().map(|refusal| refusal.reason)
}

#[test]
fn a_judgement_names_what_it_rests_on() {
    let mut intake = listening();
    let first = hear(&mut intake, Said::by(1, "the login page fails").heard());
    let started = first.basis.clone().unwrap();
    assert_eq!((started.anchors, started.nearest, started.lineage), (0, [None; COUNT], None));
    let held = hear(&mut intake, full(1, "robots learn to see").heard());
    let next = hear(&mut intake, Said::by(1, "the login page fails again").citing(held.key()).heard());
    let basis = next.basis.unwrap();
    assert_eq!((basis.path, basis.kernel.as_str(), basis.anchors), (Path::Baseline, "ngram-h32", 2));
    assert_eq!((basis.nearest[0], basis.lineage), (Some(first.key()), Some(held.key())));
    let duplicate = hear(&mut intake, Said::by(1, "the login page fails").heard());
    assert!(duplicate.basis.is_none());
}

#[test]
fn a_block_is_admitted_once_and_becomes_an_anchor() {
    let mut intake = listening();
    let said = Said::by(1, "the login page fails");
    let first = hear(&mut intake, said.heard());
    assert_eq!((first.kind, first.deliver()), (Kind::Admitted, true));
    assert_eq!(first.record().map(|record| record.record()), Some(said.signed().record()));
    assert_eq!(intake.anchors().collect::<Vec<_>>(), [first.key()]);
    let again = hear(&mut intake, said.heard());
    assert_eq!((again.kind, again.deliver(), again.evaluation), (Kind::Duplicate, false, None));
    // The same cognition by another author is the same block to memory.
    assert_eq!(hear(&mut intake, Said::by(2, "the login page fails").heard()).kind, Kind::Duplicate);
    assert_eq!(intake.anchors().count(), 1);
}

#[test]
fn a_stranger_is_refused_and_leaves_no_trace() {
    let mut intake = listening();
    let said = Said::by(7, "hello");
    let outcome = hear(&mut intake, said.heard());
    assert_eq!((outcome.kind, reason(&outcome)), (Kind::Refused, Some(Reason::AuthorUnknown)));
    assert_eq!((outcome.author(), outcome.author_label(), outcome.record()), (node(7), "someone", None));
    assert_eq!(intake.bind(node(7), *key(7).public()), Binding::Bound);
    assert_eq!(hear(&mut intake, said.heard()).kind, Kind::Admitted);
}

#[test]
fn a_record_with_a_bad_signature_is_never_marked_as_seen() {
    let mut intake = listening();
    let good = Said::by(1, "pay the invoice").to(0);
    for spoil in 0..3 {
        let mut forged = good.signed().into_record();
        match spoil {
            0 => forged.metadata.signature[7] ^= 1,
            1 => forged.categories[0].text.push('!'),
            _ => forged.metadata.created_ms += 1,
        }
        let outcome = hear(&mut intake, Unverified::distrust(forged));
        let expected = [Reason::BadSignature, Reason::AddressMismatch, Reason::AssertionMismatch][spoil];
        assert_eq!((outcome.kind, reason(&outcome)), (Kind::Refused, Some(expected)));
        assert!(!outcome.directed && !outcome.deliver());
    }
    assert_eq!(hear(&mut intake, good.heard()).kind, Kind::Admitted);
}

#[test]
fn other_rooms_and_other_audiences_are_refused() {
    let mut intake = listening();
    let mut elsewhere = Said::by(1, "hello");
    elsewhere.room = "elsewhere";
    assert_eq!(reason(&hear(&mut intake, elsewhere.heard())), Some(Reason::WrongRoom));
    assert_eq!(reason(&hear(&mut intake, Said::by(1, "hello").to(2).heard())), Some(Reason::WrongAudience));
    assert_eq!(intake.anchors().count(), 0);
}

#[test]
fn ones_own_block_coming_back_is_a_duplicate_and_an_answer_to_it_is_heard() {
    let mut intake = listening();
    let own = Said::by(0, "who can review the login page").signed();
    assert!(intake.admit_own(&own, NOW));
    assert!(!intake.admit_own(&own, NOW));
    let returned = hear(&mut intake, Unverified::distrust(own.record().clone()));
    assert_eq!((returned.kind, returned.deliver()), (Kind::Duplicate, false));
    assert_eq!(hear(&mut intake, Said::by(0, "forgotten long ago").heard()).kind, Kind::Duplicate);
    let answer = Said::by(1, "i can look at the login form").citing(own.record().metadata.key);
    let heard = hear(&mut intake, answer.heard());
    assert_eq!((heard.kind, heard.deliver()), (Kind::Admitted, true));
}

#[test]
fn a_directed_block_is_heard_whatever_admission_says_and_once() {
    let mut intake = listening();
    assert_eq!(hear(&mut intake, full(1, "login bug fix").heard()).kind, Kind::Admitted);
    let mut far = full(2, "log it and go").to(0);
    let rejected = hear(&mut intake, far.heard());
    assert_eq!((rejected.kind, rejected.directed, rejected.deliver()), (Kind::Rejected, true, true));
    assert_eq!(rejected.mood(), None, "the whole block is heard, its mood with it");
    assert_eq!(hear(&mut intake, far.heard()).kind, Kind::Duplicate);
    // The same words said again, later: another assertion, to be heard again and not stored.
    far.created_ms += 1;
    let later = hear(&mut intake, far.heard());
    assert!(later.deliver() && later.kind != Kind::Admitted);
    assert_eq!(intake.anchors().count(), 1);
}

#[test]
fn a_message_between_agents_is_heard_and_leaves_memory_as_it_was() {
    let mut intake = listening();
    let mut message = Said::by(1, "the login page fails").to(0);
    message.application = Some(Application::new("application/json", MESSAGE_SCHEMA, b"{}".to_vec()).unwrap());
    let heard = hear(&mut intake, message.heard());
    assert!(heard.evaluation.as_ref().is_some_and(crate::svaf::Evaluation::accepted), "memory would take the words");
    assert_eq!((heard.kind, heard.directed, heard.deliver()), (Kind::Redundant, true, true));
    assert_eq!(hear(&mut intake, message.heard()).kind, Kind::Duplicate);
    assert_eq!(intake.anchors().count(), 0);
    // The same words, said to be remembered: nothing stands in their way.
    assert_eq!(hear(&mut intake, Said::by(1, "the login page fails").heard()).kind, Kind::Admitted);
    let own = Said { application: message.application, ..Said::by(0, "go on").to(1) }.signed();
    assert!(intake.admit_own(&own, NOW));
    assert_eq!(intake.anchors().count(), 1);
}

#[test]
fn memory_takes_a_cognition_once_also_when_it_is_directed() {
    let mut intake = listening();
    assert_eq!(hear(&mut intake, Said::by(1, "the login page fails").heard()).kind, Kind::Admitted);
    for focus in ["invoices were paid", "rain in the hills", "tests are green", "the build is slow", "ship it"] {
        assert!(intake.admit_own(&Said::by(0, focus).signed(), NOW));
    }
    let copy = hear(&mut intake, Said::by(2, "the login page fails").to(0).heard());
    assert!(copy.evaluation.is_some_and(|said| said.accepted()), "its anchor is out of the window");
    assert_eq!((copy.kind, copy.deliver()), (Kind::Redundant, true));
}

#[test]
fn the_mood_of_a_rejected_block_surfaces_unless_it_is_neutral() {
    let mut intake = listening();
    assert_eq!(hear(&mut intake, full(1, "login bug fix").heard()).kind, Kind::Admitted);
    let mut tired = full(2, "log it and go");
    tired.texts.pop();
    let neutral = hear(&mut intake, tired.heard());
    assert_eq!((neutral.kind, neutral.mood()), (Kind::Rejected, None));
    let outcome = hear(&mut intake, tired.with(Category::Mood, "log it tired").heard());
    assert_eq!((outcome.kind, outcome.mood(), outcome.deliver()), (Kind::Rejected, Some("log it tired"), false));
}

#[test]
fn a_rejected_block_is_judged_once_and_is_no_anchor() {
    let mut intake = listening();
    assert_eq!(hear(&mut intake, full(1, "login bug fix").heard()).kind, Kind::Admitted);
    let far = full(2, "log it and go");
    assert_eq!(hear(&mut intake, far.heard()).kind, Kind::Rejected);
    assert_eq!(hear(&mut intake, far.heard()).kind, Kind::Duplicate);
    assert_eq!(intake.anchors().count(), 1);
    // One's own block in the same words is one's own business.
    let own = full(0, "log it and go").signed();
    assert!(intake.admit_own(&own, NOW));
    assert!(!intake.admit_own(&own, NOW));
    assert_eq!(intake.anchors().count(), 2);
}

#[test]
fn signed_times_have_bounds() {
    let mut intake = listening();
    let day = limits::MAX_DIRECTED_AGE_MS;
    let ahead = hear(&mut intake, Said::by(1, "from a fast clock").at(NOW + limits::MAX_FUTURE_MS).heard());
    assert_eq!(ahead.kind, Kind::Admitted);
    assert!(ahead.evaluation.is_some_and(|said| said.temporal_drift.abs() < f64::EPSILON));
    let absurd = Said::by(1, "from the future").at(NOW + limits::MAX_FUTURE_MS + 1);
    assert_eq!(reason(&hear(&mut intake, absurd.heard())), Some(Reason::FutureTimestamp));
    let stale = Said::by(1, "act now").to(0).at(NOW - day - 1);
    assert_eq!(reason(&hear(&mut intake, stale.heard())), Some(Reason::Expired));
    assert!(hear(&mut intake, Said::by(1, "act now").to(0).at(NOW - day).heard()).deliver());
    assert_eq!(hear(&mut intake, Said::by(1, "an old story").at(0).heard()).refusal, None);
}

#[test]
fn how_far_ahead_a_signed_time_may_lie_is_the_receivers_policy() {
    let gate = Gate::of_profile(&crate::category::PROFILES[0]);
    let strict = Policy { max_ahead_ms: 1_000, ..Policy::new(gate.clone()) };
    let mut intake = Intake::new(node(0), ROOM, strict).unwrap();
    intake.bind(node(1), *key(1).public());
    assert_eq!(hear(&mut intake, Said::by(1, "a second ahead").at(NOW + 1_000).heard()).kind, Kind::Admitted);
    let later = hear(&mut intake, Said::by(1, "more than that").at(NOW + 1_001).heard());
    assert_eq!(reason(&later), Some(Reason::FutureTimestamp));
    let lax = Policy { max_ahead_ms: limits::MAX_FUTURE_MS + 1, ..Policy::new(gate) };
    assert!(Intake::new(node(0), ROOM, lax).is_err());
}

#[test]
fn anchors_include_what_the_same_call_admitted() {
    let mut intake = listening();
    let (one, other) = (full(1, "the login page fails"), full(2, "The login page fails!"));
    let batch = hear_all(&mut intake, vec![one.heard(), other.heard()]);
    assert_eq!(
        batch.outcomes.iter().map(|outcome| outcome.kind).collect::<Vec<_>>(),
        [Kind::Admitted, Kind::Redundant]
    );
    assert_eq!((batch.count(Kind::Admitted), batch.count(Kind::Refused)), (1, 0));
}

#[test]
fn a_report_of_an_outcome_is_not_refused_as_a_repetition() {
    let mut intake = listening();
    let claim = full(1, "ground the login fix").signed();
    assert_eq!(hear(&mut intake, Unverified::distrust(claim.record().clone())).kind, Kind::Admitted);
    let target = claim.record().metadata.key;
    let report =
        |said: Said| said.with(Category::Intent, "ground").with(Category::Commitment, "verified: the login fix");
    let first = report(full(2, "ground the login fix")).citing(target);
    assert_eq!(hear(&mut intake, first.heard()).kind, Kind::Admitted);
    // In other letters of the same words: redundant unless it names what is held.
    let second = report(full(3, "Ground the Login fix"));
    let unheld = second.clone().citing(ContentKey::from_bytes([9; 32]));
    let mut without = listening();
    hear_all(&mut without, vec![Unverified::distrust(claim.record().clone()), first.heard()]);
    assert_eq!(hear(&mut without, unheld.heard()).kind, Kind::Redundant);
    assert_eq!(hear(&mut intake, second.citing(target).heard()).kind, Kind::Admitted);
}

#[test]
fn a_binding_is_never_replaced() {
    let mut intake = listening();
    assert_eq!(intake.bind(node(1), *key(1).public()), Binding::Known);
    assert_eq!(intake.bind(node(1), *key(2).public()), Binding::Conflict);
    assert_eq!(hear(&mut intake, Said::by(1, "still me").heard()).kind, Kind::Admitted);
}

#[test]
fn calls_and_policies_are_bounded() {
    let mut intake = listening();
    let many = vec![Said::by(1, "x").heard(); limits::MAX_INTAKE_BATCH + 1];
    assert_eq!(intake.evaluate(Batch(many), node(1), NOW).unwrap_err().reason, Reason::InvalidArgument);
    let gate = Gate::new(Weights::UNIFORM, Thresholds::DEFAULT).unwrap();
    for (window, seen_capacity) in
        [(0, 1), (1, 0), (limits::MAX_ANCHOR_WINDOW + 1, 1), (1, limits::MAX_SEEN_CAPACITY + 1)]
    {
        let policy = Policy { window, seen_capacity, ..Policy::new(gate.clone()) };
        assert_eq!(Intake::new(node(0), ROOM, policy).unwrap_err().reason, Reason::InvalidArgument);
    }
    assert_eq!(Intake::new(node(0), "No Room", Policy::new(gate)).unwrap_err().reason, Reason::InvalidRoom);
}

#[test]
fn a_restart_changes_no_judgement() {
    let mut before = listening();
    let said: Vec<_> = ["login fails", "rain falls", "tests pass", "build is slow", "ship it", "log in"]
        .iter()
        .map(|focus| Said::by(1, focus).signed())
        .collect();
    let mut after = listening();
    for record in &said {
        let outcome = hear(&mut before, Unverified::distrust(record.record().clone()));
        let id = SeenId::Memory(outcome.key());
        after.restore_seen([id], outcome.kind == Kind::Admitted);
        if outcome.kind == Kind::Admitted {
            after.restore_anchor(record.record(), NOW);
        }
    }
    assert_eq!(before.anchors().collect::<Vec<_>>(), after.anchors().collect::<Vec<_>>());
    for focus in ["login fails", "login works", "snow falls", "tests fail"] {
        let record = Said::by(2, focus).heard();
        assert_eq!(hear(&mut before, record.clone()), hear(&mut after, record));
    }
}

prop_compose! {
    /// Anything a session may deliver: known authors and strangers, repeats, forgeries, every audience, old and new.
    fn records()(
        author in 0u8..5,
        words in prop::collection::vec(prop::sample::select(vec!["login", "fails", "rain", "tests", "log it"]), 1..3),
        everywhere: bool,
        to in prop::option::weighted(0.3, 0u8..2),
        spoiled in prop::bool::weighted(0.1),
        elsewhere in prop::bool::weighted(0.1),
        hours in prop_oneof![4 => Just(0u64), 1 => Just(2), 1 => Just(25)],
    ) -> Unverified {
        let focus = words.join(" ");
        let mut said = if everywhere { full(author, &focus) } else { Said::by(author, &focus) };
        said.to = to;
        said.created_ms = NOW - hours * 3_600_000;
        if elsewhere { said.room = "elsewhere"; }
        let mut record = said.signed().into_record();
        if spoiled { record.metadata.signature[3] ^= 4; }
        Unverified::distrust(record)
    }
}

fn judged(intake: &mut Intake, stream: &[Unverified], cuts: &[usize]) -> Vec<Outcome> {
    let mut outcomes = Vec::new();
    let mut rest = stream;
    for &cut in cuts.iter().cycle() {
        let (chunk, tail) = rest.split_at(cut.min(rest.len()));
        outcomes.extend(hear_all(intake, chunk.to_vec()).outcomes);
        rest = tail;
        if rest.is_empty() {
            return outcomes;
        }
    }
    outcomes
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn outcomes_do_not_depend_on_how_the_stream_was_cut(
        stream in prop::collection::vec(records(), 1..24),
        cuts in prop::collection::vec(1usize..9, 1..6),
    ) {
        let (mut whole, mut cut) = (listening(), listening());
        prop_assert_eq!(judged(&mut whole, &stream, &[24]), judged(&mut cut, &stream, &cuts));
        prop_assert_eq!(whole.anchors().collect::<Vec<_>>(), cut.anchors().collect::<Vec<_>>());
    }

    #[test]
    fn a_call_taken_back_never_was(
        before in prop::collection::vec(records(), 0..12),
        failed in prop::collection::vec(records(), 0..12),
        after in prop::collection::vec(records(), 0..12),
    ) {
        let (mut with, mut without) = (listening(), listening());
        hear_all(&mut with, before.clone());
        hear_all(&mut without, before);
        let lost = hear_all(&mut with, failed.clone());
        with.rollback(&lost);
        with.rollback(&lost);
        prop_assert_eq!(with.anchors().collect::<Vec<_>>(), without.anchors().collect::<Vec<_>>());
        let stream: Vec<_> = failed.into_iter().chain(after).collect();
        prop_assert_eq!(hear_all(&mut with, stream.clone()).outcomes, hear_all(&mut without, stream).outcomes);
    }

    /// What a call still waiting for the store admitted stays, when the call before it fails.
    #[test]
    fn a_later_call_survives_the_one_before(
        failed in prop::collection::vec(records(), 1..8),
        later in prop::collection::vec(records(), 1..8),
    ) {
        let mut intake = listening();
        let lost = hear_all(&mut intake, failed);
        let kept = hear_all(&mut intake, later);
        intake.rollback(&lost);
        let admitted = kept.outcomes.iter().filter(|outcome| outcome.kind == Kind::Admitted);
        let expected: Vec<_> = admitted.rev().map(Outcome::key).take(limits::ANCHOR_WINDOW).collect();
        prop_assert_eq!(intake.anchors().collect::<Vec<_>>(), expected);
        for outcome in &lost.outcomes {
            let known = intake.seen.get(&SeenId::Memory(outcome.key()));
            let again = kept.outcomes.iter().any(|other| other.key() == outcome.key() && other.evaluation.is_some());
            prop_assert!(known.is_none() || again);
        }
    }

    #[test]
    fn every_outcome_is_consistent(stream in prop::collection::vec(records(), 1..24)) {
        let mut intake = listening();
        for outcome in hear_all(&mut intake, stream).outcomes {
            prop_assert_eq!(outcome.refusal.is_some(), outcome.kind == Kind::Refused);
            let judged = matches!(outcome.kind, Kind::Admitted | Kind::Redundant | Kind::Rejected);
            prop_assert_eq!(outcome.evaluation.is_some(), judged);
            prop_assert!(!judged || outcome.record().is_some());
            prop_assert!(!outcome.deliver() || (judged && outcome.record().is_some()));
            prop_assert!(outcome.mood().is_none() || (outcome.kind == Kind::Rejected && !outcome.directed));
            if let Some(said) = outcome.evaluation {
                prop_assert!(said.accepted() || outcome.kind != Kind::Admitted);
            }
        }
    }
}

/// An intake on covey's own path.
fn selecting() -> Intake {
    selecting_by(Encoder::Words)
}

fn selecting_by(encoder: Encoder) -> Intake {
    let gate = Gate::new(Weights::UNIFORM, Thresholds::selective(&encoder)).unwrap();
    let mut intake = Intake::new(node(0), ROOM, Policy::selective(gate, encoder)).unwrap();
    for author in 1..4 {
        intake.bind(node(author), *key(author).public());
    }
    intake
}

#[test]
fn covey_s_own_path_says_so_and_finds_a_block_among_thousands() {
    for encoder in [Encoder::Words, Encoder::Lexis] {
        let mut intake = selecting_by(encoder.clone());
        let needle = Said::by(1, "the walrus exhibit opens in the harbour hall").signed();
        intake.restore_anchor(needle.record(), NOW - 9_000);
        for number in 0..1_500 {
            let said = Said::by(2, &format!("shipment {number} of crate {} left dock {}", number * 7, number % 13));
            intake.restore_anchor(said.signed().record(), NOW - 5_000);
        }
        let heard = hear(&mut intake, Said::by(3, "The walrus exhibit opens in the harbour hall!").heard());
        let basis = heard.basis.clone().unwrap();
        assert_eq!((heard.kind, basis.path, basis.kernel.as_str()), (Kind::Redundant, Path::Selective, encoder.id()));
        assert_eq!((basis.anchors, basis.nearest[0]), (limits::CANDIDATES, Some(needle.record().metadata.key)));
    }
}

#[test]
fn only_signed_lineage_is_relevance() {
    let mut intake = selecting();
    let parser = ["the parser drops the last frame", "the parser buffer is full", "frames are lost in the parser"];
    for said in parser.into_iter().chain(["a burst fills the buffer", "count missing frames", "double the buffer"]) {
        intake.restore_anchor(Said::by(1, said).signed().record(), NOW);
    }
    let held = intake.anchors().next().unwrap();
    assert_eq!(hear(&mut intake, Said::by(2, "done").heard()).kind, Kind::Rejected);
    assert_eq!(hear(&mut intake, Said::by(2, "agreed, mine").citing(held).heard()).kind, Kind::Admitted);
    let unknown = Said::by(2, "quite so").citing(ContentKey::from_bytes([9; 32])).heard();
    assert_eq!(hear(&mut intake, unknown).kind, Kind::Rejected);
}

#[test]
fn what_a_lifecycle_makes_of_a_block_counts() {
    let mut intake = selecting();
    let said = Said::by(1, "the parser drops the last frame").signed();
    intake.restore_anchor(said.record(), NOW);
    let near = || Said::by(2, "a parser that drops frames, under load").heard();
    let before = hear(&mut intake, near()).evaluation.unwrap().field_drift;
    let mut dismissed = selecting();
    dismissed.restore_weighed(said.record(), NOW, 0.5);
    let after = hear(&mut dismissed, near()).evaluation.unwrap().field_drift;
    assert!(after > before, "{after} against {before}");
    assert!(dismissed.weigh(said.record().metadata.key, 1.0));
    assert!(!dismissed.weigh(ContentKey::from_bytes([7; 32]), 1.0));
}

#[test]
fn a_call_taken_back_never_was_on_covey_s_own_path_either() {
    let mut intake = selecting();
    let first = hear_all(&mut intake, vec![Said::by(1, "the parser drops the last frame").heard()]);
    intake.rollback(&first);
    assert_eq!(intake.anchors().count(), 0);
    let again = hear(&mut intake, Said::by(1, "the parser drops the last frame").heard());
    assert_eq!(again.kind, Kind::Admitted);
}

#[test]
fn what_authority_teaches_counts_as_much_as_what_was_validated_while_it_has_authority() {
    let mut intake = selecting();
    let old = NOW - 40 * 86_400_000;
    intake.restore_anchor(Said::by(1, "the parser drops the last frame").signed().record(), old);
    let drift = |intake: &mut Intake, load: &str| {
        let near = Said::by(2, &format!("a parser that drops frames, {load}")).heard();
        hear(intake, near).evaluation.unwrap().field_drift
    };
    let plain = drift(&mut intake, "under load");
    let heeding = |author: u8| {
        let mut intake = selecting();
        intake.heed([node(author)]);
        intake.restore_anchor(Said::by(1, "the parser drops the last frame").signed().record(), old);
        intake
    };
    let mut taught = heeding(1);
    assert!(drift(&mut taught, "under load") < plain, "a directive counts more than its age leaves");
    assert!((drift(&mut heeding(3), "under load") - plain).abs() < 1e-12, "nobody else's does");
    // Authority that ends takes with it what it gave; and one that comes late gives it to what is held.
    let mut revoked = heeding(1);
    revoked.heed([]);
    assert!((drift(&mut revoked, "under load") - plain).abs() < 1e-12);
    let mut late = heeding(3);
    late.heed([node(1)]);
    assert!(drift(&mut late, "under load") < plain);
    // What authority put away is no directive any more.
    let said = Said::by(1, "the parser drops the last frame").signed();
    let mut dismissed = heeding(1);
    assert!(dismissed.weigh(said.record().metadata.key, 0.5));
    assert!(drift(&mut dismissed, "under load") > plain);
}
