"""The sockets of the supervisor: who is connected to whom."""

import socket

import pytest

from penstock.errors import CannotListen
from penstock.supervisor.listening import Listening


def port_of(listening: Listening) -> int:
    return int(listening.url.rpartition(":")[2])


def accepts(one: socket.socket) -> bool:
    return bool(one.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN))


def test_nobody_is_connected_to_a_worker_that_may_never_come() -> None:
    listening = Listening.opened("127.0.0.1", 0, 2)

    listening.grow(4)

    assert [accepts(*listening.of(slot, 4)) for slot in range(4)] == [True, True, False, False]
    listening.close()


def test_what_was_for_those_who_did_not_come_is_closed() -> None:
    listening = Listening.opened("127.0.0.1", 0, 2)
    listening.grow(3)
    [third] = listening.of(2, 3)

    listening.shrink(2)

    assert third.fileno() == -1
    assert [accepts(*listening.of(slot, 2)) for slot in range(2)] == [True, True]
    listening.close()


def test_the_same_port_may_be_listened_on_for_more_hosts_than_before() -> None:
    before = Listening.opened("127.0.0.1", 0, 1)

    after = Listening.opened("0.0.0.0", port_of(before), 2, beside=before)

    assert port_of(after) == port_of(before)
    for listening in (before, after):
        listening.close()


def test_a_port_of_others_is_not_shared() -> None:
    others = Listening.opened("127.0.0.1", 0, 1)
    ours = Listening.opened("127.0.0.1", 0, 1)

    with pytest.raises(CannotListen, match="in use"):
        Listening.opened("127.0.0.1", port_of(others), 1, beside=ours)

    for listening in (others, ours):
        listening.close()
