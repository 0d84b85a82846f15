// SPDX-License-Identifier: GPL-2.0
/*
 * Watch queue: concurrent posts, reads, watches, filters and closes
 *
 * Each test is bounded by a number of operations, never by time.  The numbers derive
 * from nr_posts().  A missed wake-up makes a test time out.
 *
 * Most posts are SETATTR of a keyring given by its KEY_SPEC_*.  This is the fastest way
 * to post, and it shares no lock with the calls that add and remove watches.
 */
#include <sched.h>
#include <sys/epoll.h>

#include "common.h"

#define RING_A		KEY_SPEC_PROCESS_KEYRING
#define RING_B		KEY_SPEC_SESSION_KEYRING
#define ID_A		1
#define ID_B		2
#define LIMIT		900	/* seconds for one test */
#define POSTERS		2
#define READERS		2

/* Number of rounds that cost as much as @share posts each; at least 10 */
static unsigned long nr_rounds(unsigned long share)
{
	unsigned long nr = nr_posts() / share;

	return nr > 10 ? nr : 10;
}

/* A thread that posts until @stop is set, or @posts times */
struct poster {
	pthread_t thread;
	int key;		/* serial number or KEY_SPEC_ */
	int other;		/* second key to alternate with, or 0 */
	bool update;		/* post UPDATED, not SETATTR */
	unsigned long posts;	/* 0: until @stop is set */
	unsigned long posted;
	unsigned long *pace;	/* posts that the reader accounted for, or NULL */
	unsigned int depth;	/* of the queue, with @pace */
	int error;
	int stop;
};

/*
 * Three quarters of the time, wait a little for the reader.  Poster and reader then meet
 * in empty queues, in full ones and in between.  The wait is bounded.
 */
static void poster_pace(struct poster *p)
{
	unsigned long phase = p->posted / 4096;
	int tries = 500;

	while (phase % 4 && tries-- &&
	       p->posted - __atomic_load_n(p->pace, __ATOMIC_RELAXED) >
	       phase % p->depth)
		;
}

static void *poster_run(void *arg)
{
	struct poster *p = arg;
	int key = p->key;

	while (p->posts ? p->posted < p->posts :
	       !__atomic_load_n(&p->stop, __ATOMIC_RELAXED)) {
		p->error = p->update ? key_update(key) : key_touch(key);
		if (p->error)
			break;
		p->posted++;
		if (p->pace)
			poster_pace(p);
		if (p->other)
			key = key == p->key ? p->other : p->key;
	}
	return NULL;
}

static int poster_start(struct poster *p)
{
	return pthread_create(&p->thread, NULL, poster_run, p);
}

/* True if there were posts and each succeeded */
static bool poster_stop(struct poster *p)
{
	__atomic_store_n(&p->stop, 1, __ATOMIC_RELAXED);
	if (pthread_join(p->thread, NULL))
		return false;
	if (p->error || !p->posted)
		ksft_print_msg("poster: %lu posts, errno %d\n", p->posted,
			       -p->error);
	return !p->error && p->posted;
}

/* Runs this thread on the given processor, if there is one */
static void run_on(int cpu)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	sched_setaffinity(0, sizeof(set), &set);
}

/*
 * A thread that reads until end of file and checks each record.  It sometimes sleeps
 * in poll(); otherwise it spins, to race with the posters.
 */
struct reader {
	pthread_t thread;
	int fd;
	bool pinned;		/* runs on a processor of its own */
	bool alternate;		/* check that IDs A and B alternate */
	int serial[4];		/* of the keys, by ID */
	bool removed[4];	/* the REMOVAL of this ID was read */
	unsigned long long at;	/* place in the stream, including lost records */
	unsigned long seen;	/* copy of @at for the poster */
	unsigned long long records;
	unsigned long long lost;
	unsigned long long removals;
	unsigned long saturated;
	bool resync;
	unsigned long bad;
	int error;
};

static void reader_bad(struct reader *rd, const char *why,
		       const union watch_record *r)
{
	if (rd->bad++ < 5) {
		ksft_print_msg("place %llu: %s\n", rd->at, why);
		print_record(record_len(r), r);
	}
}

