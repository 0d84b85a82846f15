// SPDX-License-Identifier: GPL-2.0
/*
 * Watch queue: random operations on several queues, with the result checked
 *
 * The watched objects are a process keyring, a key, two keyrings, and many transient
 * keys that are created and destroyed.  Each object has one poster.  The posts of an
 * object repeat in a fixed order, and each record identifies its place in that order.
 *
 * Each slot has one queue at a time.  A queue is opened and gets up to 256 watches,
 * each watch ID once.  It ends when its write end is closed and its watches are
 * removed, or both ends are closed while it is in use.  Then the slot opens the next
 * queue.  Mutators apply random operations to the queues.  A slot has one reader, which
 * checks the order of the records.  The last slot has two readers, one of them in
 * another process.
 *
 * The expected counts are computed without the kernel.  A mutator samples the numbers
 * of begun and completed posts of the object before and after it adds or removes a
 * watch.  This bounds the number of records of the watch, each of which is read or
 * lost.
 *
 * Without arguments, the number of posts bounds the run; it derives from nr_posts().
 * All random choices derive from the seed, with a generator per thread.  The
 * interleaving of the threads is not reproducible.  The runner of this program detects
 * a missed wake-up by a timeout.
 */
#include <getopt.h>
#include <sched.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <time.h>

#include "common.h"

#define FD_BASE		128	/* first of the descriptors reserved for queues */
#define LIMIT		1000000000	/* seconds: leave the timeout to the runner */
#define NR_IDS		256
#define NR_MUTATORS	2
#define NR_SLOTS	4
#define NR_LINKS	16	/* keys that the poster of a keyring links to it */
#define NR_SEGMENTS	8	/* of a readv() */
#define SHARE		10	/* a post costs as much as this many in race_test */
#define LAST_PLACE	1000	/* place of a record that only a REMOVAL may follow */

/* The checks; each is a test of its own below */
enum check {
	CHECK_FORM,
	CHECK_ID,
	CHECK_ORDER,
	CHECK_REMOVAL,
	CHECK_LOSS,
	CHECK_SUM,
	CHECK_COUNT,
	CHECK_FILTER,
	CHECK_WAIT,
	CHECK_CALL,
	NR_CHECKS
};

enum op {
	/* Operations of mutators, with the relative frequencies in op_weight[] */
	OP_ADD,
	OP_DEL,
	OP_FILTER,
	OP_SIZE,
	OP_INFO,
	OP_BYTES,
	OP_POLL,
	OP_EPOLL,
	OP_REOPEN,
	OP_PASS,
	OP_ASYNC,
	OP_WRONG,
	OP_FORK,
	OP_END,
	NR_MUTATIONS,
	/* Operations of posters and readers */
	OP_POST = NR_MUTATIONS,
	OP_KEY,
	OP_REVOKE,
	OP_INVALIDATE,
	OP_OPEN,
	OP_CLOSE,
	OP_READ,
	OP_EFAULT,
	OP_EMSGSIZE,
	OP_EAGAIN,
	OP_WAIT,
	OP_RECORD,
	OP_LOSS,
	NR_OPS
};

static const char * const op_name[NR_OPS] = {
	"add", "del", "filter", "size", "fdinfo", "fionread", "poll", "epoll",
	"reopen", "pass", "async", "wrong", "fork", "end", "post", "key",
	"revoke", "invalidate", "open", "close", "read", "efault", "emsgsize",
	"eagain", "wait", "record", "loss",
};

static const unsigned int op_weight[NR_MUTATIONS] = {
	[OP_ADD] = 300, [OP_DEL] = 300, [OP_FILTER] = 60, [OP_SIZE] = 20,
	[OP_INFO] = 20, [OP_BYTES] = 20, [OP_POLL] = 20, [OP_EPOLL] = 10,
	[OP_REOPEN] = 20, [OP_PASS] = 10, [OP_ASYNC] = 10, [OP_WRONG] = 10,
	[OP_FORK] = 2, [OP_END] = 4,
};

enum kind { KIND_PROCESS, KIND_KEY, KIND_RING, KIND_TRANSIENT };

/* An object to watch, and the counts of its poster */
struct object {
	enum kind kind;
	int key;		/* 0: does not exist now */
	int users;		/* watch IDs that refer to it; keeps @key unchanged */
	int links[NR_LINKS];
	unsigned int period;	/* the posts repeat after this many */
	unsigned long begun;	/* posts */
	unsigned long done;
};

enum {
	OBJECT_PROCESS,
	OBJECT_KEY,
	OBJECT_RING,
	OBJECT_FOREIGN,		/* a keyring whose poster is another process */
	OBJECT_TRANSIENT,
	NR_OBJECTS = OBJECT_TRANSIENT + 32
};

/* A watch ID, used for one watch in the lifetime of a queue */
enum id_state { ID_UNUSED, ID_REFUSED, ID_PENDING, ID_ADDED, ID_CLAIMED, ID_ENDED };

struct watch_id {
	int state;
	int key;
	struct object *object;
	/* Bounds of the number of posts while the watch existed */
	unsigned long least;
	unsigned long most;

	/* Written by the reader only */
	bool seen;
	bool last;		/* only the REMOVAL may follow */
	bool removed;
	unsigned int place;	/* of the last record */
	unsigned long lost;	/* count of the queue before that record */
};

/* A queue, and its successors */
struct slot {
	pthread_rwlock_t lock;	/* held for writing to end or replace the queue */
	int nr;
	int fd[2];		/* the same for each queue */
	bool ending;		/* protected by @lock */
	bool closed;		/* while in use: calls may fail with EBADF */
	int sized;		/* successful calls of SET_SIZE */
	int banned;		/* subtype that no filter accepts, or -1 */
	int next_id;
	int max_ids;
	struct watch_id id[NR_IDS];
	unsigned long records;	/* sums of its readers */
	unsigned long lost;
	unsigned long saturated;
};

/* State that all processes share */
struct stress {
	unsigned long seed;
	unsigned long seconds;	/* 0: bounded by the number of posts */
	long posts;		/* left */
	long all_posts;		/* initial value of @posts */
	int stop;		/* stops the posters */
	int quit;		/* stops mutators and readers */
	int finished;
	unsigned long end;	/* monotonic clock */
	int transient_ring;
	int link[2];		/* to the reader in the other process */
	unsigned long bad[NR_CHECKS];
	unsigned long count[NR_OPS];
	struct object object[NR_OBJECTS];
	struct slot slot[NR_SLOTS];
};

static struct stress *stress;

/* State of one thread */
struct thread {
	pthread_t thread;
	uint64_t rng;
	struct object *object;	/* for a poster */
	struct slot *slot;	/* for a reader */
};

