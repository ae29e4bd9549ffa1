"""How the text of an environment variable becomes a value."""
