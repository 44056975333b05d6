"""Small members of a local store: many are read and deflated by one trip to a worker thread."""

import os
from collections.abc import Sequence

from penstock.archives.planned import Failure, PlannedZip
from penstock.archives.results import Result, whole
from penstock.errors import PenstockError, SourceChanged
from penstock.stores.interface import LocalFiles
from penstock.zipstream.deflate import BLOCK, Engine

_SMALL = 128 << 10
_MOST = 256


def small_run(planned: PlannedZip, first: int) -> range:
    """The small stored members that follow each other from ``first`` on: a block's worth."""
    stop, total = first, 0
    while stop < min(planned.stored, first + _MOST):
        size = planned.plan.size_of(stop)
        assert size is not None
        total += size
        if size > _SMALL or total > BLOCK:
            break
        stop += 1
    return range(first, stop)


def small_results(
    store: LocalFiles, planned: PlannedZip, run: range, engine: Engine | None
) -> Sequence[Result]:
    """Those members, whole. Blocks: in a worker thread."""
    return [_result(store, planned, index, engine) for index in run]


def _result(store: LocalFiles, planned: PlannedZip, index: int, engine: Engine | None) -> Result:
    wanted = engine if planned.plan.is_deflated(index) else None
    try:
        return whole(index, _content(store, planned, index), wanted)
    except PenstockError as error:
        if not planned.reports:
            raise
        return Failure(planned.plan.name(index), error.detail)


def _content(store: LocalFiles, planned: PlannedZip, index: int) -> bytes:
    opened = store.open_file(planned.key(index), facts=False)
    try:
        planned.require(index, opened.info)
        data = os.pread(opened.fd, opened.info.size, 0)
        if len(data) != opened.info.size:
            raise SourceChanged(f"{opened.info.key!r} became shorter while it was read")
        return data
    finally:
        opened.close()
