"""How much is done where a number of rounds does not say it all."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Effort:
    """``runs`` rounds of everything.

    A server that does not get on is given up after ``patience`` seconds; ``kills`` is how often
    each one is killed; ``uploads`` is how many are sent at once, each for ``seconds`` seconds;
    ``files`` is how many small files are put on storage nodes.
    """

    runs: int = 5
    patience: float = 35.0
    kills: int = 50
    uploads: int = 1000
    seconds: float = 30.0
    files: int = 10_000


QUICK = Effort(runs=1, kills=3, uploads=50, seconds=3.0, files=100)
