"""An independent reading of the contract, row by row: the oracle against which the service is tested.

It shares no code with the service. What it decides where the contract leaves room stands in `READINGS.md` beside it.
"""

from .incidents import IncidentLine, replay_incidents
from .replay import OracleResult, replay

__all__ = ["IncidentLine", "OracleResult", "replay", "replay_incidents"]
