"""Panes: integer count vectors per (manifest, statistic, group, time slice) that add up exactly."""
