"""``penstock node``."""

import os
from pathlib import Path
from typing import Any

import click

from penstock.cli.options import exit_codes
from penstock.cli.service_options import ServiceOptions
from penstock.errors import Exit

_SECRET = "PENSTOCK_CLUSTER_SECRET"  # noqa: S105 - its name, not itself


def _list(
    context: click.Context, parameter: click.Parameter, values: tuple[str, ...]
) -> tuple[str, ...]:
    return tuple(one.strip() for value in values for one in value.split(",") if one.strip())


_SERVICE = ServiceOptions("node")
_option = _SERVICE.option

_OPTIONS = (
    _option(
        "data",
        "DIR",
        "Folder for everything: the files below files, and who the node is.",
        names=["folder"],
        type=click.Path(path_type=Path),
        default=Path("penstock-node"),
    ),
    *_SERVICE.listening(8201),
    _option(
        "locator",
        "URL[,URL]",
        "Servers of the cluster, which are told every second that the node lives; may be given "
        "again.",
        names=["locators"],
        multiple=True,
        callback=_list,
    ),
    _option(
        "advertise",
        "HOST:PORT",
        "Where the servers reach the node, or the URL of that.  [default: where it listens; on "
        "all addresses, the one from which it reaches the server]",
        default="",
        show_default=False,
    ),
    *_SERVICE.limits(),
    _SERVICE.log_format(),
)


def _node(**given: Any) -> Exit:
    from penstock.node import Options
    from penstock.wiring import node

    return node(Options(secret=os.environ.get(_SECRET, ""), **given))


command = click.Command(
    "node",
    params=list(_OPTIONS),
    callback=_node,
    short_help="Keep parts of a cluster's files.",
    help="Be a storage node of a cluster: keep parts of its files in DIR.\n\n"
    f"{_SECRET} is what the node and the servers know each other by, the same for all of them; "
    "without it the node listens on loopback only.\n\n"
    "SIGTERM, SIGINT and SIGHUP let transfers in flight finish.",
    epilog=exit_codes(),
)
