"""doors - HTTP beyond loopback, and the control socket: who gets in, what hostile guests cost."""
import http.client
import os
import random
import socket
import stat
import subprocess

import secured
import stand
from tally import check

OPEN = ("/live", "/ready", "/metrics", "/version")
GUARDED = ("/partitions", "/v1/parcels/T1-1", "/v1/alerts", "/v1/work/HUB1", "/v1/facilities",
           "/v1", "/", "/console", "/../etc/passwd", "/metrics/", "/live/../partitions")


def ask(address, path, headers=None, method="GET", body=None):
    """(status, body); 0 = the connection was closed instead."""
    connection = http.client.HTTPConnection(address, timeout=20)
    try:
        connection.request(method, path, body=body, headers=headers or {})
        answer = connection.getresponse()
        return answer.status, answer.read()
    except (OSError, http.client.HTTPException):
        return 0, b""
    finally:
        connection.close()


def raw(address, data):
    """What is answered to these bytes; b"" = nothing."""
    host, port = address.rsplit(":", 1)
    with socket.create_connection((host, int(port)), timeout=20) as link:
        try:
            link.sendall(data)
            link.shutdown(socket.SHUT_WR)
            said = b""
            while piece := link.recv(65536):
                said += piece
            return said
        except OSError:
            return b""


def doors(place):
    """HTTP beyond loopback: a token for all but health; sizes, connections and nonsense bounded"""
    port = stand.free_port()
    instance = place.it.start(secured.GROUP, "doors", **{
        **place.settings(place.sasl()), "http.listen": f"0.0.0.0:{port}",
        "http.token": place.secret("token")})
    address = instance.http = f"127.0.0.1:{port}"
    stand.until("ready", 40, instance.ready, 0.1)
    bearer = {"Authorization": f"Bearer {place.planted['token']}"}
    for path in OPEN:
        check(ask(address, path)[0] in (200, 503), f"{path} is closed")
    for path in GUARDED:
        for headers in ({}, {"Authorization": "Bearer wrong"}, {"Authorization": "Bearer "},
                        {"Authorization": bearer["Authorization"] + "x"}):
            status, _ = ask(address, path, headers)
            check(status in (401, 404), f"{path} without the token: {status}")
    check(ask(address, "/partitions", bearer)[0] == 200, "the token does not open /partitions")
    check(ask(address, "/v1/alerts", bearer)[0] == 200, "the token does not open /v1/alerts")
    for method in ("POST", "PUT", "DELETE", "TRACE", "CONNECT"):
        check(ask(address, "/partitions", bearer, method)[0] in (0, 400, 405), f"{method} is taken")

    # Sizes, and nonsense: refused or closed, and the next question is answered.
    check(ask(address, "/live", {"X": "x" * 40000})[0] in (0, 400, 413, 431), "40 kB of headers")
    check(ask(address, "/" + "x" * 40000)[0] in (0, 400, 404, 413, 414, 431), "a path of 40 kB")
    check(ask(address, "/live", method="POST", body=b"x" * 500000)[0] in (0, 400, 405, 413),
          "500 kB of body")
    rng = random.Random(7)
    for _ in range(60):
        answer = raw(address, bytes(rng.randrange(256) for _ in range(rng.randrange(1, 600))))
        check(not answer or answer.startswith(b"HTTP/1."), f"no HTTP: {answer[:40]!r}")
    for request in (b"GET /live HTTP/9.9\r\n\r\n", b"GET  HTTP/1.1\r\n\r\n", b"\0" * 900,
                    b"GET /live HTTP/1.1\r\nContent-Length: -5\r\n\r\n",
                    b"GET /live HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nfffffffffffffff\r\n"):
        raw(address, request)
    check(ask(address, "/live")[0] == 200, "/live after nonsense")

    # Hundreds of silent connections keep nobody out.
    silent = [socket.create_connection(("127.0.0.1", int(address.rsplit(":", 1)[1])))
              for _ in range(300)]
    check(ask(address, "/live")[0] == 200, "/live behind 300 silent connections")
    for link in silent:
        link.close()
    check(instance.stop() == 0, "SIGTERM: the exit status is not 0")


def control(place):
    """the control socket: its owner's alone; what it does not know is refused"""
    path = os.path.join(place.folder, "control")
    instance = place.it.start(secured.GROUP, "control", **{
        **place.settings(place.sasl()), "control.socket": path})
    stand.until("ready", 40, instance.ready, 0.1)
    check(stat.S_IMODE(os.stat(path).st_mode) == 0o600, "others may open the control socket")
    if os.geteuid() == 0:
        os.chmod(place.folder, 0o755)
        done = subprocess.run(["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups",
                               "/usr/bin/python3", "-c",
                               f"import socket; socket.socket(socket.AF_UNIX).connect({path!r})"],
                              capture_output=True, text=True, check=False)
        check("PermissionError" in done.stderr, f"another user gets in: {done.stderr[-200:]}")
    for words, begins in ((b"reload\n", b"ok"), (b"shutdown\n", b"error"),
                          (b"\0\xff" * 300, b"error"), (b"drain\n", b"ok")):
        with socket.socket(socket.AF_UNIX) as link:
            link.settimeout(10)
            link.connect(path)
            link.sendall(words)
            said = link.recv(200)
        check(said.startswith(begins), f"{words[:12]!r}: {said!r}")
    check(instance.process.wait(40) == 0, "drain: the exit status is not 0")
    check(not os.path.exists(path), "the socket is left behind")
