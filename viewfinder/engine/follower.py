"""A process that has a part of a model and does what rank 0, its parent, says: `python -m viewfinder.engine.follower`.

Messages come as pickles on standard input, from the parent alone: first a `RankPlace`, then names and arguments of
methods of `Follower`. Replies are lines of JSON: "" when ready, else what went wrong. The process ends with its parent.
"""

import json
import logging
import os
import pickle
import queue
import signal
import sys
import threading
from typing import Any, BinaryIO, TextIO

import torch

from viewfinder.model.tensor_parallel import Follower


def main() -> None:
    """Follow until the parent ends."""
    for number in (signal.SIGINT, signal.SIGTERM):  # sent to the whole group; the parent finishes what it does first
        signal.signal(number, signal.SIG_IGN)
    logging.disable()  # rank 0 says the same
    replies = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    messages: queue.SimpleQueue[Any] = queue.SimpleQueue()
    threading.Thread(target=_read, args=(sys.stdin.buffer, messages), daemon=True).start()
    try:
        _follow(messages, replies)
    except BaseException as error:
        print(json.dumps(f"{type(error).__name__}: {' '.join(str(error).split())}"), file=replies, flush=True)
        os._exit(1)  # collectives that were begun end with the process


def _read(pipe: BinaryIO, messages: "queue.SimpleQueue[Any]") -> None:
    """All messages; the end of the pipe is that of the parent, even where it was killed."""
    try:
        while True:
            messages.put(pickle.load(pipe))
    finally:
        os._exit(0)


@torch.inference_mode()
def _follow(messages: "queue.SimpleQueue[Any]", replies: TextIO) -> None:
    place = messages.get()
    follower = Follower(place.load())
    print(json.dumps(""), file=replies, flush=True)
    place.join()
    while True:
        name, args = messages.get()
        getattr(follower, name)(*args)


if __name__ == "__main__":
    main()