static void reader_record(struct reader *rd, const union watch_record *r)
{
	unsigned int id = watch_record_id(r);

	if (is_loss(r)) {
		if (record_len(r) != LOSS_RECORD || id || !record_bits(r))
			reader_bad(rd, "malformed loss report", r);
		if (record_bits(r) == 0xffff) {
			rd->saturated++;
			rd->resync = true;
		}
		rd->lost += record_bits(r);
		rd->at += record_bits(r);
		return;
	}
	rd->records++;
	if (id < 1 || id > 3 || record_bits(r)) {
		reader_bad(rd, "unknown ID", r);
	} else if (rd->removed[id]) {
		reader_bad(rd, "after its removal", r);
	} else if (is_removal(r)) {
		rd->removals++;
		rd->removed[id] = true;
		if (record_len(r) != sizeof(r->removal) ||
		    r->removal.id != (__u64)rd->serial[id])
			reader_bad(rd, "malformed removal", r);
	} else if (record_len(r) != KEY_RECORD ||
		   r->watch.type != WATCH_TYPE_KEY_NOTIFY ||
		   (r->watch.subtype != NOTIFY_KEY_SETATTR &&
		    r->watch.subtype != NOTIFY_KEY_UPDATED) ||
		   r->key.key_id != (__u32)rd->serial[id] || r->key.aux) {
		reader_bad(rd, "malformed record", r);
	} else if (rd->alternate) {
		/* A saturated count hides the place: accept either ID once */
		if (rd->resync && (rd->at & 1) != id - ID_A)
			rd->at++;
		rd->resync = false;
		if ((rd->at & 1) != id - ID_A)
			reader_bad(rd, "out of order", r);
	}
	rd->at++;
}

/* Checks the records of one read(); stops at a wrong length */
static void reader_parse(struct reader *rd, const char *buf, int len)
{
	struct watch_records records = { buf, len };
	union watch_record r;
	int size;

	while ((size = watch_record_next(&records, &r))) {
		if (size != LOSS_RECORD && size != KEY_RECORD) {
			reader_bad(rd, "wrong length", &r);
			return;
		}
		reader_record(rd, &r);
	}
	__atomic_store_n(&rd->seen, rd->at, __ATOMIC_RELAXED);
}

static void *reader_run(void *arg)
{
	struct reader *rd = arg;
	unsigned int idle = 0;
	char buf[1000];
	int ret;

	if (rd->pinned)
		run_on(1);
	for (;;) {
		ret = neg(read(rd->fd, buf, sizeof(buf)));
		if (ret > 0) {
			reader_parse(rd, buf, ret);
		} else if (ret == -EAGAIN) {
			if (!(++idle & 255))
				poll_for(rd->fd, POLLIN, -1);
		} else {
			rd->error = ret;
			return NULL;
		}
	}
}

/* Reads and checks all records in the queue, in a test without a reader thread */
static bool reader_drain(struct reader *rd)
{
	char buf[16384];
	int ret;

	for (;;) {
		ret = neg(read(rd->fd, buf, sizeof(buf)));
		if (ret == -EAGAIN)
			return true;
		if (ret <= 0)
			return false;
		reader_parse(rd, buf, ret);
	}
}

FIXTURE(queue)
{
	int fd[2];
	int a;
	int b;
};

FIXTURE_SETUP(queue)
{
	if (sysconf(_SC_NPROCESSORS_ONLN) < 2)
		TH_LOG("only one processor: a pass means little");
	session_open(_metadata);
	queue_open(_metadata, self->fd, O_NONBLOCK | O_CLOEXEC);

	/* Create both keyrings before the threads, which share them */
	self->a = key_serial(RING_A);
	self->b = key_serial(RING_B);
	ASSERT_GT(self->a, 0);
	ASSERT_GT(self->b, 0);
}

FIXTURE_TEARDOWN(queue)
{
	queue_close(self->fd);
}

static void reader_init(struct reader *rd, int fd)
{
	memset(rd, 0, sizeof(*rd));
	rd->fd = fd;
	rd->serial[ID_A] = key_serial(RING_A);
	rd->serial[ID_B] = key_serial(RING_B);
}

/* True if the queue, which no other thread uses, holds exactly @depth records */
static bool has_depth(int fd, int depth)
{
	int i, round, serial = key_serial(RING_A);

	if (watch_add(RING_A, fd, ID_A))
		return false;
	for (round = 0; round < 3; round++) {
		if (!post_cheap(RING_A, depth + 5))
			return false;
		for (i = 0; i < depth; i++)
			if (!got_setattr(fd, ID_A, serial))
				return false;
		if (!got_loss(fd, 5) || !got_nothing(fd))
			return false;
	}
	return true;
}

FIXTURE(many)
{
	FIXTURE_DATA(queue) q;
};

FIXTURE_VARIANT(many)
{
	unsigned int depth;
	unsigned int share;
};

FIXTURE_VARIANT_ADD(many, depth_32) {
	.depth = 32,
	.share = 1,
};

FIXTURE_VARIANT_ADD(many, depth_1) {
	.depth = 1,
	.share = 20,
};

FIXTURE_VARIANT_ADD(many, depth_100) {
	.depth = 100,
	.share = 20,
};

FIXTURE_SETUP(many)
{
	queue_setup(_metadata, &self->q, NULL);
	ASSERT_EQ(0, queue_size(self->q.fd[0], variant->depth));
}

