"""proxy - TCP links that can be made bad: toxiproxy, built once from its Go module.

What is named here is toxiproxy's: a toxic makes one direction of a link worse, "upstream" is
towards the server, "downstream" what it answers.
"""
import contextlib
import json
import os
import subprocess
import urllib.error
import urllib.request

import stand
import tools

VERSION = "v2.5.0"
MODULE = "github.com/Shopify/toxiproxy/v2/cmd/server"


class Link:
    """One listening port, and the server behind it."""

    def __init__(self, proxies, name, upstream):
        self.proxies, self.path = proxies, f"/proxies/{name}"
        self.address = f"127.0.0.1:{stand.free_port()}"
        proxies.ask("/proxies", dict(name=name, listen=self.address, upstream=upstream,
                                     enabled=True))

    def lead_to(self, upstream):
        """From now on to another server; those connected are cut off."""
        self.proxies.ask(self.path, dict(upstream=upstream))

    def up(self, true):
        """Down: nobody gets through, those connected are cut off."""
        self.proxies.ask(self.path, dict(enabled=true))

    @contextlib.contextmanager
    def toxic(self, kind, stream, **attributes):
        self.proxies.ask(self.path + "/toxics", dict(name=kind, type=kind, stream=stream,
                                                     attributes=attributes))
        try:
            yield
        finally:
            self.proxies.ask(f"{self.path}/toxics/{kind}", method="DELETE")


class Proxies:
    """One toxiproxy, for all links of a scenario."""

    def __init__(self, folder):
        self.address = f"127.0.0.1:{stand.free_port()}"
        host, port = self.address.split(":")
        with open(os.path.join(folder, "toxiproxy.log"), "wb") as log:
            self.process = subprocess.Popen(
                [tools.program(MODULE, VERSION), "-host", host, "-port", port], stdout=log,
                stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL)
        stand.until("toxiproxy", 20, self.answers, 0.1)

    def answers(self):
        try:
            self.ask("/version")
            return True
        except OSError:
            return False

    def ask(self, path, body=None, method=None):
        data = json.dumps(body).encode() if body is not None else None
        request = urllib.request.Request(f"http://{self.address}{path}", data, method=method)
        try:
            with urllib.request.urlopen(request, timeout=10) as answer:
                return answer.read()
        except urllib.error.HTTPError as error:
            raise stand.Failed(f"toxiproxy {path}: {error.read().decode()}") from None

    def close(self):
        self.process.kill()
        self.process.wait(10)


def redis_link(it):
    """Instances that start from now on reach the stand's Redis through the link returned."""
    proxies = Proxies(it.folder)
    it.at_end.append(proxies.close)
    link = Link(proxies, "redis", f"127.0.0.1:{it.redis_port}")
    it.redis_address = link.address
    return link
