"""Integer front end and quality gate: what happens to a recording before the network."""
