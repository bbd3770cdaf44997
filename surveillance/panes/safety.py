"""What `SAFETY` counts: the id of a statistic says which events, and what they are counted per."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from surveillance.manifest.metric_kind import CountingWord
from surveillance.manifest.metrics_safety import EventFilter
from surveillance.panes import statistics

Accepted = Sequence[str | bool | float]


class Counted(NamedTuple):
    """`uses` is a counting word, empty where no uses are read; events are of `kind`, with an accepted value in each field of
    `where`."""

    uses: str
    kind: str
    where: Mapping[str, Accepted]


def safety_statistic(uses: CountingWord | None, events: EventFilter) -> str:
    """Id of the statistic; the same for every way to write the same filter.

    >>> safety_statistic("inferences", EventFilter.model_validate({"seriousness": ["death", "none", "death"]}))
    'safety.v1:inferences:{"kind":"adverse_event","where":{"seriousness":["death","none"]}}'
    """
    where = {field: sorted(set(accepted), key=json.dumps) for field, accepted in events.where.items()}
    canonical = json.dumps({"kind": events.kind, "where": where}, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return f"{statistics.SAFETY}:{uses or ''}:{canonical}"


def counted_by(subject: str) -> Counted:
    """What a statistic counts, from what stands behind the colon of its id.

    >>> counted_by('inferences:{"kind":"adverse_event","where":{"malfunction":[true]}}')
    Counted(uses='inferences', kind='adverse_event', where={'malfunction': [True]})
    """
    uses, _, canonical = subject.partition(":")
    body = json.loads(canonical)
    return Counted(uses, body["kind"], body["where"])