static uint64_t random64(struct thread *t)
{
	t->rng ^= t->rng << 13;
	t->rng ^= t->rng >> 7;
	t->rng ^= t->rng << 17;
	return t->rng;
}

static unsigned int below(struct thread *t, unsigned int limit)
{
	return (random64(t) >> 32) % limit;
}

static bool one_in(struct thread *t, unsigned int n)
{
	return !below(t, n);
}

/* A random number from 1 on, small ones as likely as large ones */
static unsigned int spread(struct thread *t, unsigned int bits)
{
	return 1 + below(t, 1U << below(t, bits + 1));
}

static void thread_init(struct thread *t, unsigned int nr)
{
	memset(t, 0, sizeof(*t));
	t->rng = (stress->seed + 1) * 0x9e3779b97f4a7c15ULL ^
		 (nr + 1) * 0xd1b54a32d192ed03ULL;
	for (nr = 0; nr < 8; nr++)
		random64(t);
}

static void count(enum op op)
{
	__atomic_fetch_add(&stress->count[op], 1, __ATOMIC_RELAXED);
}

#define load(x)		__atomic_load_n(&(x), __ATOMIC_SEQ_CST)
#define store(x, value)	__atomic_store_n(&(x), value, __ATOMIC_SEQ_CST)

/* Counts a failed check, and prints the first few failures of each check */
static __printf(2, 3) void bad(enum check check, const char *format, ...)
{
	char text[256];
	va_list args;

	if (__atomic_fetch_add(&stress->bad[check], 1, __ATOMIC_RELAXED) >= 4)
		return;
	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	ksft_print_msg("%s\n", text);
}

static unsigned long clock_seconds(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec;
}

/* Posting */

static bool all_ops_done(void)
{
	int i;

	for (i = 0; i < NR_OPS; i++) {
		if (!load(stress->count[i]))
			return false;
	}
	return true;
}

/*
 * Takes @nr posts from the number of posts left.  Returns false if none are left and
 * each operation was done.  An operation that the random choices omit stops the run
 * after ten times the number of posts.
 */
static bool may_post(unsigned int nr)
{
	long left;

	if (stress->seconds) {
		if (clock_seconds() >= stress->end)
			store(stress->stop, 1);
		return !load(stress->stop);
	}

	left = __atomic_sub_fetch(&stress->posts, nr, __ATOMIC_RELAXED);
	if (left < 0 && (all_ops_done() || left < -10 * stress->all_posts))
		store(stress->stop, 1);
	return !load(stress->stop);
}

/* Posts LINKED and UNLINKED for each key in turn; CLEARED instead of the last UNLINKED */
static int ring_post(struct object *o, unsigned int place)
{
	int link = o->links[place / 2];

	if (!(place & 1))
		return keyctl(KEYCTL_LINK, link, o->key, 0, 0);
	if (place == o->period - 1)
		return keyctl(KEYCTL_CLEAR, o->key, 0, 0, 0);
	return key_unlink(link, o->key);
}

static void object_post(struct object *o)
{
	unsigned int place = o->begun % o->period;
	int ret;

	store(o->begun, o->begun + 1);
	if (o->kind == KIND_PROCESS)
		ret = key_touch(KEY_SPEC_PROCESS_KEYRING);
	else if (o->kind == KIND_RING)
		ret = ring_post(o, place);
	else
		ret = place ? key_update(o->key) : key_touch(o->key);
	store(o->done, o->done + 1);
	count(OP_POST);
	if (ret)
		bad(CHECK_CALL, "post of kind %d at place %u: errno %d",
		    o->kind, place, -ret);
}

/* Place of the record in the order of the object's posts, or -1 */
static int object_place(const struct object *o, const struct key_notification *n)
{
	unsigned int i;

	switch (n->watch.subtype) {
	case NOTIFY_KEY_SETATTR:
		return o->kind == KIND_RING || n->aux ? -1 : 0;
	case NOTIFY_KEY_UPDATED:
		return o->period != 2 || n->aux ? -1 : 1;
	case NOTIFY_KEY_REVOKED:
	case NOTIFY_KEY_INVALIDATED:
		return o->kind != KIND_TRANSIENT || n->aux ? -1 : LAST_PLACE;
	case NOTIFY_KEY_CLEARED:
		return o->kind != KIND_RING || n->aux ? -1 : o->period - 1;
	case NOTIFY_KEY_LINKED:
	case NOTIFY_KEY_UNLINKED:
		for (i = 0; o->kind == KIND_RING && i < NR_LINKS; i++) {
			if (n->aux == (__u32)o->links[i])
				return 2 * i + (n->watch.subtype ==
						NOTIFY_KEY_UNLINKED);
		}
	}
	return -1;
}

/*
 * After some bursts, waits a little until a reader finds its queue empty.  Posters and
 * readers then race in empty queues as well as in full ones.  The wait is bounded.
 */
static void poster_pause(struct thread *t)
{
	unsigned long seen = load(stress->count[OP_EAGAIN]);
	unsigned int tries = below(t, 4) * below(t, 64);

	while (tries-- && load(stress->count[OP_EAGAIN]) == seen)
		sched_yield();
}

static void *poster_run(void *arg)
{
	struct thread *t = arg;
	unsigned int n;

	for (;;) {
		n = spread(t, 8);
		if (!may_post(n))
			return NULL;
		while (n--)
			object_post(t->object);
		poster_pause(t);
	}
}

static bool transient_create(struct object *o)
{
	static unsigned long nr;
	char name[32];
	int key;

	/* Keep the old key while its records may still be checked */
	if (load(o->users))
		return false;
	snprintf(name, sizeof(name), "transient%lu", nr++);
	key = key_new_in("user", name, stress->transient_ring);
	if (key < 0) {
		/* Keys that wait for garbage collection use the quota, too */
		if (key != -EDQUOT)
			bad(CHECK_CALL, "cannot create a key: errno %d", -key);
		return false;
	}
	count(OP_KEY);
	store(o->key, key);
	return true;
}

/* Revokes or invalidates the key, or only removes its last link */
static void transient_destroy(struct thread *t, struct object *o)
{
	int key = o->key, ret = 0, how = below(t, 3);

	if (how) {
		store(o->begun, o->begun + 1);
		ret = keyctl(how == 1 ? KEYCTL_REVOKE : KEYCTL_INVALIDATE, key,
			     0, 0, 0);
		store(o->done, o->done + 1);
		count(how == 1 ? OP_REVOKE : OP_INVALIDATE);
	}
	if (ret)
		bad(CHECK_CALL, "cannot destroy a key: errno %d", -ret);
	/* Fails if garbage collection removed the link */
	key_unlink(key, stress->transient_ring);
	store(o->key, 0);
}

