// SPDX-License-Identifier: GPL-2.0
/*
 * Watch queue: a model of the mount tree that is updated from events only
 *
 * model: There are two mount namespaces with random propagation between them.  In each,
 * one queue watches BASE with WATCH_SUBTREE, another one the whole namespace.  A third
 * namespace, which a queue watches as a whole, also gets other roots.  The records of
 * each queue update a model.  Each step is a random operation on mounts.  After a step,
 * all models must agree with listmount(), statmount() and mountinfo.  An attribute may
 * only differ from the state before the step if there was a record, and must differ if
 * there was one.
 *
 * concurrent: Two threads mount and unmount, and each event is read or counted as lost.
 *
 * burst: Thousands of mounts are made and unmounted, one by one or by one system call.
 * Each has its records in one queue; in a small queue they are read or counted as lost.
 *
 *	mount_model_test [--seed N] [--steps N]
 *
 * WATCH_QUEUE_STEPS in the environment sets the number of steps, too.
 */
#include <getopt.h>

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
#define BURST		5000	/* mounts */
#define FANOUT		8	/* mounts on each of them */

struct node {
	__u64 id, parent, sb_id;
	__u32 dev_major, dev_minor;
	bool read_only;
	bool new_attr, new_type;	/* there was a record in this step */
	__u64 attr;			/* last result of statmount() */
	__u64 type, group, master;
	bool found;
};

/* A watch and the model made from its records */
struct view {
	bool whole;		/* watches the namespace, and the model has all mounts */
	__u64 ns_id;
	__u64 top;		/* watched mount, or first mount of the namespace */
	__u64 root;		/* root of the namespace, with @whole */
	struct reader q;
	struct node nodes[MAX_NODES];
	int nr, nr_start;
};

struct space {
	int ns, base_fd;
	int root_fd;		/* its first root, if there are steps that change it */
	struct view views[2];
	int nr_views;
};

static struct space spaces[3];
static unsigned int fs_changes, remounts, roots;
static unsigned int seed = 1, steps = STEPS, step;
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

static struct node *find(struct view *s, __u64 id)
{
	int i;

	for (i = 0; i < s->nr; i++)
		if (s->nodes[i].id == id)
			return &s->nodes[i];
	return NULL;
}

static void check_record(struct view *s, const struct mount_notification *n,
			 __u32 subtype, __u32 bits)
{
	bool below = bits & NOTIFY_MOUNT_IN_SUBTREE;
	bool named = s->whole || n->mnt_id == s->top || n->parent_id == s->top ||
		     n->old_parent_id == s->top;

	if (below == named)
		fail("IN_SUBTREE is wrong for mount %llx", n->mnt_id);
	if (n->mnt_ns_id != s->ns_id)
		fail("mount %llx is in namespace %llx, not %llx", n->mnt_id, n->mnt_ns_id,
		     s->ns_id);
	/* A propagated unmount may precede that of the mounts on it */
	if (n->mnt_id != s->top && n->parent_id != s->top &&
	    subtype != NOTIFY_MOUNT_UNMOUNT && !find(s, n->parent_id))
		fail("mount %llx is on %llx, which had no record", n->mnt_id,
		     n->parent_id);
}

static struct node *add_node(struct view *s, __u64 id, __u64 parent)
{
	struct node *node = &s->nodes[s->nr++];

	if (s->nr > MAX_NODES)
		fail("too many mounts");
	memset(node, 0, sizeof(*node));
	node->id = id;
	node->parent = parent;
	/* The first compare() sets the attributes */
	node->type = ~0ULL;
	return node;
}

static void apply_new(struct view *s, const struct mount_notification *n)
{
	struct node *node;

	if (find(s, n->mnt_id))
		fail("second NEW of mount %llx", n->mnt_id);
	node = add_node(s, n->mnt_id, n->parent_id);
	node->sb_id = n->sb_id;
	node->dev_major = n->dev_major;
	node->dev_minor = n->dev_minor;
	node->read_only = n->watch.info & NOTIFY_MOUNT_IS_RDONLY;
}

