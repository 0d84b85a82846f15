// SPDX-License-Identifier: GPL-2.0
/*
 * Watch queue: lost records, and the place and count of the loss reports
 *
 * In the diagrams, u is UPDATED, s is SETATTR, and [n] is the report of n losses.
 */
#include "common.h"

#define MODEL_KEYS	5
#define MODEL_DEPTHS	10
#define MODEL_STEPS	2000			/* for each depth */

FIXTURE(queue)
{
	int fd[2];
	int key;
};

FIXTURE_SETUP(queue)
{
	self->key = queue_open_with_key(_metadata, self->fd, "loss");
	ASSERT_EQ(0, watch_add(self->key, self->fd[0], 7));
}

FIXTURE_TEARDOWN(queue)
{
	queue_close(self->fd);
}

/*
 * A queue holds exactly as many records as it was sized for and loses the next ones:
 * u..u[3].  The depth need not be a power of two.  The place in the ring is irrelevant.
 */
TEST_F(queue, exact_depth)
{
	static const int depths[] = { 1, 2, 3, 4, 7, 8, 31, 32, 33, 100, 128 };
	unsigned int i;
	int fd[2], round;

	for (i = 0; i < ARRAY_SIZE(depths); i++) {
		queue_open(_metadata, fd, O_NONBLOCK);
		ASSERT_EQ(0, queue_size(fd[0], depths[i]));
		ASSERT_EQ(0, watch_add(self->key, fd[0], 9));
		for (round = 0; round < 5; round++) {
			ASSERT_TRUE(post(self->key, depths[i] + 3));
			ASSERT_EQ(depths[i] * KEY_RECORD + LOSS_RECORD,
				  readable_bytes(fd[0]));
			ASSERT_TRUE(got_updates(fd[0], 9, self->key,
						depths[i]));
			ASSERT_TRUE(got_loss(fd[0], 3));
			ASSERT_TRUE(got_nothing(fd[0]));
			ASSERT_TRUE(post(self->key, 1));
			ASSERT_TRUE(got_updates(fd[0], 9, self->key, 1));
		}
		queue_close(fd);
	}
}

/* Filling the queue exactly loses nothing and reports nothing. */
TEST_F(queue, no_loss)
{
	int round;

	ASSERT_EQ(0, queue_size(self->fd[0], 5));
	for (round = 0; round < 20; round++) {
		ASSERT_TRUE(post(self->key, 5));
		ASSERT_TRUE(got_updates(self->fd[0], 7, self->key, 5));
		ASSERT_TRUE(got_nothing(self->fd[0]));
	}
}

/* Posts before SET_SIZE are lost, and the loss is reported before SET_SIZE. */
TEST_F(queue, unsized)
{
	struct queue_info info;

	EXPECT_EQ(0, poll_now(self->fd[0]));
	ASSERT_TRUE(post(self->key, 3));
	EXPECT_EQ(POLLIN | POLLRDNORM, poll_now(self->fd[0]));
	EXPECT_EQ(LOSS_RECORD, readable_bytes(self->fd[0]));
	EXPECT_TRUE(got_loss(self->fd[0], 3));
	EXPECT_TRUE(got_nothing(self->fd[0]));
	ASSERT_TRUE(post(self->key, 2));
	EXPECT_TRUE(got_loss(self->fd[0], 2));
	ASSERT_EQ(0, queue_size(self->fd[0], 2));
	EXPECT_TRUE(got_nothing(self->fd[0]));
	ASSERT_TRUE(post(self->key, 1));
	EXPECT_TRUE(got_updated(self->fd[0], 7, self->key));
	EXPECT_TRUE(got_nothing(self->fd[0]));
	ASSERT_TRUE(queue_info(self->fd[0], &info));
	EXPECT_EQ(5, info.lost);
	EXPECT_EQ(6, info.posted);
}