FIXTURE_TEARDOWN(many)
{
	queue_teardown(_metadata, &self->q, NULL);
}

/*
 * Each of millions of posts is read in order or reported as lost, while a reader races
 * with the poster.  No slot leaks: afterwards the queue has its full depth.
 */
TEST_F_TIMEOUT(many, posts, LIMIT)
{
	unsigned long posts = nr_rounds(variant->share) & ~1UL;
	struct poster poster = { .key = RING_A, .other = RING_B };
	struct queue_info info;
	struct reader rd;

	reader_init(&rd, self->q.fd[0]);
	rd.pinned = true;
	rd.alternate = true;
	run_on(0);
	poster.posts = posts;
	poster.pace = &rd.seen;
	poster.depth = variant->depth;
	ASSERT_EQ(0, watch_add(RING_A, self->q.fd[0], ID_A));
	ASSERT_EQ(0, watch_add(RING_B, self->q.fd[0], ID_B));
	ASSERT_EQ(0, pthread_create(&rd.thread, NULL, reader_run, &rd));
	poster_run(&poster);
	EXPECT_EQ(0, poster.error);
	EXPECT_EQ(posts, poster.posted);

	/* The reader stops at end of file */
	ASSERT_EQ(0, watch_del(RING_A, self->q.fd[0]));
	ASSERT_EQ(0, watch_del(RING_B, self->q.fd[0]));
	ASSERT_TRUE(queue_info(self->q.fd[0], &info));
	EXPECT_EQ(posts + 2, info.posted);
	EXPECT_EQ(0, info.watches);
	ASSERT_EQ(0, close(self->q.fd[1]));
	self->q.fd[1] = -1;
	ASSERT_EQ(0, pthread_join(rd.thread, NULL));
	EXPECT_EQ(0, rd.error);
	EXPECT_EQ(0, rd.bad);

	ASSERT_TRUE(queue_info(self->q.fd[0], &info));
	TH_LOG("%llu read, %llu lost, %lu reports of 65535", rd.records,
	       info.lost, rd.saturated);
	EXPECT_EQ(posts + 2, info.posted);
	EXPECT_EQ(0, info.queued);
	EXPECT_EQ(info.posted, rd.records + info.lost);
	EXPECT_TRUE(rd.saturated ? rd.lost <= info.lost :
				   rd.lost == info.lost);
	EXPECT_TRUE(has_depth(self->q.fd[0], variant->depth));
}

/* With several posters and readers, no record is torn and each is read or lost once. */
TEST_F_TIMEOUT(queue, posters_and_readers, LIMIT)
{
	unsigned long posts = nr_rounds(10);
	struct poster poster[POSTERS] = {};
	unsigned long long records = 0, lost = 0, saturated = 0;
	struct reader rd[READERS];
	struct queue_info info;
	int i, key;

	key = key_new("race");
	ASSERT_GT(key, 0);
	ASSERT_EQ(0, queue_size(self->fd[0], 33));
	ASSERT_EQ(0, watch_add(RING_A, self->fd[0], ID_A));
	ASSERT_EQ(0, watch_add(key, self->fd[0], 3));
	for (i = 0; i < READERS; i++) {
		reader_init(&rd[i], self->fd[0]);
		rd[i].serial[3] = key;
		ASSERT_EQ(0, pthread_create(&rd[i].thread, NULL, reader_run,
					    &rd[i]));
	}
	for (i = 0; i < POSTERS; i++) {
		poster[i].key = i & 1 ? key : RING_A;
		poster[i].update = i & 1;
		poster[i].posts = posts;
		ASSERT_EQ(0, poster_start(&poster[i]));
	}
	for (i = 0; i < POSTERS; i++) {
		ASSERT_EQ(0, pthread_join(poster[i].thread, NULL));
		EXPECT_EQ(posts, poster[i].posted);
	}
	ASSERT_EQ(0, watch_del(RING_A, self->fd[0]));
	ASSERT_EQ(0, watch_del(key, self->fd[0]));
	ASSERT_EQ(0, close(self->fd[1]));
	self->fd[1] = -1;
	for (i = 0; i < READERS; i++) {
		ASSERT_EQ(0, pthread_join(rd[i].thread, NULL));
		EXPECT_EQ(0, rd[i].error);
		EXPECT_EQ(0, rd[i].bad);
		records += rd[i].records;
		lost += rd[i].lost;
		saturated += rd[i].saturated;
	}
	ASSERT_TRUE(queue_info(self->fd[0], &info));
	EXPECT_EQ(POSTERS * posts + 2, info.posted);
	EXPECT_EQ(info.posted, records + info.lost);
	if (!saturated)
		EXPECT_EQ(info.lost, lost);
	EXPECT_TRUE(has_depth(self->fd[0], 33));
}

