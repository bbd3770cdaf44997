"""A group against the others: prevalence, gap, funnel."""
