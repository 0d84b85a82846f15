// SPDX-License-Identifier: GPL-2.0-only
/*
 * KUnit tests for notifications about devices
 *
 * Included at the end of lib/kobject_notify.c.  They cover names that are too long for
 * a record, as no device with such a name can be created on demand.
 * tools/testing/selftests/watch_queue tests everything else.
 */

#include <kunit/test.h>

struct names_case {
	const char *what;
	size_t subsystem, path;			/* lengths */
	size_t got_subsystem, got_path;		/* lengths in the record */
};

static const struct names_case names_cases[] = {
	{ "short",			3, 20, 3, 20 },
	{ "empty",			0, 0, 0, 0 },
	{ "subsystem fits",		31, 20, 31, 20 },
	{ "subsystem truncated",	32, 20, 31, 20 },
	{ "both fit",			31, 62, 31, 62 },
	{ "path truncated",		31, 63, 31, 62 },
	{ "path fits in the rest",	3, 90, 3, 90 },
	{ "path exceeds the rest",	3, 91, 3, 90 },
	{ "both truncated",		200, 200, 31, 62 },
};

static void names_case_desc(const struct names_case *c, char *desc)
{
	strscpy(desc, c->what, KUNIT_PARAM_DESC_SIZE);
}

KUNIT_ARRAY_PARAM(names, names_cases, names_case_desc);

static void fill(char *name, size_t len, char first)
{
	size_t i;

	for (i = 0; i < len; i++)
		name[i] = first + i % 26;
	name[len] = 0;
}

/*
 * A record contains the start of the subsystem and the end of the path, each with its
 * NUL.  Nothing is written after the names.  A flag is set if a name is truncated.
 */
static void device_test_names(struct kunit *test)
{
	const struct names_case *c = test->param_value;
	bool truncated = c->got_subsystem < c->subsystem || c->got_path < c->path;
	size_t len = sizeof(struct device_notification) + c->got_subsystem + c->got_path + 2;
	char subsystem[256], path[256];
	union device_record rec;
	const char *got;
	size_t i;

	fill(subsystem, c->subsystem, 'a');
	fill(path, c->path, 'A');
	memset(&rec, 0xa5, sizeof(rec));
	rec.n.watch.info = 0;
	device_put_names(&rec, &(struct uevent_value){ subsystem, c->subsystem },
			 &(struct uevent_value){ path, c->path });

	KUNIT_ASSERT_LE(test, len, sizeof(rec.bytes));
	KUNIT_EXPECT_EQ(test, rec.n.watch.info,
			len | (truncated ? NOTIFY_DEVICE_TRUNCATED : 0));
	got = rec.n.names;
	KUNIT_EXPECT_MEMEQ(test, got, subsystem, c->got_subsystem);
	KUNIT_EXPECT_EQ(test, got[c->got_subsystem], 0);
	got += c->got_subsystem + 1;
	KUNIT_EXPECT_MEMEQ(test, got, path + c->path - c->got_path, c->got_path + 1);
	for (i = len; i < sizeof(rec.bytes); i++)
		KUNIT_EXPECT_EQ(test, (u8)rec.bytes[i], 0xa5);
}

static struct kunit_case device_test_cases[] = {
	KUNIT_CASE_PARAM(device_test_names, names_gen_params),
	{}
};

static struct kunit_suite device_test_suite = {
	.name = "watch_queue_device",
	.test_cases = device_test_cases,
};

kunit_test_suite(device_test_suite);
