// SPDX-License-Identifier: GPL-2.0
/*
 * Watch queue: opening and sizing a queue, fdinfo, limits, and refused operations
 */
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/stat.h>

#include "common.h"

#define PIPE_MAX_SIZE	"/proc/sys/fs/pipe-max-size"
#define PIPE_SOFT	"/proc/sys/fs/pipe-user-pages-soft"
#define PIPE_HARD	"/proc/sys/fs/pipe-user-pages-hard"

/* Bitmaps of subtypes as in fdinfo */
#define SOME_WORDS	"00000001,00000002,00000003,00000004,00000050,00000006,00000007,80000000"
#define NO_WORDS	"00000000,00000000,00000000,00000000,00000000,00000000,00000000,00000000"

/* Users that own nothing else, so that their charges start at 0 */
#define SOME_USER	64321
#define OTHER_USER	64322

FIXTURE(queue)
{
	int fd[2];
	int key;
};

FIXTURE_SETUP(queue)
{
	self->key = queue_open_with_key(_metadata, self->fd, "abi");
}

FIXTURE_TEARDOWN(queue)
{
	queue_close(self->fd);
}

/* The values and layouts of the user ABI do not change. */
TEST_F(queue, header)
{
	EXPECT_EQ(O_EXCL, O_NOTIFICATION_PIPE);
	EXPECT_EQ(_IO('W', 0x60), IOC_WATCH_QUEUE_SET_SIZE);
	EXPECT_EQ(_IO('W', 0x61), IOC_WATCH_QUEUE_SET_FILTER);
	EXPECT_EQ(_IOC(_IOC_WRITE, 'W', 0x62, 16), IOC_WATCH_QUEUE_ADD_WATCH);
	EXPECT_EQ(_IOC(_IOC_WRITE, 'W', 0x63, 16), IOC_WATCH_QUEUE_REMOVE_WATCH);
	EXPECT_EQ(16, sizeof(struct watch_queue_watch));
	EXPECT_EQ(0, offsetof(struct watch_queue_watch, type));
	EXPECT_EQ(4, offsetof(struct watch_queue_watch, fd));
	EXPECT_EQ(8, offsetof(struct watch_queue_watch, id));
	EXPECT_EQ(12, offsetof(struct watch_queue_watch, flags));
	EXPECT_EQ(0, WATCH_TYPE_META);
	EXPECT_EQ(1, WATCH_TYPE_KEY_NOTIFY);
	EXPECT_EQ(0, WATCH_META_REMOVAL_NOTIFICATION);
	EXPECT_EQ(1, WATCH_META_LOSS_NOTIFICATION);
	EXPECT_EQ(8, sizeof(struct watch_notification));
	EXPECT_EQ(4, offsetof(struct watch_notification, info));
	EXPECT_EQ(16, sizeof(struct watch_notification_removal));
	EXPECT_EQ(8, offsetof(struct watch_notification_removal, id));
	EXPECT_EQ(16, sizeof(struct key_notification));
	EXPECT_EQ(8, sizeof(struct watch_notification_filter));
	EXPECT_EQ(44, sizeof(struct watch_notification_type_filter));
	EXPECT_EQ(12, offsetof(struct watch_notification_type_filter,
			       subtype_filter));
	EXPECT_EQ(0x7f, WATCH_INFO_LENGTH);
	EXPECT_EQ(0xff00, WATCH_INFO_ID);
	EXPECT_EQ(0xffff0000, WATCH_INFO_TYPE_INFO);
	EXPECT_EQ(0, NOTIFY_KEY_INSTANTIATED);
	EXPECT_EQ(7, NOTIFY_KEY_SETATTR);
}

/* O_CLOEXEC and O_NONBLOCK apply to both ends of a queue. */
TEST_F(queue, pipe2_flags)
{
	int end, nonblock, cloexec, fd[2];

	for (nonblock = 0; nonblock <= O_NONBLOCK; nonblock += O_NONBLOCK)
		for (cloexec = 0; cloexec <= O_CLOEXEC; cloexec += O_CLOEXEC) {
			ASSERT_EQ(0, pipe2(fd, O_NOTIFICATION_PIPE |
					   nonblock | cloexec));
			for (end = 0; end < 2; end++) {
				EXPECT_EQ(cloexec ? FD_CLOEXEC : 0,
					  fcntl(fd[end], F_GETFD));
				EXPECT_EQ(nonblock | (end ? O_WRONLY : O_RDONLY),
					  fcntl(fd[end], F_GETFL) &
					  (O_NONBLOCK | O_ACCMODE));
				EXPECT_EQ(0, close(fd[end]));
			}
		}
}

/* pipe2() still rejects unknown flags. */
TEST_F(queue, pipe2_bad_flags)
{
	int fd[2];

	EXPECT_EQ(-EINVAL, neg(pipe2(fd, O_NOTIFICATION_PIPE | O_APPEND)));
	EXPECT_EQ(-EINVAL, neg(pipe2(fd, O_NOTIFICATION_PIPE | O_CREAT)));
}

/* To stat() a queue is a FIFO, and it cannot seek. */
TEST_F(queue, is_a_pipe)
{
	struct stat st;

	ASSERT_EQ(0, fstat(self->fd[0], &st));
	EXPECT_TRUE(S_ISFIFO(st.st_mode));
	EXPECT_EQ(-ESPIPE, neg(lseek(self->fd[0], 0, SEEK_SET)));
}

/* SET_SIZE works on the read end, and only once. */
TEST_F(queue, set_size_read_end)
{
	EXPECT_EQ(0, queue_size(self->fd[0], 8));
	EXPECT_EQ(-EBUSY, queue_size(self->fd[0], 8));
	EXPECT_EQ(-EBUSY, queue_size(self->fd[1], 16));
}

/* SET_SIZE works on the write end, too. */
TEST_F(queue, set_size_write_end)
{
	EXPECT_EQ(0, queue_size(self->fd[1], 8));
	EXPECT_EQ(-EBUSY, queue_size(self->fd[1], 8));
	EXPECT_EQ(-EBUSY, queue_size(self->fd[0], 16));
}

