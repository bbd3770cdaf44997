"""Statistics: arrays in, `Estimate` or `Insufficient` out. No limit, topic, release or clock is known here."""
