"""Options of the commands that serve something beside the server: its settings are not theirs."""

from typing import Any

import click


class ServiceOptions:
    """Makes options that have an environment variable too, ``PENSTOCK_<SERVICE>_NAME``, and tell
    their default."""

    def __init__(self, service: str) -> None:
        self._prefix = f"PENSTOCK_{service.upper()}_"

    def option(self, name: str, metavar: str, help: str, **more: Any) -> click.Option:  # noqa: A002
        """The option ``--name``; ``more`` is what click is told besides."""
        variable = self._prefix + name.upper().replace("-", "_")
        if not isinstance(more.get("type"), click.Choice):
            more["metavar"] = metavar
        names = [f"--{name}", *more.pop("names", ())]
        told = {"envvar": variable, "show_envvar": True, "show_default": True, **more}
        return click.Option(names, help=help, **told)

    def listening(self, port: int) -> tuple[click.Option, click.Option]:
        """Where to listen."""
        host = self.option("host", "ADDRESS", "Address to listen on.", default="127.0.0.1")
        kind = click.IntRange(0, 65535)
        text = "TCP port to listen on; 0 picks a free one."
        return host, self.option("port", "N", text, type=kind, default=port)

    def limits(self) -> tuple[click.Option, ...]:
        """How much, and how long, callers may take."""
        return (
            self.option(
                "max-transfers",
                "N",
                "Requests that are served at once; more are answered 503.",
                type=click.IntRange(min=1),
                default=512,
            ),
            self.option(
                "stall-timeout",
                "SECONDS",
                "Seconds after which a caller who sends or reads nothing is left.",
                type=click.FloatRange(min=0.1),
                default=60.0,
            ),
            self.option(
                "shutdown-timeout",
                "SECONDS",
                "Seconds that transfers in flight may take to finish when the process is ended.",
                type=click.FloatRange(min=0),
                default=30.0,
            ),
        )

    def log_format(self) -> click.Option:
        """How to log."""
        return self.option(
            "log-format",
            "FORMAT",
            "Log lines as JSON, or pretty; auto is pretty on a terminal.",
            type=click.Choice(["auto", "json", "pretty"]),
            default="auto",
        )
