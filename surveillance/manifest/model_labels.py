"""`baselines.label_latency`: when labels are expected, for whom, and when a window of them is complete enough."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from surveillance.manifest.part import DurationMs, Part, Positive, Share, Text


class Verification(Part):
    """Expected label coverage of flagged and of unflagged cases."""

    flagged: Share | None = None
    unflagged: Share | None = None


class Maturity(Part):
    """A window is mature when its coverage reaches `coverage_min`, or when it is `or_age_ms` old; None = that way is not open."""

    coverage_min: Share | None = None
    or_age_ms: Annotated[DurationMs | None, Field(alias="or_age")] = None


class LabelLatency(Part):
    """Hours until a label arrives, as quantiles, and the share that ever does."""

    source: Text | None = None
    p50_h: Positive | None = None
    p95_h: Positive | None = None
    p99_h: Positive | None = None
    expected_coverage: Share | None = None
    verification: Verification = Verification()
    verification_default: Literal["flagged", "random_sample", "routine", "incidental"] = "incidental"
    dispersion: Positive | None = None
    maturity: Maturity = Maturity()
