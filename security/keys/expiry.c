// SPDX-License-Identifier: GPL-2.0-only
/*
 * Notify watchers when a key expires
 *
 * The garbage collector visits every key and finds the expired ones.  The timer in
 * this file schedules the collector when a watched key expires.  The collector's own
 * timer cannot be used, as it may fire minutes late by design.  The timer here uses
 * CLOCK_REALTIME, as expiry times do, so that it fires on time after the clock was
 * set or after a suspend.  A key that was reported, and that is valid again because the
 * clock was set back, is reported a second time only if the collector runs in between.
 */

#include <linux/cleanup.h>
#include <linux/hrtimer.h>
#include <linux/init.h>
#include <linux/ktime.h>
#include <linux/spinlock.h>
#include <linux/timekeeping.h>
#include "internal.h"

static DEFINE_SPINLOCK(key_expiry_lock);
/* Both protected by key_expiry_lock */
static time64_t key_expiry_next = TIME64_MAX;
static struct hrtimer key_expiry_timer;

/**
 * key_schedule_expiry - schedule a notification of the expiry of a key
 * @expiry: time of expiry
 *
 * Context: Any but NMI.
 */
void key_schedule_expiry(time64_t expiry)
{
	/* Expiry times are compared with a coarse clock, which may be a tick behind */
	ktime_t when = ktime_add_safe(ktime_set(expiry, 0), 2 * TICK_NSEC);

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
 * key_expiry_pending - check for an expiry that watchers were not notified of
 * @key: the key
 * @now: the current time
 * @next: reduced to the time at which @key must be checked again, if any
 *
 * A user can hold the semaphore of a key for long, so do not wait for it.
 *
 * Context: Work item of the garbage collector, which is the only one to free keys,
 *	    with key_serial_lock held.
 * Return: true, with @key->sem held for reading, if @key has expired and this was not
 *	   returned before.
 */
bool key_expiry_pending(struct key *key, time64_t now, time64_t *next)
{
	time64_t expiry;

	lockdep_assert_held(&key_serial_lock);

	if (!key_was_watched(key))
		return false;

	for (;;) {
		expiry = READ_ONCE(key->expiry);
		if (expiry > now) {
			clear_bit(KEY_FLAG_EXPIRY_NOTIFIED, &key->flags);
			*next = min(*next, expiry);
			return false;
		}

		/*
		 * The time may be that of a revocation.  key_revoke() sets the flag
		 * with test_and_set_bit(), which implies a barrier, before the time.
		 */
		smp_rmb();
		if (READ_ONCE(key->flags) & ((1 << KEY_FLAG_REVOKED) |
					     (1 << KEY_FLAG_INVALIDATED) |
					     (1 << KEY_FLAG_DEAD)) ||
		    test_and_set_bit(KEY_FLAG_EXPIRY_NOTIFIED, &key->flags))
			return false;

		/* Did the time change?  Pairs with the barrier in key_set_expiry() */
		if (READ_ONCE(key->expiry) == expiry)
			break;
		clear_bit(KEY_FLAG_EXPIRY_NOTIFIED, &key->flags);
	}

	if (down_read_trylock(&key->sem))
		return true;
	clear_bit(KEY_FLAG_EXPIRY_NOTIFIED, &key->flags);
	*next = min(*next, now + 1);
	return false;
}

static int __init key_expiry_init(void)
{
	hrtimer_setup(&key_expiry_timer, key_expiry_timer_func, CLOCK_REALTIME,
		      HRTIMER_MODE_ABS);
	return 0;
}
core_initcall(key_expiry_init);

#ifdef CONFIG_KEY_NOTIFICATIONS_KUNIT_TEST
#include "tests/expiry_kunit.c"
#endif