/* How the thread of the wake tests waits for a record */
enum wait_how {
	WAIT_READ, WAIT_POLL, WAIT_EPOLL, WAIT_EPOLL_EDGE, WAIT_EPOLL_EXCLUSIVE,
	WAIT_SIGIO
};

struct waiter {
	pthread_t thread;
	enum wait_how how;
	int fd;
	int ep;
	unsigned long rounds;
	unsigned long seen;
	int error;
};

FIXTURE(wake)
{
	FIXTURE_DATA(queue) q;
	struct waiter w;
};

FIXTURE_VARIANT(wake)
{
	enum wait_how how;
};

FIXTURE_VARIANT_ADD(wake, read) {
	.how = WAIT_READ,
};

FIXTURE_VARIANT_ADD(wake, poll) {
	.how = WAIT_POLL,
};

FIXTURE_VARIANT_ADD(wake, epoll) {
	.how = WAIT_EPOLL,
};

FIXTURE_VARIANT_ADD(wake, epoll_edge) {
	.how = WAIT_EPOLL_EDGE,
};

FIXTURE_VARIANT_ADD(wake, epoll_exclusive) {
	.how = WAIT_EPOLL_EXCLUSIVE,
};

FIXTURE_VARIANT_ADD(wake, sigio) {
	.how = WAIT_SIGIO,
};

FIXTURE_SETUP(wake)
{
	struct epoll_event event = { .events = EPOLLIN };

	queue_setup(_metadata, &self->q, NULL);
	ASSERT_EQ(0, queue_size(self->q.fd[0], 4));
	ASSERT_EQ(0, watch_add(RING_A, self->q.fd[0], ID_A));
	self->w.how = variant->how;
	self->w.fd = self->q.fd[0];
	self->w.ep = epoll_create1(0);
	ASSERT_GE(self->w.ep, 0);
	if (self->w.how == WAIT_EPOLL_EDGE)
		event.events |= EPOLLET;
	if (self->w.how == WAIT_EPOLL_EXCLUSIVE)
		event.events |= EPOLLEXCLUSIVE;
	ASSERT_EQ(0, epoll_ctl(self->w.ep, EPOLL_CTL_ADD, self->q.fd[0],
			       &event));
	if (self->w.how == WAIT_READ)
		ASSERT_EQ(0, fcntl(self->q.fd[0], F_SETFL, 0));
	/* A round may take two ticks, as a queue wakes about once per tick */
	self->w.rounds = nr_rounds(5000);
}

FIXTURE_TEARDOWN(wake)
{
	close(self->w.ep);
	queue_teardown(_metadata, &self->q, NULL);
}

/*
 * Drains pending signals, enables SIGIO, reads, and waits for a signal while there is
 * no record.  Returns the result of read_one().
 */
static int wait_sigio(int fd, union watch_record *r)
{
	struct f_owner_ex owner = { F_OWNER_TID, syscall(__NR_gettid) };
	struct timespec now = {};
	sigset_t set;
	int ret;

	sigemptyset(&set);
	sigaddset(&set, SIGIO);
	pthread_sigmask(SIG_BLOCK, &set, NULL);
	fcntl(fd, F_SETFL, O_NONBLOCK);
	while (sigtimedwait(&set, NULL, &now) == SIGIO)
		;
	if (fcntl(fd, F_SETOWN_EX, &owner) ||
	    fcntl(fd, F_SETFL, O_NONBLOCK | O_ASYNC))
		return -errno;
	/* A late signal may be for a record that was read already */
	while ((ret = read_one(fd, r)) == -EAGAIN)
		sigwaitinfo(&set, NULL);
	return ret;
}

static void *wake_run(void *arg)
{
	struct waiter *w = arg;
	struct epoll_event event;
	union watch_record r;
	int ret;

	while (w->seen < w->rounds) {
		if (w->how == WAIT_POLL)
			poll_for(w->fd, POLLIN, -1);
		else if (w->how != WAIT_READ && w->how != WAIT_SIGIO)
			epoll_wait(w->ep, &event, 1, -1);
		ret = w->how == WAIT_SIGIO ? wait_sigio(w->fd, &r) :
					     read_one(w->fd, &r);
		if (ret != KEY_RECORD) {
			w->error = ret;
			return NULL;
		}
		__atomic_store_n(&w->seen, w->seen + 1, __ATOMIC_RELEASE);
	}
	return NULL;
}

