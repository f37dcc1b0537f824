//! Every bound of the native core, named, each with its reason or source.

/// Largest frame, length prefix excluded (MMP 2.0 §4.2).
pub const MAX_FRAME_BYTES: usize = 1_048_576;
/// Largest text of one category, UTF-8 after NFC (§8.8.6, update 1).
pub const MAX_CATEGORY_TEXT_BYTES: usize = 262_144;
/// Largest sum of the seven texts (§8.8.6, update 1).
pub const MAX_RECORD_TEXT_BYTES: usize = 524_288;
/// Largest record by RFC 8785 length (§8.8.6, update 1), so that its sealed form fits one frame.
pub const MAX_RECORD_BYTES: usize = 737_280;
/// Largest sealed payload in characters: `ceil(4 * (737_280 + 16) / 3)` (update 1).
pub const MAX_SEALED_CHARS: usize = 983_062;
/// Largest decoded application payload (§8.8.3).
pub const MAX_APPLICATION_BYTES: usize = 524_288;
/// Most parents of a record or of one category (update 1 schema).
pub const MAX_PARENTS: usize = 256;
/// Longest entry in a category's parents, in code points (update 1 schema).
pub const MAX_PARENT_CHARS: usize = 256;
/// Longest `createdBy`, in code points (update 1 schema).
pub const MAX_AUTHOR_CHARS: usize = 256;
/// Longest peer name in UTF-8 bytes (§3.1).
pub const MAX_NAME_BYTES: usize = 64;
/// Longest room identifier (§5.8).
pub const MAX_ROOM_BYTES: usize = 64;
/// Deepest JSON nesting that any parser fed by a peer follows (as deployed peers bound it).
pub const MAX_JSON_DEPTH: usize = 128;
/// Largest integer that every JSON implementation carries exactly (RFC 8259 §6).
pub const MAX_SAFE_INTEGER: u64 = 9_007_199_254_740_991;
/// Longest media type or application schema; both travel in every envelope in the clear.
pub const MAX_MEDIA_TYPE_BYTES: usize = 255;
/// Longest application schema identifier in bytes, room for any sane URI.
pub const MAX_SCHEMA_BYTES: usize = 2_048;
