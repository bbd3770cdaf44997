"""From window sums to findings, one file per family of metric types: which columns are read, which detector is asked."""
