# SPDX-License-Identifier: (GPL-2.0 OR BSD-2-Clause)
"""Decode the records of a notification queue, see watch_queue(7)

Constants and structures have the names of <linux/watch_queue.h>.  A queue is opened with
os.pipe2() and fcntl.ioctl(); __main__.py is an example.
"""
import ctypes

from .abi import *

# The name of a source, which is that of watchq, its events, and its structure
_SOURCES = {
    WATCH_TYPE_META: ("queue", watch_meta_notification_subtype, watch_notification),
    WATCH_TYPE_KEY_NOTIFY: ("key", key_notification_subtype, key_notification),
    WATCH_TYPE_MOUNT_NOTIFY: ("mount", mount_notification_subtype, mount_notification),
    WATCH_TYPE_SB_NOTIFY: ("sb", superblock_notification_subtype, superblock_notification),
    WATCH_TYPE_BLOCK_NOTIFY: ("block", block_notification_subtype, block_notification),
    WATCH_TYPE_DEVICE_NOTIFY: ("device", device_notification_subtype, device_notification),
}

# Events with another structure, by type and subtype
_STRUCTURES = {
    (WATCH_TYPE_META, WATCH_META_REMOVAL_NOTIFICATION): watch_notification_removal,
    (WATCH_TYPE_SB_NOTIFY, NOTIFY_SB_ERROR): superblock_error_notification,
    (WATCH_TYPE_SB_NOTIFY, NOTIFY_SB_WRITEBACK_ERROR): superblock_error_notification,
    (WATCH_TYPE_SB_NOTIFY, NOTIFY_SB_QUOTA): superblock_quota_notification,
}

_QUEUE_EVENTS = {
    "WATCH_META_REMOVAL_NOTIFICATION": "removed",
    "WATCH_META_LOSS_NOTIFICATION": "lost",
}


def short_name(constant, prefix):
    """Return "zone-resource" for NOTIFY_BLOCK_ZONE_RESOURCE and "NOTIFY_BLOCK_"."""
    return constant.name.removeprefix(prefix).lower().replace("_", "-")


class Record:
    """A record of a notification queue.

    type, subtype, info: the header
    id: the ID of the watch
    source, event: the names that watchq prints, or None if they are unknown
    data: the structure; members that the record does not have are 0
    bytes: the whole record
    """

    def __init__(self, data):
        header = watch_notification.from_buffer_copy(data)
        self.bytes = bytes(data)
        self.type = header.type
        self.subtype = header.subtype
        self.info = header.info
        self.id = (header.info & WATCH_INFO_ID) >> WATCH_INFO_ID__SHIFT
        self.source = self.event = None
        structure = watch_notification
        if self.type in _SOURCES:
            self.source, events, structure = _SOURCES[self.type]
            structure = _STRUCTURES.get((self.type, self.subtype), structure)
            self.event = self._event_name(events)
        self.data = structure.from_buffer_copy(
            self.bytes.ljust(ctypes.sizeof(structure), b"\0"))

    def _event_name(self, events):
        try:
            constant = events(self.subtype)
        except ValueError:
            return None
        return (_QUEUE_EVENTS.get(constant.name) or
                short_name(constant, f"NOTIFY_{self.source.upper()}_"))

    @property
    def lost(self):
        """The number of records lost at this place: 65535 means 65535 or more."""
        if (self.type, self.subtype) != (WATCH_TYPE_META, WATCH_META_LOSS_NOTIFICATION):
            return 0
        # The previous implementation does not count them
        return self.info >> WATCH_INFO_TYPE_INFO__SHIFT or 1

    @property
    def removed(self):
        """Whether this is the last record of the watch."""
        return (self.type, self.subtype) == (WATCH_TYPE_META, WATCH_META_REMOVAL_NOTIFICATION)

    def members(self):
        """Return the members as a dictionary, without the header."""
        if isinstance(self.data, watch_notification):
            return {}
        members = dict(_members(self.data))
        if self.type == WATCH_TYPE_DEVICE_NOTIFY:
            names = self.bytes[ctypes.sizeof(device_notification):] + b"\0\0"
            members["subsystem"], members["devpath"] = map(_text, names.split(b"\0")[:2])
            # The array of the structure has no length
            del members["names"]
        return members


def _text(name):
    return name.decode(errors="surrogateescape")


def _members(structure):
    for name, *_ in structure._fields_:
        value = getattr(structure, name)
        if isinstance(value, ctypes.Structure):
            if not isinstance(value, watch_notification):
                yield from _members(value)
        elif isinstance(value, bytes):
            yield name, _text(value)
        else:
            yield name, value


def records(data):
    """Yield the records in the result of a read()."""
    data = memoryview(data)
    while data:
        length = 0
        if len(data) >= ctypes.sizeof(watch_notification):
            length = watch_notification.from_buffer_copy(data).info & WATCH_INFO_LENGTH
        if not ctypes.sizeof(watch_notification) <= length <= len(data):
            raise ValueError("malformed record")
        yield Record(data[:length])
        data = data[length:]
