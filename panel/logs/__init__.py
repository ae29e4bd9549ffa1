"""The log: its one format, the number of a request, and events that are sampled and counted."""
