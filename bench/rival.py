"""The rival of the panel: bare Flask views, served as the panel is."""

import base64
import json
import os
import sqlite3
import threading
from pathlib import Path
from typing import Any

from flask import Flask, Response, request
from flask.typing import ResponseReturnValue

from bench.wire import Answer

OWN = {"content-length", "date", "server", "connection"}  # headers that gunicorn writes for both
INSERT = "INSERT INTO hooks (id, body, at) VALUES (?, ?, unixepoch('subsec'))"


def record(folder: Path, answers: dict[str, Answer]) -> dict[str, str]:
    """Write the answers by path into a folder; returns the rival's environment."""
    rows = {
        path: {
            "status": answer.status,
            "headers": {k: v for k, v in answer.headers.items() if k not in OWN},
            "body": base64.b64encode(answer.body).decode(),
        }
        for path, answer in answers.items()
    }
    (folder / "rival.json").write_text(json.dumps(rows))
    return {"BENCH_RIVAL": str(folder)}


def create_app() -> Flask:
    app = Flask(__name__, static_folder=None)
    folder = Path(os.environ["BENCH_RIVAL"])
    recorded = json.loads((folder / "rival.json").read_text())
    answers: dict[str, tuple[bytes, int, dict[str, str]]] = {
        path: (base64.b64decode(row["body"]), row["status"], row["headers"])
        for path, row in recorded.items()
    }
    answers["/healthz"] = (b"", 204, {})
    database = _Database(folder / "rival.db")

    @app.get("/<path:path>")
    def bare(path: str) -> Response:
        body, status, headers = answers[f"/{path}"]
        return Response(body, status, headers)

    @app.post("/sync/hooks")
    def insert() -> ResponseReturnValue:
        hook: dict[str, Any] = request.get_json()
        # The transaction begins with the insert, and commits at the end.
        with database.connection as connection:
            connection.execute(INSERT, (hook["id"], request.get_data(as_text=True)))
        return {"status": "accepted", "id": hook["id"]}, 202

    return app


class _Database(threading.local):
    """A connection for each thread. A commit is on the disk when it returns, as in the panel."""

    def __init__(self, path: Path) -> None:
        self.connection = sqlite3.connect(path, timeout=30)
        self.connection.execute("PRAGMA journal_mode=WAL")
        self.connection.execute("PRAGMA synchronous=FULL")
        self.connection.execute(
            "CREATE TABLE IF NOT EXISTS hooks (id TEXT PRIMARY KEY, body TEXT, at REAL)"
        )
