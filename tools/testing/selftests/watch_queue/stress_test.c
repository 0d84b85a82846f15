// SPDX-License-Identifier: GPL-2.0
/*
 * Watch queue: everything at once, and a checker that keeps count
 *
 * Objects are posted on: a process keyring, a key, two keyrings and many keys
 * that come and go.  Each has one poster, which posts in an order that a record
 * shows its place in.  Slots hold the queues: each is opened, gets up to 256
 * watches, no watch ID twice, and ends, in order or with close() under fire;
 * the next one takes its place.  Mutators do at random to the queues what can be
 * done to them.  A slot has one reader that checks the order of what it reads;
 * the last slot has two, one of them in another process.
 *
 * What must be is known without asking the kernel: before and after it adds or
 * removes a watch, a mutator looks how many posts of the object have begun and
 * how many are done.  So many records were posted, a few more or less, and they
 * were read or lost.
 *
 * Without arguments the run is bounded by a number of posts that derives from
 * WATCH_QUEUE_POSTS, as in race_test.  What is random comes from the seed, with a
 * generator for each thread; how the threads meet does not.  A wake-up that is
 * missed shows as a time-out of whoever runs this program.
 */
#include <getopt.h>
#include <sched.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <time.h>

#include "common.h"

#define FD_BASE		128	/* descriptors of queues have their own range */
#define LIMIT		1000000000	/* seconds: it is the runner that has one */
#define NR_IDS		256
#define NR_MUTATORS	2
#define NR_SLOTS	4
#define NR_LINKS	16	/* keys that a keyring's poster links to it */
#define NR_SEGMENTS	8	/* of a readv() */
#define SHARE		10	/* a post here is worth so many of race_test's */
#define LAST_PLACE	1000	/* of a record that only a REMOVAL may follow */

/* What can be wrong */
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
	/* What mutators do, as often as op_weight[] says */
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
	/* What the others do */
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

enum kind { KIND_PROCESS, KIND_KEY, KIND_RING, KIND_MORTAL };

/* Something to watch, and the one who posts on it */
struct object {
	enum kind kind;
	int key;		/* 0: there is none at the moment */
	int users;		/* watch IDs that mean it: it must not change */
	int links[NR_LINKS];
	unsigned int period;	/* after so many, the posts are the same again */
	unsigned long begun;	/* posts */
	unsigned long done;
};

enum {
	OBJECT_PROCESS,
	OBJECT_KEY,
	OBJECT_RING,
	OBJECT_FOREIGN,		/* a keyring that another process posts on */
	OBJECT_MORTAL,
	NR_OBJECTS = OBJECT_MORTAL + 32
};

/* A watch ID, used for one watch in the life of a queue */
enum id_state { ID_UNUSED, ID_REFUSED, ID_ASKED, ID_ADDED, ID_CLAIMED, ID_ENDED };

struct watch_id {
	int state;
	int key;
	struct object *object;
	unsigned long least;	/* posts between the adding and the removal */
	unsigned long most;

	/* The reader's */
	bool seen;
	bool last;		/* saw the last record but for the REMOVAL */
	bool removed;
	unsigned int place;	/* of the last record */
	unsigned long lost;	/* by the queue, at that time */
};

/* A queue and those that follow it */
struct slot {
	pthread_rwlock_t lock;	/* taken for writing to end or replace the queue */
	int nr;
	int fd[2];		/* numbers that do not change */
	bool ending;		/* under lock */
	bool closed;		/* under fire: EBADF is no surprise */
	int sized;		/* SET_SIZE that worked */
	int banned;		/* subtype that no filter lets in, or -1 */
	int next_id;
	int max_ids;
	struct watch_id id[NR_IDS];
	unsigned long records;	/* sums of its readers */
	unsigned long lost;
	unsigned long saturated;
};

/* Shared by all processes */
struct stress {
	unsigned long seed;
	unsigned long seconds;	/* 0: a number of posts */
	long posts;		/* left, of */
	long all_posts;
	int stop;		/* for those who post */
	int quit;		/* for those who mutate and read */
	int finished;
	unsigned long end;	/* monotonic clock */
	int mortal_ring;
	int link[2];		/* to the reader in the other process */
	unsigned long bad[NR_CHECKS];
	unsigned long count[NR_OPS];
	struct object object[NR_OBJECTS];
	struct slot slot[NR_SLOTS];
};

static struct stress *stress;

/* A thread's own */
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

/* Small numbers as often as large ones */
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

/* Prints the first few of a sort */
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

static bool all_seen(void)
{
	int i;

	for (i = 0; i < NR_OPS; i++) {
		if (!load(stress->count[i]))
			return false;
	}
	return true;
}

