//! Every bound of this wire, with its reason. Stock peers have almost none of them.

/// Longest handshake frame: a stock one has about 300 bytes, and this is all a stranger can make us hold.
pub const MAX_HELLO_BYTES: usize = 16_384;
/// Longest room, recipient or suite read from a record, in bytes; ours are shorter, theirs are free text.
pub const MAX_LABEL_BYTES: usize = 256;
/// Longest sealed `categories` in characters: base64 of the most text a record may have, with room for its addresses.
pub const MAX_SEALED_CHARS: usize = 983_064;
/// Longest id of a fetch request, in bytes; a stock one has about 20.
pub const MAX_REQUEST_ID_BYTES: usize = 128;
/// Longest mood text, in bytes (as the core reads its own `mood`).
pub const MAX_MOOD_BYTES: usize = 1_024;
/// Addresses of a peer's own records that a session remembers, so that an answer is not taken for an echo.
pub const MAX_AUTHORED_KEYS: usize = 1_024;
/// Records in one event of a session (as in the core).
pub const MAX_BATCH: usize = 256;
/// How much of an unknown frame's type is kept for a log, in characters.
pub const MAX_KIND_CHARS: usize = 64;
