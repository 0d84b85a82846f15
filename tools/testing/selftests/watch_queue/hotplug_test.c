// SPDX-License-Identifier: GPL-2.0
/*
 * Watch queue: hotplug of devices in a virtual machine
 *
 * The third serial port is connected to the monitor of QEMU.  "stick" and "card" are the
 * back ends for a USB stick and a network card.  There is a virtio disk on PCI, and an
 * NVMe disk with two paths, one sector of which cannot be read, and which cannot be
 * flushed.  The options of QEMU are
 *
 *	-device qemu-xhci,id=usb
 *	-blockdev null-co,node-name=stick,size=8388608,read-zeroes=on
 *	-netdev hubport,id=card,hubid=0
 *	-blockdev null-co,node-name=disk,size=8388608,read-zeroes=on
 *	-device virtio-blk-pci,drive=disk
 *	-blockdev blkdebug,node-name=bad,image.driver=null-co,image.size=8388608,\
 *	image.read-zeroes=on,inject-error.0.event=none,inject-error.0.iotype=read,\
 *	inject-error.0.sector=64,inject-error.0.errno=5,inject-error.1.event=none,\
 *	inject-error.1.iotype=flush,inject-error.1.errno=5
 *	-device nvme-subsys,id=nvme -device nvme,serial=1,subsys=nvme
 *	-device nvme,serial=1,subsys=nvme -device nvme-ns,drive=bad,nsid=1,shared=on
 *	-chardev socket,id=monitor,path=monitor,server=on,wait=off
 *	-mon chardev=monitor -chardev socket,id=door,path=monitor -serial chardev:door
 *
 * WATCH_QUEUE_MODULE= is the path of the module test_module.ko (CONFIG_TEST_LKM).
 */
#define _GNU_SOURCE
#include <glob.h>
#include <termios.h>

#include "block.h"
#include "devices.h"

#define MONITOR		"/dev/ttyS2"
#define VIRTIO_DISK	"/dev/vda"
#define VIRTIO_REMOVE	"/sys/block/vda/device/../remove"
#define NVME_BAD_SECTOR	64
#define NVME_PATHS	"/sys/kernel/debug/nvme[0-9]c[0-9]n1/fault_inject"
#define NVME_PATH_ERROR	0x370		/* host pathing error */
#define MAX_EVENTS	256		/* events of one test */

FIXTURE(hotplug)
{
	struct reader q;
	int uevents, monitor;
	unsigned long long seen[MAX_EVENTS];	/* sequence numbers */
	unsigned int nr_seen;
};

FIXTURE_SETUP(hotplug)
{
	struct termios raw;

	reader_open(_metadata, &self->q, MAX_EVENTS);
	self->monitor = open(MONITOR, O_RDWR | O_NOCTTY | O_NONBLOCK | O_CLOEXEC);
	if (self->monitor < 0 || tcgetattr(self->monitor, &raw))
		SKIP(_exit(KSFT_SKIP), "no monitor of QEMU at " MONITOR);
	cfmakeraw(&raw);
	ASSERT_EQ(0, tcsetattr(self->monitor, TCSANOW, &raw));
	self->uevents = uevents();
	ASSERT_LE(0, self->uevents);
	ASSERT_EQ(0, device_watch(&self->q, 1));
}

FIXTURE_TEARDOWN(hotplug)
{
	close(self->monitor);
	close(self->uevents);
	reader_close(&self->q);
}

static int send_command(int monitor, const char *command)
{
	size_t len = strlen(command);

	return write(monitor, command, len) == (ssize_t)len ? tcdrain(monitor) : -1;
}

static int compare_numbers(const void *a, const void *b)
{
	unsigned long long x = *(unsigned long long *)a, y = *(unsigned long long *)b;

	return x < y ? -1 : x > y;
}

/* Reads records up to the next one with the subtype and subsystem */
#define await_device(event, of) ({					\
	union watch_record __r;						\
									\
	do {								\
		ASSERT_EQ(1, await_record(&self->q, &__r));		\
		ASSERT_EQ(WATCH_TYPE_DEVICE_NOTIFY, __r.watch.type + 0);	\
		ASSERT_GT(MAX_EVENTS, self->nr_seen);			\
		self->seen[self->nr_seen++] = __r.device.seqnum;		\
	} while (subtype(&__r) != (event) || strcmp(subsystem(&__r), of));	\
})

