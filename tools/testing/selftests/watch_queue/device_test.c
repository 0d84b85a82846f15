// SPDX-License-Identifier: GPL-2.0
/*
 * Watch queue: records about devices, compared with the uevents of netlink
 *
 * The devices are a loop device that is added and removed, the loopback interface of
 * a network namespace, and a processor.
 */
#define _GNU_SOURCE
#include <linux/fs.h>
#include <linux/if.h>
#include <linux/loop.h>
#include <linux/sockios.h>
#include <sched.h>

#include "devices.h"

#define SOME_USER	64371
#define LOOP_NR		1234
#define LOOP_NAME	"loop1234"
#define MEM_UEVENT	"/sys/class/mem/null/uevent"
#define NR_EVENTS	10000
#define DEPTH		256

FIXTURE(device)
{
	struct reader q;
	int uevents;
};

FIXTURE_SETUP(device)
{
	int ret;

	reader_open(_metadata, &self->q, DEPTH);
	ret = queue_watch(self->q.fd, WATCH_TYPE_DEVICE_NOTIFY, self->q.fd, 1, 0);
	if (ret == -EOPNOTSUPP)
		SKIP(_exit(KSFT_SKIP), "CONFIG_DEVICE_NOTIFICATIONS is not set");
	/* The only object is all devices */
	ASSERT_EQ(-EINVAL, ret);
	if (geteuid())
		SKIP(_exit(KSFT_SKIP), "needs root, to make devices");
	self->uevents = uevents();
	ASSERT_LE(0, self->uevents);
}

FIXTURE_TEARDOWN(device)
{
	close(self->uevents);
	reader_close(&self->q);
}

TEST_F(device, arguments)
{
	union watch_record r;
	char line[64];

	EXPECT_EQ(-EINVAL, queue_unwatch(self->q.fd, WATCH_TYPE_DEVICE_NOTIFY,
					 self->q.fd, 0));
	EXPECT_EQ(-EINVAL, queue_watch(self->q.fd, WATCH_TYPE_DEVICE_NOTIFY, -1, 1,
				       WATCH_SUBTREE));
	EXPECT_EQ(-EBADSLT, device_unwatch(&self->q, 1));
	EXPECT_EQ(0, device_watch(&self->q, 1));
	/* All devices have no object ID */
	EXPECT_TRUE(queue_info_line(self->q.fd, "watch:", 0, line, sizeof(line)));
	EXPECT_STREQ("watch:\ttype:5 id:1 object:0", line);
	EXPECT_EQ(-EBUSY, device_watch(&self->q, 2));
	EXPECT_EQ(-EBADSLT, device_unwatch(&self->q, 2));
	EXPECT_EQ(0, device_unwatch(&self->q, 1));
	EXPECT_EQ(-EBADSLT, device_unwatch(&self->q, 1));
	do {
		ASSERT_EQ(1, next_record(&self->q, &r));
	} while (!is_removal(&r));
	EXPECT_EQ(sizeof(r.watch), record_len(&r));
}

/* A disk is added and removed, together with the devices that belong to it. */
TEST_F(device, add_remove)
{
	int control = open("/dev/loop-control", O_RDWR | O_CLOEXEC), seen = 0;
	union watch_record r;

	ASSERT_LE(0, control);
	ASSERT_EQ(0, device_watch(&self->q, 7));
	ASSERT_EQ(LOOP_NR, neg(ioctl(control, LOOP_CTL_ADD, LOOP_NR)));
	ASSERT_EQ(0, neg(ioctl(control, LOOP_CTL_REMOVE, LOOP_NR)));
	while (next_record(&self->q, &r) == 1) {
		ASSERT_TRUE(same_uevent(self->uevents, &r));
		EXPECT_EQ(7, watch_record_id(&r));
		if (strcmp(subsystem(&r), "block"))
			continue;
		EXPECT_STREQ(LOOP_NAME, name(&r));
		EXPECT_TRUE(r.watch.info & NOTIFY_DEVICE_BLOCK);
		EXPECT_EQ(7, r.device.dev_major);
		seen |= 1 << r.watch.subtype;
	}
	EXPECT_EQ(1 << NOTIFY_DEVICE_ADD | 1 << NOTIFY_DEVICE_REMOVE, seen);
	close(control);
}

