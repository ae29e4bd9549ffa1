"""Personal data: what is kept of whom and how long, its export, and its removal for good."""
