"""Commands that take one step for each of the things they name."""

from collections.abc import Awaitable, Callable, Sequence
from typing import TYPE_CHECKING, TypeAlias

from penstock.cli.execute import execute
from penstock.cli.options import Options
from penstock.cli.render import Render, make_render
from penstock.cli.tally import Tally
from penstock.errors import Exit, PenstockError

if TYPE_CHECKING:
    from penstock.client import Client

Step: TypeAlias = Callable[["Client", str, Render], Awaitable[None]]


def each(command: str, subjects: Sequence[str], step: Step, options: Options) -> Exit:
    """Take the step for each; what one of them meets does not keep the others from it."""
    render, tally = make_render(json=options.json, quiet=options.quiet), Tally(command)

    async def work() -> None:
        async with options.client() as client:
            for subject in subjects:
                try:
                    await step(client, subject, render)
                except PenstockError as error:
                    tally.fail(render.failed(error, **({"id": subject} if subjects[1:] else {})))
                else:
                    tally.add_size(0)

    return execute(render, tally, work())
