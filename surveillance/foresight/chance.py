"""Draws that are the same each time: named by a seed and by what is drawn for. They decide nothing."""

from __future__ import annotations

import hashlib

import numpy as np

Chance = np.random.Generator


def chance(*names: str) -> Chance:
    """A generator for a seed and a purpose; equal names give equal draws.

    >>> int(chance("rm-1", "site").integers(1000)) == int(chance("rm-1", "site").integers(1000))
    True
    """
    seed = hashlib.sha256("\n".join(names).encode()).digest()
    return np.random.Generator(np.random.PCG64(int.from_bytes(seed[:16], "big")))
