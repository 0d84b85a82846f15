/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Watch queue test helpers: loop devices, device-mapper devices, and polled I/O
 */
#ifndef _SELFTESTS_WATCH_QUEUE_DISKS_H
#define _SELFTESTS_WATCH_QUEUE_DISKS_H

#include <fcntl.h>
#include <linux/dm-ioctl.h>
#include <linux/io_uring.h>
#include <linux/loop.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "common.h"

/*
 * Attaches a loop device, which is detached on last close.  Returns a descriptor that
 * is open for reading.
 */
static inline int loop_attach(const char *image, char *path, size_t size)
{
	struct loop_config config = { .info.lo_flags = LO_FLAGS_AUTOCLEAR };
	int control, loop = -1, nr, tries;

	control = open("/dev/loop-control", O_RDWR | O_CLOEXEC);
	config.fd = open(image, O_RDWR | O_CLOEXEC);
	/* Another process may take the free device first */
	for (tries = 0; control >= 0 && tries < 100 && loop < 0; tries++) {
		nr = ioctl(control, LOOP_CTL_GET_FREE);
		if (nr < 0)
			break;
		snprintf(path, size, "/dev/loop%d", nr);
		loop = open(path, O_RDWR | O_CLOEXEC);
		if (loop >= 0 && ioctl(loop, LOOP_CONFIGURE, &config)) {
			close(loop);
			loop = -1;
		}
	}
	close(config.fd);
	close(control);
	if (loop < 0)
		return loop;
	/* CONFIG_BLK_DEV_WRITE_MOUNTED=n refuses to mount a device open for writing */
	nr = open(path, O_RDONLY | O_CLOEXEC);
	close(loop);
	return nr;
}

/* Sends the request that begins with @head; 0 or -errno */
static inline int dm_call(unsigned long request, const char *name,
			  struct dm_ioctl *head, size_t size)
{
	int control, ret;

	head->version[0] = DM_VERSION_MAJOR;
	head->data_size = size;
	head->data_start = sizeof(*head);
	snprintf(head->name, sizeof(head->name), "%s", name);
	control = open("/dev/mapper/control", O_RDWR | O_CLOEXEC);
	if (control < 0)
		return -errno;
	ret = neg(ioctl(control, request, head));
	close(control);
	return ret;
}

/* 0 or -errno; stores the device number in *@dev unless that is NULL */
static inline int dm_ioctl(unsigned long request, const char *name, __u32 flags,
			   const char *target, __u64 sectors, const char *params,
			   __u64 *dev)
{
	struct {
		struct dm_ioctl head;
		struct dm_target_spec spec;
		char params[128];
	} arg = {
		.head.target_count	= !!target,
		.head.flags		= flags,
		.spec.length		= sectors,
	};
	int ret;

	if (target) {
		snprintf(arg.spec.target_type, sizeof(arg.spec.target_type), "%s", target);
		snprintf(arg.params, sizeof(arg.params), "%s", params);
	}
	ret = dm_call(request, name, &arg.head, sizeof(arg));
	if (!ret && dev)
		*dev = arg.head.dev;
	return ret;
}

/* Sends a message to the target of the device; 0 or -errno */
static inline int dm_message(const char *name, const char *message)
{
	struct {
		struct dm_ioctl head;
		struct dm_target_msg target;
		char text[64];		/* where target.message begins */
	} arg = {};

	snprintf(arg.text, sizeof(arg.text), "%s", message);
	return dm_call(DM_TARGET_MSG, name, &arg.head, sizeof(arg));
}

/* Suspends the device and freezes a filesystem on it; resumes it without @hold */
static inline int dm_suspend(const char *name, bool hold)
{
	return dm_ioctl(DM_DEV_SUSPEND, name, hold ? DM_SUSPEND_FLAG : 0,
			NULL, 0, NULL, NULL);
}

/*
 * Begins to use the loaded table.  I/O in flight completes first, and a filesystem on
 * the device is not frozen.
 */
static inline int dm_swap(const char *name)
{
	int ret;

	ret = dm_ioctl(DM_DEV_SUSPEND, name, DM_SUSPEND_FLAG | DM_SKIP_LOCKFS_FLAG,
		       NULL, 0, NULL, NULL);
	return ret ? ret : dm_suspend(name, false);
}

