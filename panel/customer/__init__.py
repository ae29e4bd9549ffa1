"""The organizations of a conversation: identification, an agent's decisions, search."""
