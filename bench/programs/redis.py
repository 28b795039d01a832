"""redis-server as a workload: the server runs under the allocator, redis-benchmark does not.

The time of a run is that of the client's fixed number of requests; everything else is the server's.
"""

import os
import shutil
import subprocess
import tempfile
import time
from pathlib import Path

from harness.measure import Failed
from harness.workload import Workload

# Many requests on their way at once: the server is never without work.  With 20 clients of 16 requests server and
# client waited for each other, and how often they did so decided the time, whatever the allocator.
CLIENTS = ["-c", "50", "-P", "64"]
COMMANDS = "set,get,incr,lpush,rpop,sadd,hset,zadd,mset"


def _plain(command):
    return subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def _wait_until_ready(server, socket):
    for _ in range(1000):
        if server.poll() is not None:
            raise Failed("redis-server ended before it was ready")
        if socket.exists() and _plain(["redis-cli", "-s", str(socket), "ping"]).returncode == 0:
            return
        time.sleep(0.01)
    raise Failed("redis-server did not get ready")


def workload(quick):
    # A short path: the name of a socket has about a hundred characters.
    directory = Path(tempfile.gettempdir()) / f"bench-redis-{os.getpid()}"
    socket = directory / "socket"
    requests = 15_000 if quick else 200_000

    def make_directory():
        directory.mkdir(mode=0o700)

    def drive(server):
        try:
            _wait_until_ready(server, socket)
            start = time.monotonic()
            client = _plain(["redis-benchmark", "-s", str(socket), "-q", "-n", str(requests), "-r",
                             "50000", "-d", "200", *CLIENTS, "-t", COMMANDS])
            elapsed = time.monotonic() - start
            _plain(["redis-cli", "-s", str(socket), "shutdown", "nosave"])
            if client.returncode != 0:
                raise Failed("redis-benchmark failed")
            return elapsed
        finally:
            shutil.rmtree(directory, ignore_errors=True)

    command = ["redis-server", "--port", "0", "--unixsocket", str(socket), "--save", "",
               "--appendonly", "no", "--daemonize", "no", "--dir", "/tmp"]
    return Workload("real/redis", "real", command,
                    f"redis-benchmark, {requests} requests of each of {COMMANDS}",
                    prepare=make_directory, driver=drive)
