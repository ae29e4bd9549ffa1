"""A worker class of gunicorn that reads a whole request before a thread gets it."""
