"""Seeds for everything random, derived from the seed of the run."""

import hashlib


def derive_seed(*parts: object) -> int:
    """A 63-bit seed from any parts: run seed, interaction, instance, purpose. Equal parts give equal seeds."""
    text = "/".join(map(str, parts))
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big") >> 1
