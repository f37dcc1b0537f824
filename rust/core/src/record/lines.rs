//! Many blocks as text: on each line one JSON object of category texts. Every line is read, and refused, by itself.

use std::borrow::Cow;

use serde::Deserialize;

use super::Draft;
use crate::category::{COUNT, Category, NEUTRAL};
use crate::error::{Reason, Refusal};
use crate::id::NodeId;
use crate::json;
use crate::limits::{MAX_LINES, MAX_LINES_BYTES};

/// Who says it all, when, and where.
#[derive(Clone, Copy, Debug)]
pub struct Said<'a> {
    /// The author's node.
    pub author: NodeId,
    /// The author's label.
    pub label: &'a str,
    /// Milliseconds since the epoch, of all of them.
    pub created_ms: u64,
    /// Their room.
    pub room: &'a str,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Line<'a> {
    #[serde(borrow, default)]
    focus: Cow<'a, str>,
    #[serde(borrow, default)]
    issue: Cow<'a, str>,
    #[serde(borrow, default)]
    intent: Cow<'a, str>,
    #[serde(borrow, default)]
    motivation: Cow<'a, str>,
    #[serde(borrow, default)]
    commitment: Cow<'a, str>,
    #[serde(borrow, default)]
    perspective: Cow<'a, str>,
    #[serde(borrow, default)]
    mood: Cow<'a, str>,
}

/// The number of a line, from 1, and the draft of what it says, or why there is none.
pub type Drafted = (usize, Result<Draft, Refusal>);

/// Draft what each line says. Lines of nothing but white space are passed over.
///
/// # Errors
/// `TooLarge` where there are more lines or bytes than one call takes; nothing was read then.
pub fn read(lines: &[u8], said: Said<'_>) -> Result<Vec<Drafted>, Refusal> {
    let split = || lines.split(|byte| *byte == b'\n').map(<[u8]>::trim_ascii).enumerate();
    let count = split().filter(|(_, line)| !line.is_empty()).count();
    if count > MAX_LINES || lines.len() > MAX_LINES_BYTES {
        let most = format!("at most {MAX_LINES} of {MAX_LINES_BYTES} bytes together");
        return Err(Refusal::new(Reason::TooLarge, format!("lines: {count} of {} bytes, {most}", lines.len())));
    }
    let drafted = |(at, line): (usize, &[u8])| (at + 1, draft(line, said));
    Ok(split().filter(|(_, line)| !line.is_empty()).map(drafted).collect())
}

fn draft(line: &[u8], said: Said<'_>) -> Result<Draft, Refusal> {
    let line: Line<'_> = json::parse_object(line)?;
    let texts: [&str; COUNT] =
        [&line.focus, &line.issue, &line.intent, &line.motivation, &line.commitment, &line.perspective, &line.mood];
    let texts = texts.map(|text| if text.trim().is_empty() { NEUTRAL } else { text });
    if texts.iter().all(|text| *text == NEUTRAL) {
        return Err(Refusal::new(Reason::Schema, "no category says anything"));
    }
    let mut draft = Draft::new(said.author, said.label, said.created_ms, said.room)?;
    for (category, text) in Category::ALL.into_iter().zip(texts) {
        draft.say(category, text)?;
    }
    Ok(draft)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::identity::SigningKey;
    use crate::signature;

    const SAID: Said<'_> =
        Said { author: NodeId::from_bytes([7; 16]), label: "writer", created_ms: 1_760_000_000_000, room: "bench" };

    fn all(lines: &[u8]) -> Vec<Drafted> {
        read(lines, SAID).expect("it is within bounds")
    }

    #[test]
    fn each_line_is_a_block_or_refused_by_itself() {
        let lines = b"{\"focus\":\"a fox\",\"mood\":\"calm\"}\n\n{\"focus\":1}\r\n[]\n{\"colour\":\"red\"}\n \n{\"mood\":\" \"}\n{\"issue\":\"b\"}";
        let read = all(lines);
        assert_eq!(read.iter().map(|(line, _)| *line).collect::<Vec<_>>(), [1, 3, 4, 5, 7, 8]);
        let reasons: Vec<_> = read.iter().map(|(_, one)| one.as_ref().err().map(|refusal| refusal.reason)).collect();
        let refused = Some(Reason::Schema);
        assert_eq!(reasons, [None, refused, refused, refused, refused, None]);
    }

    #[test]
    fn a_line_says_what_a_draft_of_the_same_texts_says() {
        let key = SigningKey::from_seed(&[3; 32]).expect("it is a key");
        let (_, from_line) = all(b"{\"focus\":\"caf\\u0065\\u0301\",\"mood\":\"\"}").remove(0);
        let mut draft = Draft::new(SAID.author, SAID.label, SAID.created_ms, SAID.room).expect("it may be said");
        draft.say(Category::Focus, "cafe\u{301}").expect("it may be said");
        let signed = |draft| signature::sign(draft, &key).expect("it can be signed").record().to_json();
        assert_eq!(signed(from_line.expect("it is a block")), signed(draft));
    }

    #[test]
    fn more_than_fits_is_refused_whole() {
        let many = b"{}\n".repeat(MAX_LINES + 1);
        assert_eq!(read(&many, SAID).expect_err("too many").reason, Reason::TooLarge);
        assert_eq!(all(&many[..3 * MAX_LINES]).len(), MAX_LINES);
        let long = vec![b' '; MAX_LINES_BYTES + 1];
        assert_eq!(read(&long, SAID).expect_err("too long").reason, Reason::TooLarge);
    }
}
