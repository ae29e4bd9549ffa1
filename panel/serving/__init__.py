"""How gunicorn hears a request out before a thread gets it: threads never wait for a client."""
