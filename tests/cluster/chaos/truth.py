"""What is really on the disks, held against the catalog. Everything here blocks."""

import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import Engine, select, update

from penstock.catalog.schema import cluster_copies as copies
from penstock.catalog.schema import cluster_keys as keys
from penstock.catalog.schema import cluster_outbox as outbox
from penstock.catalog.schema import cluster_parts as parts
from tests.cluster.chaos.places import Place


@dataclass(frozen=True)
class Truth:
    """The catalog, and the disks behind it; ``replicas`` copies there are to be."""

    engine: Engine
    places: Sequence[Place]
    replicas: int

    def wanting(self) -> list[str]:
        """What is to be mended: parts of files with too few good copies that the catalog counts,
        and copies that it counts and that are none."""
        found = []
        for name, crc32, nodes in self._parts():
            good = [node for node in nodes if self._crc32(node, name) == crc32]
            if len(good) < self.replicas or good != nodes:
                found.append(f"{name}: on {len(nodes)} nodes, right on {len(good)}")
        return found

    def surplus(self) -> list[str]:
        """What should not be there: files on disks that belong to no file, a copy too many, rows
        of copies that are no good ones."""
        found, belongs = [], {place.id: set[str]() for place in self.places}
        for name, _, nodes in self._parts():
            if len(nodes) > self.replicas:
                found.append(f"{name}: {len(nodes)} copies")
            for node in nodes:
                belongs[node].add(name)
        for place in self.places:
            orphans = place.names() - belongs[place.id]
            found += [f"{name} on node {place.number} belongs to nothing" for name in orphans]
        with self.engine.connect() as connection:
            rows = connection.execute(select(copies).where(copies.c.state != "stored")).all()
        return found + [f"{row.name} on {row.node} is {row.state} in the catalog" for row in rows]

    def pass_time(self, seconds: float) -> None:
        """Age what waits to be taken for given up: copies that are not known to be good, and
        writes whose gateway died. To be called when nothing is written."""
        aged = update(copies).where(copies.c.state != "stored")
        with self.engine.begin() as connection:
            connection.execute(aged.values(changed=copies.c.changed - seconds))
            connection.execute(update(outbox).values(due=outbox.c.due - seconds))

    def _parts(self) -> list[tuple[str, int, list[str]]]:
        """Each part of the files that are seen: name, CRC-32, nodes that have it."""
        joined = keys.join(parts, parts.c.file == keys.c.file)
        counted = (copies.c.file == parts.c.file) & (copies.c.number == parts.c.number)
        joined = joined.outerjoin(copies, counted & (copies.c.state == "stored"))
        asked = select(parts.c.file, parts.c.number, parts.c.crc32, copies.c.node)
        found: dict[str, tuple[int, list[str]]] = {}
        with self.engine.connect() as connection:
            for file, number, crc32, node in connection.execute(asked.select_from(joined)):
                nodes = found.setdefault(f"{file}-{number}", (crc32, []))[1]
                if node is not None:
                    nodes.append(node)
        return [(name, crc32, nodes) for name, (crc32, nodes) in found.items()]

    def _crc32(self, node: str, name: str) -> int | None:
        """That of the bytes on the disk, if there are any."""
        place = next((place for place in self.places if place.id == node), None)
        try:
            return None if place is None else zlib.crc32(Path(place.files, name).read_bytes())
        except FileNotFoundError:
            return None
