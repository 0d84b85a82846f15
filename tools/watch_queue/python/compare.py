# SPDX-License-Identifier: GPL-2.0-only
"""Compare the decoder with watchq.

Usage: compare.py LINES RECORDS

LINES is the output of every_event, which prints events as watchq does, and RECORDS that
of "every_event --records".  Each field of a line is compared with the decoded record.
"""
import json
import sys

import watchq
from watchq import *

# What watchq finds on the running system, or translates with other headers
OTHER = set("""time priority on key_type key_name other_type other_name errno path fs_root
    fs_source options old_options parent_path old_parent_path dev_name owner_name
    limit""".split())

# Members that have another name in watchq
RENAMED = {
    "key": {"key": "key_id", "other": "aux", "error": "aux"},
    "mount": {"mount": "mnt_id", "sb": "sb_id", "mount_ns": "mnt_ns_id",
              "parent": "parent_id", "old_parent": "old_parent_id"},
    "sb": {"sb": "sb_id", "inode": "ino", "error_time_ns": "time_ns", "owner": "id"},
    "block": {"error_time_ns": "time_ns"},
    "device": {},
    "queue": {"object": "id"},
}

FLAGS = {
    "mount": {"in_subtree": NOTIFY_MOUNT_IN_SUBTREE, "rdonly": NOTIFY_MOUNT_IS_RDONLY,
              "automount": NOTIFY_MOUNT_AUTOMOUNT, "propagated": NOTIFY_MOUNT_PROPAGATED,
              "expired": NOTIFY_MOUNT_EXPIRED, "fs_rdonly": NOTIFY_MOUNT_FS_RDONLY},
    "sb": {"rdonly": NOTIFY_SB_IS_RDONLY, "by_error": NOTIFY_SB_BY_ERROR,
           "shutdown": NOTIFY_SB_IS_SHUTDOWN, "in_user_ns": NOTIFY_SB_IN_USER_NS,
           "frozen": NOTIFY_SB_IS_FROZEN, "unprivileged": NOTIFY_SB_UNPRIVILEGED,
           "by_suspend": NOTIFY_SB_BY_SUSPEND},
    "block": {"stacked": NOTIFY_BLOCK_STACKED},
    "device": {"synthetic": NOTIFY_DEVICE_SYNTHETIC, "block": NOTIFY_DEVICE_BLOCK,
               "truncated": NOTIFY_DEVICE_TRUNCATED},
}

OWNERS = ("user", "group", "project")


def name_of(constants, value, prefix):
    """Return the name that watchq prints, or the number of a later kernel as text."""
    if value not in list(constants):
        return str(value)
    return short_name(constants(value), prefix)


# Functions of the record r and its members m
DERIVED = {
    "source": lambda r, m: r.source or "unknown",
    "event": lambda r, m: r.event or "unknown",
    "watch": lambda r, m: r.id,
    "dev": lambda r, m: f"{m['dev_major']}:{m['dev_minor']}",
    "count": lambda r, m: r.lost,
    "or_more": lambda r, m: r.lost == 0xffff or not r.info & WATCH_INFO_TYPE_INFO,
    "list_end": lambda r, m: not m["sb_id"],
    "kind": lambda r, m: name_of(superblock_error_kind, m["kind"], "NOTIFY_SB_"),
    "operation": lambda r, m: name_of(block_notification_operation, m["operation"],
                                      "NOTIFY_BLOCK_OP_"),
    "owner_type": lambda r, m: (OWNERS[m["id_type"]] if m["id_type"] < len(OWNERS)
                                else str(m["id_type"])),
    "name": lambda r, m: m["devpath"].rpartition("/")[2],
}

# Functions of a record whose event is unknown
UNKNOWN = {
    "type": lambda r: r.type,
    "subtype": lambda r: r.subtype,
    "info": lambda r: r.info & WATCH_INFO_TYPE_INFO,
    "data": lambda r: r.bytes[8:].hex(),
}


def decoded(record, field):
    """Return the value of a field of watchq, from the record."""
    if field in DERIVED:
        return DERIVED[field](record, record.members())
    if not record.event:
        return UNKNOWN[field](record)
    if field in FLAGS.get(record.source, {}):
        return bool(record.info & FLAGS[record.source][field])
    return record.members()[RENAMED[record.source].get(field, field)]


FAILED = []
COMPARED = []


def compare(what, expected, got):
    """Count a value, and print it if it is wrong."""
    COMPARED.append(what)
    if expected != got:
        FAILED.append(what)
        print(f"{what}: {got!r}, expected {expected!r}")


def refused(data):
    """Return whether the data are malformed."""
    try:
        list(watchq.records(data))
    except ValueError:
        return True
    return False


def compare_events(lines, records):
    """Compare all fields of all lines."""
    compare("number of records", len(lines), len(records))
    for line, record in zip(lines, records):
        compare("array without a length", False, "names" in record.members())
        for field in line.keys() - OTHER:
            compare(f"{line['source']} {line['event']}: {field}", line[field],
                    decoded(record, field))


def compare_lengths(data):
    """Decode records that are shorter than their structure, or than their length."""
    header = bytes(watch_notification(WATCH_TYPE_BLOCK_NOTIFY, NOTIFY_BLOCK_IO, 12 | 5 << 8))
    record, = watchq.records(header + b"\1\2\3\4")
    compare("short record", (5, "io", 0), (record.id, record.event, record.data.time_ns))
    loss = watch_notification(WATCH_TYPE_META, WATCH_META_LOSS_NOTIFICATION, 8 | 3 << 16)
    record, = watchq.records(bytes(loss))
    compare("loss", (3, "lost", {}), (record.lost, record.event, record.members()))
    compare("empty buffer", [], list(watchq.records(b"")))
    compare("buffer that ends in a header", True, refused(data[:5]))
    compare("buffer that ends in a record", True, refused(data[:-1]))
    compare("length 7", True, refused(bytes(watch_notification(WATCH_TYPE_META, 0, 7))))


def main():
    """Compare, and exit with status 1 if a value differs."""
    # The last line is not about a record
    with open(sys.argv[1], encoding="utf-8") as file:
        lines = [json.loads(line) for line in file][:-1]
    with open(sys.argv[2], "rb") as file:
        data = file.read()
    compare_events(lines, list(watchq.records(data)))
    compare_lengths(data)
    if FAILED or len(COMPARED) < 1000:
        sys.exit(f"{len(FAILED)} of {len(COMPARED)} values differ")
    print(f"{len(COMPARED)} values are those of watchq")


main()