static void *transient_run(void *arg)
{
	struct thread *t = arg;
	struct object *o;
	unsigned int n;

	for (;;) {
		o = &stress->object[OBJECT_TRANSIENT +
				    below(t, NR_OBJECTS - OBJECT_TRANSIENT)];
		n = spread(t, 4);
		if (!may_post(n))
			break;
		if (!o->key && !transient_create(o)) {
			sched_yield();
			continue;
		}
		while (n--)
			object_post(o);
		if (one_in(t, 4))
			transient_destroy(t, o);
		poster_pause(t);
	}
	for (o = &stress->object[OBJECT_TRANSIENT]; o < stress->object + NR_OBJECTS; o++)
		if (o->key)
			transient_destroy(t, o);
	return NULL;
}

/* Checking */

/* A reader of one queue, for the lifetime of the queue */
struct reader {
	struct thread *t;
	struct slot *slot;
	int fd;
	int ep;
	bool ordered;		/* the only reader: sees the records in order */
	bool readable;		/* poll() returned POLLIN */
	bool after_loss;
	unsigned long records;
	unsigned long lost;
	unsigned long saturated;
	char *page;		/* the page after it is not accessible */
};

static void bad_record(struct reader *rd, enum check which, const char *why,
		       const union watch_record *r)
{
	bad(which, "queue %d record %lu: %s: type %u subtype %u info %08x data %08x %08x",
	    rd->slot->nr, rd->records + rd->lost, why, r->watch.type,
	    r->watch.subtype, r->watch.info, r->key.key_id, r->key.aux);
}

static void check_loss(struct reader *rd, const union watch_record *r)
{
	count(OP_LOSS);
	if (record_len(r) != LOSS_RECORD || watch_record_id(r) || !record_bits(r))
		bad_record(rd, CHECK_FORM, "malformed loss report", r);
	/* A full queue has at least one record between two losses */
	if (rd->ordered && rd->after_loss && rd->records)
		bad_record(rd, CHECK_LOSS, "two reports in one place", r);
	rd->after_loss = true;
	rd->lost += record_bits(r);
	rd->saturated += record_bits(r) == 0xffff;
}

static void check_removal(struct reader *rd, struct watch_id *w,
			  const union watch_record *r)
{
	if (record_len(r) != sizeof(r->removal))
		bad_record(rd, CHECK_FORM, "malformed removal", r);
	if (r->removal.id != (__u64)w->key)
		bad_record(rd, CHECK_ID, "removal of another object", r);
	if (rd->ordered && w->removed)
		bad_record(rd, CHECK_REMOVAL, "removed twice", r);
	if (rd->ordered)
		w->removed = true;
}

/* Between two records of a watch, at most as many are missing as were reported lost */
static void check_place(struct reader *rd, struct watch_id *w,
			unsigned int place, const union watch_record *r)
{
	unsigned int period = w->object->period, missing;

	if (w->removed || w->last)
		bad_record(rd, CHECK_REMOVAL, "after the end of its watch", r);
	if (place == LAST_PLACE) {
		w->last = true;
		return;
	}
	missing = (place + period - w->place - 1) % period;
	if (w->seen && rd->slot->banned < 0 && missing > rd->lost - w->lost)
		bad_record(rd, CHECK_ORDER, "records are missing before it", r);
	w->seen = true;
	w->place = place;
	w->lost = rd->lost;
}

static void check_key(struct reader *rd, struct watch_id *w,
		      const union watch_record *r)
{
	int place = object_place(w->object, &r->key);

	if (r->watch.type != WATCH_TYPE_KEY_NOTIFY ||
	    record_len(r) != KEY_RECORD || record_bits(r))
		bad_record(rd, CHECK_FORM, "malformed record", r);
	else if (r->key.key_id != (__u32)w->key)
		bad_record(rd, CHECK_ID, "about another key", r);
	else if (place < 0)
		bad_record(rd, CHECK_FORM, "never posted", r);
	else if (r->watch.subtype == rd->slot->banned)
		bad_record(rd, CHECK_FILTER, "not accepted by any filter", r);
	else if (rd->ordered)
		check_place(rd, w, place, r);
}

static void check_record(struct reader *rd, const union watch_record *r)
{
	struct watch_id *w = &rd->slot->id[watch_record_id(r)];

	if (is_loss(r)) {
		check_loss(rd, r);
		return;
	}
	count(OP_RECORD);
	rd->records++;
	rd->after_loss = false;
	if (load(w->state) < ID_PENDING)
		bad_record(rd, CHECK_ID, "unknown watch ID", r);
	else if (is_removal(r))
		check_removal(rd, w, r);
	else
		check_key(rd, w, r);
}

/* Checks the records of one read(); stops at a wrong length */
static void check_buffer(struct reader *rd, const char *buf, int len)
{
	struct watch_records records = { buf, len };
	union watch_record r;
	int size;

	while ((size = watch_record_next(&records, &r))) {
		if (size != LOSS_RECORD && size != KEY_RECORD) {
			bad_record(rd, CHECK_FORM, "wrong length", &r);
			return;
		}
		check_record(rd, &r);
	}
}

/* Reading */

/*
 * Builds a buffer of random segments that ends at the inaccessible page, or reaches
 * into it.  Returns the number of accessible bytes.
 */
static size_t make_segments(struct reader *rd, struct iovec *iov, int *nr)
{
	size_t page = getpagesize(), size = 0, len;
	struct thread *t = rd->t;
	int i;

	*nr = one_in(t, 3) ? 1 + below(t, NR_SEGMENTS) : 1;
	for (i = 0; i < *nr; i++) {
		len = *nr > 1 ? below(t, 100) : spread(t, 12);
		size += len;
		iov[*nr - 1 - i].iov_base = rd->page + page - size;
		iov[*nr - 1 - i].iov_len = len;
	}
	/* Let the last segment reach into the inaccessible page */
	if (one_in(t, 4))
		iov[*nr - 1].iov_len += 1 + below(t, 500);
	if (one_in(t, 64)) {
		iov[0].iov_base = rd->page + page;
		iov[0].iov_len += 1;
		size = 0;
	}
	return size;
}