/* A post wakes the waiting thread, even if it is about to sleep. */
TEST_F_TIMEOUT(wake, none_missed, LIMIT)
{
	unsigned long i;

	ASSERT_EQ(0, pthread_create(&self->w.thread, NULL, wake_run,
				    &self->w));
	for (i = 0; i < self->w.rounds; i++) {
		ASSERT_EQ(0, key_touch(RING_A));
		while (__atomic_load_n(&self->w.seen, __ATOMIC_ACQUIRE) == i &&
		       !__atomic_load_n(&self->w.error, __ATOMIC_RELAXED))
			sched_yield();
	}
	ASSERT_EQ(0, pthread_join(self->w.thread, NULL));
	EXPECT_EQ(0, self->w.error);
	EXPECT_EQ(self->w.rounds, self->w.seen);
}

/* A thread that polls without waiting; the queue is readable while @round is odd */
struct poller {
	pthread_t thread;
	int fd;
	int stop;
	unsigned long round;
	unsigned long checks;	/* that began and ended in one odd round */
	unsigned long missed;	/* checks without POLLIN */
};

static void *poller_run(void *arg)
{
	struct poller *p = arg;
	unsigned long round;
	int events;

	run_on(1);
	while (!__atomic_load_n(&p->stop, __ATOMIC_RELAXED)) {
		round = __atomic_load_n(&p->round, __ATOMIC_ACQUIRE);
		if (!(round & 1))
			continue;
		events = poll_for(p->fd, POLLIN, 0);
		if (__atomic_load_n(&p->round, __ATOMIC_SEQ_CST) != round)
			continue;
		p->checks++;
		p->missed += events != POLLIN;
	}
	return NULL;
}

/*
 * A queue with a record and a loss stays readable until the loss is reported.  It is
 * readable even during a read() that returns the record and has no room for the report.
 */
TEST_F_TIMEOUT(queue, pending_loss_readable, LIMIT)
{
	unsigned long i, rounds = nr_rounds(50);
	struct poller p = { .fd = self->fd[0] };

	run_on(0);
	ASSERT_EQ(0, queue_size(self->fd[0], 1));
	ASSERT_EQ(0, watch_add(RING_A, self->fd[0], ID_A));
	ASSERT_EQ(0, pthread_create(&p.thread, NULL, poller_run, &p));
	/* On one processor, the poller needs a preemption in an odd round */
	for (i = 0; i < rounds || !__atomic_load_n(&p.checks, __ATOMIC_RELAXED); i++) {
		ASSERT_TRUE(post_cheap(RING_A, 2));
		__atomic_store_n(&p.round, 2 * i + 1, __ATOMIC_SEQ_CST);
		ASSERT_TRUE(got_setattr(self->fd[0], ID_A, self->a));
		__atomic_store_n(&p.round, 2 * i + 2, __ATOMIC_SEQ_CST);
		ASSERT_TRUE(got_loss(self->fd[0], 1));
	}
	__atomic_store_n(&p.stop, 1, __ATOMIC_RELAXED);
	ASSERT_EQ(0, pthread_join(p.thread, NULL));
	EXPECT_EQ(0, p.missed);
}

/* A thread that reads fdinfo and calls FIONREAD in a loop */
struct observer {
	pthread_t thread;
	int fd;
	int stop;
	unsigned long checks;
	unsigned long bad;
};

static void *observer_run(void *arg)
{
	struct observer *l = arg;
	struct queue_info info;
	int bytes;

	while (!__atomic_load_n(&l->stop, __ATOMIC_RELAXED)) {
		if (!queue_info(l->fd, &info) || info.watches > 1 ||
		    info.watch_lines > 1 || info.queued > info.depth)
			l->bad++;
		bytes = readable_bytes(l->fd);
		if (bytes < 0 || bytes % LOSS_RECORD ||
		    bytes > (int)((KEY_RECORD + LOSS_RECORD) * 1024 +
				  LOSS_RECORD))
			l->bad++;
		l->checks++;
	}
	return NULL;
}

/*
 * A watch is added and removed while its key posts.  Each record has the expected
 * length, type and ID.  No record follows the REMOVAL of its watch, even if the poster
 * found the watch before the removal.
 */
