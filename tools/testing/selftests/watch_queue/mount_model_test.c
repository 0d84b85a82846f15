// SPDX-License-Identifier: GPL-2.0
/*
 * Watch queue: a model of the mount tree that is updated from events only
 *
 * model: There are two mount namespaces with random propagation between them.  In each,
 * a queue watches BASE with WATCH_SUBTREE, and its records update the model.  Each step
 * is a random operation on mounts.  After a step, both models must agree with
 * listmount(), statmount() and mountinfo.  An attribute may only differ from the state
 * before the step if there was a record, and must differ if there was one.
 *
 * concurrent: Two threads mount and unmount, and each event is read or counted as lost.
 *
 *	mount_model_test [--seed N] [--steps N]
 */
#include <getopt.h>
#include <time.h>

#include "mounts.h"

#define BASE		"/tmp/mount_model"
#define DEPTH		8192
#define GROWTH_LIMIT	36	/* mounts; beyond that, most steps unmount */
#define MAX_MOUNTS	2000	/* in a namespace; a step beyond that fails */
#define MAX_NODES	4000
#define MOUNT_MAX	"/proc/sys/fs/mount-max"
#define STEPS		5000
#define MOUNTS		2500	/* mounts by each of two threads */
#define SMALL_DEPTH	32

struct node {
	__u64 id, parent;
	bool read_only;
	bool new_attr, new_type;	/* there was a record in this step */
	__u64 attr;			/* last result of statmount() */
	__u64 type, group, master;
	bool found;
};

struct space {
	int ns, base_fd;
	__u64 base;
	struct reader q;
	struct node nodes[MAX_NODES];
	int nr;
};

static struct space spaces[2];
static unsigned int seed, steps = STEPS, step;
static unsigned long long state;
static char last_op[256];

static unsigned int random_below(unsigned int below)
{
	state = state * 6364136223846793005ULL + 1442695040888963407ULL;
	return (state >> 33) % below;
}

static void fail(const char *format, ...)
{
	va_list args;

	printf("# seed %u step %u after %s: ", seed, step, last_op);
	va_start(args, format);
	vprintf(format, args);
	va_end(args);
	printf("\n");
	exit(1);
}

#define MUST(call) do {							\
	long __ret = (call);						\
	if (__ret < 0)							\
		fail("line %d: " #call ": errno %ld", __LINE__, -__ret);	\
} while (0)

/*
 * The model
 */

static struct node *find(struct space *s, __u64 id)
{
	int i;

	for (i = 0; i < s->nr; i++)
		if (s->nodes[i].id == id)
			return &s->nodes[i];
	return NULL;
}

static void check_record(struct space *s, const struct mount_notification *n,
			 __u32 subtype, __u32 bits)
{
	bool below = bits & NOTIFY_MOUNT_IN_SUBTREE;
	bool named = n->mnt_id == s->base || n->parent_id == s->base ||
		     n->old_parent_id == s->base;

	if (below == named)
		fail("IN_SUBTREE is wrong for mount %llx", n->mnt_id);
	/* A propagated unmount may precede that of the mounts on it */
	if (n->mnt_id != s->base && n->parent_id != s->base &&
	    subtype != NOTIFY_MOUNT_UNMOUNT && !find(s, n->parent_id))
		fail("mount %llx is on %llx, which had no record", n->mnt_id,
		     n->parent_id);
}

