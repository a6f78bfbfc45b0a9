"""Stands for a worker elsewhere: passes its stdin to a socket, and what comes from there to stdout."""

import os
import socket
import sys
import threading


def main() -> None:
    far = socket.socket(socket.AF_UNIX)
    far.connect(sys.argv[1])

    def send() -> None:
        while data := os.read(0, 1 << 16):
            far.sendall(data)
        far.shutdown(socket.SHUT_WR)

    threading.Thread(target=send, daemon=True).start()
    while data := far.recv(1 << 16):
        while data:
            data = data[os.write(1, data) :]


if __name__ == "__main__":
    main()
