"""``python -m tools.netshape``: see ``--help``."""

import sys
from argparse import ArgumentParser, Namespace
from collections.abc import Sequence
from dataclasses import replace

from tools.netshape import standing
from tools.netshape.shape import PRESETS, NoNamespaces, Shape, put_on, show, take_off
from tools.netshape.standing import Standing
from tools.netshape.within import Command, Ended

_WITHOUT_NETEM = (
    "netshape: this kernel has no netem (sch_netem): the rate is as asked for, "
    "but there is no delay and no loss"
)


def main(arguments: Sequence[str] | None = None) -> int:
    """Do what the command line says; answers the exit code."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    cut = words.index("--") if "--" in words else len(words)
    asked = _parser().parse_args(words[:cut])
    asked.command = words[cut + 1 :]
    if asked.act is _run and not asked.command:
        print("netshape: say the command to run: netshape run PRESET -- COMMAND", file=sys.stderr)
        return 2
    try:
        code: int = asked.act(asked)
    except NoNamespaces as why:
        print(f"netshape: {why}", file=sys.stderr)
        return 1
    except Ended as ended:
        return ended.code
    return code


def _run(asked: Namespace) -> int:
    command = Command()
    standing.remove_left_over()
    line, whole = standing.make(asked.preset, _shape(asked), is_ours=True)
    try:
        _tell(line, whole)
        return command.run(line, asked.command)
    finally:
        standing.remove(line)


def _up(asked: Namespace) -> int:
    if asked.interface:
        act = show if asked.dry_run else None
        if not put_on(asked.interface, _shape(asked), act=act):
            print(_WITHOUT_NETEM, file=sys.stderr)
        return 0
    standing.remove_left_over()
    line, whole = standing.make(asked.preset, _shape(asked), is_ours=False)
    _tell(line, whole)
    print(f"ip netns exec {line.name} COMMAND")
    return 0


def _down(asked: Namespace) -> int:
    if asked.interface:
        take_off(asked.interface, act=show if asked.dry_run else None)
        return 0
    for line in standing.remove_left_over(all_idle=True):
        print(f"removed {line.name}")
    return 0


def _ls(_: Namespace) -> int:
    for line in standing.found():
        state = "left over" if line.is_left_over else "in use" if line.owner else "up"
        print(f"{line.name}  {line.preset or '-'}  {line.address}  {state}")
    return 0


def _presets(_: Namespace) -> int:
    for name, shape in PRESETS.items():
        print(f"{name:10} {shape}")
    return 0


def _shape(asked: Namespace) -> Shape:
    return replace(PRESETS[asked.preset], delay=asked.delay, loss=asked.loss)


def _tell(line: Standing, whole: bool) -> None:
    print(f"netshape: {line.preset}; this machine is {line.address} there", file=sys.stderr)
    if not whole:
        print(_WITHOUT_NETEM, file=sys.stderr)


def _parser() -> ArgumentParser:
    parser = ArgumentParser("netshape", description="Slow lines; needs root and iproute2.")
    orders = parser.add_subparsers(required=True, metavar="ORDER")

    usage = "netshape run PRESET [--delay MS] [--loss PERCENT] -- COMMAND …"
    told = "run a command behind a line that ends with it"
    run = orders.add_parser("run", help=told, usage=usage)
    up = orders.add_parser("up", help="make a line that stands, or slow an interface down")
    for order in (run, up):
        order.add_argument("preset", choices=PRESETS)
        order.add_argument("--delay", type=float, default=0, metavar="MS", help="each way; netem")
        order.add_argument("--loss", type=float, default=0, metavar="PERCENT", help="netem")
    run.set_defaults(act=_run)
    up.set_defaults(act=_up)
    down = orders.add_parser("down", help="remove the lines that stand or are left over")
    down.set_defaults(act=_down)
    for order in (up, down):
        order.add_argument("--interface", metavar="NAME", help="of this machine: what leaves by it")
        order.add_argument("--dry-run", action="store_true", help="tell what --interface would do")
    orders.add_parser("ls", help="the lines there are").set_defaults(act=_ls)
    orders.add_parser("presets", help="what there is to choose from").set_defaults(act=_presets)
    return parser


if __name__ == "__main__":
    sys.exit(main())
