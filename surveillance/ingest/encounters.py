"""Encounters and alert onsets: what an inference's token meant on its device in the preceding 24 hours.

An inference opens an encounter unless its token was seen within 24 h; an alert is an onset unless the token's previous
inference within 24 h was an alert. Without a token, every inference is an encounter and every alert an onset.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from surveillance.arrays import Bool, Hashes, Int
from surveillance.ingest.run_index import RunIndex
from surveillance.times import DAY_MS

_DTYPE = np.dtype([("key", "<u8"), ("at_ms", "<i8"), ("alert", "?")])


class Encounters(NamedTuple):
    """For each inference: whether it opens an encounter, and whether it is an alert onset."""

    opens: Bool
    onset: Bool


class EncounterIndex:
    """The newest inference of each token, by position."""

    def __init__(self) -> None:
        self._newest = RunIndex(_DTYPE, newest=True)

    def fold(self, token: Hashes, event_ms: Int, alert: Bool) -> Encounters:
        """Judge inferences in position order and remember them; `token` 0 = none."""
        opens = np.ones(len(token), np.bool_)
        previous_alert = np.zeros(len(token), np.bool_)
        with_token = np.flatnonzero(token)
        if len(with_token):
            order = with_token[np.argsort(token[with_token], kind="stable")]
            key, at_ms, alerts = token[order], event_ms[order], alert[order]
            found, before = self._newest.find(key)
            same = np.zeros(len(key), np.bool_)
            same[1:] = key[1:] == key[:-1]
            earlier_ms = np.where(same, np.roll(at_ms, 1), before["at_ms"])
            earlier_alert = np.where(same, np.roll(alerts, 1), before["alert"])
            within = (same | found) & (at_ms - earlier_ms <= DAY_MS)
            opens[order] = ~within
            previous_alert[order] = within & earlier_alert
            records = np.zeros(len(key), _DTYPE)
            records["key"], records["at_ms"], records["alert"] = key, at_ms, alerts
            self._newest.insert(records)
        return Encounters(opens, alert & ~previous_alert)

    def expire(self, before_ms: int) -> None:
        self._newest.expire(before_ms - DAY_MS)
