// SPDX-License-Identifier: GPL-2.0
/*
 * Watch queue: tracepoints
 *
 * The tests use a tracefs instance of their own, in which nothing else is traced.
 */
#include <sys/mount.h>
#include <sys/stat.h>

#include "common.h"

#define TRACING		"/sys/kernel/tracing"
#define INSTANCE	TRACING "/instances/watch_queue_test"

FIXTURE(trace)
{
	int fd[2], key;
	FILE *lines;
	char queue[64];		/* address of the queue in the trace */
};

FIXTURE_SETUP(trace)
{
	session_open(_metadata);
	if (access(TRACING "/instances", F_OK))
		mount("tracefs", TRACING, "tracefs", 0, NULL);
	if (access(TRACING "/events/watch_queue", F_OK))
		SKIP(_exit(KSFT_SKIP), "CONFIG_TRACING is not set");
	rmdir(INSTANCE);
	ASSERT_EQ(0, mkdir(INSTANCE, 0755));
	self->key = key_new("watched");
	ASSERT_LT(0, self->key);
	ASSERT_EQ(0, write_text(INSTANCE "/events/watch_queue/enable", "1"));
	self->lines = NULL;
	self->queue[0] = 0;
	queue_open(_metadata, self->fd, O_NONBLOCK | O_CLOEXEC);
	ASSERT_EQ(0, queue_size(self->fd[0], 2));
}

FIXTURE_TEARDOWN(trace)
{
	if (self->lines)
		fclose(self->lines);
	queue_close(self->fd);
	write_text(INSTANCE "/events/watch_queue/enable", "0");
	rmdir(INSTANCE);
}

/* True if the next line has @event, the queue of the line before, and @rest */
static bool traced(FILE *lines, char *queue, const char *event, const char *rest)
{
	char line[512], found[64], *p;
	int at = 0;

	do {
		if (!fgets(line, sizeof(line), lines)) {
			ksft_print_msg("no %s\n", event);
			return false;
		}
		p = strstr(line, ": watch_queue_");
	} while (*line == '#' || !p);
	p += strlen(": watch_queue_");
	if (!strncmp(p, event, strlen(event)) &&
	    sscanf(p + strlen(event), ": queue=%63s %n", found, &at) == 1 &&
	    (!*queue || !strcmp(queue, found)) &&
	    !strncmp(p + strlen(event) + at, rest, strlen(rest)) &&
	    p[strlen(event) + at + strlen(rest)] == '\n') {
		memcpy(queue, found, sizeof(found));
		return true;
	}
	ksft_print_msg("expected %s of %s: %s", event, rest, line);
	return false;
}

/* Adding a watch, posts, a loss, reads, and the removal are traced in order. */
TEST_F(trace, watch)
{
	char object[64], removal[] = "type=meta subtype=0 id=7 len=16 info=0000";
	union watch_record r;

	ASSERT_EQ(0, watch_add(self->key, self->fd[0], 7));
	ASSERT_EQ(0, key_update(self->key));
	ASSERT_EQ(0, key_touch(self->key));
	ASSERT_EQ(0, key_update(self->key));
	ASSERT_EQ(KEY_RECORD, read_one(self->fd[0], &r));
	ASSERT_EQ(0, watch_del(self->key, self->fd[0]));
	ASSERT_EQ(KEY_RECORD, read_one(self->fd[0], &r));

	self->lines = fopen(INSTANCE "/trace", "re");
	ASSERT_NE(NULL, self->lines);
	snprintf(object, sizeof(object), "type=key id=7 object=%x", self->key);
	EXPECT_TRUE(traced(self->lines, self->queue, "add_watch", object));
	EXPECT_TRUE(traced(self->lines, self->queue, "post",
			   "type=key subtype=1 id=7 len=16 info=0000"));
	EXPECT_TRUE(traced(self->lines, self->queue, "post",
			   "type=key subtype=7 id=7 len=16 info=0000"));
	EXPECT_TRUE(traced(self->lines, self->queue, "lost",
			   "type=key subtype=1 id=7 len=16 info=0000"));
	EXPECT_TRUE(traced(self->lines, self->queue, "read", "bytes=16"));
	EXPECT_TRUE(traced(self->lines, self->queue, "remove_watch", object));
	EXPECT_TRUE(traced(self->lines, self->queue, "post", removal));
	EXPECT_TRUE(traced(self->lines, self->queue, "read", "bytes=16"));
}

/* Closing a queue traces the removal of its watches. */
TEST_F(trace, close)
{
	char object[64];

	ASSERT_EQ(0, watch_add(self->key, self->fd[0], 7));
	queue_close(self->fd);
	snprintf(object, sizeof(object), "type=key id=7 object=%x", self->key);
	self->lines = fopen(INSTANCE "/trace", "re");
	ASSERT_NE(NULL, self->lines);
	EXPECT_TRUE(traced(self->lines, self->queue, "add_watch", object));
	EXPECT_TRUE(traced(self->lines, self->queue, "remove_watch", object));
}

TEST_HARNESS_MAIN
