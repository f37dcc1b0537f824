"""What a peer learned, and can carry: learned, filtered, packed, merged. Pure (docs/substrate.md)."""
