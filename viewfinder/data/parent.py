"""Workers that end with the process that started them, however that ends."""

import multiprocessing
import os
import threading


def end_with_parent() -> None:
    """For the start of a worker process: it ends at once when its parent is gone, even by SIGKILL.

    A thread waits on the pipe whose other end the parent alone holds; without it a worker waits for work for ever.
    """
    parent = multiprocessing.parent_process()
    if parent is None:
        return

    def watch() -> None:
        parent.join()
        os._exit(1)

    threading.Thread(target=watch, name="end-with-parent", daemon=True).start()
