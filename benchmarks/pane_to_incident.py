"""How long after a pane closes its incident stands in Kafka."""

from __future__ import annotations

import numpy as np

from benchmarks.child_process import in_child
from benchmarks.result import Claim, Contender, Options, Result

_INCIDENTS = 100


def pane_to_incident(bootstrap: str, options: Options) -> Result:
    """One run; the values are percentiles over its incidents."""
    incidents = options.scaled(_INCIDENTS, 3)
    found = in_child("benchmarks.contend_incidents", bootstrap=bootstrap, incidents=incidents)["seconds"]
    p50, p99 = (float(np.quantile(found, share)) for share in (0.5, 0.99))
    contenders = {
        "p50": Contender("s", [p50], f"{len(found)} panes, an incident each, one after another"),
        "p99": Contender("s", [p99]),
    }
    what = "closing tick sent to incident read from Kafka, pms up on chDB"
    return Result("pane-to-incident", what, options.scale, contenders, [Claim("s, p99", p99, 1.0, at_least=False)])
