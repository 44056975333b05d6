"""The settings themselves: who is let in, and names that nobody heeds."""

from collections.abc import Collection, Iterator
from urllib.parse import urlsplit

from penstock.cluster.trust import is_loopback
from penstock.doctor.findings import Finding, broken, ok, warning
from penstock.settings_origins import unknown_names


def look_at_access(host: str, *, is_on: bool, public_url: str = "") -> Finding:
    """Whether who can reach the server has to show who they are."""
    name = "access"
    if is_on:
        return ok(name, "tokens and logins are asked for")
    if is_loopback(host) and public_url and not _leads_here(public_url):
        return warning(
            name,
            f"nobody is asked who they are: {host} counts as this host only, but public_url says "
            "that others come, through a proxy, and to it each of them is this host. Set "
            "access=on, unless the proxy checks who comes",
        )
    if is_loopback(host):
        return ok(name, f"nobody is asked who they are; only this host reaches {host}")
    return warning(
        name,
        f"nobody is asked who they are, and {host or 'every address'} can be reached from "
        "elsewhere: whoever does may read, change and remove every file; leave access=off out, "
        "unless something in front checks who comes",
    )


def look_at_public_url(public_url: str) -> Iterator[Finding]:
    """Whether links can begin with it; nothing to say if it is not set."""
    if not public_url:
        return
    name = "public_url"
    try:
        parts = urlsplit(public_url)
        is_good = parts.scheme in ("http", "https") and bool(parts.hostname)
    except ValueError:
        is_good = False
    if is_good:
        yield ok(name, "links can begin with it")
    else:
        yield broken(name, "it is no URL such as https://files.example.com, so links lead nowhere")


def _leads_here(public_url: str) -> bool:
    try:
        return is_loopback(urlsplit(public_url).hostname or "")
    except ValueError:
        return False


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
        yield warning(name, each.text)
