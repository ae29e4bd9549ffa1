"""The number of tries: few in every run of the tests, many where `PANEL_FUZZ` says so.

`PANEL_FUZZ=5000` (`make fuzz`) gives each parser so many values, and a door, which costs more, a
tenth of them. `PANEL_FUZZ_SEED` chooses other values.
"""

import os

FEW, USUAL_SEED = 30, 20261130
CASES = int(os.environ.get("PANEL_FUZZ", FEW))
DOOR_CASES = max(CASES // 10, 15)
SEED = int(os.environ.get("PANEL_FUZZ_SEED", USUAL_SEED))
IS_LONG = CASES > FEW
HOOKS = 100_000 if IS_LONG else 400
GUIDED_RUNS = CASES * 4 if IS_LONG else 200
