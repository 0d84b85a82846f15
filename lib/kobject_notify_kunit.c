// SPDX-License-Identifier: GPL-2.0-only
/*
 * Unit tests of notifications about devices
 *
 * Included at the foot of lib/kobject_notify.c.  No device can be made whose name is
 * too long for a record; all else is tested by tools/testing/selftests/watch_queue.
 */

#include <kunit/test.h>

struct names_case {
	const char *what;
	size_t subsystem, name;		/* their lengths */
	bool fits;
	size_t told_subsystem, told_name;
};

static const struct names_case names_cases[] = {
	{ "short",		3, 4, true, 3, 4 },
	{ "none",		0, 0, true, 0, 0 },
	{ "subsystem fits",	31, 4, true, 31, 4 },
	{ "subsystem cut",	32, 4, false, 31, 4 },
	{ "both fit",		31, 70, true, 31, 70 },
	{ "name cut",		31, 71, false, 31, 70 },
	{ "name has the rest",	3, 98, true, 3, 98 },
	{ "name has no more",	3, 99, false, 3, 98 },
	{ "both cut",		200, 200, false, 31, 70 },
};

static void names_case_desc(const struct names_case *c, char *desc)
{
	strscpy(desc, c->what, KUNIT_PARAM_DESC_SIZE);
}

KUNIT_ARRAY_PARAM(names, names_cases, names_case_desc);

/* What does not fit is cut, each name ends, and the record has no byte more */
static void device_test_names(struct kunit *test)
{
	const struct names_case *c = test->param_value;
	char subsystem[256] = "", name[256] = "";
	union device_record rec;
	const char *told;
	size_t len;

	memset(subsystem, 's', c->subsystem);
	memset(name, 'n', c->name);
	memset(&rec, 0xa5, sizeof(rec));
	KUNIT_EXPECT_EQ(test, c->fits,
			device_put_names(&rec, &len, subsystem, name));
	KUNIT_ASSERT_EQ(test, c->told_subsystem + 1 + c->told_name + 1, len);
	KUNIT_ASSERT_LE(test, sizeof(rec.n) + len, sizeof(rec));

	told = rec.n.names;
	KUNIT_EXPECT_EQ(test, c->told_subsystem, strnlen(told, len));
	KUNIT_EXPECT_MEMEQ(test, told, subsystem, c->told_subsystem);
	told += c->told_subsystem + 1;
	KUNIT_EXPECT_EQ(test, c->told_name, strnlen(told, len));
	KUNIT_EXPECT_MEMEQ(test, told, name, c->told_name);
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