TEST_F_TIMEOUT(queue, watches_concurrent, LIMIT)
{
	struct poster poster = { .key = RING_A };
	struct observer observer = { .fd = self->fd[0] };
	unsigned long i, rounds = nr_rounds(200), after = 0;
	unsigned long long posted = 0;
	struct reader rd;

	reader_init(&rd, self->fd[0]);
	ASSERT_EQ(0, queue_size(self->fd[0], 1024));
	ASSERT_EQ(0, poster_start(&poster));
	ASSERT_EQ(0, pthread_create(&observer.thread, NULL, observer_run,
				    &observer));
	for (i = 0; i < rounds; i++) {
		unsigned long long removals = rd.removals, lost = rd.lost;
		int id = i % 3 + 1;

		/* The reader rejects the other two IDs, which are unused */
		memset(rd.serial, 0, sizeof(rd.serial));
		memset(rd.removed, 0, sizeof(rd.removed));
		rd.serial[id] = self->a;
		ASSERT_EQ(0, watch_add(RING_A, self->fd[i & 1], id));
		if (!(i & 7))
			ASSERT_EQ(POLLIN, poll_in(self->fd[0]));
		ASSERT_EQ(0, watch_del(RING_A, self->fd[i & 1]));
		ASSERT_TRUE(reader_drain(&rd));
		if (rd.lost == lost)
			ASSERT_EQ(removals + 1, rd.removals);
		after += !got_nothing(self->fd[0]);
		ASSERT_EQ(0, rd.bad);
	}
	observer.stop = 1;
	ASSERT_EQ(0, pthread_join(observer.thread, NULL));
	EXPECT_TRUE(poster_stop(&poster));
	EXPECT_EQ(0, after);
	EXPECT_EQ(0, observer.bad);
	EXPECT_GT(observer.checks, 0);
	posted = rd.records - rd.removals;
	TH_LOG("%llu records in %lu rounds, %llu lost, %lu observations", posted,
	       rounds, rd.lost, observer.checks);
	EXPECT_GT(posted, 0);
	EXPECT_TRUE(has_depth(self->fd[0], 1024));
}

/* A watched key is freed while it posts: a REMOVAL is its last record. */
TEST_F_TIMEOUT(queue, keys_concurrent, LIMIT)
{
	unsigned long i, rounds = nr_rounds(20000);
	union watch_record r;
	__u32 subtype;
	int key, ret;

	ASSERT_EQ(0, queue_size(self->fd[0], 4096));
	for (i = 0; i < rounds; i++) {
		struct poster poster = {};

		key = key_new("race");
		ASSERT_GT(key, 0);
		ASSERT_EQ(0, watch_add(key, self->fd[0], i & 0xff));
		poster.key = key;
		poster.update = i & 1;
		subtype = i & 1 ? NOTIFY_KEY_UPDATED : NOTIFY_KEY_SETATTR;
		ASSERT_EQ(0, poster_start(&poster));
		ASSERT_EQ(POLLIN, poll_in(self->fd[0]));
		ASSERT_EQ(0, key_unlink(key, RING_B));

		/* The poster stops when the key is gone */
		ASSERT_EQ(0, pthread_join(poster.thread, NULL));
		ASSERT_TRUE(poster.error == -ENOKEY ||
			    poster.error == -EACCES)
			TH_LOG("errno %d", -poster.error);
		do {
			ret = read_one(self->fd[0], &r);
			if (ret == -EAGAIN) {
				ASSERT_EQ(POLLIN, poll_in(self->fd[0]));
			} else if (!is_removal(&r) && !is_loss(&r)) {
				ASSERT_TRUE(is_key(&r, subtype, i & 0xff, key,
						   0))
					print_record(ret, &r);
			}
		} while (ret == -EAGAIN || !is_removal(&r));
		ASSERT_EQ(KEY_RECORD, ret);
		ASSERT_EQ(i & 0xff, watch_record_id(&r));
		ASSERT_EQ(key, r.removal.id);
		ASSERT_TRUE(got_nothing(self->fd[0]));
	}
}

/*
 * A filter is replaced during posts.  After each change, at most one record, which was
 * in flight, passes the old filter.  Records that the new filter accepts still arrive.
 */
TEST_F_TIMEOUT(queue, filters_concurrent, LIMIT)
{
	struct poster poster = { .key = RING_A, .other = RING_B };
	unsigned long i, rounds = nr_rounds(200), records = 0;
	struct filter filter = { .nr_filters = 1 };
	struct reader rd;
	union watch_record r;
	int ret, n, stale;

	reader_init(&rd, self->fd[0]);
	ASSERT_EQ(0, queue_size(self->fd[0], 256));
	ASSERT_EQ(0, watch_add(RING_A, self->fd[0], ID_A));
	ASSERT_EQ(0, watch_add(RING_B, self->fd[0], ID_B));
	ASSERT_EQ(0, poster_start(&poster));
	for (i = 0; i < rounds; i++) {
		unsigned int id = i & 1 ? ID_A : ID_B;

		filter.rules[0].type = WATCH_TYPE_KEY_NOTIFY;
		filter.rules[0].info_mask = WATCH_INFO_ID;
		filter.rules[0].info_filter = id << WATCH_INFO_ID__SHIFT;
		filter.rules[0].subtype_filter[0] = 1 << NOTIFY_KEY_SETATTR;
		ASSERT_EQ(0, queue_filter(self->fd[0], &filter));
		ASSERT_TRUE(reader_drain(&rd));
		ASSERT_EQ(0, rd.bad);
		ASSERT_EQ(POLLIN, poll_in(self->fd[0]));
		for (n = 0, stale = 0; n < 8; n++) {
			ret = read_one(self->fd[0], &r);
			if (ret == -EAGAIN || is_loss(&r))
				continue;
			ASSERT_EQ(KEY_RECORD, ret);
			records++;
			stale += watch_record_id(&r) != id;
		}
		ASSERT_LE(stale, 1);
	}
	EXPECT_TRUE(poster_stop(&poster));
	EXPECT_GT(records, 0);
	ASSERT_EQ(0, queue_filter(self->fd[0], NULL));
	ASSERT_EQ(0, watch_del(RING_A, self->fd[0]));
	ASSERT_EQ(0, watch_del(RING_B, self->fd[0]));
	ASSERT_TRUE(reader_drain(&rd));
	EXPECT_EQ(0, rd.bad);
	EXPECT_TRUE(has_depth(self->fd[0], 256));
}

