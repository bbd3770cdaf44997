"""`python -m benchmarks [ID...]`: runs the benchmarks named, or all, prints the table and writes the files in `results/`.

Kafka is the broker of `PMS_KAFKA_BOOTSTRAP`, or one that deploy/kafka.py starts; the store is chDB in a temporary folder.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

from benchmarks.arrow_batch import arrow_batch
from benchmarks.calibration_peers import calibration_peers
from benchmarks.day_of_evaluation import day_of_evaluation
from benchmarks.drift_peers import drift_peers
from benchmarks.false_alarms import false_alarms
from benchmarks.json_records import json_batch, json_single
from benchmarks.machine import machine
from benchmarks.pane_to_incident import pane_to_incident
from benchmarks.result import Options, Result
from benchmarks.table import RESULTS, markdown, write
from benchmarks.waiting_inferences import memory, restart
from deploy.kafka import kafka_broker

SILENCE = {"DO_NOT_TRACK": "1", "NML_DISABLE_USAGE_LOGGING": "1", "WHYLOGS_NO_ANALYTICS": "1"}
"""Peers report their use over the network unless told not to."""
PEERS = ("evidently", "nannyml", "whylogs", "scikit-learn")
ON_KAFKA: Mapping[str, Callable[[str, Options], Result]] = {
    "json-single": json_single,
    "json-batch": json_batch,
    "arrow-batch": arrow_batch,
    "pane-to-incident": pane_to_incident,
}
ALONE: Mapping[str, Callable[[Options], Result]] = {
    "drift-peers": drift_peers,
    "calibration-peers": calibration_peers,
    "false-alarms": false_alarms,
    "day-of-evaluation": day_of_evaluation,
    "restart": restart,
    "memory": memory,
}
BENCHMARKS = (*ON_KAFKA, *ALONE)
"""Ids; an id never changes its meaning."""


def main(arguments: Sequence[str]) -> int:
    """Returns the exit code: 0 whatever was measured."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description="The table of speeds, measured.")
    parser.add_argument("ids", nargs="*", metavar="ID", help=f"of {', '.join(BENCHMARKS)}; all where none is given")
    parser.add_argument("--scale", type=float, default=1.0, help="multiplies the numbers of events and rows")
    parser.add_argument("--rounds", type=int, default=5, help="interleaved rounds, of which the median counts")
    parser.add_argument("--results", type=Path, default=RESULTS, help="folder of the files")
    given = parser.parse_args(arguments)
    os.environ.update(SILENCE)
    unknown = [name for name in given.ids if name not in BENCHMARKS]
    if unknown:
        parser.error(f"no such benchmark: {', '.join(unknown)}; there are {', '.join(BENCHMARKS)}")
    results = []
    for found in _measured(given.ids or BENCHMARKS, Options(given.scale, given.rounds)):
        results.append(replace(found, machine=machine(PEERS)))
        write(results[-1], given.results)
    print(markdown(results))
    return 0


def _measured(ids: Sequence[str], options: Options) -> Iterator[Result]:
    """Results in the order of the ids; a broker is started for those that need one."""
    with ExitStack() as stack:
        bootstrap = stack.enter_context(kafka_broker()) if ON_KAFKA.keys() & set(ids) else ""
        for name in ids:
            print(f"{name} ...", file=sys.stderr, flush=True)
            yield ON_KAFKA[name](bootstrap, options) if name in ON_KAFKA else ALONE[name](options)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
