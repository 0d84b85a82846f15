/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Records of the example of an event source, for watch_gauge.c and for programs
 *
 * A source of the kernel defines them in <linux/watch_queue.h>.
 */
#ifndef _SAMPLES_WATCH_GAUGE_H
#define _SAMPLES_WATCH_GAUGE_H

#include <linux/watch_queue.h>

/**
 * enum gauge_notification_subtype - events of a gauge
 * @NOTIFY_GAUGE_RAISED: the value became higher
 * @NOTIFY_GAUGE_LOWERED: the value became lower
 */
enum gauge_notification_subtype {
	NOTIFY_GAUGE_RAISED	= 0,
	NOTIFY_GAUGE_LOWERED	= 1,
};

/**
 * struct gauge_notification - WATCH_TYPE_TRIAL_NOTIFY
 * @watch: header; subtype is an enum gauge_notification_subtype
 * @gauge_id: ID of the gauge, also in its removal record
 * @old_value: the value before the change
 * @value: the value after the change
 */
struct gauge_notification {
	struct watch_notification watch;
	__u64	gauge_id;
	__u64	old_value;
	__u64	value;
};

#endif /* _SAMPLES_WATCH_GAUGE_H */
