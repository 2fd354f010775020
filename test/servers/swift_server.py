"""
OpenStack Swift with its S3 interface, in one process that needs neither root nor /etc/swift: the four servers share
an event loop, and keep objects in memory.

Called with a folder that has swift.conf, account.conf, container.conf, object.conf and proxy.conf, and with the ports of
the four in this order.
"""

import io
import os
import socket as sockets
import sys
from collections import defaultdict

from swift.common import utils

HOME = sys.argv[1]
utils.eventlet_monkey_patch()
utils.set_swift_dir(HOME)

import eventlet  # noqa: E402
from eventlet import wsgi  # noqa: E402
from eventlet.semaphore import Semaphore  # noqa: E402
from swift.common.ring import RingBuilder  # noqa: E402
from swift.common.swob import HTTPPreconditionFailed, Request, wsgi_quote  # noqa: E402
from swift.common.http_protocol import SwiftHttpProtocol  # noqa: E402
from swift.common.wsgi import loadapp, make_pre_authed_request  # noqa: E402
from swift.obj.mem_diskfile import InMemoryFileSystem  # noqa: E402

CONDITIONS = {"HTTP_IF_NONE_MATCH": "test.if_none_match", "HTTP_IF_MATCH": "test.if_match"}


class NoCache:
    """In the place of memcached: Swift runs without a cache, but asks for one."""

    def __getattr__(self, name):
        return lambda *_, **__: None


def adapt(_, **__):
    """
    A filter before s3api, which refuses conditional writes, and knows a user by a name with a colon, which curl cannot
    send. The signature covers neither that name nor, for s3api, what becomes of the headers.
    """

    def make(app):
        def handle(environ, start_response):
            environ["swift.cache"] = NoCache()
            if "HTTP_AUTHORIZATION" in environ:
                authorization = environ["HTTP_AUTHORIZATION"]
                environ["HTTP_AUTHORIZATION"] = authorization.replace("Credential=", "Credential=test:", 1)
            if environ["REQUEST_METHOD"] in ("PUT", "POST"):
                for header, key in CONDITIONS.items():
                    # S3 knows no other If-None-Match in a write than *.
                    if header in environ and (header == "HTTP_IF_MATCH" or environ[header].strip() == "*"):
                        environ[key] = environ.pop(header)
            return app(environ, start_response)

        return handle

    return make


def apply_conditions(_, **__):
    """A filter after the signature was checked: writes to one key take turns, and fail if their condition does."""
    turns = defaultdict(Semaphore)

    def make(app):
        def handle(environ, start_response):
            path = environ["PATH_INFO"]
            container, _, key = path.partition("/v1/")[2].partition("/")[2].partition("/")
            is_write = environ["REQUEST_METHOD"] in ("PUT", "POST", "DELETE")
            if not is_write or not key or container.endswith("+segments"):
                return app(environ, start_response)
            with turns[path]:
                response = refusal(app, environ) or app
                return list(response(environ, start_response))

        return handle

    return make


def refusal(app, environ):
    """What to answer instead of writing, or None."""
    if_none_match, if_match = (environ.get(key) for key in CONDITIONS.values())
    if environ["REQUEST_METHOD"] != "PUT" or if_none_match is None and if_match is None:
        return None
    denied = environ["swift.authorize"](Request(environ))
    if denied:
        return denied
    path = wsgi_quote(environ["PATH_INFO"])
    found = make_pre_authed_request(environ, "HEAD", path).get_response(app)
    etag = None
    if found.is_success:
        etag = found.headers.get("X-Object-Sysmeta-S3Api-Etag", found.headers["Etag"]).split(";")[0].strip('"')
    wanted = [value.strip().strip('"') for value in (if_match or "").split(",")]
    holds = etag is None if if_match is None else etag is not None and ("*" in wanted or etag in wanted)
    return None if holds else HTTPPreconditionFailed(request=Request(environ))


def give_each_reader_a_position(get_object):
    """In memory, all who read an object would share one position in it."""

    def get(self, name):
        file, metadata = get_object(self, name)
        return (file and io.BytesIO(file.getvalue()), metadata)

    return get


def write_ring(server, port):
    ring = RingBuilder(1, 1, 1)
    ring.add_dev({"region": 1, "zone": 1, "ip": "127.0.0.1", "port": port, "device": "disk", "weight": 1})
    ring.rebalance()
    ring.get_ring().save(os.path.join(HOME, f"{server}.ring.gz"))


def serve(server, port):
    app = loadapp(os.path.join(HOME, f"{server}.conf"), global_conf={"log_name": server})
    socket = eventlet.listen(("127.0.0.1", port), backlog=256)
    # The accepted ones are like it. Otherwise every refusal waits 40 ms for an acknowledgement of its first half.
    socket.setsockopt(sockets.IPPROTO_TCP, sockets.TCP_NODELAY, 1)
    # S3 answers with an ETag, not an Etag.
    options = {"protocol": SwiftHttpProtocol, "capitalize_response_headers": False, "log_output": False}
    return eventlet.spawn(wsgi.server, socket, app, **options)


def main():
    InMemoryFileSystem.get_object = give_each_reader_a_position(InMemoryFileSystem.get_object)
    os.makedirs(os.path.join(HOME, "disk"))
    ports = dict(zip(("account", "container", "object", "proxy"), map(int, sys.argv[2:])))
    for server in ("account", "container", "object"):
        write_ring(server, ports[server])
    for thread in [serve(server, port) for server, port in ports.items()]:
        thread.wait()


if __name__ == "__main__":
    main()
