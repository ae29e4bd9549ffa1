"""Which organization is this conversation about: identification, an agent's decisions, search."""
