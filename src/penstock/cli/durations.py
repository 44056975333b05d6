"""Times that people write."""

import re

import click

_UNITS = {"": 1, "s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800}
_LONGEST = 36_525 * 86_400
_FORM = re.compile(r"(\d+(?:\.\d+)?)\s*([smhdw]?)", re.ASCII | re.IGNORECASE)


def parse_duration(text: str) -> float:
    """Seconds: ``90d``, ``12h``, ``30m``, ``1w`` or a number of seconds.

    :raises ValueError: it is none, no time at all, or longer than a century.
    """
    found = _FORM.fullmatch(text.strip())
    seconds = float(found[1]) * _UNITS[found[2].lower()] if found else 0.0
    if seconds <= 0:
        raise ValueError(f"{text!r} is no time such as 90d, 12h, 30m or 3600 (seconds)")
    if seconds > _LONGEST:
        raise ValueError(f"{text!r} is more than a hundred years")
    return seconds


class Duration(click.ParamType[float]):
    """The type of an option; the command gets seconds, infinite for never where it may be."""

    name = "time"

    def __init__(self, *, may_be_never: bool = False) -> None:
        self._may_be_never = may_be_never

    def convert(
        self, value: str | float, param: click.Parameter | None, ctx: click.Context | None
    ) -> float:
        """As :class:`click.ParamType` has it."""
        if isinstance(value, float):
            return value
        if self._may_be_never and value.strip().lower() == "never":
            return float("inf")
        try:
            return parse_duration(value)
        except ValueError as error:
            self.fail(f"{error}{', or never' if self._may_be_never else ''}", param, ctx)
