"""The rival's gunicorn: the panel's own settings, without the hooks that start the panel's work."""

import runpy
from pathlib import Path

_ours = runpy.run_path(str(Path(__file__).parent.parent / "gunicorn.conf.py"))
globals().update({name: value for name, value in _ours.items() if not callable(value)})