/* A size of 0 or above the limit fails with EINVAL and leaves the queue unsized. */
TEST_F(queue, set_size_bad)
{
	struct queue_info info;

	EXPECT_EQ(-EINVAL, queue_size(self->fd[0], 0));
	EXPECT_EQ(-EINVAL, queue_size(self->fd[0], HARD_LIMIT + 1));
	EXPECT_EQ(-EINVAL, queue_size(self->fd[0], 0x7fffffff));
	EXPECT_EQ(-EINVAL, queue_size(self->fd[0], 0x80000000));
	EXPECT_EQ(-EINVAL, queue_size(self->fd[0], 0xffffffff));
	EXPECT_EQ(-EINVAL, queue_size(self->fd[0], -1UL));
	ASSERT_TRUE(queue_info(self->fd[0], &info));
	EXPECT_EQ(0, info.depth);
	EXPECT_EQ(0, queue_size(self->fd[0], 1));
}

/* No bit of the number of records is ignored. */
TEST_F(queue, set_size_whole_long)
{
	unsigned long size;
	int bit;

	for (bit = 24; bit < __BITS_PER_LONG; bit++) {
		size = 1 + (1UL << bit);
		EXPECT_EQ(-EINVAL, queue_size(self->fd[0], size))
			TH_LOG("size %lx", size);
	}
	EXPECT_EQ(0, queue_size(self->fd[0], 1));
}

/* SET_SIZE of a sized queue fails with EBUSY, even if the new size is invalid. */
TEST_F(queue, set_size_ebusy_first)
{
	ASSERT_EQ(0, queue_size(self->fd[0], 1));
	EXPECT_EQ(-EBUSY, queue_size(self->fd[0], 0));
	EXPECT_EQ(-EBUSY, queue_size(self->fd[0], -1UL));
}

/* The depth is the requested number; F_GETPIPE_SZ is rounded up to a power of two. */
TEST_F(queue, getpipe_sz)
{
	static const unsigned int sizes[] = {
		1, 2, 3, 31, 32, 33, 64, 65, 100, 127, 128, 129, 511, 512, 513,
		4095, 4096, 4097, 8191, 8192,
	};
	unsigned long page = sysconf(_SC_PAGESIZE), bytes;
	struct queue_info info;
	unsigned int i, slots;
	int fd[2];

	EXPECT_EQ(0, fcntl(self->fd[0], F_GETPIPE_SZ));
	EXPECT_EQ(0, fcntl(self->fd[1], F_GETPIPE_SZ));
	for (i = 0; i < ARRAY_SIZE(sizes); i++) {
		ASSERT_EQ(0, pipe2(fd, O_NOTIFICATION_PIPE));
		ASSERT_EQ(0, queue_size(fd[0], sizes[i]));
		for (slots = 1; slots < sizes[i]; slots *= 2)
			;
		bytes = (slots * SLOT_SIZE + page - 1) / page * page;
		EXPECT_EQ(bytes, fcntl(fd[0], F_GETPIPE_SZ));
		EXPECT_EQ(bytes, fcntl(fd[1], F_GETPIPE_SZ));
		ASSERT_TRUE(queue_info(fd[0], &info));
		EXPECT_EQ(sizes[i], info.depth);
		queue_close(fd);
	}
}

/* F_SETPIPE_SZ fails with EBUSY on a queue, sized or not. */
TEST_F(queue, setpipe_sz)
{
	int sized, end, page = sysconf(_SC_PAGESIZE);

	for (sized = 0; sized < 2; sized++) {
		for (end = 0; end < 2; end++) {
			EXPECT_EQ(-EBUSY, neg(fcntl(self->fd[end], F_SETPIPE_SZ,
						    page)));
			EXPECT_EQ(-EBUSY, neg(fcntl(self->fd[end], F_SETPIPE_SZ,
						    64 * page)));
			EXPECT_EQ(sized ? page : 0,
				  fcntl(self->fd[end], F_GETPIPE_SZ));
		}
		if (!sized)
			ASSERT_EQ(0, queue_size(self->fd[0],
						page / SLOT_SIZE));
	}
}

/* F_GETPIPE_SZ and F_SETPIPE_SZ still fail with EBADF on a file that is not a pipe. */
TEST_F(queue, pipe_sz_no_pipe)
{
	int file;

	file = memfd_create("file", 0);
	ASSERT_GE(file, 0);
	EXPECT_EQ(-EBADF, neg(fcntl(file, F_GETPIPE_SZ)));
	EXPECT_EQ(-EBADF, neg(fcntl(file, F_SETPIPE_SZ, 4096)));
}

/* An unknown ioctl fails with ENOTTY. */
TEST_F(queue, unknown_ioctl)
{
	EXPECT_EQ(-ENOTTY, neg(ioctl(self->fd[0], _IO('W', 0x5f), 0)));
	EXPECT_EQ(-ENOTTY, neg(ioctl(self->fd[0], _IO('W', 0xff), 0)));
	EXPECT_EQ(-ENOTTY, neg(ioctl(self->fd[1], TIOCGWINSZ, 0)));
}

/* An ioctl with a known number but the wrong direction fails with ENOTTY, too. */
TEST_F(queue, unknown_direction)
{
	struct watch_queue_watch args = {};

	EXPECT_EQ(-ENOTTY, neg(ioctl(self->fd[0], _IO('W', 0x62), &args)));
	EXPECT_EQ(-ENOTTY, neg(ioctl(self->fd[0], _IOR('W', 0x62, args), &args)));
	EXPECT_EQ(-ENOTTY, neg(ioctl(self->fd[0], _IOWR('W', 0x63, args), &args)));
	EXPECT_EQ(-ENOTTY, neg(ioctl(self->fd[0], _IOW('W', 0x64, args), &args)));
}

/*
 * ADD_WATCH and REMOVE_WATCH check in the same order on either end: the size, access to
 * the memory, unknown members, the ID, and the type.  The source checks the flags.
 */