/* A loss that is unreported at SET_SIZE precedes the first record: [3]uu[1]. */
TEST_F(queue, unsized_then_sized)
{
	ASSERT_TRUE(post(self->key, 3));
	ASSERT_EQ(0, queue_size(self->fd[0], 2));
	EXPECT_EQ(POLLIN | POLLRDNORM, poll_now(self->fd[0]));
	EXPECT_EQ(LOSS_RECORD, readable_bytes(self->fd[0]));
	ASSERT_TRUE(post(self->key, 3));
	EXPECT_EQ(2 * LOSS_RECORD + 2 * KEY_RECORD,
		  readable_bytes(self->fd[0]));
	EXPECT_TRUE(got_loss(self->fd[0], 3));
	EXPECT_TRUE(got_updates(self->fd[0], 7, self->key, 2));
	EXPECT_TRUE(got_loss(self->fd[0], 1));
	EXPECT_TRUE(got_nothing(self->fd[0]));
}

/* A read() that fails in between does not split the report. */
TEST_F(queue, unsized_one_report)
{
	char buf[LOSS_RECORD - 1];

	ASSERT_TRUE(post(self->key, 2));
	EXPECT_EQ(-EMSGSIZE, neg(read(self->fd[0], buf, sizeof(buf))));
	ASSERT_TRUE(post(self->key, 1));
	EXPECT_EQ(LOSS_RECORD, readable_bytes(self->fd[0]));
	EXPECT_TRUE(got_loss(self->fd[0], 3));
	EXPECT_TRUE(got_nothing(self->fd[0]));
}

/* A REMOVAL that is lost before SET_SIZE is counted, too. */
TEST_F(queue, unsized_removal)
{
	ASSERT_EQ(0, watch_del(self->key, self->fd[0]));
	EXPECT_TRUE(got_loss(self->fd[0], 1));
	EXPECT_TRUE(got_nothing(self->fd[0]));
}

/*
 * A report is at the place of the loss: in a queue of depth three, reading one record
 * of uus[2] and posting s yields us[2]s.
 */
TEST_F(queue, position)
{
	ASSERT_EQ(0, queue_size(self->fd[0], 3));
	ASSERT_TRUE(post(self->key, 2));
	ASSERT_TRUE(post_cheap(self->key, 1));
	ASSERT_TRUE(post(self->key, 2));
	EXPECT_TRUE(got_updated(self->fd[0], 7, self->key));
	ASSERT_TRUE(post_cheap(self->key, 1));
	EXPECT_TRUE(got_updated(self->fd[0], 7, self->key));
	EXPECT_TRUE(got_setattr(self->fd[0], 7, self->key));
	EXPECT_TRUE(got_loss(self->fd[0], 2));
	EXPECT_TRUE(got_setattr(self->fd[0], 7, self->key));
	EXPECT_TRUE(got_nothing(self->fd[0]));
}

/* Each place where records were lost has a report: u[1]u[2]u[3]. */
TEST_F(queue, several_places)
{
	int i;

	ASSERT_EQ(0, queue_size(self->fd[0], 3));
	ASSERT_TRUE(post(self->key, 3));
	for (i = 1; i <= 3; i++) {
		ASSERT_TRUE(post_cheap(self->key, i));
		ASSERT_TRUE(got_updated(self->fd[0], 7, self->key));
		ASSERT_TRUE(post(self->key, 1));
	}
	EXPECT_EQ(3 * KEY_RECORD + 3 * LOSS_RECORD,
		  readable_bytes(self->fd[0]));
	for (i = 1; i <= 3; i++) {
		ASSERT_TRUE(got_loss(self->fd[0], i));
		ASSERT_TRUE(got_updated(self->fd[0], 7, self->key));
	}
	EXPECT_TRUE(got_nothing(self->fd[0]));
}