static int read_random(struct reader *rd, size_t *room, size_t *whole,
		       bool *wait)
{
	struct iovec iov[NR_SEGMENTS];
	int i, nr, ret;

	*room = make_segments(rd, iov, &nr);
	/* Let two readers of one queue sleep in read() more often */
	*wait = one_in(rd->t, rd->ordered ? 16 : 2);
	for (i = 0, *whole = 0; i < nr; i++)
		*whole += iov[i].iov_len;
	count(OP_READ);
	if (!*wait)
		ret = neg(preadv2(rd->fd, iov, nr, -1, RWF_NOWAIT));
	else if (nr > 1)
		ret = neg(readv(rd->fd, iov, nr));
	else
		ret = neg(read(rd->fd, iov[0].iov_base, iov[0].iov_len));
	if (ret > (int)*room)
		bad(CHECK_FORM, "queue %d: %d bytes read to %zu", rd->slot->nr,
		    ret, *room);
	else if (ret > 0)
		check_buffer(rd, iov[0].iov_base, ret);
	return ret;
}

/* Sleeps in poll() or epoll_wait() until the queue may be readable */
static void reader_wait(struct reader *rd)
{
	struct epoll_event event;
	int revents, bytes;

	count(OP_WAIT);
	if (one_in(rd->t, 2)) {
		revents = poll_for(rd->fd, POLLIN, -1);
		rd->readable = revents > 0 && revents & POLLIN;
	} else {
		epoll_wait(rd->ep, &event, 1, -1);
		return;
	}
	bytes = readable_bytes(rd->fd);
	if (rd->ordered && rd->readable && bytes <= 0)
		bad(CHECK_WAIT, "queue %d: POLLIN, but FIONREAD is %d",
		    rd->slot->nr, bytes);
}

/* Returns false at end of file, or if the queue was closed */
static bool reader_step(struct reader *rd)
{
	size_t room, whole;
	bool wait;
	int ret;

	ret = read_random(rd, &room, &whole, &wait);
	if (!whole) {
		if (ret)
			bad(CHECK_CALL, "read of 0 bytes: %d", ret);
		return true;
	}
	if (ret == -EAGAIN && !wait) {
		count(OP_EAGAIN);
		if (rd->ordered && rd->readable)
			bad(CHECK_WAIT, "queue %d: POLLIN, but EAGAIN",
			    rd->slot->nr);
		reader_wait(rd);
		return true;
	}
	rd->readable = false;
	/* EFAULT is only correct if no record fits before the fault */
	if (ret == -EFAULT && room < whole && room < KEY_RECORD) {
		count(OP_EFAULT);
		return true;
	}
	if (ret == -EMSGSIZE && whole < KEY_RECORD) {
		count(OP_EMSGSIZE);
		return true;
	}
	if (ret < 0)
		bad(CHECK_CALL, "read: errno %d", -ret);
	return ret > 0;
}

