//! What a grant confers and where: roles and scopes (MMP 2.0 §6.6.2).

use std::fmt;

use crate::limits::{MAX_ROLE_BYTES, MAX_SCOPE_BYTES};

/// A role that a grant confers on a node and its key.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Role {
    /// Grants any role, revokes, endorses; moves a record as far as canonical.
    Admin,
    /// Grants roles without authority, revokes; moves a record as far as validated.
    Validator,
    /// Grants roles without authority, revokes.
    Issuer,
    /// Confers nothing on records.
    Participant,
    /// A role some extension gives a meaning to: a token with a hyphen. Confers nothing by itself.
    Extension(String),
}

impl Role {
    /// Read a role's token; `None` when it is none.
    pub fn parse(token: &str) -> Option<Self> {
        match token {
            "admin" => Some(Self::Admin),
            "validator" => Some(Self::Validator),
            "issuer" => Some(Self::Issuer),
            "participant" => Some(Self::Participant),
            _ if token.len() <= MAX_ROLE_BYTES && token.contains('-') && is_hyphenated(token) => {
                Some(Self::Extension(token.to_owned()))
            }
            _ => None,
        }
    }

    /// The token.
    pub fn as_str(&self) -> &str {
        match self {
            Self::Admin => "admin",
            Self::Validator => "validator",
            Self::Issuer => "issuer",
            Self::Participant => "participant",
            Self::Extension(token) => token,
        }
    }

    /// Say whether its holder signs statements, and is counted against the delegate quota for it.
    pub const fn delegates(&self) -> bool {
        matches!(self, Self::Admin | Self::Validator | Self::Issuer)
    }
}

impl fmt::Display for Role {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(self.as_str())
    }
}

/// How far the holder of a role may move another node's record, inside the grant's scope (§3.5).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Reach {
    /// Not at all.
    Nothing,
    /// To validated or dismissed.
    Validated,
    /// To canonical.
    Canonical,
}

impl Reach {
    /// A stable word.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Nothing => "none",
            Self::Validated => "validated",
            Self::Canonical => "canonical",
        }
    }

    /// The reach of a role; `None` stands for the anchor.
    pub const fn of(role: Option<&Role>) -> Self {
        match role {
            None | Some(Role::Admin) => Self::Canonical,
            Some(Role::Validator) => Self::Validated,
            Some(Role::Issuer | Role::Participant | Role::Extension(_)) => Self::Nothing,
        }
    }
}

/// A part of the mesh: an extension's namespace and a path in it. Paths are opaque and compared byte for byte.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Scope(String);

impl Scope {
    /// Read `namespace:segment/segment…`; `None` when it does not follow the grammar.
    pub fn parse(text: &str) -> Option<Self> {
        let (namespace, path) = text.split_once(':')?;
        let well_formed = text.len() <= MAX_SCOPE_BYTES && is_hyphenated(namespace) && path.split('/').all(is_segment);
        well_formed.then(|| Self(text.to_owned()))
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Say whether `child` equals this scope or adds whole segments to it. No child would be the whole mesh.
    pub fn covers(&self, child: Option<&Self>) -> bool {
        child.is_some_and(|child| {
            child.0.strip_prefix(&self.0).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        })
    }
}

impl fmt::Display for Scope {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.0)
    }
}

/// Words of lower-case letters and digits joined by single hyphens; the first begins with a letter.
fn is_hyphenated(text: &str) -> bool {
    text.starts_with(|first: char| first.is_ascii_lowercase())
        && text
            .split('-')
            .all(|word| !word.is_empty() && word.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit()))
}

/// One segment of a path. One made of dots alone is none: it would look like a step up to whoever resolves paths.
fn is_segment(text: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"._~-".contains(&byte);
    !text.is_empty() && text.bytes().all(allowed) && text.bytes().any(|byte| byte != b'.')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn roles_are_core_words_or_hyphenated_tokens() {
        for token in ["admin", "validator", "issuer", "participant", "xmesh-worker", "a1-b-2"] {
            assert_eq!(Role::parse(token).map(|role| role.to_string()).as_deref(), Some(token));
        }
        let long = format!("a-{}", "b".repeat(62));
        assert!(Role::parse(&long).is_some() && Role::parse(&format!("{long}b")).is_none());
        for token in ["", "anchor", "worker", "Admin", "-a", "a-", "a--b", "1-a", "a_b-c", "é-a"] {
            assert_eq!(Role::parse(token), None, "{token}");
        }
    }

    #[test]
    fn scopes_narrow_by_whole_segments() {
        let scope = |text| Scope::parse(text).unwrap();
        let team = scope("xmesh:team/one");
        for inside in ["xmesh:team/one", "xmesh:team/one/a", "xmesh:team/one/a/b"] {
            assert!(team.covers(Some(&scope(inside))), "{inside}");
        }
        for outside in ["xmesh:team/onetwo", "xmesh:team", "xmesh:team/two", "other:team/one", "xmesh:Team/one"] {
            assert!(!team.covers(Some(&scope(outside))), "{outside}");
        }
        assert!(!team.covers(None));
        let longest = format!("x:{}", "a".repeat(254));
        assert!(Scope::parse(&longest).is_some() && Scope::parse(&format!("{longest}a")).is_none());
        for text in ["", "x", "x:", ":a", "x:/a", "x:a/", "x:a//b", "x:.", "x:a/..", "X:a", "x:a b", "x:é", "x:a:b"] {
            assert_eq!(Scope::parse(text), None, "{text}");
        }
        assert!(Scope::parse("x:a/.b/...c").is_some());
    }
}
