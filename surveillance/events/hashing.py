"""64-bit hashes of identifiers, vectorised, the same whatever the wire format was.

A text is read as little-endian 64-bit lanes, the last one filled with zeros; its length in bytes is part of the start
value, so trailing zeros count. Each lane is mixed in by xor, an odd multiplier and a fold of the high half; the end is
the 64-bit finaliser of MurmurHash3 (Appleby, public domain). All steps are bijections of the state, so two texts of
one lane never collide. 0 means not sent, a text that hashes to 0 becomes 1.

Collisions: for n ids of one device in the retransmit window the chance is about n^2 / 2^65 (10^6 ids: 3e-8). The hash
is not keyed, so a device can make two of its own ids collide, never those of another, because tenant and device are in
the seed. A hash is therefore only an index: whoever finds one again confirms it against the text in the raw table, so
that a collision never drops an event.
"""

from __future__ import annotations

from typing import Final

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from surveillance.arrays import Hashes
from surveillance.events.batch import Coded
from surveillance.events.utf8 import LANE, Utf8, strings, utf8

_LENGTH: Final = np.uint64(0x9E3779B97F4A7C15)
_LANE: Final = np.uint64(0xD6E8FEB86659FD93)
_FOLD: Final = np.uint64(32)
_UNSEEDED: Final = np.uint64(0)
_FINAL: Final = ((np.uint64(33), np.uint64(0xFF51AFD7ED558CCD)), (np.uint64(33), np.uint64(0xC4CEB9FE1A85EC53)))
_KEEP: Final[NDArray[np.uint64]] = np.array([(1 << (8 * k)) - 1 for k in range(LANE)] + [2**64 - 1], dtype=np.uint64)


def hash_texts(array: pa.Array, seeds: Hashes | np.uint64 = _UNSEEDED) -> Hashes:
    """Hashes of a string array, shape (n,); 0 for a null or an empty text. `seeds` is one for all or shape (n,)."""
    texts = utf8(array)
    with np.errstate(over="ignore"):
        state = texts.lengths.astype(np.uint64) * _LENGTH
        state ^= seeds
        lanes = _dense(state, texts) if texts.uniform else _sparse(state, texts)
        mixed = _finish(lanes)
    mixed[mixed == 0] = 1
    mixed[texts.lengths == 0] = 0
    return mixed


def hash_text(text: str, seed: int = 0) -> int:
    """Hash of one text: `hash_texts` for a single value."""
    return int(hash_texts(strings([text]), np.uint64(seed))[0])


def device_seed(tenant: str, device_id: str) -> int:
    """Seed of all ids of one device."""
    return hash_text(device_id, hash_text(tenant))


def device_seeds(tenants: Coded, devices: Coded) -> Hashes:
    """`device_seed` of each row, shape (n,); every distinct pair is hashed once."""
    pairs, pair_of_row = np.unique(tenants.codes.astype(np.int64) * len(devices.values) + devices.codes, return_inverse=True)
    tenant_of, device_of = np.divmod(pairs, max(1, len(devices.values)))
    tenant_hashes = hash_texts(strings(tenants.values))
    names = strings([devices.values[code] for code in device_of.tolist()])
    return hash_texts(names, tenant_hashes[tenant_of])[pair_of_row]


def _mix(state: Hashes, lane: Hashes) -> None:
    state ^= lane
    state *= _LANE
    state ^= state >> _FOLD


def _finish(state: Hashes) -> Hashes:
    for shift, factor in _FINAL:
        state ^= state >> shift
        state *= factor
    state ^= state >> np.uint64(33)
    return state


def _dense(state: Hashes, texts: Utf8) -> Hashes:
    matrix = texts.matrix()
    width = -(-matrix.shape[1] // LANE)
    padded = np.zeros((len(state), width * LANE), dtype=np.uint8)
    padded[:, : matrix.shape[1]] = matrix
    lanes = padded.view("<u8")
    for place in range(width):
        _mix(state, lanes[:, place])
    return state


def _sparse(state: Hashes, texts: Utf8) -> Hashes:
    if not len(state):
        return state
    readable = np.zeros(len(texts.data) + LANE, dtype=np.uint8)
    readable[: len(texts.data)] = texts.data
    at_byte = np.ndarray(shape=(len(texts.data) + 1,), dtype="<u8", buffer=readable.data, strides=(1,))
    longest = int(texts.lengths.max())
    for start in range(0, longest, LANE):
        rows = np.flatnonzero(texts.lengths > start) if start else np.flatnonzero(texts.lengths)
        left = np.minimum(texts.lengths[rows] - start, LANE)
        part = state[rows]
        _mix(part, at_byte[texts.starts[rows] + start] & _KEEP[left])
        state[rows] = part
    return state