/*
 * Takes @nr posts from what is to be done.  False when all is done, and each of
 * the operations was, unless chance forgets one for ten times as long.
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
	if (left < 0 && (all_seen() || left < -10 * stress->all_posts))
		store(stress->stop, 1);
	return !load(stress->stop);
}

/* LINKED and UNLINKED of one key after the other; CLEARED for the last one */
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

/* Where in the order of the object's posts the record comes, or -1 */
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
		return o->kind != KIND_MORTAL || n->aux ? -1 : LAST_PLACE;
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
 * After some bursts, gives a reader a chance to find its queue empty, so that
 * they meet at the edge of an empty queue as well as at that of a full one.  It
 * is no more than a chance: nobody waits for ever.
 */
static void poster_pause(struct thread *t)
{
	unsigned long seen = load(stress->count[OP_EAGAIN]);
	unsigned int patience = below(t, 4) * below(t, 64);

	while (patience-- && load(stress->count[OP_EAGAIN]) == seen)
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

static bool mortal_born(struct object *o)
{
	static unsigned long nr;
	char name[32];
	int key;

	/* Nobody checks the records of the key that it was before? */
	if (load(o->users))
		return false;
	snprintf(name, sizeof(name), "mortal%lu", nr++);
	key = key_new_in("user", name, stress->mortal_ring);
	if (key < 0) {
		/* Those that wait for garbage collection count as well */
		if (key != -EDQUOT)
			bad(CHECK_CALL, "no new key: errno %d", -key);
		return false;
	}
	count(OP_KEY);
	store(o->key, key);
	return true;
}

/* A key goes: it was told to, or the last link to it went */
static void mortal_dies(struct thread *t, struct object *o)
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
		bad(CHECK_CALL, "end of a key: errno %d", -ret);
	/* Fails if garbage collection was here first */
	key_unlink(key, stress->mortal_ring);
	store(o->key, 0);
}

static void *mortal_run(void *arg)
{
	struct thread *t = arg;
	struct object *o;
	unsigned int n;

	for (;;) {
		o = &stress->object[OBJECT_MORTAL +
				    below(t, NR_OBJECTS - OBJECT_MORTAL)];
		n = spread(t, 4);
		if (!may_post(n))
			break;
		if (!o->key && !mortal_born(o)) {
			sched_yield();
			continue;
		}
		while (n--)
			object_post(o);
		if (one_in(t, 4))
			mortal_dies(t, o);
		poster_pause(t);
	}
	for (o = &stress->object[OBJECT_MORTAL]; o < stress->object + NR_OBJECTS; o++)
		if (o->key)
			mortal_dies(t, o);
	return NULL;
}

/* Checking */

/* One who reads a queue, for as long as that lives */
struct reader {
	struct thread *t;
	struct slot *slot;
	int fd;
	int ep;
	bool alone;		/* then there is an order */
	bool promised;		/* poll() said that there is something */
	bool after_loss;
	unsigned long records;
	unsigned long lost;
	unsigned long saturated;
	char *page;		/* the page after it is not there */
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
		bad_record(rd, CHECK_FORM, "no good loss report", r);
	/* A queue that is full holds one record at least. */
	if (rd->alone && rd->after_loss && rd->records)
		bad_record(rd, CHECK_LOSS, "two reports in one place", r);
	rd->after_loss = true;
	rd->lost += record_bits(r);
	rd->saturated += record_bits(r) == 0xffff;
}

static void check_removal(struct reader *rd, struct watch_id *w,
			  const union watch_record *r)
{
	if (record_len(r) != sizeof(r->removal))
		bad_record(rd, CHECK_FORM, "no good removal", r);
	if (r->removal.id != (__u64)w->key)
		bad_record(rd, CHECK_ID, "removal of something else", r);
	if (rd->alone && w->removed)
		bad_record(rd, CHECK_REMOVAL, "removed twice", r);
	if (rd->alone)
		w->removed = true;
}

/*
 * No more may be missing between two records of a watch than the queue reported
 * to be lost between them.
 */
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
		bad_record(rd, CHECK_ORDER, "not the next one", r);
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
		bad_record(rd, CHECK_FORM, "no good record", r);
	else if (r->key.key_id != (__u32)w->key)
		bad_record(rd, CHECK_ID, "of another key", r);
	else if (place < 0)
		bad_record(rd, CHECK_FORM, "that nobody posts", r);
	else if (r->watch.subtype == rd->slot->banned)
		bad_record(rd, CHECK_FILTER, "past the filter", r);
	else if (rd->alone)
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
	if (load(w->state) < ID_ASKED)
		bad_record(rd, CHECK_ID, "nobody asked for it", r);
	else if (is_removal(r))
		check_removal(rd, w, r);
	else
		check_key(rd, w, r);
}

