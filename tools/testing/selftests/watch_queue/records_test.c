// SPDX-License-Identifier: GPL-2.0
/*
 * Watch queue: the parser of records in tools/watch_queue/watch_records.h
 *
 * The buffer ends at an inaccessible page, so that a read beyond it crashes.
 */
#include <sys/mman.h>

#include "common.h"

FIXTURE(records)
{
	char *map, *end;
	size_t page;
};

FIXTURE_SETUP(records)
{
	self->page = getpagesize();
	self->map = mmap(NULL, 3 * self->page, PROT_READ | PROT_WRITE,
			 MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE(MAP_FAILED, self->map);
	self->end = self->map + 2 * self->page;
	ASSERT_EQ(0, mprotect(self->end, self->page, PROT_NONE));
}

FIXTURE_TEARDOWN(records)
{
	munmap(self->map, 3 * self->page);
}

/* Writes a record of @len bytes to @to, with @fill in each byte of its data */
static void put_record(char *to, __u32 id, size_t len, int fill)
{
	struct watch_notification n = {
		.type = WATCH_TYPE_KEY_NOTIFY, .info = id << WATCH_INFO_ID__SHIFT | len,
	};

	memcpy(to, &n, sizeof(n) < len ? sizeof(n) : len);
	if (len > sizeof(n))
		memset(to + sizeof(n), fill, len - sizeof(n));
}

/* Records of all lengths follow each other, and may be unaligned. */
TEST_F(records, every_length)
{
	struct watch_records records;
	union watch_record r;
	size_t len, all = 0;
	char *p;

	for (len = 8; len <= WATCH_INFO_LENGTH; len++)
		all += len;
	records = (struct watch_records){ self->end - all, all };
	for (p = self->end - all, len = 8; len <= WATCH_INFO_LENGTH; p += len++)
		put_record(p, len, len, 0xa5);
	for (len = 8; len <= WATCH_INFO_LENGTH; len++) {
		ASSERT_EQ((int)len, watch_record_next(&records, &r));
		ASSERT_EQ(len, watch_record_id(&r));
		if (len > 8)
			ASSERT_EQ(0xa5, r.bytes[len - 1]);
		/* The rest is cleared, and has nothing of the record before */
		for (size_t i = len; i < sizeof(r); i++)
			ASSERT_EQ(0, r.bytes[i]);
	}
	EXPECT_EQ(0, watch_record_next(&records, &r));
	EXPECT_EQ(0, watch_record_next(&records, &r));
}

/* A truncated header and a truncated record are errors. */
TEST_F(records, truncated)
{
	struct watch_records records;
	union watch_record r;
	char whole[WATCH_INFO_LENGTH];
	size_t len;

	put_record(whole, 1, sizeof(whole), 0);
	for (len = 1; len < sizeof(whole); len++) {
		memcpy(self->end - len, whole, len);
		records = (struct watch_records){ self->end - len, len };
		ASSERT_EQ(-1, watch_record_next(&records, &r));
		/* The error is permanent */
		ASSERT_EQ(-1, watch_record_next(&records, &r));
	}
}

/* A length below that of the header is an error, not an endless loop. */
TEST_F(records, too_short)
{
	struct watch_records records;
	union watch_record r;
	size_t len;

	for (len = 0; len < 8; len++) {
		put_record(self->end - 8, 1, 8, 0);
		((struct watch_notification *)(self->end - 8))->info = len;
		records = (struct watch_records){ self->end - 8, 8 };
		ASSERT_EQ(-1, watch_record_next(&records, &r));
	}
}

/* The count of losses, and the type META, are recognised. */
TEST_F(records, meta)
{
	union watch_record r = {
		.watch.type = WATCH_TYPE_META,
		.watch.subtype = WATCH_META_LOSS_NOTIFICATION,
		.watch.info = 8 | 0xffffU << WATCH_INFO_TYPE_INFO__SHIFT,
	};

	EXPECT_EQ(0xffff, watch_record_lost(&r));
	EXPECT_FALSE(watch_record_is_meta(&r, WATCH_META_REMOVAL_NOTIFICATION));
	r.watch.info = 8 | 1U << WATCH_INFO_TYPE_INFO__SHIFT;
	EXPECT_EQ(1, watch_record_lost(&r));
	/* From an older kernel, which does not count losses */
	r.watch.info = 8;
	EXPECT_EQ(1, watch_record_lost(&r));
	r.watch.subtype = WATCH_META_REMOVAL_NOTIFICATION;
	EXPECT_EQ(0, watch_record_lost(&r));
	EXPECT_TRUE(watch_record_is_meta(&r, WATCH_META_REMOVAL_NOTIFICATION));
	r.watch.type = WATCH_TYPE_KEY_NOTIFY;
	r.watch.subtype = WATCH_META_LOSS_NOTIFICATION;
	EXPECT_EQ(0, watch_record_lost(&r));
}

/* Both names of a device end within the record, even if one or both are missing. */
TEST_F(records, device_names)
{
	union watch_record r = {};
	size_t room = WATCH_INFO_LENGTH - sizeof(r.device);
	char *names = (char *)r.bytes + sizeof(r.device);

	EXPECT_STREQ("", watch_record_subsystem(&r));
	EXPECT_STREQ("", watch_record_devpath(&r));
	memcpy(names, "mem\0/null", sizeof("mem\0/null"));
	EXPECT_STREQ("mem", watch_record_subsystem(&r));
	EXPECT_STREQ("/null", watch_record_devpath(&r));
	memset(names, 's', room);
	EXPECT_EQ(room, strlen(watch_record_subsystem(&r)));
	EXPECT_STREQ("", watch_record_devpath(&r));
	EXPECT_EQ((char *)&r + WATCH_INFO_LENGTH, watch_record_devpath(&r));
}

TEST_HARNESS_MAIN
