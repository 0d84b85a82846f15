# SPDX-License-Identifier: GPL-2.0-only
"""Watch objects with a notification queue and asyncio, and print a line for each record.

For example: python3 -m watchq mount=/ sb=all
"""
import argparse
import asyncio
import contextlib
import fcntl
import os
import signal
import sys

import watchq

TYPES = {
    "mount": watchq.WATCH_TYPE_MOUNT_NOTIFY,
    "sb": watchq.WATCH_TYPE_SB_NOTIFY,
    "block": watchq.WATCH_TYPE_BLOCK_NOTIFY,
    "device": watchq.WATCH_TYPE_DEVICE_NOTIFY,
}


def explain(error, what):
    """Return the same error with a message that names the failed operation."""
    return OSError(error.errno, f"{what}: {error.strerror}")


def open_queue(size):
    """Return both ends of a queue that can hold this number of records."""
    with contextlib.ExitStack() as on_error:
        try:
            ends = os.pipe2(watchq.O_NOTIFICATION_PIPE | os.O_NONBLOCK | os.O_CLOEXEC)
            for end in ends:
                on_error.callback(os.close, end)
            fcntl.ioctl(ends[0], watchq.IOC_WATCH_QUEUE_SET_SIZE, size)
        except OSError as error:
            raise explain(error, f"cannot create a queue of {size} records") from error
        on_error.pop_all()
    return ends


def add_watch(queue, argument, watch_id):
    """Add the watch that an argument such as sb=/home describes."""
    name, _, path = argument.partition("=")
    watch = watchq.watch_queue_watch(type=TYPES[name], fd=-1, id=watch_id)
    if name == "mount":
        watch.flags = watchq.WATCH_SUBTREE
    try:
        if path != "all":
            # A block device must be open for reading
            how = os.O_RDONLY | os.O_NONBLOCK if name == "block" else os.O_PATH
            watch.fd = os.open(path, how | os.O_CLOEXEC)
        fcntl.ioctl(queue, watchq.IOC_WATCH_QUEUE_ADD_WATCH, watch)
    except OSError as error:
        raise explain(error, f"cannot watch {argument}") from error
    finally:
        # An open file keeps the object busy, a watch does not
        if watch.fd >= 0:
            os.close(watch.fd)


def printable(text):
    """Escape what could control a terminal, and bytes that are not valid UTF-8."""
    return "".join(char if char.isprintable() else repr(char)[1:-1] for char in text)


def print_record(record):
    """Print a line."""
    if record.lost:
        # A program that tracks a state reads the state again
        line = f"{record.lost}{' or more' if record.lost == 0xffff else ''} records lost"
    elif record.removed:
        line = f"watch {record.id}: removed"
    elif record.event is None:
        # A later kernel may have more types
        line = f"watch {record.id}: type {record.type} event {record.subtype}"
    else:
        members = " ".join(f"{name}={value}" for name, value in record.members().items())
        line = f"watch {record.id}: {record.source} {record.event} {members}"
    print(printable(line), flush=True)


def read_records(queue, ended):
    """Print the records that are in the queue.  Called when it is readable."""
    if ended.done():
        return
    try:
        data = os.read(queue, 4096)
    except BlockingIOError:
        return
    except OSError as error:
        ended.set_exception(error)
        return
    try:
        for record in watchq.records(data):
            print_record(record)
        if not data:
            ended.set_result("no watch is left")
    except (OSError, ValueError) as error:
        ended.set_exception(error)


async def watch(args):
    """Print records until no watch is left, or until a signal arrives."""
    loop = asyncio.get_running_loop()
    ended = loop.create_future()
    queue, write_end = open_queue(args.size)
    try:
        try:
            for watch_id, argument in enumerate(args.watch, 1):
                add_watch(queue, argument, watch_id)
        finally:
            # With the write end closed, os.read() returns nothing when no watch is left
            os.close(write_end)
        loop.add_reader(queue, read_records, queue, ended)
        for number in signal.SIGINT, signal.SIGTERM:
            loop.add_signal_handler(number, ended.cancel)
        # A program that tracks a state reads the state here
        print("watching", flush=True)
        await ended
    finally:
        loop.remove_reader(queue)
        os.close(queue)


def watch_argument(text):
    """Check the form of an argument."""
    name, equals, path = text.partition("=")
    if name not in TYPES or not path:
        raise argparse.ArgumentTypeError(
            f"'{text}' is not one of " + ", ".join(f"{name}=PATH" for name in TYPES))
    return text


def main():
    """Parse the arguments."""
    parser = argparse.ArgumentParser(
        prog="python3 -m watchq", description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("-n", "--size", type=int, default=256,
                        help="number of records that the queue can hold (default 256)")
    parser.add_argument("watch", nargs="+", type=watch_argument, metavar="WATCH",
                        help="mount=PATH, sb=PATH, sb=all, block=DEVICE, block=all or device=all")
    try:
        asyncio.run(watch(parser.parse_args()))
    except asyncio.CancelledError:
        pass
    except BrokenPipeError:
        # The reader of the output is gone.  Python would flush it again on exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except OSError as error:
        sys.exit(f"watchq: {error.strerror}")
    except (OverflowError, ValueError) as error:
        sys.exit(f"watchq: {error}")


if __name__ == "__main__":
    main()