/*
 * Queues are closed during posts, with and without a size, read and unread.  No post
 * fails, and the watches are uncharged when close() returns.
 */
TEST_F_TIMEOUT(queue, close_concurrent, LIMIT)
{
	struct rlimit limit = { .rlim_cur = 16, .rlim_max = 16 };
	struct poster poster = { .key = RING_A };
	unsigned long i, rounds = nr_rounds(500);
	struct reader rd;
	int fd[2];

	reader_init(&rd, self->fd[0]);
	ASSERT_EQ(0, drop_resource_capability());
	ASSERT_EQ(0, setrlimit(RLIMIT_NOFILE, &limit));
	ASSERT_EQ(0, poster_start(&poster));
	for (i = 0; i < rounds; i++) {
		ASSERT_EQ(0, pipe2(fd, O_NOTIFICATION_PIPE | O_NONBLOCK));
		if (i & 1)
			ASSERT_EQ(0, queue_size(fd[0], 8));
		ASSERT_EQ(0, watch_add(RING_A, fd[0], ID_A));
		ASSERT_EQ(0, watch_add(RING_B, fd[0], ID_B));
		if (i & 2)
			ASSERT_EQ(i & 1 ? -EBUSY : 0, queue_size(fd[1], 8));
		if (!(i & 12)) {
			rd.fd = fd[0];
			ASSERT_EQ(POLLIN, poll_in(fd[0]));
			ASSERT_GT(readable_bytes(fd[0]), 0);
			ASSERT_TRUE(reader_drain(&rd));
			ASSERT_EQ(0, rd.bad);
		}
		ASSERT_EQ(0, close(fd[i & 1]));
		ASSERT_EQ(0, close(fd[!(i & 1)]));
	}
	EXPECT_TRUE(poster_stop(&poster));
	ASSERT_EQ(0, queue_size(self->fd[0], 8));
	EXPECT_TRUE(has_depth(self->fd[0], 8));
}

/* A thread that calls @op for @fd in each round, on the second processor */
struct rival {
	pthread_t thread;
	int (*op)(int fd);
	int fd;
	int result;
	unsigned long round;	/* set to start a round */
	unsigned long done;
	unsigned long rounds;
};

static void *rival_run(void *arg)
{
	struct rival *r = arg;

	run_on(1);
	while (r->done < r->rounds) {
		while (__atomic_load_n(&r->round, __ATOMIC_ACQUIRE) == r->done)
			sched_yield();
		r->result = r->op(r->fd);
		__atomic_store_n(&r->done, r->done + 1, __ATOMIC_RELEASE);
	}
	return NULL;
}

/* Starts the next round */
static void rival_go(struct rival *r, int fd)
{
	r->fd = fd;
	__atomic_store_n(&r->round, r->round + 1, __ATOMIC_RELEASE);
}

/* Waits for the end of the round; returns the result of @op */
static int rival_result(struct rival *r)
{
	while (__atomic_load_n(&r->done, __ATOMIC_ACQUIRE) != r->round)
		sched_yield();
	return r->result;
}

static int size_16(int fd)
{
	return queue_size(fd, 16);
}

/*
 * Two threads set the size of one queue during posts: one succeeds, the other fails
 * with EBUSY.  Earlier losses are reported, before the first record.
 */