static void reader_init(struct reader *rd, struct thread *t, struct slot *s,
			int fd)
{
	struct epoll_event event = { .events = EPOLLIN };
	size_t page = getpagesize();

	memset(rd, 0, sizeof(*rd));
	rd->t = t;
	rd->slot = s;
	rd->fd = fd;
	rd->ordered = s->nr != NR_SLOTS - 1;
	rd->page = mmap(NULL, 2 * page, PROT_READ | PROT_WRITE,
			MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (rd->page == MAP_FAILED || mprotect(rd->page + page, page, PROT_NONE))
		bad(CHECK_CALL, "mmap: errno %d", errno);
	rd->ep = epoll_create1(EPOLL_CLOEXEC);
	if (one_in(t, 2))
		event.events |= EPOLLET;
	if (epoll_ctl(rd->ep, EPOLL_CTL_ADD, rd->fd, &event))
		bad(CHECK_CALL, "epoll: errno %d", errno);
}

static void reader_exit(struct reader *rd)
{
	struct slot *s = rd->slot;

	__atomic_fetch_add(&s->records, rd->records, __ATOMIC_SEQ_CST);
	__atomic_fetch_add(&s->lost, rd->lost, __ATOMIC_SEQ_CST);
	__atomic_fetch_add(&s->saturated, rd->saturated, __ATOMIC_SEQ_CST);
	munmap(rd->page, 2 * getpagesize());
	close(rd->ep);
}

/* Queues */

static void expect(struct slot *s, const char *what, int ret, int wanted)
{
	if (ret != wanted && !load(s->closed))
		bad(CHECK_CALL, "queue %d: %s: %d, not %d", s->nr, what, ret,
		    wanted);
}

/*
 * Without a banned subtype, each filter accepts all records, so that none may be
 * missing while filters change.
 */
static void slot_filter(struct slot *s, struct thread *t)
{
	struct filter filter = { .nr_filters = 1 + below(t, MAX_RULES) };
	unsigned int i, subtype;

	if (s->banned < 0 && one_in(t, 4)) {
		expect(s, "no filter", queue_filter(s->fd[below(t, 2)], NULL), 0);
		return;
	}
	for (i = 0; i < filter.nr_filters; i++)
		filter.rules[i].type = WATCH_TYPE_KEY_NOTIFY;
	for (subtype = 0; subtype < 32; subtype++) {
		if ((int)subtype == s->banned || (s->banned >= 0 && one_in(t, 4)))
			continue;
		i = below(t, filter.nr_filters);
		filter.rules[i].subtype_filter[0] |= 1U << subtype;
	}
	expect(s, "filter", queue_filter(s->fd[below(t, 2)], &filter), 0);
}

static void slot_size(struct slot *s, struct thread *t)
{
	int ret = queue_size(s->fd[below(t, 2)], spread(t, 10));

	if (ret)
		expect(s, "size", ret, -EBUSY);
	else if (__atomic_add_fetch(&s->sized, 1, __ATOMIC_SEQ_CST) > 1)
		bad(CHECK_CALL, "queue %d: sized twice", s->nr);
}

static void slot_open(struct slot *s, struct thread *t)
{
	int i, fd[2];

	count(OP_OPEN);
	if (pipe2(fd, O_NOTIFICATION_PIPE | O_CLOEXEC))
		ksft_exit_fail_msg("pipe2: errno %d\n", errno);
	for (i = 0; i < 2; i++) {
		if (dup3(fd[i], s->fd[i], O_CLOEXEC) < 0)
			ksft_exit_fail_msg("dup3: errno %d\n", errno);
		close(fd[i]);
	}
	memset(s->id, 0, sizeof(s->id));
	s->records = 0;
	s->lost = 0;
	s->saturated = 0;
	s->sized = 0;
	s->next_id = 0;
	s->max_ids = spread(t, 8);
	s->banned = one_in(t, 4) ? (int)below(t, 8) : -1;
	store(s->closed, false);
	store(s->ending, false);
	if (s->banned >= 0)
		slot_filter(s, t);
	if (!one_in(t, 8))
		slot_size(s, t);
}

static struct watch_id *slot_id(struct slot *s, int nr)
{
	/* Do not use the IDs in ascending order */
	return &s->id[(nr * 37 + s->max_ids) % NR_IDS];
}

static struct object *object_get(struct thread *t)
{
	static const int likely[] = {
		OBJECT_PROCESS, OBJECT_PROCESS, OBJECT_KEY, OBJECT_RING,
		OBJECT_RING, OBJECT_FOREIGN,
	};
	unsigned int i = below(t, 8);
	struct object *o;

	if (i < ARRAY_SIZE(likely))
		i = likely[i];
	else
		i = OBJECT_TRANSIENT + below(t, NR_OBJECTS - OBJECT_TRANSIENT);
	o = &stress->object[i];
	__atomic_fetch_add(&o->users, 1, __ATOMIC_SEQ_CST);
	return o;
}

static void object_put(struct object *o)
{
	__atomic_fetch_sub(&o->users, 1, __ATOMIC_SEQ_CST);
}

/* True if the call may fail like this because the key was destroyed */
static bool key_gone(const struct object *o, int ret)
{
	return o->kind == KIND_TRANSIENT &&
	       (ret == -ENOKEY || ret == -EKEYREVOKED);
}

/* Returns false if that was the last ID */
static bool slot_add(struct slot *s, struct thread *t)
{
	struct object *o = object_get(t);
	int ret, nr, key = load(o->key);
	struct watch_id *w;

	if (!key) {
		object_put(o);
		return true;
	}
	nr = __atomic_fetch_add(&s->next_id, 1, __ATOMIC_SEQ_CST);
	if (nr >= s->max_ids) {
		object_put(o);
		return false;
	}
	w = slot_id(s, nr);
	w->object = o;
	w->key = key;
	w->most = load(o->done);
	store(w->state, ID_PENDING);
	/* This test causes no events that only extended watches receive */
	ret = watch_add(key, s->fd[below(t, 2)],
			(w - s->id) | (one_in(t, 2) ? KEY_WATCH_EXTENDED : 0));
	w->least = load(o->begun);
	store(w->state, ret ? ID_REFUSED : ID_ADDED);
	if (!ret)
		return true;
	object_put(o);
	/* The queue may already watch the key */
	if (ret != -EBUSY && !key_gone(o, ret))
		expect(s, "add", ret, 0);
	return true;
}

/* Computes the bounds of the number of posts for the removed watch */
static void id_ended(struct watch_id *w, unsigned long done, unsigned long begun)
{
	w->least = (long)(done - w->least) > 0 ? done - w->least : 0;
	w->most = begun - w->most;
	store(w->state, ID_ENDED);
}

static void slot_del(struct slot *s, struct watch_id *w, int fd)
{
	int ret, state = ID_ADDED;
	unsigned long done;

	if (!__atomic_compare_exchange_n(&w->state, &state, ID_CLAIMED, false,
					 __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST))
		return;
	done = load(w->object->done);
	ret = watch_del(w->key, fd);
	if (!ret) {
		id_ended(w, done, load(w->object->begun));
		return;
	}
	store(w->state, ID_ADDED);
	if (!key_gone(w->object, ret))
		expect(s, "del", ret, 0);
}

/* Closes the write end and removes the watches, so that the readers reach end of file */
static void slot_end(struct slot *s, struct thread *t)
{
	bool first = one_in(t, 2);
	int i;

	pthread_rwlock_wrlock(&s->lock);
	if (!s->ending && !load(s->closed)) {
		store(s->ending, true);
		if (first)
			close(s->fd[1]);
		for (i = 0; i < NR_IDS; i++)
			slot_del(s, &s->id[i], s->fd[0]);
		if (!first)
			close(s->fd[1]);
	}
	pthread_rwlock_unlock(&s->lock);
}

/* Closes both ends while other threads use them */
static void slot_close(struct slot *s, struct thread *t)
{
	int first = below(t, 2);

	count(OP_CLOSE);
	store(s->closed, true);
	close(s->fd[first]);
	close(s->fd[!first]);
}

static void check_counts(struct slot *s, const struct queue_info *info)
{
	unsigned long long least = 0, most = 0;
	struct watch_id *w;
	int missing = 0;

	for (w = s->id; w < s->id + NR_IDS; w++) {
		if (w->state < ID_ADDED)
			continue;
		if (w->state == ID_ADDED) {
			if (w->object->kind != KIND_TRANSIENT)
				bad(CHECK_WAIT, "queue %d: end of file, but a watch is left",
				    s->nr);
			id_ended(w, load(w->object->done), load(w->object->begun));
		}
		least += w->least + 1;
		most += w->most + 1;
		missing += !w->removed;
	}
	if (info->posted > most || (s->banned < 0 && info->posted < least))
		bad(CHECK_COUNT, "queue %d: %llu posted, not %llu to %llu",
		    s->nr, info->posted, least, most);
	if (s->nr != NR_SLOTS - 1 && missing > (long long)info->lost)
		bad(CHECK_REMOVAL, "queue %d: %d removals not seen, %llu records lost",
		    s->nr, missing, info->lost);
}

static void check_sums(struct slot *s)
{
	struct queue_info info;

	if (!queue_info(s->fd[0], &info) || info.queued || info.watches ||
	    info.watch_lines || !info.depth != !s->sized)
		bad(CHECK_SUM, "queue %d: fdinfo: depth %u, %u queued, %u watches",
		    s->nr, info.depth, info.queued, info.watches);
	if (info.posted != s->records + info.lost)
		bad(CHECK_SUM, "queue %d: %llu posted, %lu read, %llu lost",
		    s->nr, info.posted, s->records, info.lost);
	if (s->saturated ? info.lost < s->lost : info.lost != s->lost)
		bad(CHECK_LOSS, "queue %d: %llu lost, %lu reported", s->nr,
		    info.lost, s->lost);
	check_counts(s, &info);
}

/* Checks the sums, as the readers are done, and opens the next queue unless quitting */
static bool slot_next(struct slot *s, struct thread *t)
{
	bool more = !load(stress->quit);
	struct watch_id *w;

	pthread_rwlock_wrlock(&s->lock);
	if (!s->closed) {
		check_sums(s);
		close(s->fd[0]);
	}
	for (w = s->id; w < s->id + NR_IDS; w++)
		if (w->state >= ID_ADDED)
			object_put(w->object);
	if (more)
		slot_open(s, t);
	else
		store(s->closed, true);
	pthread_rwlock_unlock(&s->lock);
	return more;
}

/* Passing a descriptor together with a number */

union control {
	struct cmsghdr header;
	char space[CMSG_SPACE(sizeof(int))];
};

static int send_fd(int link, int fd, int nr)
{
	struct iovec iov = { .iov_base = &nr, .iov_len = sizeof(nr) };
	union control control = {};
	struct msghdr msg = {
		.msg_iov = &iov, .msg_iovlen = 1,
		.msg_control = &control, .msg_controllen = sizeof(control),
	};

	control.header.cmsg_level = SOL_SOCKET;
	control.header.cmsg_type = SCM_RIGHTS;
	control.header.cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(&control.header), &fd, sizeof(fd));
	return neg(sendmsg(link, &msg, MSG_NOSIGNAL));
}

