"""Running a command's coroutine: interrupts, errors, results, progress."""

import asyncio
import os
import shlex
import signal
import sys
from collections.abc import AsyncGenerator, Callable, Coroutine
from contextlib import aclosing
from typing import TYPE_CHECKING, Any

import click

from penstock.cli.names import is_url, shown_url
from penstock.cli.render import Render
from penstock.cli.tally import Tally
from penstock.errors import Exit, PenstockError

if TYPE_CHECKING:
    from penstock.client import Done

AGAIN = "running the same command again goes on where this one stopped"


ENDING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Interrupted(Exception):
    """A signal came and the work was stopped in good order."""


def execute(render: Render, tally: Tally, work: Coroutine[Any, Any, None], hint: str = "") -> Exit:
    """Run the work to its end and sum it up.

    ``hint`` is told to whoever interrupts it, and the command line that it is about.
    """
    try:
        asyncio.run(_interruptible(work))
    except Interrupted:
        message = f"interrupted; {hint}: {_command_line()}" if hint else "interrupted"
        tally.fail(Exit.INTERRUPTED)
        render.refused(message, Exit.INTERRUPTED)
        render.summary(tally)
        return Exit.INTERRUPTED
    except BrokenPipeError:
        raise
    except (PenstockError, OSError) as error:
        code = render.failed(error)
        tally.fail(code)
        render.summary(tally)
        return code
    render.summary(tally)
    return tally.exit_code


async def report(
    results: AsyncGenerator["Done", None],
    say: Callable[["Done"], None],
    render: Render,
    tally: Tally,
    finish: Callable[[str], None] = lambda key: None,
) -> None:
    """Say and count each result; ``finish`` hears which keys are through."""
    async with aclosing(results):
        async for done in results:
            finish(done.key)
            if done.error is None:
                tally.add(done)
                say(done)
            else:
                tally.fail(render.failed(done.error, key=done.key))


async def _interruptible(work: Coroutine[Any, Any, None]) -> None:
    """The work; the first signal ends it politely, the second one at once."""
    task = asyncio.ensure_future(work)
    interrupts = 0

    def interrupt() -> None:
        nonlocal interrupts
        interrupts += 1
        if interrupts > 1:
            _leave()
        task.cancel()

    loop = asyncio.get_running_loop()
    for number in ENDING:
        # Under nohup nobody wants to end with the terminal. SIGINT may be ignored because the
        # command was started in the background, and is meant all the same when it is sent.
        if number != signal.SIGHUP or signal.getsignal(number) != signal.SIG_IGN:
            loop.add_signal_handler(number, interrupt)
    if not os.environ.get("PENSTOCK_DEBUG"):
        # What connections that were cut leave behind is told by the errors of their transfers.
        loop.set_exception_handler(lambda loop, context: None)
    try:
        await task
    except asyncio.CancelledError:
        if interrupts:
            raise Interrupted from None
        raise


def _command_line() -> str:
    """What was typed, without what may be secret: tokens, values of headers, the ends of URLs."""
    shown = ["penstock"]
    for before, argument in zip(["", *sys.argv[1:]], sys.argv[1:], strict=False):
        option, equals, value = argument.partition("=")
        if before == "--token":
            argument = "…"
        elif option == "--token" and equals:
            argument = "--token=…"
        elif before == "--header":
            argument = argument.partition(":")[0] + ": …"
        elif option == "--header" and equals:
            argument = f"{option}{equals}{value.partition(':')[0]}: …"
        elif is_url(argument):
            argument = shown_url(argument)
        elif is_url(value):
            argument = f"{option}={shown_url(value)}"
        shown.append(argument)
    return shlex.join(shown)


def _leave() -> None:
    if sys.stderr.isatty():
        click.echo("\x1b[?25h", nl=False, err=True)  # the progress bar may have hidden the cursor
    os._exit(Exit.INTERRUPTED)
