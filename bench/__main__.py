"""`python -m bench [--quick] [--rows section,hooks] [--json PATH]`

Exit code 1: a row missed its mark; 2: a row could not be measured, although its programs are
installed.
"""

import json
import os
import platform
import signal
import sys
import tempfile
import time
import traceback
from collections.abc import Sequence
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click

from bench.figures import Figure, missed, table
from bench.row import Row
from bench.rows import ROWS
from bench.stage import Absent, Stage

NAMES = [row.name for row in ROWS]


@click.command()
@click.option("--quick", is_flag=True, help="About a minute: fewer repetitions, smaller numbers.")
@click.option("--rows", default="", help="Only these, separated by commas.")
@click.option("--json", "path", default="var/bench.json", type=click.Path(path_type=Path))
def main(quick: bool, rows: str, path: Path) -> None:
    """Measure the panel against its rivals, on loopback; no process or file stays behind."""
    names = rows.split(",") if rows else [row.name for row in ROWS if row.quick or not quick]
    if unknown := set(names) - set(NAMES):
        raise click.BadParameter(f"no such row: {', '.join(sorted(unknown))}; {', '.join(NAMES)}")
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that started processes are stopped
    started_at = time.monotonic()
    figures, absent, errors = _measure([row for row in ROWS if row.name in names], quick)
    report: dict[str, Any] = {
        "machine": _machine(),
        "quick": quick,
        "seconds": round(time.monotonic() - started_at),
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    rows_told = [figure.document() for figure in figures]
    report |= {"absent": absent, "broken": errors, "rows": rows_told}
    path.write_text(json.dumps(report, indent=2))
    click.echo(f"\n{table(figures)}\n")
    for row, why in (absent | errors).items():
        click.echo(f"not measured: {row}: {why}")
    missed_rows = missed(figures)
    click.echo(f"missed: {'; '.join(missed_rows) or 'none'}. {report['seconds']} s; {path}")
    sys.exit(2 if errors else 1 if missed_rows else 0)


def _measure(
    rows: Sequence[Row], quick: bool
) -> tuple[list[Figure], dict[str, str], dict[str, str]]:
    """Return the figures; the rows for which a program is not installed; the rows that broke."""
    figures: list[Figure] = []
    absent: dict[str, str] = {}
    errors: dict[str, str] = {}
    with (
        tempfile.TemporaryDirectory(prefix="panel-bench-") as folder,
        closing(Stage(Path(folder), quick)) as stage,
    ):
        for row in rows:
            started_at = time.monotonic()
            try:
                figures += row.figures(stage)
            except Absent as why:
                absent[row.name] = str(why)
            except Exception as error:  # noqa: BLE001 (the other rows' figures must not be lost)
                errors[row.name] = repr(error)
                traceback.print_exc()
            click.echo(f"{row.name}: {time.monotonic() - started_at:.0f} s", err=True)
    return figures, absent, errors


def _machine() -> dict[str, Any]:
    return {
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "cores": os.cpu_count(),
        "system": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
        "load": os.getloadavg()[0],
    }


if __name__ == "__main__":
    main()
