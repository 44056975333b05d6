"""Times that people write."""

import re

import click

_UNITS = {"": 1, "s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800}
_FORM = re.compile(r"(\d+(?:\.\d+)?)\s*([smhdw]?)", re.ASCII | re.IGNORECASE)


def parse_duration(text: str) -> float:
    """Seconds: ``90d``, ``12h``, ``30m``, ``1w`` or a number of seconds.

    :raises ValueError: it is none, or no time at all.
    """
    found = _FORM.fullmatch(text.strip())
    seconds = float(found[1]) * _UNITS[found[2].lower()] if found else 0.0
    if seconds <= 0:
        raise ValueError(f"{text!r} is no time such as 90d, 12h, 30m or 3600 (seconds)")
    return seconds


class Duration(click.ParamType[float]):
    """The type of an option; the command gets seconds."""

    name = "time"

    def convert(
        self, value: str | float, param: click.Parameter | None, ctx: click.Context | None
    ) -> float:
        """As :class:`click.ParamType` has it."""
        if isinstance(value, float):
            return value
        try:
            return parse_duration(value)
        except ValueError as error:
            self.fail(str(error), param, ctx)
