"""In a checkout: for gunicorn `app:create_app()`, for Flask `--app app`; as a program, the commands
(`deploy/middag-panel`), whose help needs no settings."""

from panel.application import create_app, run_console

__all__ = ["create_app"]

if __name__ == "__main__":
    run_console()
