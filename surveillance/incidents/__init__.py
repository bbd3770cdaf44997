"""Incidents and triggers: a breach that persists, and the action it asks for."""
