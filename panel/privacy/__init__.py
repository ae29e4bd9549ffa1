"""Personal data: a table of everything that we keep, its export, and its removal for good."""
