"""The domain: events, manifest, panes, store, evaluation, incidents, triggers."""
