"""Moves bytes: Faust app, bulk consumer, ingest service, evaluator service, delivery, metrics."""
