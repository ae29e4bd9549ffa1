"""docs/hooks.md, followed literally on a fresh WordPress by a reader who knows nothing else."""

import os
import re
import subprocess
from pathlib import Path

import pytest

from panel.demo.worlds import SECRET
from tests.conftest import panels_before, worlds_on_sockets
from tests.wordpress.installation import installation
from tests.wordpress.programs import ABSENT, ROOT, missing
from tests.wordpress.sites import poll
from tests.wordpress.test_looking import Administrator, rows
from tests.wordpress.test_panel import received

TEXT = (ROOT / "docs/hooks.md").read_text().split("## A sender for WordPress")[1]
BLOCKS = [
    (language, "\n".join(line.strip() for line in block.splitlines() if line.strip()))
    for language, block in re.findall(r"```(\w*)\n(.*?)```", TEXT, re.DOTALL)
]
WORDS = re.search(r"\*\*It works when the page says \"(.*?)\"", TEXT.replace("\n   ", " "))


def execute(commands: str, folder: Path, **environ: str) -> str:
    """Return the output of a shell that runs these commands in the folder."""
    environ = {"PATH": os.environ["PATH"], **environ}
    ended = subprocess.run(
        ["sh", "-ec", commands],
        check=True,
        env=environ,
        cwd=folder,
        timeout=60,
        capture_output=True,
        text=True,
    )
    return ended.stdout + ended.stderr


def test_a_reader_gets_to_see_that_it_works(tmp_path: Path) -> None:
    if names := missing():
        pytest.skip(ABSENT.format(", ".join(names)))
    (_, copy), (_, defines), (_, event) = BLOCKS
    assert WORDS
    with (
        installation(plugins=False) as site,
        worlds_on_sockets() as both,
        panels_before(both, tmp_path) as make,
    ):
        panel = make()
        # 1: the commands, in the repository's folder
        execute(copy, ROOT, WORDPRESS=str(site.root))
        # 2: the lines, above the one that the text names, with the reader's own values
        config = site.root / "wp-config.php"
        above = "require_once ABSPATH . 'wp-settings.php';"
        assert f"`{above}`" in TEXT
        lines = defines.replace("https://panel.example.com", panel.url)
        lines = lines.replace("the same value as in the panel", SECRET)
        config.write_text(config.read_text().replace(above, f"{lines}\n{above}"))
        # 3: the page of the menu Tools, and its button
        reader = Administrator(site)
        assert ">MIDDAG panel hooks</a>" in reader.open("/wp-admin/tools.php").text
        answer = reader.press("test").text
        assert WORDS[1] in answer
        assert rows(answer)["Last delivered"] != "never"
        assert received(panel) == [("sender.test", None, None)]
        # and an event of their own, in WordPress's folder
        delivered = int(rows(reader.open().text)["Delivered"])
        command = event.replace("shop.example.com", site.host)
        assert "middag" not in execute(command, site.root).lower()
        poll(lambda: ("organization.updated", 42, None) in received(panel))
        poll(lambda: int(rows(reader.open().text)["Delivered"]) == delivered + 1)