TEST_F_TIMEOUT(queue, size_concurrent, LIMIT)
{
	struct poster poster = { .key = RING_A };
	struct rival rival = { .op = size_16, .rounds = nr_rounds(2000) };
	struct queue_info info;
	unsigned long i;
	struct reader rd;
	int fd[2], ret;

	ASSERT_EQ(0, poster_start(&poster));
	ASSERT_EQ(0, pthread_create(&rival.thread, NULL, rival_run, &rival));
	for (i = 0; i < rival.rounds; i++) {
		ASSERT_EQ(0, pipe2(fd, O_NOTIFICATION_PIPE | O_NONBLOCK));
		ASSERT_EQ(0, watch_add(RING_A, fd[0], ID_A));
		if (i & 1)
			ASSERT_EQ(POLLIN, poll_in(fd[0]));
		rival_go(&rival, fd[1]);
		ret = queue_size(fd[0], 8);
		ASSERT_EQ(-EBUSY, ret + rival_result(&rival));
		ASSERT_TRUE(queue_info(fd[0], &info));
		ASSERT_EQ(ret ? 16 : 8, info.depth);

		/* No more posts reach the queue, so the sums are final */
		ASSERT_EQ(0, watch_del(RING_A, fd[0]));
		reader_init(&rd, fd[0]);
		ASSERT_TRUE(reader_drain(&rd));
		ASSERT_EQ(0, rd.bad);
		ASSERT_TRUE(queue_info(fd[0], &info));
		ASSERT_EQ(0, info.queued);
		ASSERT_EQ(info.posted, rd.records + info.lost);
		if (!rd.saturated)
			ASSERT_EQ(info.lost, rd.lost);
		queue_close(fd);
	}
	ASSERT_EQ(0, pthread_join(rival.thread, NULL));
	EXPECT_TRUE(poster_stop(&poster));
}

/* A thread that reads in a loop and expects end of file each time */
struct ender {
	pthread_t thread;
	int fd;
	int stop;
	unsigned long ends;
	unsigned long bad;
	int error;
};

static void *ender_run(void *arg)
{
	struct ender *e = arg;
	union watch_record r;
	int ret;

	while (!__atomic_load_n(&e->stop, __ATOMIC_RELAXED)) {
		ret = read_one(e->fd, &r);
		if (!ret) {
			e->ends++;
			continue;
		}
		e->error = ret;
		e->bad++;
	}
	return NULL;
}

/*
 * The write end is opened and closed repeatedly.  A blocking read() returns end of
 * file or waits.  It never returns EAGAIN because a writer opened the queue again.
 */
TEST_F_TIMEOUT(queue, writers_reopened, LIMIT)
{
	unsigned long i, rounds = nr_rounds(200);
	struct ender ender = {};
	int fd;

	ASSERT_EQ(0, queue_size(self->fd[0], 8));
	ender.fd = queue_reopen(self->fd[0], O_RDONLY | O_CLOEXEC);
	ASSERT_GE(ender.fd, 0);
	ASSERT_EQ(0, close(self->fd[1]));
	self->fd[1] = -1;
	ASSERT_EQ(0, pthread_create(&ender.thread, NULL, ender_run, &ender));
	for (i = 0; i < rounds || !__atomic_load_n(&ender.ends, __ATOMIC_RELAXED); i++) {
		fd = queue_reopen(self->fd[0], O_WRONLY | O_CLOEXEC);
		ASSERT_GE(fd, 0);
		ASSERT_EQ(0, close(fd));
	}
	__atomic_store_n(&ender.stop, 1, __ATOMIC_RELAXED);
	ASSERT_EQ(0, pthread_join(ender.thread, NULL));
	EXPECT_EQ(0, ender.bad)
		TH_LOG("errno %d", -ender.error);
	close(ender.fd);
}

static int set_async(int fd)
{
	return neg(fcntl(fd, F_SETFL, O_NONBLOCK | O_ASYNC));
}

/*
 * Two threads set O_ASYNC on one descriptor.  It takes one of the queue's four places
 * for SIGIO, not two, and frees the place when it is closed.
 */
TEST_F_TIMEOUT(queue, async_concurrent, LIMIT)
{
	struct rival rival = { .op = set_async, .rounds = nr_rounds(500) };
	unsigned long i;
	int fd[4], j;

	run_on(0);
	ASSERT_EQ(0, pthread_create(&rival.thread, NULL, rival_run, &rival));
	for (i = 0; i < rival.rounds; i++) {
		fd[0] = queue_reopen(self->fd[0], O_RDONLY | O_NONBLOCK | O_CLOEXEC);
		ASSERT_GE(fd[0], 0);
		rival_go(&rival, fd[0]);
		ASSERT_EQ(0, set_async(fd[0]));
		ASSERT_EQ(0, rival_result(&rival));
		ASSERT_EQ(0, close(fd[0]));
	}
	ASSERT_EQ(0, pthread_join(rival.thread, NULL));
	for (j = 0; j < 4; j++) {
		fd[j] = queue_reopen(self->fd[0], O_RDONLY | O_NONBLOCK | O_CLOEXEC);
		ASSERT_GE(fd[j], 0);
		EXPECT_EQ(0, set_async(fd[j]));
	}
	for (j = 0; j < 4; j++)
		EXPECT_EQ(0, close(fd[j]));
}

TEST_HARNESS_MAIN