/* A synthetic event has a flag. */
TEST_F(device, synthetic)
{
	union watch_record r;

	ASSERT_EQ(0, device_watch(&self->q, 1));
	ASSERT_EQ(0, write_text(MEM_UEVENT, "change"));
	ASSERT_EQ(1, next_record(&self->q, &r));
	EXPECT_EQ(NOTIFY_DEVICE_CHANGE, subtype(&r));
	EXPECT_EQ(NOTIFY_DEVICE_SYNTHETIC, r.watch.info & WATCH_INFO_TYPE_INFO);
	EXPECT_EQ(sizeof(r.device) + sizeof("mem") + sizeof("/devices/virtual/mem/null"),
		  record_len(&r));
	EXPECT_EQ(sysfs_ino("/devices/virtual/mem/null"), r.device.sysfs_ino);
	EXPECT_NE(0, r.device.sysfs_ino);
	EXPECT_TRUE(same_uevent(self->uevents, &r));
}

/* Each action has an event of its own. */
TEST_F(device, actions)
{
	union watch_record r;

	ASSERT_EQ(0, device_watch(&self->q, 1));
	for (int i = 0; i < ARRAY_SIZE(uevent_actions); i++) {
		ASSERT_EQ(0, write_text(MEM_UEVENT, uevent_actions[i]));
		ASSERT_EQ(1, next_record(&self->q, &r));
		EXPECT_EQ(i, subtype(&r));
		EXPECT_TRUE(same_uevent(self->uevents, &r));
	}
}

/* Sends a uevent to this network namespace, as container managers do; 0 or -errno */
static int inject(const char *event, size_t len)
{
	struct {
		struct nlmsghdr head;
		char event[256];
	} message = {
		.head.nlmsg_len = NLMSG_LENGTH(len),
		.head.nlmsg_type = NLMSG_MIN_TYPE,
		.head.nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK,
	};
	struct {
		struct nlmsghdr head;
		struct nlmsgerr error;
	} ack = { };
	int fd = socket(AF_NETLINK, SOCK_DGRAM | SOCK_CLOEXEC, NETLINK_KOBJECT_UEVENT), ret;

	memcpy(message.event, event, len);
	if (send(fd, &message, message.head.nlmsg_len, 0) < 0 ||
	    recv(fd, &ack, sizeof(ack), 0) < 0)
		ret = -errno;
	else
		ret = ack.error.error;
	close(fd);
	return ret;
}

/* Only uevents of the kernel are reported. */
TEST_F(device, injected)
{
	static const char event[] = "change@/devices/virtual/mem/null\0ACTION=change\0"
				    "DEVPATH=/devices/virtual/mem/null\0SUBSYSTEM=mem";
	union watch_record r;
	char got[256];
	int socket, len;

	/* The namespace hides the event from udev */
	ASSERT_EQ(0, unshare(CLONE_NEWNET));
	socket = uevents();
	ASSERT_LE(0, socket);
	ASSERT_EQ(0, device_watch(&self->q, 1));
	ASSERT_EQ(0, inject(event, sizeof(event)));
	len = recv(socket, got, sizeof(got), 0);
	ASSERT_LT((int)sizeof(event), len);
	EXPECT_EQ(0, memcmp(event, got, sizeof(event)));

	/* The next event of the kernel is the first record */
	ASSERT_EQ(0, write_text(MEM_UEVENT, "add"));
	ASSERT_EQ(1, next_record(&self->q, &r));
	EXPECT_EQ(NOTIFY_DEVICE_ADD, subtype(&r));
	EXPECT_STREQ("mem", subsystem(&r));
	EXPECT_TRUE(same_uevent(socket, &r));
	EXPECT_TRUE(got_no_more(&self->q));
	close(socket);
}

/* A processor goes offline and online, on a machine with at least two. */
TEST_F(device, offline_online)
{
	const char *online = "/sys/devices/system/cpu/cpu1/online";
	union watch_record r;
	int ret;

	ASSERT_EQ(0, device_watch(&self->q, 1));
	ret = write_text(online, "0");
	if (ret == -ENOENT)
		SKIP(return, "no second processor that can go offline");
	ASSERT_EQ(0, ret);
	ASSERT_EQ(0, write_text(online, "1"));
	ASSERT_EQ(1, next_record(&self->q, &r));
	EXPECT_EQ(NOTIFY_DEVICE_OFFLINE, subtype(&r));
	EXPECT_STREQ("cpu1", name(&r));
	EXPECT_TRUE(same_uevent(self->uevents, &r));
	ASSERT_EQ(1, next_record(&self->q, &r));
	EXPECT_EQ(NOTIFY_DEVICE_ONLINE, subtype(&r));
	EXPECT_TRUE(same_uevent(self->uevents, &r));
}

