"""Judging closed panes against the manifest: window sums in, evidence out. Pure: time is an argument."""