/* A report that fits is returned by the same read() as the record before it. */
TEST_F(queue, same_read)
{
	char buf[4 * KEY_RECORD];
	union watch_record r = {};

	ASSERT_EQ(0, queue_size(self->fd[0], 2));
	ASSERT_TRUE(post(self->key, 6));
	EXPECT_EQ(2 * KEY_RECORD + LOSS_RECORD,
		  neg(read(self->fd[0], buf, 2 * KEY_RECORD + LOSS_RECORD)));
	memcpy(&r, buf + 2 * KEY_RECORD, LOSS_RECORD);
	EXPECT_TRUE(is_loss(&r));
	EXPECT_EQ(LOSS_RECORD, record_len(&r));
	EXPECT_EQ(4, record_bits(&r));
	EXPECT_TRUE(got_nothing(self->fd[0]));

	/* So are records after it: reading u of uu[1] and posting u yields u[1]u */
	ASSERT_TRUE(post(self->key, 3));
	ASSERT_TRUE(got_updated(self->fd[0], 7, self->key));
	ASSERT_TRUE(post(self->key, 1));
	EXPECT_EQ(2 * KEY_RECORD + LOSS_RECORD,
		  neg(read(self->fd[0], buf, sizeof(buf))));
	memcpy(&r, buf + KEY_RECORD, LOSS_RECORD);
	EXPECT_TRUE(is_loss(&r));
	EXPECT_EQ(1, record_bits(&r));
	memcpy(&r, buf + KEY_RECORD + LOSS_RECORD, KEY_RECORD);
	EXPECT_TRUE(is_key(&r, NOTIFY_KEY_UPDATED, 7, self->key, 0));
	EXPECT_TRUE(got_nothing(self->fd[0]));
}

/*
 * A report that did not fit into the buffer stays pending: poll() and FIONREAD include
 * it, and the next read() returns it.
 */
TEST_F(queue, no_room_in_buffer)
{
	char buf[4 * KEY_RECORD];
	unsigned int rest;

	ASSERT_EQ(0, queue_size(self->fd[0], 2));
	for (rest = 0; rest < LOSS_RECORD; rest++) {
		ASSERT_TRUE(post(self->key, 3));
		ASSERT_EQ(2 * KEY_RECORD,
			  neg(read(self->fd[0], buf, 2 * KEY_RECORD + rest)));
		ASSERT_EQ(POLLIN | POLLRDNORM, poll_now(self->fd[0]));
		ASSERT_EQ(LOSS_RECORD, readable_bytes(self->fd[0]));
		ASSERT_TRUE(got_loss(self->fd[0], 1));
		ASSERT_EQ(0, poll_now(self->fd[0]));
		ASSERT_EQ(0, readable_bytes(self->fd[0]));
		ASSERT_TRUE(got_nothing(self->fd[0]));
	}
}

/* The count of a pending report grows until it is read or a record is queued. */
TEST_F(queue, pending_grows)
{
	char buf[2 * KEY_RECORD];

	ASSERT_EQ(0, queue_size(self->fd[0], 2));
	ASSERT_TRUE(post(self->key, 3));
	ASSERT_TRUE(post(self->key, 4));
	ASSERT_EQ(2 * KEY_RECORD, neg(read(self->fd[0], buf, sizeof(buf))));
	ASSERT_TRUE(post(self->key, 3));
	EXPECT_TRUE(got_loss(self->fd[0], 5));
	EXPECT_TRUE(got_updates(self->fd[0], 7, self->key, 2));
	EXPECT_TRUE(got_loss(self->fd[0], 1));
	EXPECT_TRUE(got_nothing(self->fd[0]));
}

