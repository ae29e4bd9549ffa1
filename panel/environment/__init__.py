"""The environment variables: their table, and the parsers of their texts."""