static void apply_record(struct space *s, const union watch_record *r)
{
	const struct mount_notification *n = &r->mount;
	struct node *node = find(s, n->mnt_id);
	__u32 bits = r->watch.info & WATCH_INFO_TYPE_INFO;
	bool rdonly = r->watch.subtype == NOTIFY_MOUNT_RDONLY;

	if (r->watch.type != MOUNT || record_len(r) != sizeof(*n) || watch_record_id(r) != 1)
		fail("type %u subtype %u info %08x", r->watch.type,
		     r->watch.subtype, r->watch.info);
	check_record(s, n, r->watch.subtype, bits);
	if (r->watch.subtype == NOTIFY_MOUNT_NEW) {
		if (node)
			fail("second NEW of mount %llx", n->mnt_id);
		if (s->nr == MAX_NODES)
			fail("too many mounts");
		node = &s->nodes[s->nr++];
		memset(node, 0, sizeof(*node));
		node->id = n->mnt_id;
		node->parent = n->parent_id;
		node->read_only = bits & NOTIFY_MOUNT_IS_RDONLY;
		/* The first compare() sets the attributes */
		node->type = ~0ULL;
		return;
	}
	if (!node)
		fail("subtype %u of mount %llx, which had no NEW",
		     r->watch.subtype, n->mnt_id);
	if (!!(bits & NOTIFY_MOUNT_IS_RDONLY) != node->read_only &&
	    r->watch.subtype != NOTIFY_MOUNT_RDONLY &&
	    r->watch.subtype != NOTIFY_MOUNT_RDWR)
		fail("subtype %u of mount %llx: wrong IS_RDONLY",
		     r->watch.subtype, n->mnt_id);
	if (node->parent != (n->old_parent_id ?: n->parent_id))
		fail("subtype %u of mount %llx: parent was %llx, not %llx",
		     r->watch.subtype, n->mnt_id, node->parent,
		     n->old_parent_id ?: n->parent_id);

	switch (r->watch.subtype) {
	case NOTIFY_MOUNT_UNMOUNT:
		*node = s->nodes[--s->nr];
		break;
	case NOTIFY_MOUNT_MOVE_TO:
		node->parent = n->parent_id;
		break;
	case NOTIFY_MOUNT_RDONLY:
	case NOTIFY_MOUNT_RDWR:
		if (node->read_only == rdonly)
			fail("RDONLY or RDWR of mount %llx without a change", n->mnt_id);
		node->read_only = !node->read_only;
		if (!!(bits & NOTIFY_MOUNT_IS_RDONLY) != node->read_only)
			fail("mount %llx: IS_RDONLY contradicts the subtype", n->mnt_id);
		break;
	case NOTIFY_MOUNT_SETATTR:
		node->new_attr = true;
		break;
	case NOTIFY_MOUNT_PROPAGATION:
		node->new_type = true;
		break;
	default:
		fail("subtype %u of mount %llx", r->watch.subtype, n->mnt_id);
	}
}

static void drain(struct space *s)
{
	union watch_record r;
	int ret;

	while ((ret = next_record(&s->q, &r)) == 1) {
		/* BASE itself is not part of the model */
		if (r.watch.type == MOUNT && r.mount.mnt_id == s->base)
			continue;
		apply_record(s, &r);
	}
	if (ret != -EAGAIN)
		fail("read: errno %d", -ret);
}

/*
 * The state in the kernel
 */

static void stat_mount(__u64 id, struct statmount *sm)
{
	struct mnt_id_req req = {
		.size = MNT_ID_REQ_SIZE_VER0, .mnt_id = id,
		.param = STATMOUNT_MNT_BASIC,
	};

	if (syscall(__NR_statmount, &req, sm, sizeof(*sm), 0))
		fail("statmount of %llx: errno %d", id, errno);
}

static void compare(struct space *s, struct node *node, const struct statmount *sm)
{
	__u64 attr = sm->mnt_attr & ~MOUNT_ATTR_RDONLY;
	bool first = node->type == ~0ULL, attr_same = attr == node->attr;
	bool type_same = node->type == sm->mnt_propagation &&
			 node->group == sm->mnt_peer_group &&
			 node->master == sm->mnt_master;

	if (node->parent != sm->mnt_parent_id)
		fail("mount %llx is on %llx, not %llx", node->id,
		     sm->mnt_parent_id, node->parent);
	if (node->read_only != !!(sm->mnt_attr & MOUNT_ATTR_RDONLY))
		fail("mount %llx is %sread-only", node->id, node->read_only ? "not " : "");
	if (!first && node->new_attr == attr_same)
		fail("attributes of mount %llx: %llx now, %llx before", node->id,
		     attr, node->attr);
	if (!first && node->new_type == type_same)
		fail("propagation of mount %llx: %llx %llu %llu now, %llx %llu %llu before",
		     node->id, (__u64)sm->mnt_propagation, (__u64)sm->mnt_peer_group,
		     (__u64)sm->mnt_master, node->type, node->group, node->master);
	node->attr = attr;
	node->type = sm->mnt_propagation;
	node->group = sm->mnt_peer_group;
	node->master = sm->mnt_master;
	node->new_attr = false;
	node->new_type = false;
	node->found = true;
}

/* Number of mounts below @base in mountinfo, which has the old IDs */
static int mountinfo_below(unsigned int base)
{
	static unsigned int ids[MAX_NODES], parents[MAX_NODES];
	int i, n = 0, below = 0;
	char line[4096];
	FILE *file;

	/* The process may be in another namespace than this thread */
	file = fopen("/proc/thread-self/mountinfo", "re");
	if (!file)
		fail("mountinfo: errno %d", errno);
	while (n < MAX_NODES && fgets(line, sizeof(line), file))
		n += sscanf(line, "%u %u", &ids[n], &parents[n]) == 2;
	fclose(file);
	for (i = 0; i < n; i++) {
		unsigned int at = parents[i];
		int j, hops;

		for (hops = 0; at != base && hops < n; hops++) {
			for (j = 0; j < n && ids[j] != at; j++)
				;
			if (j == n || parents[j] == at)
				break;
			at = parents[j];
		}
		below += at == base;
	}
	return below;
}

