"""The command tree, and what happens to whatever goes wrong in it."""

import os
import sys
from importlib import import_module

import click

from penstock import __version__
from penstock.cli.render import make_render
from penstock.errors import Exit

# Name and summary of each command, so that help and completion need not import them.
COMMANDS = {
    "serve": "Run the server.",
    "worker": "Do the server's jobs in a process of its own.",
    "relay": "Pass another server's files on, and keep them.",
    "node": "Keep parts of a cluster's files.",
    "put": "Send files and folders to the server.",
    "get": "Fetch files and folders from the server.",
    "upload": "Send a file as s3testcase's client does.",
    "download": "Fetch a file as s3testcase's client does.",
    "ls": "List what is stored.",
    "rm": "Remove files and folders.",
    "zip": "Fetch many files as one ZIP.",
    "archive": "Make a ZIP of a folder inside the store.",
    "pull": "Have the server fetch a file of another server.",
    "pulls": "List, watch, end and retry pulls.",
    "jobs": "List, end and retry jobs, hold lanes back.",
    "nodes": "List, empty, verify and remove storage nodes.",
    "share": "Make a link for who has no token.",
    "shares": "List and end share links.",
    "login": "Keep a token for the server.",
    "logout": "Keep no token for the server any more.",
    "tokens": "Make, list and remove tokens.",
    "audit": "Show who did what.",
    "config": "Show the settings and where they come from.",
    "doctor": "Look over what the server's settings name.",
    "completion": "Print the completion script of a shell.",
}


class LazyGroup(click.Group):
    """A group whose commands live in modules of their own, imported when they are called."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        command = import_module(f"penstock.cli.{cmd_name}").command
        assert isinstance(command, click.Command)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))


@click.command(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, message="penstock %(version)s")
def root() -> None:
    """Move large files over HTTP at constant memory: put, get, zip.

    Every transfer is verified, and one that was cut short goes on when the same command is run
    again.
    """


def run(arguments: list[str]) -> int:
    """Run one command; answers its exit code."""
    for stream in (sys.stdout, sys.stderr):
        stream.reconfigure(errors="backslashreplace")  # type: ignore[union-attr]
    try:
        code = root.main(arguments, prog_name="penstock", standalone_mode=False)
        sys.stdout.flush()
        return int(code or Exit.OK)
    except BrokenPipeError:
        # Whoever read our output left; there is nobody to tell. Python must not try again.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return Exit.FAILED
    except click.ClickException as error:
        _usage("--json" in arguments, error)
        return error.exit_code
    except (click.Abort, KeyboardInterrupt):
        return Exit.INTERRUPTED
    except Exception as error:
        if os.environ.get("PENSTOCK_DEBUG"):
            raise
        return make_render(json="--json" in arguments, quiet=True).failed(error)


def _usage(json: bool, error: click.ClickException) -> None:
    if isinstance(error, click.exceptions.NoArgsIsHelpError):
        error.show()
        return
    hint = ""
    if isinstance(error, click.UsageError) and error.ctx is not None:
        hint = f" ({error.ctx.command_path} --help tells more)"
    render = make_render(json=json, quiet=True)
    message = " ".join(error.format_message().split())  # choices come in lines of their own
    render.refused(message + hint, error.exit_code)