/* The record must agree with the model as it is before the record */
static void check_node(struct node *node, const struct mount_notification *n)
{
	__u32 subtype = n->watch.subtype;

	/* FS_CHANGED may be posted after an attribute changes, and before its record */
	if (!!(n->watch.info & NOTIFY_MOUNT_IS_RDONLY) != node->read_only &&
	    subtype != NOTIFY_MOUNT_RDONLY && subtype != NOTIFY_MOUNT_RDWR &&
	    subtype != NOTIFY_MOUNT_FS_CHANGED)
		fail("subtype %u of mount %llx: wrong IS_RDONLY", subtype, n->mnt_id);
	if (node->parent != (n->old_parent_id ?: n->parent_id))
		fail("subtype %u of mount %llx: parent was %llx, not %llx",
		     subtype, n->mnt_id, node->parent, n->old_parent_id ?: n->parent_id);
	/* The ID of a filesystem is only in records */
	if (!node->sb_id)
		node->sb_id = n->sb_id;
	if (node->sb_id != n->sb_id || node->dev_major != n->dev_major ||
	    node->dev_minor != n->dev_minor)
		fail("subtype %u of mount %llx: another filesystem", subtype, n->mnt_id);
}

static void apply_umount(struct view *s, struct node *node,
			 const struct mount_notification *n)
{
	int i;

	for (i = 0; !(n->watch.info & NOTIFY_MOUNT_PROPAGATED) && i < s->nr; i++)
		if (s->nodes[i].parent == node->id && &s->nodes[i] != node)
			fail("UNMOUNT of mount %llx before that of %llx on it", node->id,
			     s->nodes[i].id);
	*node = s->nodes[--s->nr];
}

static void apply_readonly(struct node *node, const struct mount_notification *n)
{
	bool rdonly = n->watch.subtype == NOTIFY_MOUNT_RDONLY;

	if (node->read_only == rdonly)
		fail("RDONLY or RDWR of mount %llx without a change", n->mnt_id);
	node->read_only = !node->read_only;
	if (!!(n->watch.info & NOTIFY_MOUNT_IS_RDONLY) != node->read_only)
		fail("mount %llx: IS_RDONLY contradicts the subtype", n->mnt_id);
}

static void apply_root(struct view *s, const struct mount_notification *n)
{
	if (!s->whole || n->mnt_id == s->root)
		fail("ROOT of mount %llx without a change", n->mnt_id);
	s->root = n->mnt_id;
	roots++;
}

static void apply_record(struct view *s, const union watch_record *r)
{
	const struct mount_notification *n = &r->mount;
	struct node *node = find(s, n->mnt_id);

	if (r->watch.type != MOUNT || record_len(r) != sizeof(*n) || watch_record_id(r) != 1)
		fail("type %u subtype %u info %08x", r->watch.type,
		     r->watch.subtype, r->watch.info);
	check_record(s, n, r->watch.subtype, r->watch.info & WATCH_INFO_TYPE_INFO);
	if (r->watch.subtype == NOTIFY_MOUNT_NEW) {
		apply_new(s, n);
		return;
	}
	if (!node)
		fail("subtype %u of mount %llx, which had no NEW",
		     r->watch.subtype, n->mnt_id);
	check_node(node, n);

	switch (r->watch.subtype) {
	case NOTIFY_MOUNT_UNMOUNT:
		apply_umount(s, node, n);
		break;
	case NOTIFY_MOUNT_MOVE_TO:
		node->parent = n->parent_id;
		break;
	case NOTIFY_MOUNT_RDONLY:
	case NOTIFY_MOUNT_RDWR:
		apply_readonly(node, n);
		break;
	case NOTIFY_MOUNT_SETATTR:
		node->new_attr = true;
		break;
	case NOTIFY_MOUNT_PROPAGATION:
		node->new_type = true;
		break;
	case NOTIFY_MOUNT_FS_CHANGED:
		fs_changes++;
		break;
	case NOTIFY_MOUNT_ROOT:
		apply_root(s, n);
		break;
	default:
		fail("subtype %u of mount %llx", r->watch.subtype, n->mnt_id);
	}
}

