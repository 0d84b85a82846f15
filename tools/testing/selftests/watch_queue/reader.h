/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Watch queue test helpers: a reader of records of any length
 */
#ifndef _SELFTESTS_WATCH_QUEUE_READER_H
#define _SELFTESTS_WATCH_QUEUE_READER_H

#include "common.h"

struct reader {
	int fd;
	int write_fd;
	struct watch_records records;	/* in buf */
	char buf[4096];
};

static inline void reader_open(struct __test_metadata *_metadata, struct reader *q,
			       unsigned int depth)
{
	int fd[2];

	queue_open(_metadata, fd, O_NONBLOCK | O_CLOEXEC);
	memset(q, 0, sizeof(*q));
	q->fd = fd[0];
	q->write_fd = fd[1];
	ASSERT_EQ(0, queue_size(fd[0], depth));
}

static inline void reader_close(struct reader *q)
{
	close(q->fd);
	close(q->write_fd);
}

/* Copies the next record.  Returns 1, 0 at the end of file, or -errno. */
static inline int next_record(struct reader *q, union watch_record *r)
{
	int ret;

	if (!q->records.left) {
		ret = neg(read(q->fd, q->buf, sizeof(q->buf)));
		if (ret <= 0)
			return ret;
		q->records = (struct watch_records){ q->buf, ret };
	}
	return watch_record_next(&q->records, r) > 0 ? 1 : -EBADMSG;
}

/* Puts back the last record, which has @len bytes */
static inline void unread_record(struct reader *q, int len)
{
	q->records.next = (const char *)q->records.next - len;
	q->records.left += len;
}

/* Like next_record(), but waits for an expected record; -EAGAIN after the timeout */
static inline int await_record(struct reader *q, union watch_record *r)
{
	if (!q->records.left)
		poll_in(q->fd);
	return next_record(q, r);
}

/* Drops all records that are in the queue */
static inline void drop_records(struct reader *q)
{
	while (next_record(q, &(union watch_record){}) == 1)
		;
}

/* The queue is empty and not at its end */
static inline bool got_no_more(struct reader *q)
{
	union watch_record r;
	int ret = next_record(q, &r);

	if (ret == -EAGAIN)
		return true;
	print_record(ret, &r);
	return false;
}

#endif /* _SELFTESTS_WATCH_QUEUE_READER_H */
