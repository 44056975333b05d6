"""The settings themselves: who is let in, and names that nobody heeds."""

from collections.abc import Collection, Iterator

from penstock.cluster.trust import is_loopback
from penstock.doctor.findings import Finding, broken, ok, warning
from penstock.settings_origins import unknown_names


def look_at_access(host: str, *, is_on: bool) -> Finding:
    """Whether who can reach the server has to show who they are."""
    name = "access"
    if is_on:
        return ok(name, "tokens and logins are asked for")
    if is_loopback(host):
        return ok(name, f"nobody is asked who they are; only this host reaches {host}")
    return warning(
        name,
        f"nobody is asked who they are, and {host or 'every address'} can be reached from "
        "elsewhere: whoever does may read, change and remove every file; leave access=off out, "
        "unless something in front checks who comes",
    )


def look_at_names(variables: Collection[str]) -> Iterator[Finding]:
    """Whether everything that is written like a setting is one. Blocks."""
    name = "names of settings"
    try:
        unknown = [*unknown_names(variables)]
    except (OSError, ValueError) as error:
        yield broken(name, f"penstock.toml cannot be read: {error}")
        return
    if not unknown:
        yield ok(name, "every one is known")
    for each in unknown:
        meant = f"; {each.nearest} may be meant" if each.nearest else ""
        yield warning(name, f"{each.name} in {each.where} is no setting, and is ignored{meant}")
