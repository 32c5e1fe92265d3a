"""Runs a command line in a shell at a terminal of its own, and takes the terminal away when a file has appeared.

usage: hangup.py LINE FILE: everything that the terminal shows goes to standard output.
"""
import os
import pty
import select
import sys
import time

line, file = sys.argv[1:]
pid, terminal = pty.fork()
if pid == 0:
    os.execvp("bash", ["bash", "--norc", "--noprofile", "-i"])


def show_for(seconds):
    until = time.time() + seconds
    while time.time() < until:
        if select.select([terminal], [], [], 0.02)[0]:
            os.write(1, os.read(terminal, 65536))


show_for(0.3)
os.write(terminal, (line + "\n").encode())
deadline = time.time() + 25
while not os.path.exists(file) and time.time() < deadline:
    show_for(0.05)
os.close(terminal)
os.waitpid(pid, 0)
