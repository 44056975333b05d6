"""``penstock completion``."""

import click
from click.shell_completion import get_completion_class

from penstock.cli.options import exit_codes
from penstock.errors import Exit

SHELLS = ("bash", "zsh", "fish")


@click.command(short_help="Print the completion script of a shell.", epilog=exit_codes())
@click.argument("shell", type=click.Choice(SHELLS))
@click.pass_context
def command(context: click.Context, shell: str) -> Exit:
    """Print the script that teaches SHELL to complete penstock's commands and options.

    \b
    bash: penstock completion bash > ~/.local/share/bash-completion/completions/penstock
    zsh:  penstock completion zsh > a folder of $fpath, as _penstock
    fish: penstock completion fish > ~/.config/fish/completions/penstock.fish
    """
    kind = get_completion_class(shell)
    assert kind is not None
    made = kind(context.find_root().command, {}, "penstock", "_PENSTOCK_COMPLETE")
    click.echo(made.source())
    return Exit.OK