TEST_F(queue, watch_order)
{
	static const unsigned long cmds[] = {
		IOC_WATCH_QUEUE_ADD_WATCH, IOC_WATCH_QUEUE_REMOVE_WATCH
	};
	static const __u32 no_source[] = {
		WATCH_TYPE_META, WATCH_TYPE_KEY_NOTIFY, 200, 0x1000000, -1U
	};
	size_t page = sysconf(_SC_PAGESIZE), i;
	struct watch_queue_watch args, *end;
	char *map, big[4096] = {};
	int n, fd;

	map = mmap(NULL, 2 * page, PROT_READ | PROT_WRITE,
		   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE(MAP_FAILED, map);
	ASSERT_EQ(0, mprotect(map + page, page, PROT_NONE));
	end = (void *)(map + page - sizeof(*end));

	for (n = 0; n < 4; n++) {
		unsigned long cmd = cmds[n / 2];

		fd = self->fd[n % 2];
		args = (struct watch_queue_watch) { .fd = -7, .id = 256, .flags = -1U };
		memcpy(big, &args, sizeof(args));
		*end = args;

		/* Too small, also 0 bytes: fails before it reads the memory */
		EXPECT_EQ(-EINVAL, queue_watch_sized(fd, cmd, 0, NULL));
		EXPECT_EQ(-EINVAL, queue_watch_sized(fd, cmd, 15, NULL));

		/* Not accessible, or only in part */
		EXPECT_EQ(-EFAULT, queue_watch_sized(fd, cmd, 16, NULL));
		EXPECT_EQ(-EFAULT, queue_watch_sized(fd, cmd, 16, (char *)end + 1));
		EXPECT_EQ(-EFAULT, queue_watch_sized(fd, cmd, 17, end));
		EXPECT_EQ(-EFAULT, queue_watch_sized(fd, cmd, 4096, end));

		/* Members of a later kernel */
		big[16] = 1;
		EXPECT_EQ(-E2BIG, queue_watch_sized(fd, cmd, 17, big));
		EXPECT_EQ(-E2BIG, queue_watch_sized(fd, cmd, 4096, big));
		big[16] = 0;
		big[4095] = 1;
		EXPECT_EQ(-E2BIG, queue_watch_sized(fd, cmd, 4096, big));
		EXPECT_EQ(-EINVAL, queue_watch_sized(fd, cmd, 4095, big));
		big[4095] = 0;

		/* Unknown members that are 0 are ignored: the ID is checked next */
		EXPECT_EQ(-EINVAL, queue_watch_sized(fd, cmd, 16, end));
		EXPECT_EQ(-EINVAL, queue_watch_sized(fd, cmd, 17, big));
		EXPECT_EQ(-EINVAL, queue_watch_sized(fd, cmd, 4096, big));
		args.id = -1U;
		EXPECT_EQ(-EINVAL, queue_watch_sized(fd, cmd, 16, &args));

		/* The type is checked next; 255 is a valid ID */
		args.id = 255;
		for (i = 0; i < ARRAY_SIZE(no_source); i++) {
			args.type = no_source[i];
			*end = args;
			memcpy(big, &args, sizeof(args));
			EXPECT_EQ(-EOPNOTSUPP, queue_watch_sized(fd, cmd, 16, end));
			EXPECT_EQ(-EOPNOTSUPP, queue_watch_sized(fd, cmd, 17, big));
			EXPECT_EQ(-EOPNOTSUPP, queue_watch_sized(fd, cmd, 4096, big));
		}
	}
	munmap(map, 2 * page);
}

/* SET_FILTER checks the header, then access to all rules, then the rules. */
TEST_F(queue, set_filter_order)
{
	size_t page = sysconf(_SC_PAGESIZE);
	size_t header = offsetof(struct filter, rules);
	struct filter *good, *cut;
	char *map;

	map = mmap(NULL, 2 * page, PROT_READ | PROT_WRITE,
		   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	ASSERT_TRUE(map != MAP_FAILED);
	ASSERT_EQ(0, munmap(map + page, page));

	/* The header is not accessible, or only in part */
	EXPECT_EQ(-EFAULT, queue_filter(self->fd[0], map + page));
	EXPECT_EQ(-EFAULT, queue_filter(self->fd[0], map + page - header + 1));

	/* The header is invalid, and the rules are not accessible */
	cut = (struct filter *)(map + page - header);
	cut->nr_filters = 0;
	cut->reserved = 0;
	EXPECT_EQ(-EINVAL, queue_filter(self->fd[0], cut));
	cut->nr_filters = MAX_RULES + 1;
	EXPECT_EQ(-EINVAL, queue_filter(self->fd[0], cut));
	cut->nr_filters = 0xffffffff;
	EXPECT_EQ(-EINVAL, queue_filter(self->fd[0], cut));
	cut->nr_filters = 1;
	cut->reserved = 1;
	EXPECT_EQ(-EINVAL, queue_filter(self->fd[0], cut));

	/* The header is valid, and the rules are not accessible */
	cut->reserved = 0;
	EXPECT_EQ(-EFAULT, queue_filter(self->fd[0], cut));

	/* The first rule is invalid, and the second is not accessible */
	cut = (struct filter *)(map + page - header - sizeof(cut->rules[0]));
	memset(cut, 0, header + sizeof(cut->rules[0]));
	cut->nr_filters = 2;
	cut->rules[0].type = WATCH_TYPE_KEY_NOTIFY;
	cut->rules[0].info_filter = WATCH_INFO_FLAG_0;
	EXPECT_EQ(-EFAULT, queue_filter(self->fd[0], cut));

	/* The only rule is accessible and invalid */
	cut->nr_filters = 1;
	EXPECT_EQ(-EINVAL, queue_filter(self->fd[0], cut));

	/* A valid filter ends at the last accessible byte */
	cut->rules[0].info_mask = WATCH_INFO_FLAG_0;
	EXPECT_EQ(0, queue_filter(self->fd[0], cut));

	good = (struct filter *)map;
	good->nr_filters = MAX_RULES;
	EXPECT_EQ(0, queue_filter(self->fd[0], good));
	EXPECT_EQ(0, queue_filter(self->fd[1], good));
}

/* info_filter must lie inside info_mask, and info_mask must not include the length. */
TEST_F(queue, set_filter_masks)
{
	struct filter filter = {
		.nr_filters = 1,
		.rules = { { .type = WATCH_TYPE_KEY_NOTIFY } },
	};
	struct watch_notification_type_filter *rule = &filter.rules[0];
	int bit;

	for (bit = 0; bit < 32; bit++) {
		rule->info_filter = 0;
		rule->info_mask = 1U << bit;
		EXPECT_EQ(rule->info_mask & WATCH_INFO_LENGTH ? -EINVAL : 0,
			  queue_filter(self->fd[0], &filter))
			TH_LOG("mask bit %d", bit);

		rule->info_mask = ~WATCH_INFO_LENGTH & ~(1U << bit);
		rule->info_filter = 1U << bit;
		EXPECT_EQ(-EINVAL, queue_filter(self->fd[0], &filter))
			TH_LOG("filter bit %d", bit);
	}
	rule->info_mask = ~WATCH_INFO_LENGTH;
	rule->info_filter = ~WATCH_INFO_LENGTH;
	EXPECT_EQ(0, queue_filter(self->fd[0], &filter));
}

/* A filter can be set and removed before SET_SIZE. */
TEST_F(queue, set_filter_unsized)
{
	struct filter filter = {
		.nr_filters = 1,
		.rules = { { .type = WATCH_TYPE_KEY_NOTIFY } },
	};
	struct queue_info info;

	EXPECT_EQ(0, queue_filter(self->fd[0], &filter));
	ASSERT_TRUE(queue_info(self->fd[0], &info));
	EXPECT_EQ(1, info.filter_lines);
	EXPECT_EQ(0, queue_filter(self->fd[1], NULL));
	ASSERT_TRUE(queue_info(self->fd[0], &info));
	EXPECT_EQ(0, info.filter_lines);
	EXPECT_EQ(0, queue_filter(self->fd[1], NULL));
}

/* write() of any length fails with EXDEV and posts nothing. */
TEST_F(queue, write)
{
	struct iovec iov = { .iov_base = "x", .iov_len = 1 };
	char buf[256] = "";
	int sized;

	for (sized = 0; sized < 2; sized++) {
		EXPECT_EQ(-EXDEV, neg(write(self->fd[1], buf, 0)));
		EXPECT_EQ(-EXDEV, neg(write(self->fd[1], buf, 1)));
		EXPECT_EQ(-EXDEV, neg(write(self->fd[1], buf, sizeof(buf))));
		EXPECT_EQ(-EXDEV, neg(writev(self->fd[1], &iov, 1)));
		EXPECT_EQ(0, readable_bytes(self->fd[0]));
		if (!sized)
			ASSERT_EQ(0, queue_size(self->fd[0], 4));
	}
	EXPECT_EQ(-EBADF, neg(write(self->fd[0], buf, 1)));
	EXPECT_EQ(-EBADF, neg(read(self->fd[1], buf, sizeof(buf))));
}

/* write() without a reader also fails with EXDEV, and does not raise SIGPIPE. */
TEST_F(queue, write_no_reader)
{
	EXPECT_EQ(0, close(self->fd[0]));
	EXPECT_EQ(-EXDEV, neg(write(self->fd[1], "x", 1)));
	self->fd[0] = -1;
}

/* splice(), tee(), vmsplice(), sendfile() and copy_file_range() cannot read a queue. */
TEST_F(queue, splice_from)
{
	struct iovec iov;
	char buf[64];
	int pipefd[2], file;

	ASSERT_EQ(0, queue_size(self->fd[0], 4));
	ASSERT_EQ(0, watch_add(self->key, self->fd[0], 1));
	ASSERT_TRUE(post(self->key, 2));
	ASSERT_EQ(0, pipe2(pipefd, O_NONBLOCK));
	file = memfd_create("file", 0);
	ASSERT_GE(file, 0);
	iov.iov_base = buf;
	iov.iov_len = sizeof(buf);

	EXPECT_EQ(-EINVAL, neg(splice(self->fd[0], NULL, pipefd[1], NULL, 64,
				      0)));
	EXPECT_EQ(-EINVAL, neg(splice(self->fd[0], NULL, file, NULL, 64, 0)));
	EXPECT_EQ(-EINVAL, neg(tee(self->fd[0], pipefd[1], 64, 0)));
	EXPECT_EQ(-EBADF, neg(vmsplice(self->fd[0], &iov, 1, 0)));
	EXPECT_EQ(-EINVAL, neg(sendfile(pipefd[1], self->fd[0], NULL, 64)));
	EXPECT_EQ(-EINVAL, neg(sendfile(file, self->fd[0], NULL, 64)));
	EXPECT_EQ(-EINVAL, neg(copy_file_range(self->fd[0], NULL, file, NULL,
					       64, 0)));

	EXPECT_EQ(0, lseek(file, 0, SEEK_END));
	EXPECT_EQ(-EAGAIN, neg(read(pipefd[0], buf, sizeof(buf))));
	EXPECT_TRUE(got_updates(self->fd[0], 1, self->key, 2));
	EXPECT_TRUE(got_nothing(self->fd[0]));
}

/* They cannot write to a queue either, and do not consume their input. */
TEST_F(queue, splice_to)
{
	char buf[64] = "payload";
	struct iovec iov;
	int pipefd[2], file;

	ASSERT_EQ(0, queue_size(self->fd[0], 4));
	ASSERT_EQ(0, pipe2(pipefd, O_NONBLOCK));
	file = memfd_create("file", 0);
	ASSERT_GE(file, 0);
	ASSERT_EQ(sizeof(buf), write(file, buf, sizeof(buf)));
	ASSERT_EQ(0, lseek(file, 0, SEEK_SET));
	ASSERT_EQ(sizeof(buf), write(pipefd[1], buf, sizeof(buf)));
	iov.iov_base = buf;
	iov.iov_len = sizeof(buf);

	EXPECT_EQ(-EINVAL, neg(splice(pipefd[0], NULL, self->fd[1], NULL, 64,
				      0)));
	EXPECT_EQ(-EINVAL, neg(splice(file, NULL, self->fd[1], NULL, 64, 0)));
	EXPECT_EQ(-EINVAL, neg(tee(pipefd[0], self->fd[1], 64, 0)));
	EXPECT_EQ(-EBADF, neg(vmsplice(self->fd[1], &iov, 1, 0)));
	EXPECT_EQ(-EINVAL, neg(sendfile(self->fd[1], file, NULL, 64)));
	EXPECT_EQ(-EINVAL, neg(copy_file_range(file, NULL, self->fd[1], NULL,
					       64, 0)));

	EXPECT_EQ(0, lseek(file, 0, SEEK_CUR));
	EXPECT_EQ(sizeof(buf), readable_bytes(pipefd[0]));
	EXPECT_EQ(0, readable_bytes(self->fd[0]));
	EXPECT_TRUE(got_nothing(self->fd[0]));
}

/* They cannot copy between the ends of one queue, or from one queue to another. */
TEST_F(queue, splice_between)
{
	int fd[2];

	ASSERT_EQ(0, queue_size(self->fd[0], 4));
	ASSERT_EQ(0, watch_add(self->key, self->fd[0], 1));
	ASSERT_TRUE(post(self->key, 1));
	queue_open(_metadata, fd, O_NONBLOCK);

	EXPECT_EQ(-EINVAL, neg(splice(self->fd[0], NULL, self->fd[1], NULL, 64,
				      0)));
	EXPECT_EQ(-EINVAL, neg(splice(self->fd[0], NULL, fd[1], NULL, 64, 0)));
	EXPECT_EQ(-EINVAL, neg(tee(self->fd[0], self->fd[1], 64, 0)));
	EXPECT_EQ(-EINVAL, neg(tee(self->fd[0], fd[1], 64, 0)));
	EXPECT_EQ(-EINVAL, neg(sendfile(fd[1], self->fd[0], NULL, 64)));

	EXPECT_EQ(0, readable_bytes(fd[0]));
	EXPECT_TRUE(got_updated(self->fd[0], 1, self->key));
}

/* fdinfo of either end has the depth, the counts of records, and each watch. */
TEST_F(queue, fdinfo)
{
	char line[512], want[512], buf[8 * KEY_RECORD];
	struct queue_info info;
	int end, other;

	other = key_new("other");
	ASSERT_GT(other, 0);
	for (end = 0; end < 2; end++) {
		ASSERT_TRUE(queue_info(self->fd[end], &info));
		EXPECT_EQ(0, info.depth);
		EXPECT_EQ(0, info.queued);
		EXPECT_EQ(0, info.posted);
		EXPECT_EQ(0, info.lost);
		EXPECT_EQ(0, info.watches);
		EXPECT_EQ(0, info.watch_lines);
		EXPECT_EQ(0, info.filter_lines);
	}
	ASSERT_EQ(0, queue_size(self->fd[0], 3));
	ASSERT_EQ(0, watch_add(self->key, self->fd[0], 0xab));
	ASSERT_EQ(0, watch_add(other, self->fd[0], 0));
	ASSERT_TRUE(post(self->key, 5));
	ASSERT_TRUE(queue_info(self->fd[0], &info));
	EXPECT_EQ(5, info.posted);
	EXPECT_EQ(2, info.lost);
	ASSERT_TRUE(got_updated(self->fd[0], 0xab, self->key));
	for (end = 0; end < 2; end++) {
		ASSERT_TRUE(queue_info(self->fd[end], &info));
		EXPECT_EQ(3, info.depth);
		EXPECT_EQ(2, info.queued);
		EXPECT_EQ(5, info.posted);
		EXPECT_EQ(2, info.lost);
		EXPECT_EQ(2, info.watches);
		EXPECT_EQ(2, info.watch_lines);
		snprintf(want, sizeof(want), "watch:\ttype:1 id:171 object:%x",
			 self->key);
		EXPECT_TRUE(queue_info_line(self->fd[end], want, 0, line,
					    sizeof(line)));
		EXPECT_STREQ(want, line);
		snprintf(want, sizeof(want), "watch:\ttype:1 id:0 object:%x",
			 other);
		EXPECT_TRUE(queue_info_line(self->fd[end], want, 0, line,
					    sizeof(line)));
		EXPECT_STREQ(want, line);
	}

	/* A removed watch has no line; its REMOVAL is counted, even if lost */
	ASSERT_EQ(0, watch_del(other, self->fd[0]));
	ASSERT_TRUE(queue_info(self->fd[0], &info));
	EXPECT_EQ(1, info.watches);
	EXPECT_EQ(1, info.watch_lines);
	EXPECT_EQ(6, info.posted);
	EXPECT_EQ(3, info.queued);
	EXPECT_EQ(2, info.lost);

	/* Records that were read still count as posted */
	EXPECT_EQ(3 * KEY_RECORD + LOSS_RECORD,
		  neg(read(self->fd[0], buf, sizeof(buf))));
	ASSERT_TRUE(queue_info(self->fd[0], &info));
	EXPECT_EQ(6, info.posted);
	EXPECT_EQ(0, info.queued);
	EXPECT_EQ(2, info.lost);
}

/* fdinfo has a line per rule of the filter, with all words in order. */
TEST_F(queue, fdinfo_filter)
{
	struct filter filter = {
		.nr_filters = 2,
		.rules = {
			{
				.type = WATCH_TYPE_KEY_NOTIFY,
				.info_filter = 0x00034200,
				.info_mask = 0x000fff00,
				.subtype_filter = {
					1, 2, 3, 4, 0x50, 6, 7, 0x80000000,
				},
			},
			{ .type = WATCH_TYPE_META },
		},
	};
	char line[512];

	ASSERT_EQ(0, queue_filter(self->fd[0], &filter));
	EXPECT_TRUE(queue_info_line(self->fd[1], "filter:\t", 0, line,
				    sizeof(line)));
	EXPECT_STREQ("filter:\ttype:1 subtypes:" SOME_WORDS " info:00034200/000fff00",
		     line);
	EXPECT_TRUE(queue_info_line(self->fd[1], "filter:\t", 1, line,
				    sizeof(line)));
	EXPECT_STREQ("filter:\ttype:0 subtypes:" NO_WORDS " info:00000000/00000000",
		     line);
	EXPECT_FALSE(queue_info_line(self->fd[1], "filter:\t", 2, line,
				     sizeof(line)));
}

FIXTURE(plain)
{
	int fd[2];
};

FIXTURE_VARIANT(plain)
{
	int flags;
};

FIXTURE_VARIANT_ADD(plain, pipe) {
	.flags = 0,
};

FIXTURE_VARIANT_ADD(plain, packets) {
	.flags = O_DIRECT,
};

FIXTURE_SETUP(plain)
{
	ASSERT_EQ(0, pipe2(self->fd, variant->flags | O_NONBLOCK));
}

FIXTURE_TEARDOWN(plain)
{
	queue_close(self->fd);
}

/*
 * On an ordinary pipe, the four ioctls fail with ENODEV for any argument.  Without
 * CONFIG_WATCH_QUEUE, they fail with ENOTTY, and O_NOTIFICATION_PIPE with ENOPKG.
 */
TEST_F(plain, ioctls)
{
	struct filter filter = { .nr_filters = 1 };
	int end, fd[2], ret, want;

	ret = neg(pipe2(fd, O_NOTIFICATION_PIPE));
	if (ret) {
		EXPECT_EQ(-ENOPKG, ret);
		want = -ENOTTY;
	} else {
		queue_close(fd);
		want = -ENODEV;
	}
	for (end = 0; end < 2; end++) {
		EXPECT_EQ(want, queue_size(self->fd[end], 0));
		EXPECT_EQ(want, queue_size(self->fd[end], 8));
		EXPECT_EQ(want, queue_size(self->fd[end], -1UL));
		EXPECT_EQ(want, queue_filter(self->fd[end], NULL));
		EXPECT_EQ(want, queue_filter(self->fd[end], &filter));
		EXPECT_EQ(want, queue_filter(self->fd[end], (void *)1));
		EXPECT_EQ(want, queue_watch(self->fd[end], 0, -1, 256, -1));
		EXPECT_EQ(want, queue_unwatch(self->fd[end], 0, -1, 0));
		EXPECT_EQ(want, queue_watch_sized(self->fd[end], IOC_WATCH_QUEUE_ADD_WATCH,
						  0, NULL));
		EXPECT_EQ(want, queue_watch_sized(self->fd[end], IOC_WATCH_QUEUE_ADD_WATCH,
						  4096, NULL));
	}
	EXPECT_EQ(-ENOTTY, neg(ioctl(self->fd[0], _IO('W', 0xff), 0)));
}

/*
 * KEYCTL_WATCH_KEY fails with EINVAL, or with EOPNOTSUPP if the kernel cannot watch keys
 * according to KEYCTL_CAPABILITIES.
 */
TEST_F(plain, watch_key)
{
	unsigned char caps[2] = "";
	int end, want;

	if (keyctl(KEYCTL_CAPABILITIES, (long)caps, sizeof(caps), 0, 0) < 0)
		SKIP(return, "CONFIG_KEYS is not set");
	want = caps[1] & KEYCTL_CAPS1_NOTIFICATIONS ? -EINVAL : -EOPNOTSUPP;
	for (end = 0; end < 2; end++)
		EXPECT_EQ(want, watch_add(KEY_SPEC_SESSION_KEYRING, self->fd[end], 0));
}

/* Ordinary pipes still work: read(), write(), sizes, splice(), tee() and vmsplice(). */
TEST_F(plain, works)
{
	int page = sysconf(_SC_PAGESIZE);
	char buf[64] = "";
	struct iovec iov = { .iov_base = "fifth", .iov_len = 5 };
	int other[2], file;

	ASSERT_EQ(0, pipe2(other, O_NONBLOCK | variant->flags));
	file = memfd_create("file", 0);
	ASSERT_GE(file, 0);

	EXPECT_EQ(16 * page, fcntl(self->fd[0], F_GETPIPE_SZ));
	EXPECT_EQ(32 * page, fcntl(self->fd[0], F_SETPIPE_SZ, 32 * page));
	EXPECT_EQ(32 * page, fcntl(self->fd[1], F_GETPIPE_SZ));
	EXPECT_EQ(-EAGAIN, neg(read(self->fd[0], buf, sizeof(buf))));
	EXPECT_EQ(POLLOUT | POLLWRNORM, poll_now(self->fd[1]));
	EXPECT_EQ(0, poll_now(self->fd[0]));

	EXPECT_EQ(5, write(self->fd[1], "first", 5));
	EXPECT_EQ(5, readable_bytes(self->fd[0]));
	EXPECT_EQ(POLLIN | POLLRDNORM, poll_now(self->fd[0]));
	EXPECT_EQ(5, tee(self->fd[0], other[1], 64, 0));
	EXPECT_EQ(5, read(other[0], buf, sizeof(buf)));
	EXPECT_STREQ("first", buf);
	EXPECT_EQ(5, splice(self->fd[0], NULL, other[1], NULL, 64, 0));
	EXPECT_EQ(5, splice(other[0], NULL, file, NULL, 64, 0));
	EXPECT_EQ(0, lseek(file, 0, SEEK_SET));
	EXPECT_EQ(5, sendfile(self->fd[1], file, NULL, 64));
	EXPECT_EQ(5, read(self->fd[0], buf, sizeof(buf)));
	EXPECT_STREQ("first", buf);
	EXPECT_EQ(5, vmsplice(self->fd[1], &iov, 1, 0));
	EXPECT_EQ(5, read(self->fd[0], buf, sizeof(buf)));
	EXPECT_STREQ("fifth", buf);
	EXPECT_EQ(0, close(self->fd[1]));
	EXPECT_EQ(POLLHUP, poll_now(self->fd[0]));
	EXPECT_EQ(0, read(self->fd[0], buf, sizeof(buf)));
	self->fd[1] = -1;
}

/* Limits.  The parent restores the settings; the test may become an ordinary user. */
FIXTURE(limits)
{
	long max_size;
	long soft;
	long hard;
};

FIXTURE_SETUP(limits)
{
	require_root(_metadata);
	self->max_size = sysctl_get(PIPE_MAX_SIZE);
	self->soft = sysctl_get(PIPE_SOFT);
	self->hard = sysctl_get(PIPE_HARD);
	ASSERT_GT(self->max_size, 0);
	ASSERT_GE(self->soft, 0);
	ASSERT_GE(self->hard, 0);
}

FIXTURE_TEARDOWN_PARENT(limits)
{
	EXPECT_EQ(0, sysctl_set(PIPE_MAX_SIZE, self->max_size));
	EXPECT_EQ(0, sysctl_set(PIPE_SOFT, self->soft));
	EXPECT_EQ(0, sysctl_set(PIPE_HARD, self->hard));
}

/* Opens a queue of this size and closes it. */
static int try_size(unsigned long nr)
{
	int fd[2], ret;

	ret = neg(pipe2(fd, O_NOTIFICATION_PIPE));
	if (ret)
		return ret;
	ret = queue_size(fd[0], nr);
	queue_close(fd);
	return ret;
}

/* An ordinary user can size a queue for as many records as fit into pipe-max-size. */
TEST_F(limits, max_size)
{
	ASSERT_EQ(0, sysctl_set(PIPE_MAX_SIZE, DEFAULT_LIMIT * SLOT_SIZE));
	ASSERT_EQ(0, become_user(SOME_USER));
	EXPECT_EQ(0, try_size(DEFAULT_LIMIT));
	EXPECT_EQ(-EINVAL, try_size(DEFAULT_LIMIT + 1));
}

/* The limit follows pipe-max-size.  A depth need not be a power of two. */
TEST_F(limits, max_size_changed)
{
	ASSERT_EQ(0, sysctl_set(PIPE_MAX_SIZE, 65536));
	ASSERT_EQ(0, become_user(SOME_USER));
	EXPECT_EQ(-EINVAL, try_size(65536 / SLOT_SIZE + 1));
	EXPECT_EQ(0, try_size(65536 / SLOT_SIZE));
	EXPECT_EQ(0, try_size(65536 / SLOT_SIZE - 1));
}

/* CAP_SYS_RESOURCE allows more than pipe-max-size, up to a hard limit. */
TEST_F(limits, max_size_privileged)
{
	ASSERT_EQ(0, sysctl_set(PIPE_MAX_SIZE, 65536));
	EXPECT_EQ(0, try_size(65536 / SLOT_SIZE + 1));
	EXPECT_EQ(0, try_size(2 * DEFAULT_LIMIT));
	EXPECT_EQ(-EINVAL, try_size(HARD_LIMIT + 1));
}

/* Opens and sizes queues until SET_SIZE fails; returns the number of sized queues */
static int fill_limit(int fds[][2], int max, unsigned long nr, int *error)
{
	int i;

	*error = 0;
	for (i = 0; i < max && !*error; i++) {
		*error = neg(pipe2(fds[i], O_NOTIFICATION_PIPE));
		if (*error)
			return i;
		*error = queue_size(fds[i][0], nr);
	}
	return *error ? i - 1 : i;
}

static void close_all(int fds[][2], int nr)
{
	while (nr--)
		queue_close(fds[nr]);
}

/*
 * pipe-user-pages-soft limits the pages of all queues of a user.  Beyond it, SET_SIZE
 * fails with EPERM; EINVAL and EBUSY take precedence.  Closing a queue frees its pages.
 */
TEST_F(limits, soft)
{
	long page = sysconf(_SC_PAGESIZE), soft = 256;
	unsigned long records = 8 * page / SLOT_SIZE;
	int fds[64][2], got, round, error;

	ASSERT_EQ(0, sysctl_set(PIPE_SOFT, soft));
	ASSERT_EQ(0, become_user(SOME_USER));
	for (round = 0; round < 3; round++) {
		got = fill_limit(fds, ARRAY_SIZE(fds), records, &error);
		EXPECT_EQ(-EPERM, error);
		EXPECT_GT(got, 1);
		EXPECT_LE(got, soft / 8);
		EXPECT_EQ(-EINVAL, queue_size(fds[got][0], 0));
		EXPECT_EQ(-EINVAL, queue_size(fds[got][0], HARD_LIMIT + 1));
		EXPECT_EQ(-EBUSY, queue_size(fds[0][0], records));
		EXPECT_EQ(0, fcntl(fds[got][0], F_GETPIPE_SZ));

		/* Close a queue: the refused one can use its pages */
		queue_close(fds[0]);
		EXPECT_EQ(0, queue_size(fds[got][0], records));
		close_all(&fds[1], got);
	}
}

/* pipe-user-pages-hard also limits the size of a user's first queue. */
TEST_F(limits, hard)
{
	long page = sysconf(_SC_PAGESIZE);

	ASSERT_EQ(0, sysctl_set(PIPE_SOFT, 0));
	ASSERT_EQ(0, sysctl_set(PIPE_HARD, 64));
	ASSERT_EQ(0, become_user(SOME_USER));
	EXPECT_EQ(-EPERM, try_size(65 * page / SLOT_SIZE));
	EXPECT_EQ(0, try_size(8 * page / SLOT_SIZE));
}

/*
 * A queue is charged for the whole ring.  The number of records is rounded up to a power
 * of two.  Each record takes two more bytes: one more page for the 64 pages here.
 */
TEST_F(limits, rounded_up)
{
	unsigned long records = 64 * sysconf(_SC_PAGESIZE) / SLOT_SIZE;

	ASSERT_EQ(0, sysctl_set(PIPE_SOFT, 0));
	ASSERT_EQ(0, sysctl_set(PIPE_HARD, 64));
	ASSERT_EQ(0, become_user(SOME_USER));
	EXPECT_EQ(0, try_size(records / 2));
	EXPECT_EQ(-EPERM, try_size(records / 2 + 1));
	EXPECT_EQ(-EPERM, try_size(records));
}

/* CAP_SYS_RESOURCE and CAP_SYS_ADMIN are exempt from both limits of pages. */
TEST_F(limits, privileged)
{
	ASSERT_EQ(0, sysctl_set(PIPE_SOFT, 1));
	ASSERT_EQ(0, sysctl_set(PIPE_HARD, 1));
	EXPECT_EQ(0, try_size(DEFAULT_LIMIT));
	ASSERT_EQ(0, drop_resource_capability());
	EXPECT_EQ(0, try_size(DEFAULT_LIMIT));
}

/*
 * Closing a queue uncharges exactly what was charged, sized or not, and after a failed
 * SET_SIZE.  An imbalance would add up to EPERM, or to no limit (CVE-2025-23138).
 */
TEST_F(limits, balance)
{
	long page = sysconf(_SC_PAGESIZE);
	int i, before, after, error, fds[64][2];

	ASSERT_EQ(0, sysctl_set(PIPE_SOFT, 200));
	ASSERT_EQ(0, become_user(OTHER_USER));
	before = fill_limit(fds, ARRAY_SIZE(fds), 512, &error);
	ASSERT_EQ(-EPERM, error);
	close_all(fds, before + 1);
	for (i = 0; i < 300; i++) {
		ASSERT_EQ(0, try_size(1));
		ASSERT_EQ(0, try_size(100 * page / SLOT_SIZE));
		ASSERT_EQ(-EINVAL, try_size(0));
		ASSERT_EQ(-EPERM, try_size(255 * page / SLOT_SIZE));
		ASSERT_EQ(0, pipe2(fds[0], O_NOTIFICATION_PIPE));
		queue_close(fds[0]);
	}
	after = fill_limit(fds, ARRAY_SIZE(fds), 512, &error);
	EXPECT_EQ(-EPERM, error);
	EXPECT_EQ(before, after);
}

/* Makes keys in a new session keyring */
static void make_keys(struct __test_metadata *_metadata, int *keys, int nr)
{
	char name[16];
	int i;

	ASSERT_GT(keyctl(KEYCTL_JOIN_SESSION_KEYRING, 0, 0, 0, 0), 0);
	for (i = 0; i < nr; i++) {
		snprintf(name, sizeof(name), "watches%d", i);
		keys[i] = key_new(name);
		ASSERT_GT(keys[i], 0);
	}
}

/*
 * RLIMIT_NOFILE limits a user's watches on keys over all queues.  One more fails with
 * EAGAIN.  Removing a watch uncharges it immediately.
 */
TEST_F(limits, watches)
{
	struct rlimit limit = { .rlim_cur = 20, .rlim_max = 20 };
	int i, round, keys[21], fd[2][2];

	ASSERT_EQ(0, become_user(SOME_USER));
	make_keys(_metadata, keys, 21);
	for (i = 0; i < 2; i++)
		ASSERT_EQ(0, pipe2(fd[i], O_NOTIFICATION_PIPE));
	ASSERT_EQ(0, setrlimit(RLIMIT_NOFILE, &limit));
	for (i = 0; i < 20; i++)
		ASSERT_EQ(0, watch_add(keys[i], fd[i & 1][0], i));
	EXPECT_EQ(-EAGAIN, watch_add(keys[20], fd[0][0], 20));
	EXPECT_EQ(-EAGAIN, watch_add(keys[20], fd[1][0], 20));
	for (round = 0; round < 100; round++) {
		ASSERT_EQ(0, watch_del(keys[0], fd[0][0]));
		ASSERT_EQ(0, watch_add(keys[20], fd[0][0], 20));
		ASSERT_EQ(-EAGAIN, watch_add(keys[0], fd[0][0], 0));
		ASSERT_EQ(0, watch_del(keys[20], fd[0][0]));
		ASSERT_EQ(0, watch_add(keys[0], fd[0][0], 0));
	}

	/* Refused and duplicate watches are not charged */
	ASSERT_EQ(0, watch_del(keys[0], fd[0][0]));
	for (i = 0; i < 100; i++)
		ASSERT_EQ(-EBUSY, watch_add(keys[1], fd[1][0], 1));
	EXPECT_EQ(0, watch_add(keys[0], fd[0][0], 0));
}

/* Watches are charged to the real user, not to the effective user. */
TEST_F(limits, watches_real_user)
{
	struct rlimit limit = { .rlim_cur = 20, .rlim_max = 20 };
	int i, keys[21], fd[2];

	ASSERT_EQ(0, setresuid(SOME_USER, OTHER_USER, OTHER_USER));
	make_keys(_metadata, keys, 21);
	ASSERT_EQ(0, pipe2(fd, O_NOTIFICATION_PIPE));
	ASSERT_EQ(0, setrlimit(RLIMIT_NOFILE, &limit));
	for (i = 0; i < 20; i++)
		ASSERT_EQ(0, watch_add(keys[i], fd[0], i));
	EXPECT_EQ(-EAGAIN, watch_add(keys[20], fd[0], 20));
	ASSERT_EQ(0, setresuid(OTHER_USER, -1, -1));
	EXPECT_EQ(0, watch_add(keys[20], fd[0], 20));
}

/* A watch added with CAP_SYS_RESOURCE is not limited, and is not charged. */
TEST_F(limits, watches_privileged)
{
	struct rlimit limit = { .rlim_cur = 20, .rlim_max = 20 };
	int i, keys[22], fd[2];
	char name[16];

	ASSERT_GT(keyctl(KEYCTL_JOIN_SESSION_KEYRING, 0, 0, 0, 0), 0);
	for (i = 0; i < 22; i++) {
		snprintf(name, sizeof(name), "watches%d", i);
		keys[i] = key_new(name);
		ASSERT_GT(keys[i], 0);
	}
	ASSERT_EQ(0, pipe2(fd, O_NOTIFICATION_PIPE));
	ASSERT_EQ(0, setrlimit(RLIMIT_NOFILE, &limit));
	for (i = 0; i < 21; i++)
		EXPECT_EQ(0, watch_add(keys[i], fd[0], i));
	ASSERT_EQ(0, drop_resource_capability());
	EXPECT_EQ(0, watch_add(keys[21], fd[0], 21));
}

/* REMOVE_WATCH by ID also removes watches on keys, though ADD_WATCH cannot add them. */
TEST_F(limits, remove_key_by_id)
{
	int key, other, fd[2];

	ASSERT_GT(keyctl(KEYCTL_JOIN_SESSION_KEYRING, 0, 0, 0, 0), 0);
	key = key_new("by_id");
	other = key_new("other");
	ASSERT_GT(key, 0);
	ASSERT_GT(other, 0);
	ASSERT_EQ(0, pipe2(fd, O_NOTIFICATION_PIPE | O_NONBLOCK));
	ASSERT_EQ(0, queue_size(fd[0], 8));
	ASSERT_EQ(0, watch_add(key, fd[0], 3));
	ASSERT_EQ(0, watch_add(other, fd[0], 4));
	EXPECT_EQ(-EOPNOTSUPP, queue_unwatch_id(fd[0], WATCH_TYPE_META, 3));
	EXPECT_EQ(-EINVAL, queue_unwatch_id(fd[0], WATCH_TYPE_KEY_NOTIFY, 256));
	EXPECT_EQ(0, queue_unwatch_id(fd[0], WATCH_TYPE_KEY_NOTIFY, 3));
	EXPECT_TRUE(got_removal(fd[0], 3, key));
	EXPECT_TRUE(got_nothing(fd[0]));
	EXPECT_EQ(-EBADSLT, watch_del(key, fd[0]));
	EXPECT_EQ(0, watch_del(other, fd[0]));
}

/* Closing a queue uncharges all its watches immediately. */
TEST_F(limits, watches_close)
{
	struct rlimit limit = { .rlim_cur = 20, .rlim_max = 20 };
	int i, round, keys[20], fd[2];
	char name[16];

	ASSERT_EQ(0, become_user(OTHER_USER));
	ASSERT_GT(keyctl(KEYCTL_JOIN_SESSION_KEYRING, 0, 0, 0, 0), 0);
	for (i = 0; i < 20; i++) {
		snprintf(name, sizeof(name), "watches%d", i);
		keys[i] = key_new(name);
		ASSERT_GT(keys[i], 0);
	}
	ASSERT_EQ(0, setrlimit(RLIMIT_NOFILE, &limit));
	for (round = 0; round < 100; round++) {
		ASSERT_EQ(0, pipe2(fd, O_NOTIFICATION_PIPE));
		for (i = 0; i < 20; i++)
			ASSERT_EQ(0, watch_add(keys[i], fd[0], i));
		queue_close(fd);
	}
}

TEST_HARNESS_MAIN