/* A filter selects by subtype and flags. */
TEST_F(device, filter)
{
	struct {
		struct watch_notification_filter head;
		struct watch_notification_type_filter rule;
	} filter = {
		.head.nr_filters = 1,
		.rule.type = WATCH_TYPE_DEVICE_NOTIFY,
		.rule.subtype_filter[0] = 1 << NOTIFY_DEVICE_REMOVE,
		.rule.info_mask = NOTIFY_DEVICE_SYNTHETIC,
	};
	int control = open("/dev/loop-control", O_RDWR | O_CLOEXEC), nr = 0;
	union watch_record r;

	ASSERT_LE(0, control);
	ASSERT_EQ(0, queue_filter(self->q.fd, &filter));
	ASSERT_EQ(0, device_watch(&self->q, 1));
	ASSERT_EQ(0, write_text(MEM_UEVENT, "remove"));
	ASSERT_EQ(LOOP_NR, neg(ioctl(control, LOOP_CTL_ADD, LOOP_NR)));
	ASSERT_EQ(0, neg(ioctl(control, LOOP_CTL_REMOVE, LOOP_NR)));
	while (next_record(&self->q, &r) == 1) {
		EXPECT_EQ(NOTIFY_DEVICE_REMOVE, subtype(&r));
		EXPECT_FALSE(r.watch.info & NOTIFY_DEVICE_SYNTHETIC);
		nr++;
	}
	EXPECT_LT(0, nr);
	close(control);
}

/*
 * A device is removed, and another one is added under the same path.  Each record has
 * the inode number of the directory that its device had.
 */
TEST_F(device, same_path)
{
	int control = open("/dev/loop-control", O_RDWR | O_CLOEXEC), nr = 0, i;
	const char *path = "/devices/virtual/block/" LOOP_NAME;
	union watch_record r;
	__u64 ino[2];

	ASSERT_LE(0, control);
	ASSERT_EQ(0, device_watch(&self->q, 1));
	for (i = 0; i < 2; i++) {
		ASSERT_EQ(LOOP_NR, neg(ioctl(control, LOOP_CTL_ADD, LOOP_NR)));
		ino[i] = sysfs_ino(path);
		EXPECT_NE(0, ino[i]);
		ASSERT_EQ(0, neg(ioctl(control, LOOP_CTL_REMOVE, LOOP_NR)));
	}
	EXPECT_NE(ino[0], ino[1]);
	while (next_record(&self->q, &r) == 1) {
		if (strcmp(watch_record_devpath(&r), path))
			continue;
		ASSERT_GT(4, nr);
		EXPECT_EQ(nr % 2 ? NOTIFY_DEVICE_REMOVE : NOTIFY_DEVICE_ADD, subtype(&r));
		EXPECT_EQ(ino[nr / 2], r.device.sysfs_ino);
		nr++;
	}
	EXPECT_EQ(4, nr);
	close(control);
}

/* Each event of a burst has a record, in the order of the uevents. */
TEST_F_TIMEOUT(device, burst, 300)
{
	union watch_record r;
	int i;

	ASSERT_EQ(0, device_watch(&self->q, 1));
	for (i = 0; i < NR_EVENTS; i++) {
		ASSERT_EQ(0, write_text(MEM_UEVENT, "change"));
		if (i % DEPTH != DEPTH - 1 && i != NR_EVENTS - 1)
			continue;
		while (next_record(&self->q, &r) == 1)
			ASSERT_TRUE(same_uevent(self->uevents, &r));
	}
	EXPECT_EQ(-EAGAIN, neg(recv(self->uevents, &r, sizeof(r), 0)));
}