static void drain(struct view *s)
{
	union watch_record r;
	int ret;

	while ((ret = next_record(&s->q, &r)) == 1) {
		/* BASE itself is not part of the model of the tree on it */
		if (!s->whole && r.watch.type == MOUNT && r.mount.mnt_id == s->top)
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
	int ret = do_statmount(id, 0, STATMOUNT_MNT_BASIC | STATMOUNT_SB_BASIC, sm,
			       sizeof(*sm));

	if (ret)
		fail("statmount of %llx: errno %d", id, -ret);
}

static void compare(struct node *node, const struct statmount *sm)
{
	__u64 attr = sm->mnt_attr & ~MOUNT_ATTR_RDONLY;
	bool first = node->type == ~0ULL, attr_same = attr == node->attr;
	bool type_same = node->type == sm->mnt_propagation &&
			 node->group == sm->mnt_peer_group &&
			 node->master == sm->mnt_master;

	if (node->parent != sm->mnt_parent_id)
		fail("mount %llx is on %llx, not %llx", node->id,
		     sm->mnt_parent_id, node->parent);
	if (node->dev_major != sm->sb_dev_major || node->dev_minor != sm->sb_dev_minor)
		fail("mount %llx is of device %u:%u, not %u:%u", node->id, sm->sb_dev_major,
		     sm->sb_dev_minor, node->dev_major, node->dev_minor);
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

/* Gets the IDs of the mounts that the model should have */
static long list_mounts(const struct view *s, __u64 *ids)
{
	long nr = do_listmount(s->top, 0, ids, MAX_NODES - 1);

	if (nr < 0)
		fail("listmount: errno %ld", -nr);
	if (s->whole)
		ids[nr++] = s->top;
	return nr;
}

/* The model of a tree agrees with mountinfo; that of a namespace with its root */
static void verify_place(struct view *s)
{
	struct statmount sm;
	int nr;

	if (s->whole) {
		if (mnt_id("/") != s->root)
			fail("%llx is the root, not %llx", mnt_id("/"), s->root);
		return;
	}
	stat_mount(s->top, &sm);
	nr = mountinfo_below(sm.mnt_id_old);
	if (nr != s->nr)
		fail("%d mounts in mountinfo, %d in the model", nr, s->nr);
}

static void verify(struct view *s)
{
	static __u64 ids[MAX_NODES];
	struct statmount sm;
	long nr, i;

	drain(s);
	nr = list_mounts(s, ids);
	for (i = 0; i < nr; i++) {
		struct node *node = find(s, ids[i]);

		if (!node)
			fail("mount %llx exists without NEW", ids[i]);
		stat_mount(ids[i], &sm);
		compare(node, &sm);
	}
	for (i = 0; i < s->nr; i++) {
		if (!s->nodes[i].found)
			fail("mount %llx is gone without UNMOUNT", s->nodes[i].id);
		s->nodes[i].found = false;
	}
	verify_place(s);
}

static void verify_all(void)
{
	struct space *s;
	int i;

	for (s = spaces; s < spaces + ARRAY_SIZE(spaces); s++) {
		MUST(neg(setns(s->ns, CLONE_NEWNS)));
		for (i = 0; i < s->nr_views; i++)
			verify(&s->views[i]);
	}
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

static void step_remount(const char *to)
{
	static const char * const flags[] = { NULL, "ro", "rw", "rw" };

	remounts += !do_reconfigure(to, flags[random_below(4)]);
}

/* Is this mount below "/"? */
static bool is_below_root(__u64 id)
{
	__u64 root = mnt_id("/"), parent;

	while (id != root) {
		parent = parent_mnt_id(id, 0);
		if (!parent || parent == id)
			return false;
		id = parent;
	}
	return true;
}

/* Changes the root of the namespace, to a mount on it or below it, or back */
static void step_root(struct space *s, const char *from)
{
	char put[80];

	/* Uncover the mounts that the other steps need; never unmount these */
	if (random_below(2) && !is_below_root(fd_mnt_id(s->base_fd, ""))) {
		do_umount("/", MNT_DETACH);
		return;
	}
	/* A mount on a shared one cannot become the root, and the root cannot be put there */
	if (random_below(2)) {
		do_mount(NULL, ".", NULL, MS_PRIVATE, NULL);
		step_tmpfs(from);
	}
	switch (random_below(4)) {
	case 0:
		do_mount(from, "/", NULL, MS_MOVE, NULL);
		break;
	case 1:
		do_mount("model", "/", "tmpfs", MS_NODEV, NULL);
		break;
	case 2:
		snprintf(put, sizeof(put), "%s/a", from);
		do_pivot_root(from, put);
		break;
	default:
		snprintf(put, sizeof(put), "mnt/%s", from);
		MUST(neg(fchdir(s->root_fd)));
		do_pivot_root(".", put);
	}
}

static void one_step(struct space *s)
{
	char from[64], to[64];
	unsigned int op = random_below(21);

	random_path(from);
	random_path(to);
	if (s->views[0].nr > s->views[0].nr_start + GROWTH_LIMIT && random_below(3))
		op = 18;
	if (s->root_fd && !random_below(8))
		op = 21;
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
	case 20:
		step_remount(to);
		break;
	case 21:
		step_root(s, from);
		break;
	default:
		step_umount(to);
	}
}

static struct view *view_open(struct space *s, int object, __u32 flags)
{
	struct view *view = &s->views[s->nr_views++];
	int fd[2];

	MUST(neg(pipe2(fd, O_NOTIFICATION_PIPE | O_NONBLOCK | O_CLOEXEC)));
	MUST(queue_size(fd[0], DEPTH));
	view->q.fd = fd[0];
	view->q.write_fd = fd[1];
	view->ns_id = mnt_ns_id(s->ns);
	MUST(queue_watch(fd[0], MOUNT, object, 1, flags));
	return view;
}

/* The queue does not report the mounts that exist */
static void load_mounts(struct view *s)
{
	static __u64 ids[MAX_NODES];
	long nr = list_mounts(s, ids), i;
	struct statmount sm;

	for (i = 0; i < nr; i++) {
		struct node *node;

		stat_mount(ids[i], &sm);
		node = add_node(s, ids[i], sm.mnt_parent_id);
		node->read_only = sm.mnt_attr & MOUNT_ATTR_RDONLY;
		node->dev_major = sm.sb_dev_major;
		node->dev_minor = sm.sb_dev_minor;
	}
	s->nr_start = s->nr;
}

static void watch_whole(struct space *s)
{
	struct view *view = view_open(s, s->ns, 0);

	view->whole = true;
	view->root = mnt_id("/");
	view->top = first_mnt_id(view->root, 0);
	load_mounts(view);
}

static void space_open(struct space *s)
{
	struct view *view;

	s->ns = open_ns(getpid());
	MUST(s->ns);
	s->base_fd = open_path(BASE);
	MUST(s->base_fd);
	view = view_open(s, s->base_fd, WATCH_SUBTREE);
	view->top = fd_mnt_id(s->base_fd, "");
	watch_whole(s);
}

/*
 * Opens a namespace with a root that can be moved, as it has a parent.  The steps are in
 * a filesystem on /mnt.
 */
static void space_open_root(struct space *s)
{
	MUST(neg(unshare(CLONE_NEWNS)));
	s->ns = open_ns(getpid());
	MUST(s->ns);
	MUST(do_mount("model", BASE, "tmpfs", 0, NULL));
	MUST(neg(mkdir(BASE "/mnt", 0755)));
	MUST(do_mount("model", BASE "/mnt", "tmpfs", 0, NULL));
	make_dirs(BASE "/mnt");
	MUST(do_mount(BASE, "/", NULL, MS_MOVE, NULL));
	MUST(neg(setns(s->ns, CLONE_NEWNS)));
	s->root_fd = open_path("/");
	MUST(s->root_fd);
	s->base_fd = open_path("/mnt");
	MUST(s->base_fd);
	watch_whole(s);
}

static void spaces_open(void)
{
	int ns = open_ns(getpid());

	MUST(ns);
	mkdir(BASE, 0755);
	space_open_root(&spaces[2]);
	MUST(neg(setns(ns, CLONE_NEWNS)));
	close(ns);
	MUST(do_mount("model", BASE, "tmpfs", 0, NULL));
	make_dirs(BASE);
	MUST(do_mount(NULL, BASE, NULL, MS_SHARED, NULL));
	space_open(&spaces[0]);
	MUST(neg(unshare(CLONE_NEWNS)));
	space_open(&spaces[1]);
}

static void model(void)
{
	unsigned int peak = 0, total = 0, nr;

	spaces_open();
	for (step = 0; step < steps; step++) {
		struct space *s = &spaces[random_below(ARRAY_SIZE(spaces))];

		MUST(neg(setns(s->ns, CLONE_NEWNS)));
		MUST(neg(fchdir(s->base_fd)));
		one_step(s);
		verify_all();
		nr = spaces[0].views[0].nr + spaces[1].views[0].nr;
		total += nr;
		if (nr > peak)
			peak = nr;
	}
	printf("# %u steps, at most %u mounts, %u on average\n", steps, peak,
	       total / steps);
	printf("# %u remounts with %u records, %u roots\n", remounts, fs_changes, roots);
	if (total / steps < 4)
		fail("too few mounts for a test");
	if (steps >= STEPS && (!fs_changes || !roots))
		fail("no remounts or no roots");
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

/*
 * Bursts
 */

static __u64 burst_ids[BURST], burst_base;
static bool burst_gone[BURST];

/* The directory for a mount: in "x" for the first ones, and then on other mounts */
static void burst_path(char *path, int i)
{
	if (i >= FANOUT)
		burst_path(path, i / FANOUT - 1);
	else
		sprintf(path, BASE "/x");
	sprintf(path + strlen(path), "/%d", i % FANOUT);
}

static __u64 burst_parent(int i)
{
	return i >= FANOUT ? burst_ids[i / FANOUT - 1] : burst_base;
}

static void burst_mount(void)
{
	char path[128];
	int i;

	for (i = 0; i < BURST; i++) {
		burst_path(path, i);
		MUST(do_mount(BASE "/x", path, NULL, MS_BIND, NULL));
		burst_ids[i] = mnt_id(path);
		burst_gone[i] = false;
	}
}

static void burst_umount(void)
{
	char path[128];
	int i;

	for (i = BURST - 1; i >= 0; i--) {
		burst_path(path, i);
		MUST(do_umount(path, 0));
	}
}

static void must_read(struct reader *q, __u32 subtype, __u64 mnt, __u64 parent)
{
	if (!got_mount(q, subtype, 1, mnt, parent, 0, 0))
		fail("no record of mount %llx", mnt);
}

/* Reads BURST records of mounts that are unmounted together, children before parents */
static void read_umounts(struct reader *q)
{
	union watch_record r;
	__u64 *id;
	int n, i;

	for (n = 0; n < BURST; n++) {
		if (next_record(q, &r) != 1 || r.watch.type != MOUNT ||
		    r.watch.subtype != NOTIFY_MOUNT_UNMOUNT)
			fail("%d of %d records", n, BURST);
		/* The kernel assigns the IDs in ascending order */
		id = bsearch(&r.mount.mnt_id, burst_ids, BURST, sizeof(*id), by_value);
		if (!id)
			fail("UNMOUNT of mount %llx", r.mount.mnt_id);
		i = id - burst_ids;
		if (burst_gone[i] || (i >= FANOUT && burst_gone[i / FANOUT - 1]) ||
		    r.mount.parent_id != burst_parent(i))
			fail("UNMOUNT of mount %d on %llx", i, r.mount.parent_id);
		burst_gone[i] = true;
	}
}

/* All records are in the queue and are those of the burst */
static void read_burst(struct reader *q, bool together)
{
	int i;

	for (i = 0; i < BURST; i++)
		must_read(q, NOTIFY_MOUNT_NEW, burst_ids[i], burst_parent(i));
	if (together)
		read_umounts(q);
	for (i = BURST - 1; !together && i >= 0; i--)
		must_read(q, NOTIFY_MOUNT_UNMOUNT, burst_ids[i], burst_parent(i));
}

/* Reads all records, and returns how many were read or lost */
static unsigned long long read_or_lost(struct reader *q)
{
	unsigned long long nr = 0;
	struct queue_info info;
	union watch_record r;
	int ret;

	while ((ret = next_record(q, &r)) == 1)
		nr += is_loss(&r) ? record_bits(&r) : 1;
	if (ret != -EAGAIN)
		fail("read: errno %d", -ret);
	if (!queue_info(q->fd, &info) || info.posted != nr || !info.lost)
		fail("fdinfo: %llu posted %llu lost", info.posted, info.lost);
	return nr;
}

static void open_queue(struct reader *q, unsigned int depth, int ns)
{
	int fd[2];

	MUST(neg(pipe2(fd, O_NOTIFICATION_PIPE | O_NONBLOCK | O_CLOEXEC)));
	MUST(queue_size(fd[0], depth));
	MUST(queue_watch(fd[0], MOUNT, ns, 1, 0));
	q->fd = fd[0];
	q->write_fd = fd[1];
}

static void burst(void)
{
	struct reader large = {}, small = {};
	unsigned long long posted = 4 * BURST + 1;
	int ns = open_ns(getpid()), i;
	char path[64];

	MUST(ns);
	mkdir(BASE, 0755);
	MUST(do_mount("burst", BASE, "tmpfs", 0, NULL));
	burst_base = mnt_id(BASE);
	MUST(neg(mkdir(BASE "/x", 0755)));
	for (i = 0; i < FANOUT; i++) {
		snprintf(path, sizeof(path), BASE "/x/%d", i);
		MUST(neg(mkdir(path, 0755)));
	}
	open_queue(&large, 2 * BURST + 1, ns);
	open_queue(&small, SMALL_DEPTH, ns);
	burst_mount();
	burst_umount();
	read_burst(&large, false);
	burst_mount();
	MUST(do_umount(BASE, MNT_DETACH));
	read_burst(&large, true);
	must_read(&large, NOTIFY_MOUNT_UNMOUNT, burst_base, mnt_id("/tmp"));
	if (!got_no_more(&large))
		fail("another record");
	if (read_or_lost(&small) != posted)
		fail("not all of %llu records", posted);
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

	/* Not used, as the harness would kill a test too early */
	(void)test_harness_run;

	setlinebuf(stdout);
	if (getenv("WATCH_QUEUE_STEPS"))
		steps = strtoul(getenv("WATCH_QUEUE_STEPS"), NULL, 0);
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
	ksft_set_plan(3);
	ksft_print_msg("--seed %u --steps %u\n", seed, steps);
	peak = sysctl_get(MOUNT_MAX);
	sysctl_set(MOUNT_MAX, MAX_MOUNTS);
	run("model", model);
	sysctl_set(MOUNT_MAX, peak);
	run("concurrent", concurrent);
	run("burst", burst);
	ksft_finished();
}