static int receive_fd(int link, int *nr)
{
	struct iovec iov = { .iov_base = nr, .iov_len = sizeof(*nr) };
	union control control = {};
	struct msghdr msg = {
		.msg_iov = &iov, .msg_iovlen = 1,
		.msg_control = &control, .msg_controllen = sizeof(control),
	};
	int fd;

	if (recvmsg(link, &msg, MSG_CMSG_CLOEXEC) != sizeof(*nr) ||
	    control.header.cmsg_type != SCM_RIGHTS)
		return -1;
	memcpy(&fd, CMSG_DATA(&control.header), sizeof(fd));
	return fd;
}

/* Readers */

static void reader_until_end(struct reader *rd)
{
	struct slot *s = rd->slot;
	unsigned int steps = 0;

	/* Sometimes close the queue while it is in use */
	if (one_in(rd->t, 3))
		steps = spread(rd->t, 10);
	while (reader_step(rd)) {
		if (!steps || --steps)
			continue;
		if (rd->ordered)
			slot_close(s, rd->t);
		if (rd->ordered || rd->fd != s->fd[0])
			return;
	}
	if (!load(s->ending))
		bad(CHECK_WAIT, "queue %d: end of file too early", s->nr);
}

static void *reader_run(void *arg)
{
	struct thread *t = arg;
	struct slot *s = t->slot;
	int fd, answer;
	struct reader rd;

	do {
		reader_init(&rd, t, s, s->fd[0]);
		if (!rd.ordered) {
			fd = one_in(t, 2) ? dup(rd.fd) :
					    queue_reopen(rd.fd, O_RDONLY);
			if (send_fd(stress->link[0], fd, s->nr) < 0)
				bad(CHECK_CALL, "cannot pass a queue");
			close(fd);
		}
		reader_until_end(&rd);
		reader_exit(&rd);
		if (!rd.ordered &&
		    recv(stress->link[0], &answer, sizeof(answer), 0) != sizeof(answer))
			bad(CHECK_CALL, "the reader in the other process is gone");
	} while (slot_next(s, t));
	return NULL;
}

/* The second reader of the last slot, in another process */
static void remote_run(struct thread *t)
{
	struct reader rd;
	int fd, nr;

	while ((fd = receive_fd(stress->link[1], &nr)) >= 0) {
		reader_init(&rd, t, &stress->slot[nr], fd);
		reader_until_end(&rd);
		reader_exit(&rd);
		close(fd);
		if (send(stress->link[1], &nr, sizeof(nr), 0) != sizeof(nr))
			break;
	}
}

/* Mutators */

/* No sum in fdinfo decreases */
static void mutate_info(struct slot *s, int fd)
{
	struct queue_info a, b;

	if (!queue_info(fd, &a) || !queue_info(fd, &b))
		expect(s, "fdinfo", 0, 1);
	else if (a.queued > a.depth || b.queued > b.depth ||
		 b.posted < a.posted || b.lost < a.lost ||
		 b.posted - b.lost - b.queued < a.posted - a.lost - a.queued)
		bad(CHECK_SUM, "queue %d: %u/%u, %llu posted, %llu lost, then %u/%u, %llu, %llu",
		    s->nr, a.queued, a.depth, a.posted, a.lost, b.queued,
		    b.depth, b.posted, b.lost);
}

static void mutate_bytes(struct slot *s, int fd)
{
	int bytes = readable_bytes(fd);

	if (bytes < 0 || bytes % LOSS_RECORD ||
	    bytes > (int)(1024 * (KEY_RECORD + LOSS_RECORD) + 2 * LOSS_RECORD))
		expect(s, "FIONREAD", bytes, 0);
}

static void mutate_poll(struct slot *s, int fd)
{
	int revents = poll_now(fd);

	if (revents < 0 || revents & POLLERR)
		expect(s, "poll", revents, 0);
}

static void mutate_epoll(struct slot *s, int fd)
{
	struct epoll_event event = { .events = EPOLLIN };
	int ep = epoll_create1(EPOLL_CLOEXEC);

	expect(s, "EPOLL_CTL_ADD", neg(epoll_ctl(ep, EPOLL_CTL_ADD, fd, &event)), 0);
	epoll_wait(ep, &event, 1, 0);
	close(ep);
}

static void mutate_reopen(struct slot *s, struct thread *t, int fd)
{
	static const int flags[] = { O_RDONLY, O_WRONLY, O_RDWR };
	int again = queue_reopen(fd, flags[below(t, 3)] | O_CLOEXEC);

	if (again < 0) {
		expect(s, "reopen", again, 0);
		return;
	}
	mutate_poll(s, again);
	mutate_bytes(s, again);
	close(again);
}

static void mutate_pass(struct slot *s, int fd)
{
	int link[2], nr, again;

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, link)) {
		bad(CHECK_CALL, "socketpair: errno %d", errno);
		return;
	}
	if (send_fd(link[0], fd, 0) < 0) {
		expect(s, "SCM_RIGHTS", 0, 1);
	} else {
		again = receive_fd(link[1], &nr);
		mutate_poll(s, again);
		close(again);
	}
	close(link[0]);
	close(link[1]);
}

static void mutate_async(struct slot *s, struct thread *t, int fd)
{
	expect(s, "F_SETOWN", neg(fcntl(fd, F_SETOWN, getpid())), 0);
	expect(s, "F_SETFL", neg(fcntl(fd, F_SETFL, one_in(t, 2) ? O_ASYNC : 0)),
	       0);
}

/* Calls that are refused and have no effect */
static void mutate_wrong(struct slot *s, int fd)
{
	struct filter filter = { .nr_filters = MAX_RULES + 1 };

	expect(s, "write", neg(write(s->fd[1], "", 1)), -EXDEV);
	expect(s, "long filter", queue_filter(fd, &filter), -EINVAL);
	expect(s, "fault", queue_filter(fd, (void *)1), -EFAULT);
	expect(s, "resize", neg(fcntl(fd, F_SETPIPE_SZ, 4096)), -EBUSY);
	expect(s, "ID 512", watch_add(KEY_SPEC_SESSION_KEYRING, fd, 2 * NR_IDS),
	       -EINVAL);
}