/* A length that is wrong ends it. */
static void check_buffer(struct reader *rd, const char *buf, int len)
{
	struct watch_records records = { buf, len };
	union watch_record r;
	int size;

	while ((size = watch_record_next(&records, &r))) {
		if (size != LOSS_RECORD && size != KEY_RECORD) {
			bad_record(rd, CHECK_FORM, "no good length", &r);
			return;
		}
		check_record(rd, &r);
	}
}

/* Reading */

/*
 * Makes a buffer of some sort of what is in front of the page that is not
 * there, and at times of what is behind it as well.  Returns its size, without
 * that.
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
	/* In one of them, only what comes before the fault is good. */
	if (one_in(t, 4))
		iov[*nr - 1].iov_len += 1 + below(t, 500);
	if (one_in(t, 64)) {
		iov[0].iov_base = rd->page + page;
		iov[0].iov_len += 1;
		size = 0;
	}
	return size;
}

static int read_somehow(struct reader *rd, size_t *room, size_t *whole,
			bool *wait)
{
	struct iovec iov[NR_SEGMENTS];
	int i, nr, ret;

	*room = make_segments(rd, iov, &nr);
	/* Two readers: most of the time both sleep in read() */
	*wait = one_in(rd->t, rd->alone ? 16 : 2);
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

/* Nothing to read: sleeps, one way or the other, till there may be */
static void reader_wait(struct reader *rd)
{
	struct epoll_event event;
	int revents, bytes;

	count(OP_WAIT);
	if (one_in(rd->t, 2)) {
		revents = poll_for(rd->fd, POLLIN, -1);
		rd->promised = revents > 0 && revents & POLLIN;
	} else {
		epoll_wait(rd->ep, &event, 1, -1);
		return;
	}
	bytes = readable_bytes(rd->fd);
	if (rd->alone && rd->promised && bytes <= 0)
		bad(CHECK_WAIT, "queue %d: POLLIN, but FIONREAD is %d",
		    rd->slot->nr, bytes);
}

/* Returns false if that was the end, or no queue at all */
static bool reader_step(struct reader *rd)
{
	size_t room, whole;
	bool wait;
	int ret;

	ret = read_somehow(rd, &room, &whole, &wait);
	if (!whole) {
		if (ret)
			bad(CHECK_CALL, "read of nothing: %d", ret);
		return true;
	}
	if (ret == -EAGAIN && !wait) {
		count(OP_EAGAIN);
		if (rd->alone && rd->promised)
			bad(CHECK_WAIT, "queue %d: POLLIN, but nothing there",
			    rd->slot->nr);
		reader_wait(rd);
		return true;
	}
	rd->promised = false;
	/* A record that fits before the fault would have been read. */
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
	rd->alone = s->nr != NR_SLOTS - 1;
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
 * Without a banned subtype each filter lets in everything, so that no record
 * may be missing whichever filter is found.
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
	/* In another order than that of time */
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
		i = OBJECT_MORTAL + below(t, NR_OBJECTS - OBJECT_MORTAL);
	o = &stress->object[i];
	__atomic_fetch_add(&o->users, 1, __ATOMIC_SEQ_CST);
	return o;
}

static void object_put(struct object *o)
{
	__atomic_fetch_sub(&o->users, 1, __ATOMIC_SEQ_CST);
}

/* What a call says of a key that is on its way out */
static bool key_gone(const struct object *o, int ret)
{
	return o->kind == KIND_MORTAL &&
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
	store(w->state, ID_ASKED);
	/* What is posted to extended watches only does not happen here */
	ret = watch_add(key, s->fd[below(t, 2)],
			(w - s->id) | (one_in(t, 2) ? KEY_WATCH_EXTENDED : 0));
	w->least = load(o->begun);
	store(w->state, ret ? ID_REFUSED : ID_ADDED);
	if (!ret)
		return true;
	object_put(o);
	/* Only one watch of a queue on a key */
	if (ret != -EBUSY && !key_gone(o, ret))
		expect(s, "add", ret, 0);
	return true;
}

/* So many posts there were, at the least and at the most, for the watch. */
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

/* Lets the readers come to the end of the queue */
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

/* Everybody goes on using it, and finds it closed */
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
			if (w->object->kind != KIND_MORTAL)
				bad(CHECK_WAIT, "queue %d: end, but a watch is left",
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
		bad(CHECK_REMOVAL, "queue %d: %d removals not told, %llu lost",
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

/* The readers are through with it.  Returns false if no other follows. */
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

/* Passing a descriptor, and a number with it */

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

	/* Now and then not to the end: close() under fire */
	if (one_in(rd->t, 3))
		steps = spread(rd->t, 10);
	while (reader_step(rd)) {
		if (!steps || --steps)
			continue;
		if (rd->alone)
			slot_close(s, rd->t);
		if (rd->alone || rd->fd != s->fd[0])
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
		if (!rd.alone) {
			fd = one_in(t, 2) ? dup(rd.fd) :
					    queue_reopen(rd.fd, O_RDONLY);
			if (send_fd(stress->link[0], fd, s->nr) < 0)
				bad(CHECK_CALL, "cannot pass a queue");
			close(fd);
		}
		reader_until_end(&rd);
		reader_exit(&rd);
		if (!rd.alone && recv(stress->link[0], &answer, sizeof(answer),
				      0) != sizeof(answer))
			bad(CHECK_CALL, "the other reader is gone");
	} while (slot_next(s, t));
	return NULL;
}

/* The other reader, in a process of its own */
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

/* None of the sums ever goes back */
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

/* Refused, and it changes nothing */
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

/* Both ends and each other queue have one holder more for a while. */
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

/* What nobody minds while the queue ends, a new writer included */
static bool is_look(enum op op)
{
	return op == OP_INFO || op == OP_BYTES || op == OP_POLL ||
	       op == OP_EPOLL || op == OP_REOPEN || op == OP_FORK;
}

/* Returns false if the queue should end */
static bool mutate_queue(struct slot *s, struct thread *t, enum op op)
{
	/* Of one that ends there is no write end. */
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
		if (!load(s->closed) && (!s->ending || is_look(op))) {
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
		o[i].kind = KIND_MORTAL;
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
	for (i = 0; i < OBJECT_MORTAL; i++)
		ASSERT_GT(o[i].key, 0);
	stress->mortal_ring = ring_new("mortal");
	ASSERT_GT(stress->mortal_ring, 0);
}

static void slots_init(struct __test_metadata *_metadata, struct thread *t)
{
	pthread_rwlockattr_t attr;
	struct slot *s;
	int i;

	pthread_rwlockattr_init(&attr);
	/* Or the mutators would keep each other's lock for ever */
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

/* In processes of their own: the other reader and a poster */
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

TEST_F_TIMEOUT(stress, all_at_once, LIMIT)
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
					    i == 3 ? mortal_run : poster_run,
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

/* What the run found, one by one */
FIXTURE(check)
{
};

FIXTURE_VARIANT(check)
{
	enum check check;
};

FIXTURE_SETUP(check)
{
	/* Skips where the run was skipped */
	session_open(_metadata);
}

FIXTURE_TEARDOWN(check)
{
}

/* Lengths and types are those of the objects' records. */
FIXTURE_VARIANT_ADD(check, form) {
	.check = CHECK_FORM,
};

/* The ID is one that was asked for, and the key the one that it stands for. */
FIXTURE_VARIANT_ADD(check, id) {
	.check = CHECK_ID,
};

/* Each watch's records come in order, and none is missing without a report. */
FIXTURE_VARIANT_ADD(check, order) {
	.check = CHECK_ORDER,
};

/* Each watch ends with one REMOVAL, and nothing follows it. */
FIXTURE_VARIANT_ADD(check, removal) {
	.check = CHECK_REMOVAL,
};

/* What was lost is reported once. */
FIXTURE_VARIANT_ADD(check, loss) {
	.check = CHECK_LOSS,
};

/* At the end of a queue, posted is read and lost; fdinfo never goes back. */
FIXTURE_VARIANT_ADD(check, sum) {
	.check = CHECK_SUM,
};

/* As much was posted as the posters posted while there was a watch. */
FIXTURE_VARIANT_ADD(check, count) {
	.check = CHECK_COUNT,
};

/* What no filter ever let in did not come in. */
FIXTURE_VARIANT_ADD(check, filter) {
	.check = CHECK_FILTER,
};

/* What poll() promises is there; the end comes after the last watch. */
FIXTURE_VARIANT_ADD(check, wait) {
	.check = CHECK_WAIT,
};

/* Each call gives what it must. */
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
		ksft_exit_fail_msg("%s is no number\n", text);
	return n;
}

/* Enough to do everything once */
static long nr_posts(void)
{
	const char *text = getenv("WATCH_QUEUE_POSTS");
	unsigned long nr = text ? strtoul(text, NULL, 0) : 0;

	if (!nr)
		nr = __BITS_PER_LONG == 64 ? 10000000 : 1000000;
	return nr / SHARE > 20000 ? nr / SHARE : 20000;
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
	stress->posts = nr_posts();
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
	/* The harness has options of its own, which are not for here */
	optind = 1;
	return test_harness_run(1, argv);
}
