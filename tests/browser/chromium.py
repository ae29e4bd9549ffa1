"""The Chromium that the tests and the benchmark drive: its program, and a switch for it."""

import os
import shutil

# The same Chromium without windows of its own: a page costs a third less CPU in it. It ignores the
# switch that blocks the cookies of framed sites.
SHELL = "chromium-headless-shell"
NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
# The address bar's own pages, two in each fresh profile, in a renderer that costs as much as ours.
# The switch replaces Playwright's own of this name, whose features (1.65) are repeated behind them.
PLAIN = "--disable-features=" + ",".join(
    (
        *("WebUIOmniboxPopup", "WebUIOmniboxAimPopup"),
        *("AvoidUnnecessaryBeforeUnloadCheckSync", "DestroyProfileOnBrowserClose", "HttpsUpgrades"),
        *("HttpsFirstBalancedModeAutoEnable", "LensOverlay", "MediaRouter", "PaintHolding"),
        *("ThirdPartyStoragePartitioning", "AvoidCorsURLLoaderRestartOnRedirect"),
        *("OptimizationHints", "NetworkTimeServiceQuerying", "AimEnabled", "PreconnectToSearch"),
    )
)


def find_chromium(*, is_whole: bool = False) -> str:
    """Return the program that `CHROMIUM` names, else the first one on the PATH.

    `is_whole`: only a browser with windows. Raises `LookupError` where there is none.
    """
    names = NAMES if is_whole else (SHELL, *NAMES)
    program = os.environ.get("CHROMIUM") or next(filter(None, map(shutil.which, names)), None)
    if not program:
        raise LookupError(f"no Chromium: none of {', '.join(names)} is on the PATH")
    return program
