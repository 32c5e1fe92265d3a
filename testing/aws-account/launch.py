"""MiniStack as the AWS account of the tests, with in-process fixes for what it leaves out. Run with its environment's python.

The fixes touch what the version pinned below keeps private; another version is refused.
"""
import importlib.metadata
import os
import shutil
import signal
import threading
import time

VERSION = "1.5.33"
if importlib.metadata.version("ministack") != VERSION:
    raise SystemExit(f"launch.py knows ministack {VERSION} only, not {importlib.metadata.version('ministack')}")


def watch_parent():
    """The account ends with whoever started it, even when that was killed: its functions and its folders go too."""
    parent = os.getppid()
    while os.getppid() == parent:
        time.sleep(1)
    for folder in os.environ["EMULATED_FOLDERS"].split(os.pathsep):
        shutil.rmtree(folder, ignore_errors=True)
    os.killpg(0, signal.SIGKILL)


threading.Thread(target=watch_parent, daemon=True).start()

import fix_cloudformation, fix_iam, fix_services, fix_streams  # noqa: E401, F401

from ministack.app import main

main()