/* Records of a burst that do not fit into the queue are counted. */
TEST_F_TIMEOUT(device, burst_unread, 300)
{
	unsigned int i, seen = 0;
	union watch_record r;

	ASSERT_EQ(0, device_watch(&self->q, 1));
	for (i = 0; i < NR_EVENTS; i++)
		ASSERT_EQ(0, write_text(MEM_UEVENT, "change"));
	while (next_record(&self->q, &r) == 1)
		seen += is_loss(&r) ? record_bits(&r) : 1;
	EXPECT_EQ(NR_EVENTS, seen);
}

/*
 * Privilege and network namespaces
 */

/* Renames the loopback interface of this network namespace */
static int rename_loopback(const char *from, const char *to)
{
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0), ret;
	struct ifreq request = { };

	snprintf(request.ifr_name, sizeof(request.ifr_name), "%s", from);
	snprintf(request.ifr_newname, sizeof(request.ifr_newname), "%s", to);
	ret = neg(ioctl(fd, SIOCSIFNAME, &request));
	close(fd);
	return ret;
}

/* A watch requires no privilege, as the uevent socket requires none. */
TEST_F(device, unprivileged)
{
	pid_t pid = fork();

	ASSERT_LE(0, pid);
	if (!pid) {
		ASSERT_EQ(0, become_user(SOME_USER));
		_exit(device_watch(&self->q, 1) ? 1 : 0);
	}
	ASSERT_EQ(0, child_status(pid));
	ASSERT_EQ(0, write_text(MEM_UEVENT, "change"));
	EXPECT_EQ(1, await_record(&self->q, &(union watch_record){ }));
}

/* RLIMIT_NOFILE limits watches on keys only. */
TEST_F(device, open_files)
{
	struct rlimit limit = { };

	ASSERT_EQ(0, become_user(SOME_USER));
	ASSERT_EQ(0, setrlimit(RLIMIT_NOFILE, &limit));
	EXPECT_EQ(0, device_watch(&self->q, 1));
}

/* Events of a network namespace are only seen there. */
TEST_F(device, network_namespace)
{
	struct reader inside;
	union watch_record r;
	int socket;

	ASSERT_EQ(0, device_watch(&self->q, 1));
	ASSERT_EQ(0, unshare(CLONE_NEWNET));
	reader_open(_metadata, &inside, DEPTH);
	ASSERT_EQ(0, device_watch(&inside, 2));
	socket = uevents();
	ASSERT_LE(0, socket);
	ASSERT_EQ(0, rename_loopback("lo", "inner"));
	ASSERT_EQ(1, next_record(&inside, &r));
	EXPECT_EQ(NOTIFY_DEVICE_MOVE, subtype(&r));
	EXPECT_STREQ("net", subsystem(&r));
	EXPECT_STREQ("inner", name(&r));
	EXPECT_TRUE(same_uevent(socket, &r));
	EXPECT_EQ(-EAGAIN, next_record(&inside, &r));

	/* The change of name is not seen outside */
	while (next_record(&self->q, &r) == 1)
		EXPECT_NE(NOTIFY_DEVICE_MOVE, subtype(&r));

	/* Both see untagged events: the initial user namespace owns the new one */
	ASSERT_EQ(0, write_text(MEM_UEVENT, "change"));
	EXPECT_EQ(1, next_record(&inside, &r));
	EXPECT_EQ(1, next_record(&self->q, &r));
	close(socket);
	reader_close(&inside);
}

/* A container with a user namespace only sees events of its network namespace. */
TEST_F(device, container)
{
	struct reader inside;
	union watch_record r;
	pid_t pid;

	reader_open(_metadata, &inside, DEPTH);
	pid = fork();
	ASSERT_LE(0, pid);
	if (!pid) {
		ASSERT_EQ(0, become_user(SOME_USER));
		ASSERT_EQ(0, unshare(CLONE_NEWUSER | CLONE_NEWNET));
		ASSERT_EQ(0, device_watch(&inside, 1));
		ASSERT_EQ(0, rename_loopback("lo", "inner"));
		ASSERT_EQ(1, next_record(&inside, &r));
		EXPECT_EQ(NOTIFY_DEVICE_MOVE, subtype(&r));
		_exit(_metadata->exit_code);
	}
	ASSERT_EQ(0, child_status(pid));
	ASSERT_EQ(0, write_text(MEM_UEVENT, "change"));
	/* The network namespace is gone, but its address is still reserved */
	EXPECT_EQ(-EAGAIN, next_record(&inside, &r));
	reader_close(&inside);
}

TEST_HARNESS_MAIN
