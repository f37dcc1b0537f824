//! covey-core
