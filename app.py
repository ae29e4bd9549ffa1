"""The entry points of a checkout: `app:create_app()` for gunicorn, `--app app` for Flask, and as a
program the commands (`deploy/middag-panel`), whose help needs no settings."""

import gc

# Loading makes 150,000 objects that stay. The garbage collector would look through them again and
# again, for a sixth of the time.
gc.disable()

from panel.application import create_app, run_console  # noqa: E402

gc.enable()

__all__ = ["create_app"]

if __name__ == "__main__":
    run_console()
