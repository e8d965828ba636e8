"""The listening sockets, on real addresses of this machine."""

from __future__ import annotations

import os
import socket

import pytest
from prodserve.config.addresses import Bind
from prodserve.errors import ConfigError
from prodserve.supervisor.listeners import close_all, listen
from prodserve.supervisor.port_users import listening_inodes, port_user


@pytest.fixture
def opened():
    """``listen``; what it opened is closed at the end."""
    listeners = []

    def open_them(*binds):
        listeners.extend(listen(binds, 16))
        return listeners

    yield open_them
    close_all(listeners)


def refusal(*binds):
    with pytest.raises(ConfigError) as caught:
        listen(binds, 16)
    return str(caught.value)


def test_port_0_becomes_a_port_and_the_url_tells_it(opened):
    (listener,) = opened(Bind("tcp", host="127.0.0.1", port=0))
    port = listener.socket.getsockname()[1]
    assert port
    assert listener.url == f"http://127.0.0.1:{port}"
    assert not listener.socket.getblocking()


def test_connections_inherit_nodelay(opened):
    (listener,) = opened(Bind("tcp", host="127.0.0.1", port=0))
    with socket.create_connection(listener.socket.getsockname()):
        listener.socket.setblocking(True)
        connection, _ = listener.socket.accept()
        with connection:
            assert connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)


def test_an_ipv6_address_leaves_the_port_of_ipv4_alone(opened):
    try:
        first = opened(Bind("tcp", host="::", port=0))[0]
    except ConfigError:
        pytest.skip("no IPv6 here")
    port = first.socket.getsockname()[1]
    assert first.url == f"http://[::]:{port}"
    assert len(opened(Bind("tcp", host="0.0.0.0", port=port))) == 2


def test_a_port_in_use_is_one_message_that_names_who_uses_it():
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        text = refusal(Bind("tcp", host="127.0.0.1", port=port))
    assert f"port {port} is in use by " in text
    assert f"(pid {os.getpid()})" in text
    assert "fix: stop that program, or choose another port" in text


def test_all_addresses_that_are_refused_are_told_at_once():
    text = refusal(Bind("tcp", host="192.0.2.1", port=0), Bind("fd", fd=999), Bind("unix", path="/nowhere/at/all.sock"))
    assert "192.0.2.1:0: this machine has no such address" in text
    assert "fd://999: no socket was inherited as descriptor 999" in text
    assert "unix:/nowhere/at/all.sock: No such file or directory" in text


def test_an_unknown_name_is_refused():
    assert "no address is known for 'no-such-name.invalid'" in refusal(Bind("tcp", host="no-such-name.invalid", port=1))


def test_where_one_address_is_refused_none_stays_open():
    with socket.create_server(("127.0.0.1", 0)) as other:
        free = other.getsockname()[1]
    refusal(Bind("tcp", host="127.0.0.1", port=free), Bind("fd", fd=999))
    socket.create_server(("127.0.0.1", free)).close()


def test_a_unix_socket_is_removed_at_the_end(tmp_path):
    path = str(tmp_path / "app.sock")
    listeners = listen([Bind("unix", path=path)], 16)
    with socket.socket(socket.AF_UNIX) as client:
        client.connect(path)
    close_all(listeners)
    assert not os.path.exists(path)


def test_a_unix_socket_that_a_dead_server_left_behind_is_replaced(tmp_path, opened):
    path = str(tmp_path / "app.sock")
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(path)
    opened(Bind("unix", path=path))
    with socket.socket(socket.AF_UNIX) as client:
        client.connect(path)


def test_a_unix_socket_of_a_living_server_is_left_alone(tmp_path):
    path = str(tmp_path / "app.sock")
    with socket.socket(socket.AF_UNIX) as other:
        other.bind(path)
        other.listen()
        assert "another server answers on it" in refusal(Bind("unix", path=path))
        assert os.path.exists(path)


def test_a_file_that_is_no_socket_is_left_alone(tmp_path):
    path = tmp_path / "precious"
    path.write_text("data")
    assert "a file that is no socket" in refusal(Bind("unix", path=str(path)))
    assert path.read_text() == "data"


def test_the_socket_of_a_server_that_took_the_name_over_is_left_alone(tmp_path):
    path = str(tmp_path / "app.sock")
    listeners = listen([Bind("unix", path=path)], 16)
    os.rename(path, path + ".old")
    with socket.socket(socket.AF_UNIX) as other:
        other.bind(path)
        close_all(listeners)
        assert os.path.exists(path)


def test_an_inherited_socket_is_served(opened):
    inherited = socket.create_server(("127.0.0.1", 0))
    address = inherited.getsockname()
    (listener,) = opened(Bind("fd", fd=inherited.detach()))
    with socket.create_connection(address):
        assert listener.url == f"http://{address[0]}:{address[1]}"


def test_a_descriptor_that_is_no_stream_socket_is_refused():
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as datagram:
        assert "is no stream socket" in refusal(Bind("fd", fd=datagram.fileno()))
        datagram.getsockname()


TCP = """  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 0100007F:1F40 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 111 1 0000 100 0 0 10 0
   1: 0100007F:1F40 0100007F:9000 01 00000000:00000000 00:00000000 00000000     0        0 222 1 0000 100 0 0 10 0
   2: 00000000:0050 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 333 1 0000 100 0 0 10 0
"""


@pytest.mark.parametrize(("port", "inodes"), [(8000, {"111"}), (80, {"333"}), (8001, set())])
def test_only_sockets_that_listen_count_as_users_of_a_port(port, inodes):
    assert listening_inodes(TCP.splitlines(), port) == inodes


def test_a_port_that_nobody_uses_has_no_user():
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
    assert port_user(port) == ""