/* The child holds both ends of all queues for a while */
static void mutate_fork(struct slot *s, int fd)
{
	struct pollfd pfd = { .fd = fd, .events = POLLIN };
	int bytes, status;
	pid_t pid = fork();

	if (!pid) {
		poll(&pfd, 1, 0);
		ioctl(fd, FIONREAD, &bytes);
		_exit(0);
	}
	if (pid < 0 || waitpid(pid, &status, 0) != pid || status)
		bad(CHECK_CALL, "fork");
}

/* True if the operation is allowed while the queue ends */
static bool is_read_only(enum op op)
{
	return op == OP_INFO || op == OP_BYTES || op == OP_POLL ||
	       op == OP_EPOLL || op == OP_REOPEN || op == OP_FORK;
}

/* Returns false if the queue should end */
static bool mutate_queue(struct slot *s, struct thread *t, enum op op)
{
	/* The write end of an ending queue is closed */
	int fd = s->fd[s->ending ? 0 : below(t, 2)];

	switch (op) {
	case OP_ADD:
		return slot_add(s, t);
	case OP_DEL:
		slot_del(s, slot_id(s, below(t, s->max_ids)), fd);
		break;
	case OP_FILTER:
		slot_filter(s, t);
		break;
	case OP_SIZE:
		slot_size(s, t);
		break;
	case OP_INFO:
		mutate_info(s, fd);
		break;
	case OP_BYTES:
		mutate_bytes(s, fd);
		break;
	case OP_POLL:
		mutate_poll(s, fd);
		break;
	case OP_EPOLL:
		mutate_epoll(s, fd);
		break;
	case OP_REOPEN:
		mutate_reopen(s, t, fd);
		break;
	case OP_PASS:
		mutate_pass(s, fd);
		break;
	case OP_ASYNC:
		mutate_async(s, t, fd);
		break;
	case OP_WRONG:
		mutate_wrong(s, fd);
		break;
	case OP_FORK:
		mutate_fork(s, fd);
		break;
	default:
		return false;
	}
	return true;
}

static enum op random_op(struct thread *t)
{
	unsigned int i, n, sum = 0;

	for (i = 0; i < NR_MUTATIONS; i++)
		sum += op_weight[i];
	n = below(t, sum);
	for (i = 0; n >= op_weight[i]; i++)
		n -= op_weight[i];
	return i;
}

static void *mutator_run(void *arg)
{
	struct thread *t = arg;
	struct slot *s;
	bool more;
	enum op op;

	while (!load(stress->quit)) {
		s = &stress->slot[below(t, NR_SLOTS)];
		op = random_op(t);
		more = true;
		pthread_rwlock_rdlock(&s->lock);
		if (!load(s->closed) && (!s->ending || is_read_only(op))) {
			count(op);
			more = mutate_queue(s, t, op);
		}
		pthread_rwlock_unlock(&s->lock);
		if (!more)
			slot_end(s, t);
		if (one_in(t, 16))
			sched_yield();
	}
	return NULL;
}

/* The run */

static void objects_init(struct __test_metadata *_metadata)
{
	struct object *o = stress->object;
	int i, links[NR_LINKS];
	char name[32];

	for (i = 0; i < NR_LINKS; i++) {
		snprintf(name, sizeof(name), "link%d", i);
		links[i] = key_new(name);
		ASSERT_GT(links[i], 0);
	}
	for (i = 0; i < NR_OBJECTS; i++) {
		o[i].kind = KIND_TRANSIENT;
		o[i].period = 2;
		memcpy(o[i].links, links, sizeof(links));
	}
	o[OBJECT_PROCESS].kind = KIND_PROCESS;
	o[OBJECT_PROCESS].period = 1;
	o[OBJECT_PROCESS].key = key_serial(KEY_SPEC_PROCESS_KEYRING);
	o[OBJECT_KEY].kind = KIND_KEY;
	o[OBJECT_KEY].key = key_new("stress");
	for (i = OBJECT_RING; i <= OBJECT_FOREIGN; i++) {
		o[i].kind = KIND_RING;
		o[i].period = 2 * NR_LINKS;
		o[i].key = ring_new(i == OBJECT_RING ? "ring" : "foreign");
	}
	for (i = 0; i < OBJECT_TRANSIENT; i++)
		ASSERT_GT(o[i].key, 0);
	stress->transient_ring = ring_new("transient");
	ASSERT_GT(stress->transient_ring, 0);
}

static void slots_init(struct __test_metadata *_metadata, struct thread *t)
{
	pthread_rwlockattr_t attr;
	struct slot *s;
	int i;

	pthread_rwlockattr_init(&attr);
	/* Prevent the mutators from starving the writer of the lock */
	pthread_rwlockattr_setkind_np(&attr,
				      PTHREAD_RWLOCK_PREFER_WRITER_NONRECURSIVE_NP);
	for (i = 0; i < NR_SLOTS; i++) {
		s = &stress->slot[i];
		s->nr = i;
		s->fd[0] = FD_BASE + 2 * i;
		s->fd[1] = FD_BASE + 2 * i + 1;
		ASSERT_EQ(0, pthread_rwlock_init(&s->lock, &attr));
		slot_open(s, t);
	}
}

/* Runs the function in a new process: the second reader, or a poster */
static pid_t start_process(struct thread *t, void (*run)(struct thread *t))
{
	pid_t pid = fork();

	if (pid)
		return pid;
	run(t);
	_exit(0);
}

static void foreign_run(struct thread *t)
{
	poster_run(t);
}

/* Returns how many operations were never done */
static int print_counts(void)
{
	int i, never = 0;

	for (i = 0; i < NR_OPS; i++) {
		ksft_print_msg("%s %lu\n", op_name[i], stress->count[i]);
		never += !stress->count[i];
	}
	return never;
}

FIXTURE(stress)
{
	struct thread remote, foreign;
	struct thread poster[4];
	struct thread mutator[NR_MUTATORS];
	struct thread reader[NR_SLOTS];
};

