// SPDX-License-Identifier: GPL-2.0-only
/*
 * Telling those who watch a key that it has expired
 *
 * The garbage collector looks at every key, and finds those that expired.  The
 * timer here has it do so when a watched key expires.  It is not the collector's
 * own, which may come minutes late, and does so on purpose: this one goes by the
 * wall clock, also when that is set or the machine slept.
 */

#include <linux/cleanup.h>
#include <linux/hrtimer.h>
#include <linux/init.h>
#include <linux/ktime.h>
#include <linux/spinlock.h>
#include <linux/timekeeping.h>
#include "internal.h"

static DEFINE_SPINLOCK(key_expiry_lock);
static time64_t key_expiry_next = TIME64_MAX;	/* under the lock, as the timer is */
static struct hrtimer key_expiry_timer;

/**
 * key_schedule_expiry - have it told when a key expires
 * @expiry: when
 *
 * Context: Any but NMI.
 */
void key_schedule_expiry(time64_t expiry)
{
	/* The seconds that expiries are compared with may be a tick behind */
	ktime_t when = ktime_add_ns(ktime_set(expiry, 0), 2 * TICK_NSEC);

	scoped_guard(spinlock_irqsave, &key_expiry_lock) {
		if (expiry < key_expiry_next) {
			key_expiry_next = expiry;
			hrtimer_start(&key_expiry_timer, when, HRTIMER_MODE_ABS);
		}
	}
}

static enum hrtimer_restart key_expiry_timer_func(struct hrtimer *timer)
{
	scoped_guard(spinlock_irqsave, &key_expiry_lock)
		key_expiry_next = TIME64_MAX;
	schedule_work(&key_gc_work);
	return HRTIMER_NORESTART;
}

/**
 * key_must_tell_expiry - whether a key expired, and nobody was told
 * @key: the key; the collector, which alone frees keys, has found it
 * @now: the time
 * @next: set to when @key expires if that is before *@next
 *
 * Context: Process context, the collector's.  key_serial_lock is held.
 * Return: true once, when it is time to tell
 */
bool key_must_tell_expiry(struct key *key, time64_t now, time64_t *next)
{
	time64_t expiry;

	lockdep_assert_held(&key_serial_lock);

	if (!key_is_watched(key))
		return false;

	for (;;) {
		expiry = READ_ONCE(key->expiry);
		if (expiry > now) {
			clear_bit(KEY_FLAG_EXPIRY_TOLD, &key->flags);
			*next = min(*next, expiry);
			return false;
		}

		/*
		 * A key that was revoked has the time of that there: look at the
		 * flags later, as key_revoke() sets them, by test_and_set_bit(),
		 * earlier.
		 */
		smp_rmb();
		if (READ_ONCE(key->flags) & ((1 << KEY_FLAG_REVOKED) |
					     (1 << KEY_FLAG_INVALIDATED) |
					     (1 << KEY_FLAG_DEAD)) ||
		    test_and_set_bit(KEY_FLAG_EXPIRY_TOLD, &key->flags))
			return false;

		/* Set anew meanwhile?  Pairs with the barrier in key_set_expiry() */
		if (READ_ONCE(key->expiry) == expiry)
			return true;
		clear_bit(KEY_FLAG_EXPIRY_TOLD, &key->flags);
	}
}

static int __init key_expiry_init(void)
{
	hrtimer_init(&key_expiry_timer, CLOCK_REALTIME, HRTIMER_MODE_ABS);
	key_expiry_timer.function = key_expiry_timer_func;
	return 0;
}
core_initcall(key_expiry_init);
