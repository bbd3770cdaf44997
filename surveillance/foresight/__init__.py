"""Before release: how often the monitors of a manifest would cry wolf, what they would see and how soon, and what none would."""
