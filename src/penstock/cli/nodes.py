"""``penstock nodes`` and the commands below it."""

import asyncio
from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

from penstock.cli.each import each
from penstock.cli.execute import execute
from penstock.cli.options import Options, client_command, exit_codes
from penstock.cli.render import Render, make_render
from penstock.cli.tally import Tally
from penstock.errors import Exit, NotFound

if TYPE_CHECKING:
    from penstock.client import Client, NodeInfo

_CODES = (Exit.NOT_FOUND, Exit.TEMPORARY, Exit.REFUSED)
_LOOK_EVERY = 1.0

_ids = click.argument("ids", metavar="ID...", nargs=-1, required=True)


@client_command("List storage nodes.", Exit.NOT_FOUND, Exit.TEMPORARY)
def ls(options: Options) -> Exit:
    """List the storage nodes of the server's cluster, and tell how it stands."""
    render, tally = _begin(options)

    async def work() -> None:
        async with options.client() as client:
            cluster = await client.nodes.standing()
            for _ in cluster.nodes:
                tally.add_size(0)
            render.cluster(cluster)

    return execute(render, tally, work())


@client_command("Empty nodes.", Exit.PARTIAL, *_CODES)
@_ids
@click.option("--wait", is_flag=True, help="Wait until they have no parts any more.")
def drain(ids: Sequence[str], wait: bool, options: Options) -> Exit:
    """Have all parts of these nodes moved to others, and give them no more. What has no parts any
    more can be stopped, and then removed with penstock nodes rm."""

    async def step(client: "Client", identity: str, render: Render) -> None:
        node = await client.nodes.drain(identity)
        while wait and node.parts and node.draining:
            await asyncio.sleep(_LOOK_EVERY)
            node = await _look(client, identity)
        render.node(node)

    return each("nodes", ids, step, options)


@client_command("Let nodes take parts again.", Exit.PARTIAL, *_CODES)
@_ids
def undrain(ids: Sequence[str], options: Options) -> Exit:
    """Let these nodes, which were to be emptied, take parts again."""

    async def step(client: "Client", identity: str, render: Render) -> None:
        render.node(await client.nodes.undrain(identity))

    return each("nodes", ids, step, options)


@client_command("Have nodes verified.", Exit.PARTIAL, *_CODES)
@_ids
def scrub(ids: Sequence[str], options: Options) -> Exit:
    """Have everything on these nodes read and verified again, before its time; what is wrong is
    mended from other copies. The server goes on with it by itself."""

    async def step(client: "Client", identity: str, render: Render) -> None:
        render.node(await client.nodes.scrub(identity))

    return each("nodes", ids, step, options)


@client_command("Remove nodes.", Exit.PARTIAL, *_CODES)
@_ids
@click.option(
    "--force",
    is_flag=True,
    help="Remove dead nodes although parts have too few copies without them: their disks are lost, "
    "and so is what only they had.",
)
def rm(ids: Sequence[str], force: bool, options: Options) -> Exit:
    """Forget these nodes. They must be stopped, and no part may need them: drain them first, or
    wait until they are dead and all that they have was copied elsewhere."""

    async def step(client: "Client", identity: str, render: Render) -> None:
        await client.nodes.remove(identity, force=force)
        render.removed(identity)

    return each("nodes", ids, step, options)


async def _look(client: "Client", identity: str) -> "NodeInfo":
    for node in (await client.nodes.standing()).nodes:
        if node.id == identity:
            return node
    raise NotFound(f"there is no node {identity} any more")


def _begin(options: Options) -> tuple[Render, Tally]:
    return make_render(json=options.json, quiet=options.quiet), Tally("nodes")


command = click.Group(
    "nodes",
    [ls, drain, undrain, scrub, rm],
    short_help="List, empty, verify and remove storage nodes.",
    help="Look at the storage nodes of the server's cluster (--store cluster://); empty them, have "
    "them verified, remove them. penstock node runs one.",
    epilog=exit_codes(Exit.PARTIAL, *_CODES),
)
