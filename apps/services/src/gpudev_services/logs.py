"""Where the services' log goes: the terminal, or a file that does not grow without end."""

from __future__ import annotations

import datetime as dt
import json
import logging
import logging.handlers
import os
import pathlib
import sys

import structlog

MOST_BYTES = 5 * 1024**2
KEPT = 3


def to_terminal() -> None:
    """Write warnings and worse to stderr, one line each."""
    _configure(logging.StreamHandler(sys.stderr), logging.WARNING)


def to_file(path: pathlib.Path) -> None:
    """Write everything worth keeping to a file that is turned over when it is full."""
    handler = logging.handlers.RotatingFileHandler(path, maxBytes=MOST_BYTES, backupCount=KEPT, encoding="utf-8")
    _configure(handler, logging.INFO)


class JsonLines(logging.Formatter):
    """Every line a JSON object: ours are already, those of libraries are made so."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the line."""
        text = record.getMessage()
        if text.startswith('{"'):
            return text
        moment = dt.datetime.fromtimestamp(record.created, dt.UTC).isoformat()
        fields = {"event": text, "logger": record.name, "level": record.levelname.lower(), "timestamp": moment}
        if record.exc_info:
            fields["exception"] = self.formatException(record.exc_info)
        return json.dumps(fields)


def to_stdout() -> None:
    """Write everything worth keeping to stdout, one JSON object a line."""
    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(JsonLines())
    _configure(handler, logging.INFO)


def leave_terminal(path: pathlib.Path) -> None:
    """Let go of whoever started us: from now on stdout and stderr are the log."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    os.dup2(descriptor, 1)
    os.dup2(descriptor, 2)
    os.close(descriptor)


def _configure(handler: logging.Handler, level: int) -> None:
    logging.basicConfig(level=level, handlers=[handler], format="%(message)s", force=True)
    for chatty in ("asyncssh", "psycopg.pool", "uvicorn", "httpx2"):
        logging.getLogger(chatty).setLevel(logging.ERROR)
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            structlog.processors.JSONRenderer(),
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.make_filtering_bound_logger(level),
    )
