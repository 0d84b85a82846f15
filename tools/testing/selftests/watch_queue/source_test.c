// SPDX-License-Identifier: GPL-2.0
/*
 * Watch queue: a source that is a module, samples/watch_queue/watch_gauge.c
 *
 * Each test opens two gauges.  If WATCH_QUEUE_GAUGE is the path of watch_gauge.ko
 * (CONFIG_SAMPLE_WATCH_SOURCE=m), each test loads the module, and unloads it at the end.
 */
#define _GNU_SOURCE
#include "reader.h"

#include "../../../../samples/watch_queue/watch_gauge.h"

#define GAUGE		"/dev/watch_gauge"
#define MODULE		"watch_gauge"
#define TYPE		WATCH_TYPE_TRIAL_NOTIFY

/* The values and layouts of the user ABI do not change. */
TEST(header)
{
	EXPECT_EQ(15, WATCH_TYPE_TRIAL_NOTIFY);
	EXPECT_GT(WATCH_TYPE_TRIAL_NOTIFY, WATCH_TYPE__NR);
}

struct gauge {
	int fd;
	__u64 id;		/* from fdinfo */
};

FIXTURE(gauge)
{
	struct reader q;
	struct gauge gauge, other;
	bool module;
};

static int load(const char *path)
{
	int file = open(path, O_RDONLY | O_CLOEXEC), ret;

	if (file < 0)
		return -errno;
	ret = neg(syscall(__NR_finit_module, file, "", 0));
	close(file);
	return ret;
}

static int unload(void)
{
	return neg(syscall(__NR_delete_module, MODULE, O_NONBLOCK));
}

static int gauge_open(void)
{
	return neg(open(GAUGE, O_RDWR | O_CLOEXEC));
}

FIXTURE_SETUP(gauge)
{
	const char *path = getenv("WATCH_QUEUE_GAUGE");

	reader_open(_metadata, &self->q, 64);
	if (path)
		ASSERT_EQ(0, load(path));
	self->module = path;
	self->gauge.fd = gauge_open();
	if (self->gauge.fd == -ENOENT && !path)
		SKIP(_exit(KSFT_SKIP), "CONFIG_SAMPLE_WATCH_SOURCE is not set");
	ASSERT_LE(0, self->gauge.fd);
	self->other.fd = gauge_open();
	ASSERT_LE(0, self->other.fd);
}

FIXTURE_TEARDOWN(gauge)
{
	close(self->gauge.fd);
	close(self->other.fd);
	if (self->module)
		EXPECT_EQ(0, unload());
	reader_close(&self->q);
}

/* Adds a watch, and finds the ID of the gauge */
static int watch_gauge(struct reader *q, struct gauge *gauge, unsigned int id)
{
	char line[128], prefix[32];
	int ret = queue_watch(q->fd, TYPE, gauge->fd, id, 0);

	if (ret)
		return ret;
	snprintf(prefix, sizeof(prefix), "watch:\ttype:%u id:%u ", TYPE, id);
	if (!queue_info_line(q->fd, prefix, 0, line, sizeof(line)) ||
	    sscanf(line + strlen(prefix), "object:%llx", (unsigned long long *)&gauge->id) != 1)
		return -EBADMSG;
	return 0;
}

static int set(const struct gauge *gauge, const char *value)
{
	return neg(write(gauge->fd, value, strlen(value)));
}

static __u64 get(const struct gauge *gauge)
{
	char text[32] = "";

	return pread(gauge->fd, text, sizeof(text) - 1, 0) > 0 ? strtoull(text, NULL, 10) : -1;
}

static bool got(struct reader *q, unsigned int id, const struct gauge *gauge,
		unsigned int event, __u64 old, __u64 value)
{
	struct gauge_notification n;
	union watch_record r;
	int ret = next_record(q, &r);

	memcpy(&n, &r, sizeof(n));
	if (ret == 1 && record_len(&r) == sizeof(n) && r.watch.type == TYPE &&
	    r.watch.subtype == event && watch_record_id(&r) == id && !record_bits(&r) &&
	    n.gauge_id == gauge->id && n.old_value == old && n.value == value)
		return true;
	print_record(ret, &r);
	return false;
}

static bool got_removed(struct reader *q, unsigned int id, const struct gauge *gauge)
{
	union watch_record r;
	int ret = next_record(q, &r);

	if (ret == 1 && is_removal(&r) && watch_record_id(&r) == id &&
	    record_len(&r) == sizeof(r.removal) && r.removal.id == gauge->id)
		return true;
	print_record(ret, &r);
	return false;
}

