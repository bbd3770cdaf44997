"""What counted events add to statistics, by where they come from: inferences, joined labels and actions, events of any kind."""
