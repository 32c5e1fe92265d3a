"""Makes the virtual environment with the emulator in it, once: prepare.py DIRECTORY REQUIREMENTS.

REQUIREMENTS is a file with the hashes of all packages.

Two test files may ask for it at the same time. The lock is the kernel's, so that it ends with whoever holds it.
"""
import fcntl
import pathlib
import shutil
import subprocess
import sys
import venv

directory, requirements = pathlib.Path(sys.argv[1]), sys.argv[2]
directory.parent.mkdir(exist_ok=True)
with open(directory.parent / "lock", "w") as lock:
    fcntl.flock(lock, fcntl.LOCK_EX)
    if not (directory / "ready").exists():
        shutil.rmtree(directory, ignore_errors=True)
        venv.create(directory, with_pip=True)
        install = ["-m", "pip", "install", "--quiet", "--retries", "2", "--require-hashes", "--requirement", requirements]
        done = subprocess.run([directory / "bin" / "python", *install], stdout=subprocess.DEVNULL)
        if done.returncode != 0:
            shutil.rmtree(directory, ignore_errors=True)
            sys.exit(f"pip could not install {requirements}")
        (directory / "ready").touch()
