"""Folding: decoded events of one partition into panes, exactly once, depending only on smaller positions."""
