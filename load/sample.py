"""Big sample files, the same for the same size and seed.

    python -m load.sample --csv 100MiB file.csv
    python -m load.sample --bin 1GiB --seed 7 file.bin

Prints the SHA-256 and the path, as sha256sum does. Holds about 1 MiB, whatever the size.
"""

import argparse
import hashlib
import random
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from pydantic import ByteSize, TypeAdapter, ValidationError

_HEADER = b"index,data\n"
_LONGEST = 48
"""Bytes of the longest row: an index of 19 digits, a number of 64 bits, a comma and the end."""
_ROWS = 20_000
_PIECE = 1 << 20
_SIZES: TypeAdapter[ByteSize] = TypeAdapter(ByteSize)

Pieces = Callable[[int, int], Iterator[bytes]]


def csv(size: int, seed: int = 0) -> Iterator[bytes]:
    """A table of two columns, exactly ``size`` bytes of it; the last row is as long as it must be.

    Less than a header and one row is a part of that.
    """
    if size < len(_HEADER) + len(b"0,0\n"):
        yield (_HEADER + b"0,0\n")[:size]
        return
    yield _HEADER
    left, index = size - len(_HEADER), 0
    numbers = random.Random(seed)
    while left >= 2 * _LONGEST:
        count = min(_ROWS, left // _LONGEST - 1)
        rows = "".join([f"{i},{numbers.getrandbits(64)}\n" for i in range(index, index + count)])
        yield rows.encode()
        left -= len(rows)
        index += count
    start = f"{index},"[-(left - 2) :]
    yield f"{start}{'7' * (left - len(start) - 1)}\n".encode()


def noise(size: int, seed: int = 0) -> Iterator[bytes]:
    """Bytes that nothing makes smaller."""
    numbers = random.Random(seed)
    for at in range(0, size, _PIECE):
        yield numbers.randbytes(min(_PIECE, size - at))


def write(path: Path, pieces: Iterator[bytes]) -> str:
    """Write a file; answers its SHA-256 in hexadecimal.

    :raises OSError: when it cannot be written.
    """
    taken = hashlib.sha256()
    with path.open("wb") as file:
        for piece in pieces:
            taken.update(piece)
            file.write(piece)
    return taken.hexdigest()


def main(arguments: Sequence[str] | None = None) -> int:
    """Write the file that the command line asks for; answers the exit code."""
    parser = argparse.ArgumentParser("python -m load.sample", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    kinds = parser.add_mutually_exclusive_group(required=True)
    kinds.add_argument("--csv", type=size, metavar="SIZE", help="a table of so many bytes")
    kinds.add_argument("--bin", type=size, metavar="SIZE", help="random bytes")
    parser.add_argument("--seed", type=int, default=0, help="another one, another file")
    parser.add_argument("path", type=Path)
    options = parser.parse_args(arguments)
    pieces: Pieces = noise if options.csv is None else csv
    wanted = options.bin if options.csv is None else options.csv
    try:
        digest = write(options.path, pieces(wanted, options.seed))
    except OSError as error:
        print(f"{options.path}: {error.strerror}", file=sys.stderr)
        return 1
    print(f"{digest}  {options.path}")
    return 0


def size(text: str) -> int:
    """A number of bytes such as ``100MiB``, for a command line."""
    try:
        return int(_SIZES.validate_python(text))
    except ValidationError:
        raise argparse.ArgumentTypeError(f"{text} is no size such as 100MiB or 2GB") from None


if __name__ == "__main__":
    sys.exit(main())