/* Each change is reported to the watchers of this gauge, with both values. */
TEST_F(gauge, changes)
{
	ASSERT_EQ(1, set(&self->gauge, "3"));
	ASSERT_EQ(0, watch_gauge(&self->q, &self->gauge, 7));
	EXPECT_EQ(3, get(&self->gauge));
	ASSERT_EQ(20, set(&self->gauge, "18446744073709551615"));
	ASSERT_EQ(20, set(&self->gauge, "18446744073709551615"));
	ASSERT_EQ(2, set(&self->gauge, "5\n"));
	ASSERT_EQ(1, set(&self->other, "9"));
	EXPECT_TRUE(got(&self->q, 7, &self->gauge, NOTIFY_GAUGE_RAISED, 3, -1));
	EXPECT_TRUE(got(&self->q, 7, &self->gauge, NOTIFY_GAUGE_LOWERED, -1, 5));
	EXPECT_TRUE(got_no_more(&self->q));
	EXPECT_EQ(5, get(&self->gauge));
	EXPECT_EQ(9, get(&self->other));
}

/* A value that is not a number changes nothing. */
TEST_F(gauge, bad_value)
{
	ASSERT_EQ(1, set(&self->gauge, "3"));
	ASSERT_EQ(0, watch_gauge(&self->q, &self->gauge, 7));
	EXPECT_EQ(-EINVAL, set(&self->gauge, "-1"));
	EXPECT_EQ(-EINVAL, set(&self->gauge, "full"));
	EXPECT_EQ(-ERANGE, set(&self->gauge, "18446744073709551616"));
	EXPECT_EQ(3, get(&self->gauge));
	EXPECT_TRUE(got_no_more(&self->q));
}

/* One queue can watch several gauges. */
TEST_F(gauge, two_gauges)
{
	ASSERT_EQ(0, watch_gauge(&self->q, &self->gauge, 1));
	ASSERT_EQ(0, watch_gauge(&self->q, &self->other, 2));
	EXPECT_NE(self->gauge.id, self->other.id);
	ASSERT_EQ(1, set(&self->other, "4"));
	ASSERT_EQ(1, set(&self->gauge, "6"));
	EXPECT_TRUE(got(&self->q, 2, &self->other, NOTIFY_GAUGE_RAISED, 0, 4));
	EXPECT_TRUE(got(&self->q, 1, &self->gauge, NOTIFY_GAUGE_RAISED, 0, 6));
	EXPECT_TRUE(got_no_more(&self->q));
}

/* A filter can accept one event of the source. */
TEST_F(gauge, subtype)
{
	struct filter filter = { .nr_filters = 1, .rules[0] = {
		.type = TYPE, .subtype_filter[0] = 1 << NOTIFY_GAUGE_LOWERED,
	} };

	ASSERT_EQ(0, watch_gauge(&self->q, &self->gauge, 1));
	ASSERT_EQ(0, queue_filter(self->q.fd, &filter));
	ASSERT_EQ(1, set(&self->gauge, "8"));
	ASSERT_EQ(1, set(&self->gauge, "2"));
	ASSERT_EQ(1, set(&self->gauge, "8"));
	EXPECT_TRUE(got(&self->q, 1, &self->gauge, NOTIFY_GAUGE_LOWERED, 8, 2));
	EXPECT_TRUE(got_no_more(&self->q));
}

/* A filter can reject the source as a whole, and can accept one of its watches. */
TEST_F(gauge, filter)
{
	struct filter filter = { .nr_filters = 1, .rules[0] = {
		.type = WATCH_TYPE_KEY_NOTIFY,
	} };
	struct watch_notification_type_filter *rule = &filter.rules[0];

	memset(rule->subtype_filter, 0xff, sizeof(rule->subtype_filter));
	ASSERT_EQ(0, watch_gauge(&self->q, &self->gauge, 1));
	ASSERT_EQ(0, watch_gauge(&self->q, &self->other, 2));
	ASSERT_EQ(0, queue_filter(self->q.fd, &filter));
	ASSERT_EQ(1, set(&self->gauge, "8"));
	EXPECT_TRUE(got_no_more(&self->q));
	rule->type = TYPE;
	rule->info_mask = WATCH_INFO_ID;
	rule->info_filter = 2 << WATCH_INFO_ID__SHIFT;
	ASSERT_EQ(0, queue_filter(self->q.fd, &filter));
	ASSERT_EQ(1, set(&self->gauge, "9"));
	ASSERT_EQ(1, set(&self->other, "9"));
	EXPECT_TRUE(got(&self->q, 2, &self->other, NOTIFY_GAUGE_RAISED, 0, 9));
	EXPECT_TRUE(got_no_more(&self->q));
}

