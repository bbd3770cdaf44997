"""Names for the array types that flow between the parts."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Int = NDArray[np.int64]
Codes = NDArray[np.int32]
Hashes = NDArray[np.uint64]
Float = NDArray[np.float64]
Bool = NDArray[np.bool_]
Small = NDArray[np.uint8]

NOT_SENT_MS = -(2**63)
"""Stands for a time that was not sent: far before every real time, so that it can never close a pane."""
