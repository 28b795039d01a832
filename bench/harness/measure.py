"""Runs one workload once under one allocator."""

import json
import os
import signal
import subprocess
from contextlib import contextmanager

from . import paths

TIMEOUT_S = 600


class Failed(Exception):
    """The program failed, or the allocator was not in it."""


def _environment(workload):
    environment = {name: value for name, value in os.environ.items() if name != "LD_PRELOAD"}
    environment.update(LC_ALL="C", PYTHONHASHSEED="0", **workload.environment)
    return environment


@contextmanager
def _started(workload, allocator, wrap):
    """The launcher with the program below it, and the end of the pipe on which it reports."""
    receive, send = os.pipe()
    command = [str(paths.LAUNCH), "-r", str(send)]
    if wrap:
        # The tool is not put under the allocator, only the program is.
        command += ["--", *wrap, "env", f"LD_PRELOAD={allocator.library}", *workload.command]
    else:
        if workload.launches:
            command += ["-n", str(workload.launches)]
        command += ["-l", allocator.library, "--", *workload.command]
    stdin = open(workload.stdin, "rb") if workload.stdin else subprocess.DEVNULL
    process = subprocess.Popen(
        command, cwd=workload.cwd, env=_environment(workload), stdin=stdin,
        stdout=subprocess.PIPE if workload.reports else subprocess.DEVNULL,
        stderr=None if wrap else subprocess.PIPE, text=True, pass_fds=[send],
        start_new_session=True)
    os.close(send)
    try:
        with os.fdopen(receive) as reports:
            yield process, reports
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
        if workload.stdin:
            stdin.close()


def run(workload, allocator, wrap=None):
    """Returns the costs of the process, with `cases` and `values` where the program reports."""
    if workload.prepare:
        workload.prepare()
    with _started(workload, allocator, wrap) as (process, reports):
        driven = None
        if workload.driver:
            driven = workload.driver(process)
        try:
            output, errors = process.communicate(timeout=TIMEOUT_S)
        except subprocess.TimeoutExpired:
            raise Failed(f"no end after {TIMEOUT_S} s") from None
        text = reports.read()

    result = json.loads(text) if text else {"status": process.returncode}
    if result["status"] != 0:
        last = (errors or "").strip().splitlines()[-1:]
        raise Failed(" ".join([f"status {result['status']}"] + last))
    if not wrap and not result.pop("loaded"):
        raise Failed(f"{allocator.library} was not in the process")
    if driven is not None:
        result["wall"] = driven
    if workload.reports and not wrap:
        try:
            result.update(json.loads(output.strip().splitlines()[-1]))
        except (IndexError, json.JSONDecodeError):
            raise Failed(f"no result in its output: {output[-200:]!r}") from None
    return result
