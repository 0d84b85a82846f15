/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What kernel/watch_ring.h uses of the kernel, for CBMC
 *
 * An allocation or a copy to user space may fail.  A copy fails after any number of
 * bytes.  A lock is a flag.
 */
#ifndef MODELS_KERNEL_H
#define MODELS_KERNEL_H

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

typedef uint8_t u8;
typedef uint16_t u16;
typedef uint32_t u32;
typedef int32_t s32;
typedef uint64_t u64;
typedef unsigned int gfp_t;

#define U16_MAX			((u32)UINT16_MAX)
#define U32_MAX			UINT32_MAX
#define BIT(nr)			(1UL << (nr))
#define PAGE_SIZE		4096UL
#define PAGE_ALLOC_COSTLY_ORDER	3
#define DIV_ROUND_UP(n, d)	(((n) + (d) - 1) / (d))
#define min(a, b)		((a) < (b) ? (a) : (b))
#define min_t(type, a, b)	min((type)(a), (type)(b))

#define likely(x)		(x)
#define unlikely(x)		(x)
#define noinline
#define __user
#undef __always_inline
#define __always_inline		inline
#define __maybe_unused		__attribute__((unused))
#define __aligned(x)		__attribute__((aligned(x)))
#define ____cacheline_aligned_in_smp

/* Runs steps of other tasks before a load */
static void interleave(void);

#define READ_ONCE(x)		(interleave(), (x))
#define WRITE_ONCE(x, val)	((x) = (val))
#define data_race(x)		(x)
#define smp_load_acquire(p)	(interleave(), *(p))
#define smp_store_release(p, v)	(*(p) = (v))

bool nondet_bool(void);
size_t nondet_size_t(void);
u32 nondet_u32(void);

static inline u32 roundup_pow_of_two(u32 n)
{
	u32 p = 1;

	while (p < n)
		p *= 2;
	return p;
}

/* Locks */

typedef struct { bool locked; } spinlock_t;

static inline void spin_lock_init(spinlock_t *lock)
{
	lock->locked = false;
}

static inline void spin_lock_irq(spinlock_t *lock)
{
	__CPROVER_assert(!lock->locked, "lock is free");
	lock->locked = true;
}

static inline void spin_unlock_irq(spinlock_t *lock)
{
	__CPROVER_assert(lock->locked, "lock is held");
	lock->locked = false;
}

#define lockdep_assert_held(lock) \
	__CPROVER_assert((lock)->locked, "lock is held")

/* Only for spinlock_irq */
#define scoped_guard(type, lock)					\
	for (bool guard = (spin_lock_irq(lock), true); guard;		\
	     guard = false, spin_unlock_irq(lock))

/* Memory */

#define GFP_KERNEL_ACCOUNT	0
#define __GFP_ZERO		0
#define __GFP_NOWARN		0
#define __GFP_RETRY_MAYFAIL	0

static bool can_fail;

static inline void *kvmalloc(size_t size, gfp_t gfp)
{
	void *p = calloc(1, size);

	__CPROVER_assume(p || can_fail);
	return p;
}

#define __vmalloc		kvmalloc
#define kvfree			free

/* Copying to user space */

static bool faulted;

struct iov_iter {
	bool ubuf_type;
	char *ubuf;
	size_t iov_offset;
	size_t count;
};

#define iter_is_ubuf(i)		((i)->ubuf_type)
#define iov_iter_count(i)	((i)->count)
#define might_fault()		do { } while (0)
#define user_write_access_end()	do { } while (0)

static inline bool fault(void)
{
	bool ret = nondet_bool();

	faulted |= ret;
	return ret;
}

#define should_fail_usercopy()	fault()

static inline bool user_write_access_begin(const char *to, size_t len)
{
	return !fault();
}

#define unsafe_copy_to_user(to, from, len, label) do {	\
	if (fault())					\
		goto label;				\
	memcpy(to, from, len);				\
} while (0)

static inline void iov_iter_advance(struct iov_iter *i, size_t len)
{
	__CPROVER_assert(len <= i->count, "advance within the buffer");
	i->iov_offset += len;
	i->count -= len;
}

static inline void iov_iter_revert(struct iov_iter *i, size_t len)
{
	__CPROVER_assert(len <= i->iov_offset, "revert within the buffer");
	i->iov_offset -= len;
	i->count += len;
}

/* Copies only the header of a record: watch_ring_user_record() has its own harness */
static inline size_t copy_to_iter(const void *from, size_t len, struct iov_iter *i)
{
	char *to = i->ubuf + i->iov_offset;

	__CPROVER_assert(len <= i->count, "copy within the buffer");
	__CPROVER_assert(__CPROVER_r_ok(from, len), "source is readable");
	__CPROVER_assert(__CPROVER_w_ok(to, len), "destination is writable");
	if (fault()) {
		size_t copied = nondet_size_t();

		__CPROVER_assume(copied < len);
		iov_iter_advance(i, copied);
		return copied;
	}
	memcpy(to, from, 8);
	iov_iter_advance(i, len);
	return len;
}

#endif /* MODELS_KERNEL_H */