/* Compares the sequence numbers with netlink's; two processors may change the order */
static bool same_numbers(int uevents, unsigned long long *seen, unsigned int nr)
{
	unsigned long long number;
	char event[4096];
	unsigned int i;
	ssize_t len;

	qsort(seen, nr, sizeof(*seen), compare_numbers);
	for (i = 0; i < nr; ) {
		len = recv(uevents, event, sizeof(event) - 1, 0);
		if (len < 0)
			return false;
		event[len] = 0;
		number = strtoull(value(event, len, "SEQNUM"), NULL, 10);
		if (!bsearch(&number, seen, nr, sizeof(*seen), compare_numbers)) {
			/* Sent after the last expected event */
			if (number > seen[nr - 1])
				continue;
			return false;
		}
		i++;
	}
	return true;
}

/* A USB stick is added and removed: all of its devices have records. */
TEST_F(hotplug, usb_stick)
{
	ASSERT_EQ(0, send_command(self->monitor, "device_add usb-storage,id=s,drive=stick\n"));
	await_device(NOTIFY_DEVICE_ADD, "usb");
	await_device(NOTIFY_DEVICE_ADD, "block");
	ASSERT_EQ(0, send_command(self->monitor, "device_del s\n"));
	await_device(NOTIFY_DEVICE_REMOVE, "block");
	await_device(NOTIFY_DEVICE_REMOVE, "usb");
	EXPECT_TRUE(same_numbers(self->uevents, self->seen, self->nr_seen));
}

/* A network card is added and removed: all of its devices have records. */
TEST_F(hotplug, network_card)
{
	ASSERT_EQ(0, send_command(self->monitor, "device_add usb-net,id=c,netdev=card\n"));
	await_device(NOTIFY_DEVICE_ADD, "net");
	ASSERT_EQ(0, send_command(self->monitor, "device_del c\n"));
	await_device(NOTIFY_DEVICE_REMOVE, "net");
	await_device(NOTIFY_DEVICE_REMOVE, "usb");
	EXPECT_TRUE(same_numbers(self->uevents, self->seen, self->nr_seen));
}

/* A module is loaded and unloaded: both have a record. */
TEST_F(hotplug, module)
{
	const char *path = getenv("WATCH_QUEUE_MODULE");
	int file;

	if (!path)
		SKIP(return, "WATCH_QUEUE_MODULE is not set");
	file = open(path, O_RDONLY | O_CLOEXEC);
	ASSERT_LE(0, file);
	ASSERT_EQ(0, neg(syscall(__NR_finit_module, file, "", 0)));
	await_device(NOTIFY_DEVICE_ADD, "module");
	ASSERT_EQ(0, neg(syscall(__NR_delete_module, "test_module", O_NONBLOCK)));
	await_device(NOTIFY_DEVICE_REMOVE, "module");
	EXPECT_TRUE(same_numbers(self->uevents, self->seen, self->nr_seen));
	close(file);
}

/* A disk is removed during writes, which reports errors, and is added again. */
TEST_F(hotplug, virtio_disk)
{
	int disk = open_disk(VIRTIO_DISK);
	struct rig rig;

	ASSERT_LE(0, disk);
	rig_open(_metadata, &rig);
	ASSERT_EQ(0, watch(&rig, disk, 1));
	remove_written(_metadata, &rig, disk, VIRTIO_DISK, VIRTIO_REMOVE);
	await_device(NOTIFY_DEVICE_REMOVE, "block");
	ASSERT_EQ(0, write_text("/sys/bus/pci/rescan", "1"));
	await_device(NOTIFY_DEVICE_ADD, "block");
	EXPECT_TRUE(same_numbers(self->uevents, self->seen, self->nr_seen));
	rig_close(&rig);
}

/* Watch 1 is on the disk, watch 2 on all.  Returns a descriptor of the disk. */
static int watch_nvme_disk(struct __test_metadata *_metadata, struct rig *rig)
{
	int disk = open_disk("/dev/nvme0n1");

	/* The disk has the number of the controller that was found first */
	if (disk < 0)
		disk = open_disk("/dev/nvme1n1");
	ASSERT_LE(0, disk);
	rig_open(_metadata, rig);
	ASSERT_EQ(0, watch(rig, disk, 1));
	ASSERT_EQ(0, watch(rig, ALL, 2));
	return disk;
}

