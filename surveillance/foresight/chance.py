"""Draws that are the same each time: the seed is the manifest's digest and what is drawn for. They decide nothing."""

from __future__ import annotations

import hashlib

import numpy as np

Chance = np.random.Generator


def chance(*names: str) -> Chance:
    """A generator for a manifest's digest and a purpose; equal names give equal draws.

    >>> int(chance("sha256:0", "site").integers(1000)) == int(chance("sha256:0", "site").integers(1000))
    True
    """
    seed = hashlib.sha256("\n".join(names).encode()).digest()
    return np.random.Generator(np.random.PCG64(int.from_bytes(seed[:16], "big")))
