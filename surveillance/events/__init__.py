"""The wire: what devices send, decoded in bulk into columns, and the reasons for which an event is refused."""