/* An error of an NVMe disk with several paths is reported once, for the disk. */
TEST_F(hotplug, nvme_paths)
{
	struct rig rig;
	int disk = watch_nvme_disk(_metadata, &rig);

	ASSERT_EQ(-ENODATA, neg(pread(disk, data, BLOCK, NVME_BAD_SECTOR * 512)));
	EXPECT_TRUE(got(&rig, 1, NOTIFY_BLOCK_MEDIUM, NOTIFY_BLOCK_OP_READ, disk,
			NVME_BAD_SECTOR, BLOCK, 0));
	EXPECT_TRUE(got(&rig, 2, NOTIFY_BLOCK_MEDIUM, NOTIFY_BLOCK_OP_READ, disk,
			NVME_BAD_SECTOR, BLOCK, 0));
	EXPECT_TRUE(got_no_more(&rig.q));
	rig_close(&rig);
	close(disk);
}

/* A failed flush of an NVMe disk with several paths is reported once, for the disk. */
TEST_F(hotplug, nvme_flush)
{
	struct rig rig;
	int disk = watch_nvme_disk(_metadata, &rig);

	/* QEMU does not flush a disk that was not written */
	ASSERT_EQ(BLOCK, pwrite(disk, data, BLOCK, 0));
	ASSERT_EQ(-ENODATA, neg(fsync(disk)));
	EXPECT_TRUE(got(&rig, 1, NOTIFY_BLOCK_MEDIUM, NOTIFY_BLOCK_OP_FLUSH, disk, 0, 0, 0));
	EXPECT_TRUE(got(&rig, 2, NOTIFY_BLOCK_MEDIUM, NOTIFY_BLOCK_OP_FLUSH, disk, 0, 0, 0));
	EXPECT_TRUE(got_no_more(&rig.q));
	rig_close(&rig);
	close(disk);
}

/* Sets an attribute of the fault injection of each path */
static bool nvme_set(const glob_t *paths, const char *attribute, long value)
{
	char name[128];
	size_t i;

	for (i = 0; i < paths->gl_pathc; i++) {
		snprintf(name, sizeof(name), "%s/%s", paths->gl_pathv[i], attribute);
		if (sysctl_set(name, value))
			return false;
	}
	return true;
}

/* The next command on each path fails; if @final, it is not tried again */
static bool nvme_fail_paths(const glob_t *paths, bool final)
{
	return nvme_set(paths, "verbose", 0) &&
	       nvme_set(paths, "status", NVME_PATH_ERROR) &&
	       nvme_set(paths, "dont_retry", final) &&
	       nvme_set(paths, "times", 1) &&
	       nvme_set(paths, "probability", 100);
}

/* Number of commands that still would fail */
static long nvme_failures_left(const glob_t *paths)
{
	char name[128];
	long left = 0;
	size_t i;

	for (i = 0; i < paths->gl_pathc; i++) {
		snprintf(name, sizeof(name), "%s/times", paths->gl_pathv[i]);
		left += sysctl_get(name);
	}
	return left;
}

/* The error of a path has a record only if the command is not sent to another path. */
TEST_F(hotplug, nvme_failover)
{
	struct rig rig;
	int disk = watch_nvme_disk(_metadata, &rig);
	glob_t paths;

	/* Fails if it is mounted already */
	do_mount("none", "/sys/kernel/debug", "debugfs", 0, NULL);
	ASSERT_EQ(0, glob(NVME_PATHS, 0, NULL, &paths));
	ASSERT_EQ(2, paths.gl_pathc);
	ASSERT_TRUE(nvme_fail_paths(&paths, false));
	EXPECT_EQ(BLOCK, neg(pread(disk, data, BLOCK, 0)));
	EXPECT_GT(2, nvme_failures_left(&paths));
	EXPECT_TRUE(got_no_more(&rig.q));

	ASSERT_TRUE(nvme_fail_paths(&paths, true));
	EXPECT_EQ(-ENOLINK, neg(pread(disk, data, BLOCK, 0)));
	EXPECT_EQ(1, nvme_failures_left(&paths));
	EXPECT_TRUE(got(&rig, 1, NOTIFY_BLOCK_TRANSPORT, NOTIFY_BLOCK_OP_READ, disk, 0,
			BLOCK, 0));
	EXPECT_TRUE(got(&rig, 2, NOTIFY_BLOCK_TRANSPORT, NOTIFY_BLOCK_OP_READ, disk, 0,
			BLOCK, 0));
	EXPECT_TRUE(got_no_more(&rig.q));
	ASSERT_TRUE(nvme_set(&paths, "probability", 0));
	globfree(&paths);
	rig_close(&rig);
	close(disk);
}

TEST_HARNESS_MAIN
