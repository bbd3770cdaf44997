"""The speeds that DESIGN promises, each measured beside its floor or its peers in one run. `python -m benchmarks` runs all."""
