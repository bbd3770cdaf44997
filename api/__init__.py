"""HTTP: reads the store, appends decisions, never asks a worker."""