FIXTURE_SETUP(stress)
{
	unsigned int i, nr = 0;

	signal(SIGIO, SIG_IGN);
	session_open(_metadata);
	objects_init(_metadata);
	ASSERT_EQ(0, socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0,
				stress->link));
	thread_init(&self->remote, nr++);
	thread_init(&self->foreign, nr++);
	self->foreign.object = &stress->object[OBJECT_FOREIGN];
	for (i = 0; i < ARRAY_SIZE(self->poster); i++) {
		thread_init(&self->poster[i], nr++);
		self->poster[i].object = &stress->object[i];
	}
	for (i = 0; i < NR_MUTATORS; i++)
		thread_init(&self->mutator[i], nr++);
	for (i = 0; i < NR_SLOTS; i++) {
		thread_init(&self->reader[i], nr++);
		self->reader[i].slot = &stress->slot[i];
	}
}

FIXTURE_TEARDOWN(stress)
{
	close(stress->link[0]);
	close(stress->link[1]);
}

TEST_F_TIMEOUT(stress, run, LIMIT)
{
	pid_t remote, foreign;
	unsigned int i;
	int status;

	ksft_print_msg("seed %lu\n", stress->seed);
	stress->end = clock_seconds() + stress->seconds;
	remote = start_process(&self->remote, remote_run);
	ASSERT_GT(remote, 0);
	foreign = start_process(&self->foreign, foreign_run);
	ASSERT_GT(foreign, 0);
	slots_init(_metadata, &self->remote);
	for (i = 0; i < NR_SLOTS; i++)
		ASSERT_EQ(0, pthread_create(&self->reader[i].thread, NULL,
					    reader_run, &self->reader[i]));
	for (i = 0; i < NR_MUTATORS; i++)
		ASSERT_EQ(0, pthread_create(&self->mutator[i].thread, NULL,
					    mutator_run, &self->mutator[i]));
	for (i = 0; i < ARRAY_SIZE(self->poster); i++)
		ASSERT_EQ(0, pthread_create(&self->poster[i].thread, NULL,
					    i == 3 ? transient_run : poster_run,
					    &self->poster[i]));

	for (i = 0; i < ARRAY_SIZE(self->poster); i++)
		ASSERT_EQ(0, pthread_join(self->poster[i].thread, NULL));
	ASSERT_EQ(foreign, waitpid(foreign, &status, 0));
	EXPECT_EQ(0, status);
	store(stress->quit, 1);
	for (i = 0; i < NR_MUTATORS; i++)
		ASSERT_EQ(0, pthread_join(self->mutator[i].thread, NULL));
	for (i = 0; i < NR_SLOTS; i++)
		slot_end(&stress->slot[i], &self->remote);
	for (i = 0; i < NR_SLOTS; i++)
		ASSERT_EQ(0, pthread_join(self->reader[i].thread, NULL));
	shutdown(stress->link[0], SHUT_RDWR);
	ASSERT_EQ(remote, waitpid(remote, &status, 0));
	EXPECT_EQ(0, status);
	EXPECT_EQ(0, print_counts());
	stress->finished = 1;
}

/* The result of the run, one test per check */
FIXTURE(check)
{
};

FIXTURE_VARIANT(check)
{
	enum check check;
};

FIXTURE_SETUP(check)
{
	/* Skip if the run was skipped */
	session_open(_metadata);
}

FIXTURE_TEARDOWN(check)
{
}

/* Each record has the length and the type of its object's records. */
FIXTURE_VARIANT_ADD(check, form) {
	.check = CHECK_FORM,
};

/* Each record has the ID of a watch, and the key of that watch. */
FIXTURE_VARIANT_ADD(check, id) {
	.check = CHECK_ID,
};

/* The records of a watch come in their order, and none is missing without a loss report. */
FIXTURE_VARIANT_ADD(check, order) {
	.check = CHECK_ORDER,
};

/* Each watch ends with one REMOVAL, which is its last record. */
FIXTURE_VARIANT_ADD(check, removal) {
	.check = CHECK_REMOVAL,
};

/* Each loss is reported once. */
FIXTURE_VARIANT_ADD(check, loss) {
	.check = CHECK_LOSS,
};

/* At end of file, posted is the sum of read and lost; no sum in fdinfo decreases. */
FIXTURE_VARIANT_ADD(check, sum) {
	.check = CHECK_SUM,
};

/* The number of records is that of the posts while there was a watch. */
FIXTURE_VARIANT_ADD(check, count) {
	.check = CHECK_COUNT,
};

/* No record arrives that no filter accepted. */
FIXTURE_VARIANT_ADD(check, filter) {
	.check = CHECK_FILTER,
};

/* POLLIN means that the queue is readable; end of file follows the last watch. */
FIXTURE_VARIANT_ADD(check, wait) {
	.check = CHECK_WAIT,
};

/* Each call returns the expected result. */
FIXTURE_VARIANT_ADD(check, call) {
	.check = CHECK_CALL,
};

TEST_F(check, held)
{
	ASSERT_TRUE(stress->finished);
	EXPECT_EQ(0, stress->bad[variant->check]);
}

static unsigned long parse_long(const char *text)
{
	char *end;
	unsigned long n = strtoul(text, &end, 0);

	if (*end || end == text)
		ksft_exit_fail_msg("%s is not a number\n", text);
	return n;
}

/* At least enough posts for each operation to happen */
static long nr_stress_posts(void)
{
	unsigned long nr = nr_posts() / SHARE;

	return nr > 20000 ? nr : 20000;
}

static void usage(const char *name, int status)
{
	printf("Usage: %s [--seconds N] [--seed N]\n"
	       "Without --seconds, the run ends after %ld posts; WATCH_QUEUE_POSTS sets %d times that.\n",
	       name, stress->posts, SHARE);
	exit(status);
}

static void parse(int argc, char **argv)
{
	static const struct option options[] = {
		{ "seconds", required_argument, NULL, 's' },
		{ "seed", required_argument, NULL, 'S' },
		{ "help", no_argument, NULL, 'h' },
		{ }
	};
	int c;

	stress->seed = 1;
	stress->posts = nr_stress_posts();
	stress->all_posts = stress->posts;
	while ((c = getopt_long(argc, argv, "h", options, NULL)) != -1) {
		if (c == 's')
			stress->seconds = parse_long(optarg);
		else if (c == 'S')
			stress->seed = parse_long(optarg);
		else
			usage(argv[0], c == 'h' ? KSFT_PASS : KSFT_FAIL);
	}
	if (optind < argc)
		usage(argv[0], KSFT_FAIL);
}

int main(int argc, char **argv)
{
	setlinebuf(stdout);
	stress = mmap(NULL, sizeof(*stress), PROT_READ | PROT_WRITE,
		      MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (stress == MAP_FAILED)
		ksft_exit_fail_msg("mmap: errno %d\n", errno);
	parse(argc, argv);
	/* Do not pass the options to the harness, which has its own */
	optind = 1;
	return test_harness_run(1, argv);
}
