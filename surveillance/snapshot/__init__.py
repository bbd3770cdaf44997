"""From a snapshot of inferences and what became known of them to the `baselines` that a manifest freezes."""
