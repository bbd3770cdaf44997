"""Which partition is a device's own: Kafka's default partitioner, positive murmur2 of the key modulo the partition count.

The hash is Austin Appleby's MurmurHash2 (32 bits, seed 0x9747b28c), as Kafka's producers compute it.
"""

from __future__ import annotations

from functools import lru_cache

_MASK = 0xFFFFFFFF
_MULTIPLIER = 0x5BD1E995
_SEED = 0x9747B28C


def murmur2(key: bytes) -> int:
    """MurmurHash2 of the key as an unsigned 32-bit number.

    >>> murmur2(b"21") & 0x7FFFFFFF
    1173551340
    """
    state = (_SEED ^ len(key)) & _MASK
    whole = len(key) // 4 * 4
    for at in range(0, whole, 4):
        word = int.from_bytes(key[at : at + 4], "little") * _MULTIPLIER & _MASK
        word = (word ^ word >> 24) * _MULTIPLIER & _MASK
        state = (state * _MULTIPLIER & _MASK) ^ word
    if len(key) > whole:
        state = (state ^ int.from_bytes(key[whole:], "little")) * _MULTIPLIER & _MASK
    state = (state ^ state >> 13) * _MULTIPLIER & _MASK
    return state ^ state >> 15


@lru_cache(maxsize=100_000)
def partition_of(device_id: str, partitions: int) -> int:
    """The partition of a device."""
    return (murmur2(device_id.encode()) & 0x7FFFFFFF) % partitions
