"""For gunicorn, `app:create_app()`, and `flask --app app`, started in a checkout."""

from panel.application import create_app

__all__ = ["create_app"]
