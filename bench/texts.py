"""Bytes that deflate as people's files do: access logs, JSON records and program source in turn.

Always the same ones. They repeat after 12 MiB, which deflate, whose window is 32 KiB, cannot see.
"""

from collections.abc import Iterator
from functools import cache
from random import Random

_BLOCK = 1 << 20
_BLOCKS = 12
_VOCABULARY = 3000


def text(number: int, size: int) -> Iterator[bytes]:
    """The ``size`` bytes of file ``number``, in pieces of at most 1 MiB; no two files are equal."""
    start = number * size
    title = f"# {number:09}\n".encode()[:size]
    yield title
    left = size - len(title)
    while left:
        at = start % _BLOCK
        piece = _block(start // _BLOCK % _BLOCKS)[at : at + left]
        yield piece
        start += len(piece)
        left -= len(piece)


@cache
def _block(number: int) -> bytes:
    random = Random(number)
    line = (_log_line, _record, _function)[number % 3]
    parts: list[str] = []
    length = 0
    while length < _BLOCK:
        parts.append(line(random, length))
        length += len(parts[-1])
    return "".join(parts).encode("ascii")[:_BLOCK]


@cache
def _words() -> list[str]:
    random = Random(1)
    syllables = [
        a + b for a in "bcdfglmnprstv" for b in ("a", "e", "i", "o", "u", "er", "an", "st")
    ]
    return ["".join(random.choices(syllables, k=random.randint(1, 4))) for _ in range(_VOCABULARY)]


def _word(random: Random) -> str:
    """Some words are far more frequent than others, about as Zipf found."""
    return _words()[int(_VOCABULARY ** random.random()) - 1]


def _sentence(random: Random, words: int) -> str:
    return " ".join(_word(random) for _ in range(words))


def _log_line(random: Random, at: int) -> str:
    seconds = at // 40
    return (
        f"10.{random.randrange(4)}.{random.randrange(256)}.{random.randrange(256)} - - "
        f"[17/Nov/2026:{seconds // 3600 % 24:02}:{seconds // 60 % 60:02}:{seconds % 60:02} +0000] "
        f'"{random.choice(("GET", "GET", "GET", "POST", "HEAD"))} '
        f'/{_word(random)}/{_word(random)}/{random.randrange(100_000)} HTTP/1.1" '
        f"{random.choice((200, 200, 200, 206, 304, 404))} {int(10 ** random.uniform(2, 7))} "
        f'"https://www.example.org/{_word(random)}" "{_BROWSERS[int(random.random() ** 2 * 6)]}" '
        f"{random.random():.6f} {random.getrandbits(96):024x}\n"
    )


def _record(random: Random, at: int) -> str:
    tags = ", ".join(f'"{_word(random)}"' for _ in range(random.randint(1, 4)))
    return (
        f'{{"id": {at}, "key": "{random.getrandbits(128):032x}", "name": "{_sentence(random, 2)}", '
        f'"created": "2026-{random.randint(1, 12):02}-{random.randint(1, 28):02}T'
        f'{random.randrange(24):02}:{random.randrange(60):02}:00Z", "active": '
        f'{random.choice(("true", "false"))}, "tags": [{tags}], "position": '
        f'{{"lat": {random.uniform(47, 55):.5f}, "lon": {random.uniform(6, 15):.5f}}}, '
        f'"text": "{_sentence(random, random.randint(4, 12))}", "n": {random.randrange(500)}}}\n'
    )


def _function(random: Random, _at: int) -> str:
    name, one, two = (_word(random) for _ in range(3))
    field = _word(random)
    return (
        f"def {name}_{_word(random)}({one}: int, {two}: str) -> list[str]:\n"
        f'    """{_sentence(random, random.randint(4, 10)).capitalize()}."""\n'
        f'    if {one} is None:\n        raise ValueError(f"{_sentence(random, 3)}: {{{one}}}")\n'
        f"    for {field} in range({one}):\n        self.{field}.append({two}.{_word(random)}())\n"
        f"        if len(self.{field}) > {random.randrange(1000)}:\n"
        f"            # {_sentence(random, random.randint(3, 9)).capitalize()}.\n"
        f"            return self.{name}({one}, {two})\n    return []\n\n\n"
    )


_BROWSERS = (
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142",
    "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 Version/19.0 Safari/605",
    "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0",
    "Mozilla/5.0 (Linux; Android 16; K) AppleWebKit/537.36 (KHTML, like Gecko) Mobile Chrome/142",
    "curl/8.16.0",
    "python-requests/2.34.2",
)