/* Replaces the target of the device */
static inline int dm_set(const char *name, const char *target, __u64 sectors,
			 const char *params)
{
	int ret;

	ret = dm_ioctl(DM_TABLE_LOAD, name, 0, target, sectors, params, NULL);
	return ret ? ret : dm_swap(name);
}

/* Lets @nr sectors of a linear device on @lower fail, but not its first or last one */
static inline int dm_set_bad(const char *name, const char *lower, __u64 sectors, __u64 bad,
			     unsigned int nr)
{
	struct {
		struct dm_ioctl head;
		struct {
			struct dm_target_spec spec;
			char params[88];
		} target[3];
	} arg = {
		.head.target_count = 3,
		.target = {
			{ { .length = bad, .target_type = "linear" } },
			{ { .sector_start = bad, .length = nr, .target_type = "error" } },
			{ { .sector_start = bad + nr, .length = sectors - bad - nr,
			    .target_type = "linear" } },
		},
	};
	int i, ret;

	for (i = 0; i < 3; i++) {
		arg.target[i].spec.next = sizeof(arg.target[i]);
		if (i != 1)
			snprintf(arg.target[i].params, sizeof(arg.target[i].params),
				 "%s %llu", lower, arg.target[i].spec.sector_start);
	}
	ret = dm_call(DM_TABLE_LOAD, name, &arg.head, sizeof(arg));
	return ret ? ret : dm_swap(name);
}

/* Creates a device and copies its path */
static inline int dm_create(const char *name, const char *target, __u64 sectors,
			    const char *params, char *path, size_t size)
{
	__u64 dev = 0;
	int ret;

	ret = dm_ioctl(DM_DEV_CREATE, name, 0, NULL, 0, NULL, &dev);
	if (!ret)
		ret = dm_set(name, target, sectors, params);
	snprintf(path, size, "/dev/dm-%u", minor(dev));
	return ret;
}

/* Removes the device on its last close */
static inline int dm_remove(const char *name)
{
	return dm_ioctl(DM_DEV_REMOVE, name, DM_DEFERRED_REMOVE, NULL, 0, NULL, NULL);
}

/* Reads by polled I/O through io_uring; the result or -errno */
static inline int read_polled(int fd, void *buf, unsigned int len)
{
	struct io_uring_params p = { .flags = IORING_SETUP_IOPOLL };
	struct io_uring_sqe *sqe;
	int ring, ret = -ENOMEM;
	size_t size;
	char *rings;

	ring = syscall(__NR_io_uring_setup, 1, &p);
	if (ring < 0)
		return -errno;
	size = p.cq_off.cqes + p.cq_entries * sizeof(struct io_uring_cqe);
	if (size < p.sq_off.array + p.sq_entries * sizeof(__u32))
		size = p.sq_off.array + p.sq_entries * sizeof(__u32);
	rings = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, ring, IORING_OFF_SQ_RING);
	sqe = mmap(NULL, sizeof(*sqe), PROT_READ | PROT_WRITE, MAP_SHARED, ring,
		   IORING_OFF_SQES);
	if (rings != MAP_FAILED && sqe != MAP_FAILED) {
		*sqe = (struct io_uring_sqe){
			.opcode = IORING_OP_READ, .fd = fd,
			.addr = (uintptr_t)buf, .len = len,
		};
		*(__u32 *)(rings + p.sq_off.array) = 0;
		*(__u32 *)(rings + p.sq_off.tail) = 1;
		ret = neg(syscall(__NR_io_uring_enter, ring, 1, 1, IORING_ENTER_GETEVENTS,
				  NULL, 0));
		/* The call may return early, before there is a result */
		while (ret >= 0 && !__atomic_load_n((__u32 *)(rings + p.cq_off.tail),
						    __ATOMIC_ACQUIRE))
			ret = neg(syscall(__NR_io_uring_enter, ring, 0, 1,
					  IORING_ENTER_GETEVENTS, NULL, 0));
	}
	if (ret >= 0)
		ret = ((struct io_uring_cqe *)(rings + p.cq_off.cqes))->res;
	munmap(sqe, sizeof(*sqe));
	munmap(rings, size);
	close(ring);
	return ret;
}

#endif