/* If a report is first and does not fit, read() fails with EMSGSIZE. */
TEST_F(queue, emsgsize)
{
	char buf[LOSS_RECORD];
	unsigned int len;

	ASSERT_TRUE(post(self->key, 1));
	for (len = 1; len < LOSS_RECORD; len++)
		EXPECT_EQ(-EMSGSIZE, neg(read(self->fd[0], buf, len)));
	EXPECT_EQ(0, neg(read(self->fd[0], buf, 0)));
	EXPECT_TRUE(got_loss(self->fd[0], 1));
	EXPECT_TRUE(got_nothing(self->fd[0]));

	/* A read() that returns the report succeeds, though the record does not fit */
	ASSERT_TRUE(post(self->key, 1));
	ASSERT_EQ(0, queue_size(self->fd[0], 1));
	ASSERT_TRUE(post(self->key, 1));
	EXPECT_EQ(LOSS_RECORD, neg(read(self->fd[0], buf, sizeof(buf))));
	EXPECT_EQ(-EMSGSIZE, neg(read(self->fd[0], buf, sizeof(buf))));
	EXPECT_TRUE(got_updated(self->fd[0], 7, self->key));
}

/* A report is not lost when copying it faults. */
TEST_F(queue, fault)
{
	int page = sysconf(_SC_PAGESIZE);
	int good, fit;
	char *map;

	map = mmap(NULL, 2 * page, PROT_READ | PROT_WRITE,
		   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	ASSERT_TRUE(map != MAP_FAILED);
	ASSERT_EQ(0, munmap(map + page, page));
	ASSERT_EQ(0, queue_size(self->fd[0], 2));

	/* u[1]u, with a fault at each of its bytes */
	for (good = 0; good < 40; good++) {
		ASSERT_TRUE(post(self->key, 3));
		ASSERT_TRUE(got_updated(self->fd[0], 7, self->key));
		ASSERT_TRUE(post(self->key, 1));
		fit = good < 16 ? 0 : good < 24 ? 16 : 24;
		ASSERT_EQ(fit ?: -EFAULT,
			  neg(read(self->fd[0], map + page - good, 40)));
		if (fit < 16)
			ASSERT_TRUE(got_updated(self->fd[0], 7, self->key));
		if (fit < 24)
			ASSERT_TRUE(got_loss(self->fd[0], 1));
		ASSERT_TRUE(got_updated(self->fd[0], 7, self->key));
		ASSERT_TRUE(got_nothing(self->fd[0]));
	}

	/* [1] alone */
	for (good = 0; good < 8; good++) {
		ASSERT_TRUE(post(self->key, 3));
		ASSERT_TRUE(got_updates(self->fd[0], 7, self->key, 2));
		ASSERT_EQ(-EFAULT,
			  neg(read(self->fd[0], map + page - good, 8)));
		ASSERT_TRUE(got_loss(self->fd[0], 1));
		ASSERT_TRUE(got_nothing(self->fd[0]));
	}
}

/* A report counts up to 65534 losses exactly. */
TEST_F(queue, count)
{
	ASSERT_EQ(0, queue_size(self->fd[0], 1));
	ASSERT_EQ(0, watch_add(KEY_SPEC_SESSION_KEYRING, self->fd[0], 1));
	ASSERT_TRUE(post_cheap(KEY_SPEC_SESSION_KEYRING, 1 + 0xfffe));
	EXPECT_TRUE(got_setattr(self->fd[0], 1,
				key_serial(KEY_SPEC_SESSION_KEYRING)));
	EXPECT_TRUE(got_loss(self->fd[0], 0xfffe));
	EXPECT_TRUE(got_nothing(self->fd[0]));
}

/*
 * More losses at one place are reported as 0xffff.  The next report starts from 0.
 * fdinfo has the exact number.
 */
TEST_F(queue, count_saturates)
{
	struct queue_info info;
	int ring, more;

	ring = key_serial(KEY_SPEC_SESSION_KEYRING);
	ASSERT_EQ(0, queue_size(self->fd[0], 1));
	ASSERT_EQ(0, watch_add(ring, self->fd[0], 1));
	ASSERT_TRUE(post_cheap(KEY_SPEC_SESSION_KEYRING, 1 + 0xffff));
	ASSERT_TRUE(got_setattr(self->fd[0], 1, ring));
	ASSERT_TRUE(got_loss(self->fd[0], 0xffff));
	for (more = 0; more < 2; more++) {
		ASSERT_TRUE(post_cheap(KEY_SPEC_SESSION_KEYRING,
				       1 + (more ? 70000 : 0x10000)));
		ASSERT_TRUE(got_setattr(self->fd[0], 1, ring));
		ASSERT_TRUE(got_loss(self->fd[0], 0xffff));
		ASSERT_TRUE(got_nothing(self->fd[0]));
	}
	ASSERT_TRUE(post_cheap(KEY_SPEC_SESSION_KEYRING, 1 + 2));
	EXPECT_TRUE(got_setattr(self->fd[0], 1, ring));
	EXPECT_TRUE(got_loss(self->fd[0], 2));
	ASSERT_TRUE(queue_info(self->fd[0], &info));
	EXPECT_EQ(0xffff + 0x10000 + 70000 + 2, info.lost);
	EXPECT_EQ(info.lost + 4, info.posted);
}

/* The count also saturates before SET_SIZE. */
TEST_F(queue, count_saturates_unsized)
{
	ASSERT_EQ(0, watch_add(KEY_SPEC_SESSION_KEYRING, self->fd[0], 1));
	ASSERT_TRUE(post_cheap(KEY_SPEC_SESSION_KEYRING, 70000));
	EXPECT_TRUE(got_loss(self->fd[0], 0xffff));
	EXPECT_TRUE(got_nothing(self->fd[0]));
}

static void *read_one_thread(void *arg)
{
	int *args = arg;
	union watch_record r;

	thread_announce(&args[1]);
	args[0] = read_one(args[0], &r);
	args[2] = is_loss(&r);
	return NULL;
}

/* A loss wakes a sleeping reader. */
TEST_F(queue, wakes)
{
	int args[3] = { self->fd[0], 0, 0 };
	pthread_t thread;

	ASSERT_EQ(0, fcntl(self->fd[0], F_SETFL, 0));
	ASSERT_EQ(0, pthread_create(&thread, NULL, read_one_thread, args));
	ASSERT_TRUE(thread_asleep(&args[1]));
	ASSERT_TRUE(post(self->key, 1));
	ASSERT_EQ(0, pthread_join(thread, NULL));
	EXPECT_EQ(LOSS_RECORD, args[0]);
	EXPECT_TRUE(args[2]);
}

/* A pending report precedes end of file. */
TEST_F(queue, end_of_file)
{
	ASSERT_EQ(0, watch_del(self->key, self->fd[0]));
	ASSERT_EQ(0, close(self->fd[1]));
	self->fd[1] = -1;
	EXPECT_EQ(POLLIN | POLLRDNORM | POLLHUP, poll_now(self->fd[0]));
	EXPECT_TRUE(got_loss(self->fd[0], 1));
	EXPECT_EQ(POLLHUP, poll_now(self->fd[0]));
	EXPECT_EQ(0, read(self->fd[0], &(union watch_record){}, KEY_RECORD));
}

/* A model of the queue: a list of records and loss reports */
struct model {
	struct {
		int key;	/* index, -1 for a report */
		unsigned int lost;
	} item[2 * 128 + 2];
	unsigned int items;
	unsigned int records;
	unsigned int depth;
};

static void model_post(struct model *m, int key)
{
	if (m->records < m->depth) {
		m->item[m->items++].key = key;
		m->records++;
		return;
	}
	if (!m->items || m->item[m->items - 1].key >= 0) {
		m->item[m->items].key = -1;
		m->item[m->items++].lost = 0;
	}
	m->item[m->items - 1].lost++;
}

/* Expected result of read() of @len bytes, and the expected bytes in @want */
static int model_read(struct model *m, const int *keys, char *want, int len)
{
	struct watch_notification loss = {
		.type = WATCH_TYPE_META,
		.subtype = WATCH_META_LOSS_NOTIFICATION,
	};
	struct key_notification key = {
		.watch.type = WATCH_TYPE_KEY_NOTIFY,
		.watch.subtype = NOTIFY_KEY_UPDATED,
	};
	unsigned int i;
	int at = 0, size;

	for (i = 0; i < m->items; i++) {
		size = m->item[i].key < 0 ? sizeof(loss) : sizeof(key);
		if (at + size > len)
			break;
		if (m->item[i].key < 0) {
			loss.info = sizeof(loss) |
				    m->item[i].lost << WATCH_INFO_TYPE_INFO__SHIFT;
			memcpy(want + at, &loss, size);
		} else {
			key.watch.info = sizeof(key) |
				m->item[i].key << WATCH_INFO_ID__SHIFT;
			key.key_id = keys[m->item[i].key];
			memcpy(want + at, &key, size);
			m->records--;
		}
		at += size;
	}
	if (!len)
		return 0;
	if (!m->items)
		return -EAGAIN;
	if (!at)
		return -EMSGSIZE;
	m->items -= i;
	memmove(m->item, m->item + i, m->items * sizeof(m->item[0]));
	return at;
}

/* WATCH_QUEUE_STEPS in the environment reduces the number on a slow kernel */
static unsigned int model_steps(void)
{
	const char *text = getenv("WATCH_QUEUE_STEPS");

	return text ? strtoul(text, NULL, 0) : MODEL_STEPS;
}

static unsigned int draw(unsigned int *seed, unsigned int below)
{
	*seed = *seed * 1664525 + 1013904223;
	return (*seed >> 16) % below;
}

/*
 * The queue behaves as its model while posts of several keys and reads into buffers of
 * all sizes alternate randomly: each read() returns the same bytes.
 */
TEST_F_TIMEOUT(queue, model, 300)
{
	static const unsigned int depths[MODEL_DEPTHS] = {
		1, 2, 3, 4, 5, 16, 31, 33, 64, 100,
	};
	char want[4096], got[4096], name[16];
	unsigned int i, n, step, len, bytes, seed = 1, steps = model_steps();
	int keys[MODEL_KEYS], fd[2], ret;
	struct model m;

	for (i = 0; i < MODEL_KEYS; i++) {
		snprintf(name, sizeof(name), "model%d", i);
		keys[i] = key_new(name);
		ASSERT_GT(keys[i], 0);
	}
	for (n = 0; n < MODEL_DEPTHS; n++) {
		memset(&m, 0, sizeof(m));
		m.depth = depths[n];
		queue_open(_metadata, fd, O_NONBLOCK);
		for (i = 0; i < MODEL_KEYS; i++)
			ASSERT_EQ(0, watch_add(keys[i], fd[0], i));
		ASSERT_EQ(0, queue_size(fd[0], m.depth));
		for (step = 0; step < steps; step++) {
			for (i = draw(&seed, m.depth + 2); i; i--) {
				ret = draw(&seed, MODEL_KEYS);
				ASSERT_EQ(0, key_update(keys[ret]));
				model_post(&m, ret);
			}
			bytes = m.records * KEY_RECORD +
				(m.items - m.records) * LOSS_RECORD;
			ASSERT_EQ(bytes, readable_bytes(fd[0]));
			ASSERT_EQ(m.items ? POLLIN : 0, poll_for(fd[0], POLLIN, 0));
			len = draw(&seed, KEY_RECORD * (m.depth + 2));
			ret = model_read(&m, keys, want, len);
			ASSERT_EQ(ret, neg(read(fd[0], got, len)))
				TH_LOG("depth %u step %u len %u", m.depth,
				       step, len);
			if (ret > 0)
				ASSERT_EQ(0, memcmp(want, got, ret));
		}
		queue_close(fd);
	}
}

TEST_HARNESS_MAIN
