"""The release manifest: read as YAML 1.2 or JSON, digested by RFC 8785, parsed into one typed tree, linted."""