/* When the last descriptor of a gauge is closed, its watches end. */
TEST_F(gauge, destroyed)
{
	int copy = dup(self->gauge.fd);

	ASSERT_LE(0, copy);
	ASSERT_EQ(0, watch_gauge(&self->q, &self->gauge, 1));
	ASSERT_EQ(1, set(&self->gauge, "8"));
	close(copy);
	EXPECT_TRUE(got(&self->q, 1, &self->gauge, NOTIFY_GAUGE_RAISED, 0, 8));
	EXPECT_TRUE(got_no_more(&self->q));
	close(self->gauge.fd);
	EXPECT_TRUE(got_removed(&self->q, 1, &self->gauge));
	EXPECT_TRUE(got_no_more(&self->q));
	close(self->q.write_fd);
	EXPECT_EQ(0, next_record(&self->q, &(union watch_record){}));
}

/* A watch is removed by the descriptor of the gauge, or by its ID. */
TEST_F(gauge, removed)
{
	ASSERT_EQ(0, watch_gauge(&self->q, &self->gauge, 1));
	ASSERT_EQ(0, watch_gauge(&self->q, &self->other, 2));
	EXPECT_EQ(-EBUSY, queue_watch(self->q.fd, TYPE, self->gauge.fd, 3, 0));
	EXPECT_EQ(0, queue_unwatch(self->q.fd, TYPE, self->gauge.fd, 0));
	EXPECT_EQ(-EBADSLT, queue_unwatch(self->q.fd, TYPE, self->gauge.fd, 0));
	EXPECT_EQ(0, queue_unwatch_id(self->q.fd, TYPE, 2));
	EXPECT_TRUE(got_removed(&self->q, 1, &self->gauge));
	EXPECT_TRUE(got_removed(&self->q, 2, &self->other));
	ASSERT_EQ(1, set(&self->gauge, "8"));
	ASSERT_EQ(1, set(&self->other, "8"));
	EXPECT_TRUE(got_no_more(&self->q));
	/* Another watch on the same gauge */
	ASSERT_EQ(0, watch_gauge(&self->q, &self->gauge, 4));
	ASSERT_EQ(1, set(&self->gauge, "7"));
	EXPECT_TRUE(got(&self->q, 4, &self->gauge, NOTIFY_GAUGE_LOWERED, 8, 7));
}

/* A gauge can be used after the queue that watched it was closed. */
TEST_F(gauge, queue_closed)
{
	struct reader q;

	reader_open(_metadata, &q, 4);
	ASSERT_EQ(0, watch_gauge(&q, &self->gauge, 1));
	ASSERT_EQ(0, watch_gauge(&self->q, &self->gauge, 1));
	reader_close(&q);
	ASSERT_EQ(1, set(&self->gauge, "8"));
	EXPECT_TRUE(got(&self->q, 1, &self->gauge, NOTIFY_GAUGE_RAISED, 0, 8));
}

/* Each invalid argument has its errno, and adds no watch. */
TEST_F(gauge, bad_object)
{
	int fd = self->q.fd, object;

	EXPECT_EQ(-EBADF, queue_watch(fd, TYPE, -1, 1, 0));
	EXPECT_EQ(-EINVAL, queue_watch(fd, TYPE, fd, 1, 0));
	EXPECT_EQ(-EINVAL, queue_watch(fd, TYPE, self->gauge.fd, 1, WATCH_SUBTREE));
	EXPECT_EQ(-EOPNOTSUPP, queue_watch(fd, TYPE - 1, self->gauge.fd, 1, 0));
	object = open(GAUGE, O_PATH | O_CLOEXEC);
	EXPECT_EQ(-EINVAL, queue_watch(fd, TYPE, object, 1, 0));
	close(object);
	object = open(GAUGE, O_WRONLY | O_CLOEXEC);
	EXPECT_EQ(-EPERM, queue_watch(fd, TYPE, object, 1, 0));
	EXPECT_EQ(-EBADSLT, queue_unwatch(fd, TYPE, object, 0));
	close(object);
	EXPECT_TRUE(got_no_more(&self->q));
}

/* The module is in use while a gauge exists, whether or not it is watched. */
TEST_F(gauge, in_use)
{
	if (!self->module)
		SKIP(return, "WATCH_QUEUE_GAUGE is not set");
	ASSERT_EQ(0, watch_gauge(&self->q, &self->gauge, 1));
	EXPECT_EQ(-EAGAIN, unload());
	close(self->gauge.fd);
	EXPECT_TRUE(got_removed(&self->q, 1, &self->gauge));
	EXPECT_EQ(-EAGAIN, unload());
	close(self->other.fd);
	EXPECT_EQ(0, unload());
	EXPECT_EQ(-EOPNOTSUPP, queue_watch(self->q.fd, TYPE, self->q.fd, 1, 0));
	EXPECT_EQ(-ENOENT, gauge_open());
	ASSERT_EQ(0, load(getenv("WATCH_QUEUE_GAUGE")));
	self->gauge.fd = gauge_open();
	ASSERT_LE(0, self->gauge.fd);
	EXPECT_EQ(0, watch_gauge(&self->q, &self->gauge, 1));
}

TEST_HARNESS_MAIN