static void verify(struct space *s)
{
	struct mnt_id_req req = { .size = MNT_ID_REQ_SIZE_VER0, .mnt_id = s->base };
	static __u64 ids[MAX_NODES];
	struct statmount sm;
	long nr, i;

	MUST(neg(setns(s->ns, CLONE_NEWNS)));
	drain(s);
	nr = neg(syscall(__NR_listmount, &req, ids, MAX_NODES, 0));
	if (nr < 0)
		fail("listmount: errno %ld", -nr);
	for (i = 0; i < nr; i++) {
		struct node *node = find(s, ids[i]);

		if (!node)
			fail("mount %llx exists without NEW", ids[i]);
		stat_mount(ids[i], &sm);
		compare(s, node, &sm);
	}
	for (i = 0; i < s->nr; i++) {
		if (!s->nodes[i].found)
			fail("mount %llx is gone without UNMOUNT", s->nodes[i].id);
		s->nodes[i].found = false;
	}
	stat_mount(s->base, &sm);
	i = mountinfo_below(sm.mnt_id_old);
	if (i != s->nr)
		fail("%ld mounts in mountinfo, %d in the model", i, s->nr);
}

/*
 * Steps
 */

/* A path with up to four components; any of them may be a mount point */
static void random_path(char *path)
{
	int parts = 1 + random_below(4);

	*path = 0;
	while (parts--)
		sprintf(path + strlen(path), "%s%c", *path ? "/" : "", 'a' + random_below(3));
}

/* Creates the same directories in each filesystem */
static void make_dirs(const char *where)
{
	char path[128];
	int i, j;

	for (i = 0; i < 3; i++) {
		snprintf(path, sizeof(path), "%s/%c", where, 'a' + i);
		mkdir(path, 0755);
		for (j = 0; j < 3; j++) {
			snprintf(path, sizeof(path), "%s/%c/%c", where, 'a' + i, 'a' + j);
			mkdir(path, 0755);
		}
	}
}

static void step_tmpfs(const char *to)
{
	if (do_mount("model", to, "tmpfs", random_below(4) ? MS_NODEV : MS_NODEV | MS_NOSUID, NULL))
		return;
	make_dirs(to);
	if (!random_below(4))
		do_setattr(to, false, MOUNT_ATTR_RDONLY, 0, 0);
}

static void step_detached(const char *from, const char *to)
{
	int fd = do_open_tree(from, OPEN_TREE_CLONE | (random_below(2) ? AT_RECURSIVE : 0));

	if (fd < 0)
		return;
	if (random_below(4))
		do_move(fd, "", to, MOVE_MOUNT_F_EMPTY_PATH |
			(random_below(4) ? 0 : MOVE_MOUNT_BENEATH));
	close(fd);
}

static void step_setattr(const char *to)
{
	static const __u64 attrs[] = {
		MOUNT_ATTR_RDONLY, MOUNT_ATTR_NOSUID, MOUNT_ATTR_NOEXEC,
		MOUNT_ATTR_RDONLY | MOUNT_ATTR_NODEV,
	};
	static const unsigned long types[] = {
		0, 0, 0, MS_SHARED, MS_SLAVE, MS_PRIVATE, MS_UNBINDABLE,
	};
	__u64 set = attrs[random_below(4)], clear = attrs[random_below(4)];

	do_setattr(to, !random_below(3), set, clear & ~set, types[random_below(7)]);
}

static void step_type(const char *to)
{
	static const unsigned long types[] = {
		MS_SHARED, MS_SHARED, MS_SHARED, MS_SLAVE, MS_PRIVATE, MS_UNBINDABLE,
	};

	do_mount(NULL, to, NULL, types[random_below(6)] | (random_below(3) ? 0 : MS_REC), NULL);
}

static void step_umount(const char *to)
{
	switch (random_below(4)) {
	case 0:
		if (do_umount(to, MNT_EXPIRE) == -EAGAIN)
			do_umount(to, MNT_EXPIRE);
		break;
	case 1:
		do_umount(to, 0);
		break;
	default:
		do_umount(to, MNT_DETACH);
	}
}

