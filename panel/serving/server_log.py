"""gunicorn's own lines, in the one format of the log."""

from typing import Any

from gunicorn.glogging import Logger  # type: ignore[import-untyped]

from panel.logs.formatter import LogFormatter, configure


class ServerLog(Logger):  # type: ignore[misc]
    """The class that gunicorn logs with (`logger_class`)."""

    def setup(self, cfg: Any) -> None:
        super().setup(cfg)
        if cfg.errorlog == "-" and not cfg.syslog:
            configure()
            self.error_log.handlers.clear()
            self.error_log.propagate = True
        for handler in self.error_log.handlers:
            handler.setFormatter(LogFormatter(readable=False))
