"""The log: its one format, the id of a request, and events that are sampled and counted."""
