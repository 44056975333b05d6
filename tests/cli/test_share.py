"""``penstock share`` and ``penstock shares``."""

import urllib.error
import urllib.request

import pytest

from tests.cli.running import Cli, kinds


def store(penstock: Cli, key: str, token: str = "") -> None:
    """Put a file of five bytes, with a token if there is one."""
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    url = f"{penstock.server}/v1/files/{key}"
    with urllib.request.urlopen(urllib.request.Request(url, b"hello", headers, method="PUT")):
        pass


def fetched(url: str, password: str = "") -> bytes:
    opener = urllib.request.build_opener()
    if password:
        manager = urllib.request.HTTPPasswordMgrWithDefaultRealm()
        manager.add_password(None, url, "anybody", password)
        opener = urllib.request.build_opener(urllib.request.HTTPBasicAuthHandler(manager))
    with opener.open(f"{url}/file") as answer:
        body: bytes = answer.read()
        return body


def test_the_link_alone_is_on_standard_output(penstock: Cli) -> None:
    store(penstock, "share/a.txt")

    ran = penstock("share", "share/a.txt", "--expires", "12h", "--downloads", "2")

    assert ran.code == 0
    [url] = ran.lines
    assert fetched(url) == b"hello"
    assert "0 of 2 downloads" in ran.err
    assert "penstock shares rm" in ran.err


def test_nothing_else_is_said_if_that_is_asked_for(penstock: Cli) -> None:
    store(penstock, "quiet/a.txt")

    ran = penstock("share", "quiet/", "--quiet", "--expires", "never")

    assert ran.err == ""
    assert fetched(ran.lines[0])[:2] == b"PK"


def test_links_are_listed_and_ended(penstock: Cli) -> None:
    store(penstock, "listed/a.txt")
    made = penstock("share", "listed/a.txt", "--json").messages[0]

    listed = penstock("shares", "ls", "--json")
    ended = penstock("shares", "rm", made["id"], "--json")

    assert {key: value for key, value in made.items() if key != "message_type"} in [
        {key: value for key, value in one.items() if key != "message_type"}
        for one in listed.messages
    ]
    assert kinds(ended.messages) == ["share_removed", "summary"]
    assert penstock("shares", "rm", made["id"]).code == 4


def test_a_line_of_the_list_has_the_link(penstock: Cli) -> None:
    store(penstock, "line/a.txt")
    [url] = penstock("share", "line/a.txt", "--quiet").lines

    assert any(line.endswith(url) for line in penstock("shares", "ls").lines)


def test_a_password_is_read_from_a_file(penstock: Cli) -> None:
    (penstock.folder / "password").write_text("open sesame\n")
    store(penstock, "locked/a.txt")

    ran = penstock("share", "locked/a.txt", "--password-file", "password")
    piped = penstock("share", "locked/a.txt", "--password-file", "-", stdin=b"other\n")

    assert "with a password" in ran.err
    assert fetched(ran.lines[0], "open sesame") == b"hello"
    assert fetched(piped.lines[0], "other") == b"hello"


def test_files_can_be_asked_for(penstock: Cli) -> None:
    words = ["--upload", "inbox/", "--files", "1", "--largest", "1K", "--name", "Photos"]
    made = penstock("share", *words, "--json").messages[0]

    token = f"shr_{made['url'].rpartition('/')[2]}"
    store(penstock, "inbox/a.txt", token)
    with pytest.raises(urllib.error.HTTPError, match="403"):
        store(penstock, "inbox/b.txt", token)

    assert (made["kind"], made["prefix"], made["most"]) == ("upload", "inbox/", 1)
    assert (made["title"], made["most_bytes"]) == ("Photos", 1024)


def test_the_put_command_sends_by_a_link_too(penstock: Cli) -> None:
    [url] = penstock("share", "--upload", "by-link/", "--quiet").lines
    (penstock.folder / "small").write_bytes(b"hello")
    (penstock.folder / "large").write_bytes(bytes(9 << 20))

    token = f"shr_{url.rpartition('/')[2]}"
    ran = penstock("put", "small", "large", "--to", "by-link/", PENSTOCK_TOKEN=token)

    assert ran.code == 0, ran.err
    assert penstock("ls", "by-link/").lines == ["by-link/large", "by-link/small"]


def test_a_password_that_is_no_text_is_told(penstock: Cli) -> None:
    ran = penstock("share", "a", "--password-file", "-", stdin=b"\xff\n")

    assert (ran.code, "is no text in UTF-8" in ran.err) == (2, True)


def test_a_command_line_that_means_nothing_is_refused(penstock: Cli) -> None:
    for words in (
        [],
        ["a", "--upload", "b/"],
        ["--upload", "b/", "--downloads", "2"],
        ["a", "--expires", "soon"],
        ["a", "--expires", "99999999999d"],
        ["--upload", ""],
    ):
        assert penstock("share", *words).code == 2, words


def test_what_is_not_there_is_not_shared(penstock: Cli) -> None:
    assert penstock("share", "nothing/at-all.txt").code == 4