/* Calls pivot_root() in a child, because it needs chroot() */
static void step_pivot(const char *root)
{
	char new_root[64];
	pid_t pid;

	random_path(new_root);
	pid = fork();
	if (!pid) {
		if (!chroot(root) && !chdir("/") && !chdir(new_root))
			do_pivot_root(".", "a");
		_exit(0);
	}
	child_status(pid);
}

static void one_step(struct space *s)
{
	char from[64], to[64];
	unsigned int op = random_below(20);

	random_path(from);
	random_path(to);
	if (s->nr > GROWTH_LIMIT && random_below(3))
		op = 18;
	snprintf(last_op, sizeof(last_op), "op %u in %d from %s to %s", op,
		 (int)(s - spaces), from, to);
	switch (op) {
	case 0 ... 3:
		step_tmpfs(to);
		break;
	case 4:
		do_mount(from, to, NULL, MS_BIND, NULL);
		break;
	case 5:
		do_mount(from, to, NULL, MS_BIND | MS_REC, NULL);
		break;
	case 6 ... 7:
		step_detached(from, to);
		break;
	case 8 ... 9:
		do_move(AT_FDCWD, from, to, random_below(3) ? 0 : MOVE_MOUNT_BENEATH);
		break;
	case 10 ... 11:
		step_setattr(to);
		break;
	case 12 ... 13:
		step_type(to);
		break;
	case 14:
		do_mount(NULL, to, NULL, MS_REMOUNT | MS_BIND |
			 (random_below(2) ? MS_RDONLY : 0) |
			 (random_below(2) ? MS_NOSUID : 0), NULL);
		break;
	case 15:
		do_move(AT_FDCWD, from, to, MOVE_MOUNT_SET_GROUP);
		break;
	case 16:
		step_pivot(to);
		break;
	case 17:
		do_mount(NULL, ".", NULL, random_below(2) ? MS_SHARED :
			 random_below(2) ? MS_SLAVE : MS_PRIVATE, NULL);
		break;
	default:
		step_umount(to);
	}
}

static void space_open(struct space *s)
{
	int fd[2];

	MUST(neg(pipe2(fd, O_NOTIFICATION_PIPE | O_NONBLOCK | O_CLOEXEC)));
	MUST(queue_size(fd[0], DEPTH));
	s->q.fd = fd[0];
	s->q.write_fd = fd[1];
	s->ns = neg(open("/proc/self/ns/mnt", O_RDONLY | O_CLOEXEC));
	MUST(s->ns);
	s->base_fd = open_path(BASE);
	MUST(s->base_fd);
	s->base = fd_mnt_id(s->base_fd, "");
	MUST(queue_watch(s->q.fd, MOUNT, s->base_fd, 1, WATCH_SUBTREE));
}

static void model(void)
{
	unsigned int peak = 0, total = 0;

	mkdir(BASE, 0755);
	MUST(do_mount("model", BASE, "tmpfs", 0, NULL));
	make_dirs(BASE);
	MUST(do_mount(NULL, BASE, NULL, MS_SHARED, NULL));
	space_open(&spaces[0]);
	MUST(neg(unshare(CLONE_NEWNS)));
	space_open(&spaces[1]);

	for (step = 0; step < steps; step++) {
		struct space *s = &spaces[random_below(2)];

		MUST(neg(setns(s->ns, CLONE_NEWNS)));
		MUST(neg(fchdir(s->base_fd)));
		one_step(s);
		verify(&spaces[0]);
		verify(&spaces[1]);
		total += spaces[0].nr + spaces[1].nr;
		if (spaces[0].nr + spaces[1].nr > peak)
			peak = spaces[0].nr + spaces[1].nr;
	}
	printf("# %u steps, at most %u mounts, %u on average\n", steps, peak,
	       total / steps);
	if (total / steps < 4)
		fail("too few mounts for a test");
}

/*
 * Concurrent mounts
 */

static int mounters = 2;

static void *mount_and_unmount(void *dir)
{
	int i;

	for (i = 0; i < MOUNTS; i++) {
		MUST(do_mount("concurrent", dir, "tmpfs", 0, NULL));
		MUST(do_umount(dir, 0));
	}
	__atomic_sub_fetch(&mounters, 1, __ATOMIC_RELEASE);
	return NULL;
}

static int by_value(const void *a, const void *b)
{
	__u64 x = *(const __u64 *)a, y = *(const __u64 *)b;

	return x < y ? -1 : x > y;
}

