/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Tracepoints of notification queues
 *
 * Queues are identified by address, which is hashed in /sys/kernel/tracing.
 */
#undef TRACE_SYSTEM
#define TRACE_SYSTEM watch_queue

#if !defined(_TRACE_WATCH_QUEUE_H) || defined(TRACE_HEADER_MULTI_READ)
#define _TRACE_WATCH_QUEUE_H

#include <linux/tracepoint.h>
#include <linux/watch_queue.h>

TRACE_DEFINE_ENUM(WATCH_TYPE_META);
TRACE_DEFINE_ENUM(WATCH_TYPE_KEY_NOTIFY);
TRACE_DEFINE_ENUM(WATCH_TYPE_MOUNT_NOTIFY);
TRACE_DEFINE_ENUM(WATCH_TYPE_SB_NOTIFY);
TRACE_DEFINE_ENUM(WATCH_TYPE_BLOCK_NOTIFY);
TRACE_DEFINE_ENUM(WATCH_TYPE_DEVICE_NOTIFY);

#define show_watch_type(type)				\
	__print_symbolic(type,				\
		{ WATCH_TYPE_META,		"meta" },	\
		{ WATCH_TYPE_KEY_NOTIFY,	"key" },	\
		{ WATCH_TYPE_MOUNT_NOTIFY,	"mount" },	\
		{ WATCH_TYPE_SB_NOTIFY,		"sb" },		\
		{ WATCH_TYPE_BLOCK_NOTIFY,	"block" },	\
		{ WATCH_TYPE_DEVICE_NOTIFY,	"device" })

DECLARE_EVENT_CLASS(watch_queue_record,

	TP_PROTO(const struct watch_queue *queue, const struct watch_notification *n, u32 info),

	TP_ARGS(queue, n, info),

	TP_STRUCT__entry(
		__field(const void *,	queue)
		__field(u32,		type)
		__field(u32,		subtype)
		__field(u32,		info)
	),

	TP_fast_assign(
		__entry->queue		= queue;
		__entry->type		= n->type;
		__entry->subtype	= n->subtype;
		__entry->info		= info;
	),

	TP_printk("queue=%p type=%s subtype=%u id=%u len=%u info=%04x",
		  __entry->queue, show_watch_type(__entry->type), __entry->subtype,
		  (__entry->info & WATCH_INFO_ID) >> WATCH_INFO_ID__SHIFT,
		  __entry->info & WATCH_INFO_LENGTH,
		  __entry->info >> WATCH_INFO_TYPE_INFO__SHIFT)
);

/**
 * watch_queue_post - a record was queued
 * @queue: the queue
 * @n: the record
 * @info: its info word, with the watch ID
 *
 * Context: Any but NMI, with the ring's lock held.
 */
DEFINE_EVENT(watch_queue_record, watch_queue_post,
	TP_PROTO(const struct watch_queue *queue, const struct watch_notification *n, u32 info),
	TP_ARGS(queue, n, info)
);

/**
 * watch_queue_lost - a record was lost: the queue is full or is being closed
 * @queue: the queue
 * @n: the record
 * @info: its info word, with the watch ID
 *
 * Context: Any but NMI, with the ring's lock held.
 */
DEFINE_EVENT(watch_queue_record, watch_queue_lost,
	TP_PROTO(const struct watch_queue *queue, const struct watch_notification *n, u32 info),
	TP_ARGS(queue, n, info)
);

/**
 * watch_queue_read - records or loss reports were read
 * @queue: the queue
 * @bytes: number of bytes
 *
 * Context: Process context.
 */
TRACE_EVENT(watch_queue_read,

	TP_PROTO(const struct watch_queue *queue, size_t bytes),

	TP_ARGS(queue, bytes),

	TP_STRUCT__entry(
		__field(const void *,	queue)
		__field(size_t,		bytes)
	),

	TP_fast_assign(
		__entry->queue	= queue;
		__entry->bytes	= bytes;
	),

	TP_printk("queue=%p bytes=%zu", __entry->queue, __entry->bytes)
);

DECLARE_EVENT_CLASS(watch_queue_watch,

	TP_PROTO(const struct watch *watch),

	TP_ARGS(watch),

	TP_STRUCT__entry(
		__field(const void *,	queue)
		__field(u64,		object)
		__field(u32,		type)
		__field(u32,		id)
	),

	TP_fast_assign(
		__entry->queue	= watch->queue;
		__entry->object	= watch->id;
		__entry->type	= watch->type;
		__entry->id	= watch->info_id >> WATCH_INFO_ID__SHIFT;
	),

	TP_printk("queue=%p type=%s id=%u object=%llx",
		  __entry->queue, show_watch_type(__entry->type), __entry->id,
		  __entry->object)
);

/**
 * watch_queue_add_watch - a watch was added
 * @watch: the watch
 *
 * Context: Process context, with the locks of the object's list and of the ring held.
 */
DEFINE_EVENT(watch_queue_watch, watch_queue_add_watch,
	TP_PROTO(const struct watch *watch),
	TP_ARGS(watch)
);

/**
 * watch_queue_remove_watch - a watch was removed
 * @watch: the watch
 *
 * Context: Process context, with the locks of the object's list and of the ring held.
 */
DEFINE_EVENT(watch_queue_watch, watch_queue_remove_watch,
	TP_PROTO(const struct watch *watch),
	TP_ARGS(watch)
);

#endif /* _TRACE_WATCH_QUEUE_H */

#include <trace/define_trace.h>