static int has_twice(__u64 *ids, int nr)
{
	qsort(ids, nr, sizeof(*ids), by_value);
	while (nr-- > 1)
		if (ids[nr] == ids[nr - 1])
			return 1;
	return 0;
}

static void concurrent(void)
{
	static char dirs[2][64] = { BASE "/a", BASE "/b" };
	static __u64 ids[2][2 * MOUNTS + 1];
	unsigned long long lost = 0;
	struct reader q = {};
	int fd[2], i, nr[2] = {};
	struct queue_info info;
	pthread_t threads[2];
	union watch_record r;

	mkdir(BASE, 0755);
	MUST(do_mount("concurrent", BASE, "tmpfs", 0, NULL));
	make_dirs(BASE);
	MUST(neg(pipe2(fd, O_NOTIFICATION_PIPE | O_NONBLOCK | O_CLOEXEC)));
	MUST(queue_size(fd[0], SMALL_DEPTH));
	MUST(mount_watch(fd[0], BASE, 1, WATCH_SUBTREE));
	q.fd = fd[0];
	for (i = 0; i < 2; i++)
		if (pthread_create(&threads[i], NULL, mount_and_unmount, dirs[i]))
			fail("cannot create a thread");
	for (;;) {
		/* Load this before the read: no record follows once it is 0 */
		bool last = !__atomic_load_n(&mounters, __ATOMIC_ACQUIRE);
		int ret;

		while ((ret = next_record(&q, &r)) == 1) {
			if (is_loss(&r)) {
				if (record_bits(&r) == 0xffff)
					fail("the count of losses saturated");
				lost += record_bits(&r);
				continue;
			}
			if (r.watch.type != MOUNT || r.watch.subtype > 1 ||
			    nr[r.watch.subtype] > 2 * MOUNTS)
				fail("unexpected record");
			ids[r.watch.subtype][nr[r.watch.subtype]++] = r.mount.mnt_id;
		}
		if (ret != -EAGAIN)
			fail("read: errno %d", -ret);
		if (last)
			break;
		poll_for(fd[0], POLLIN, 100);
	}
	for (i = 0; i < 2; i++)
		pthread_join(threads[i], NULL);
	printf("# %d mounts and %d unmounts read, %llu lost\n", nr[0], nr[1], lost);
	if (nr[0] + nr[1] + lost != 4 * MOUNTS)
		fail("%llu events, not %d", nr[0] + nr[1] + lost, 4 * MOUNTS);
	if (!queue_info(fd[0], &info) || info.posted != 4 * MOUNTS || info.lost != lost)
		fail("fdinfo: %llu posted %llu lost", info.posted, info.lost);
	if (has_twice(ids[0], nr[0]) || has_twice(ids[1], nr[1]))
		fail("an event has two records");
}

static void run(const char *name, void (*test)(void))
{
	pid_t pid;

	fflush(stdout);
	pid = fork();
	if (!pid) {
		if (unshare(CLONE_NEWNS) ||
		    do_mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL))
			_exit(1);
		state = seed;
		test();
		exit(0);
	}
	ksft_test_result(!child_status(pid), "%s\n", name);
}

int main(int argc, char **argv)
{
	static const struct option options[] = {
		{ "seed", required_argument, NULL, 's' },
		{ "steps", required_argument, NULL, 'n' },
		{}
	};
	int fd[2], opt;
	long peak;

	/* Not used, as the harness would kill a test after 30 s */
	(void)test_harness_run;

	setlinebuf(stdout);
	seed = time(NULL) ^ getpid();
	while ((opt = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (opt == 's')
			seed = strtoul(optarg, NULL, 0);
		else if (opt == 'n')
			steps = strtoul(optarg, NULL, 0);
		else
			return KSFT_FAIL;
	}

	ksft_print_header();
	if (geteuid())
		ksft_exit_skip("needs root, to mount\n");
	if (pipe2(fd, O_NOTIFICATION_PIPE))
		ksft_exit_skip("CONFIG_WATCH_QUEUE is not set\n");
	if (mount_watch(fd[0], "/", 1, 0) == -EOPNOTSUPP)
		ksft_exit_skip("CONFIG_MOUNT_NOTIFICATIONS is not set\n");
	queue_close(fd);
	ksft_set_plan(2);
	ksft_print_msg("--seed %u --steps %u\n", seed, steps);
	peak = sysctl_get(MOUNT_MAX);
	sysctl_set(MOUNT_MAX, MAX_MOUNTS);
	run("model", model);
	sysctl_set(MOUNT_MAX, peak);
	run("concurrent", concurrent);
	ksft_finished();
}
