// SPDX-License-Identifier: GPL-2.0-only
/*
 * Notifications about devices
 *
 * An event source for the general notification queue: it posts one record for each
 * uevent of the kernel, with the action, the device and the sequence number.  See
 * Documentation/userspace-api/watch_queue/devices.rst.
 *
 * There is one object, all devices.  A watch belongs to the network namespace in which
 * it was added, and gets the events that a netlink socket there would receive.  As with
 * netlink, untagged events (of devices that do not belong to a network namespace) are
 * not delivered to network namespaces owned by a non-initial user namespace.
 *
 * Events are posted in process context, often with locks of drivers held.  This file
 * has no locks.
 */

#include <linux/array_size.h>
#include <linux/ctype.h>
#include <linux/init.h>
#include <linux/kernfs.h>
#include <linux/kobject.h>
#include <linux/kobject_notify.h>
#include <linux/minmax.h>
#include <linux/netlink.h>
#include <linux/rcupdate.h>
#include <linux/security.h>
#include <linux/socket.h>
#include <linux/string.h>
#include <linux/watch_queue.h>
#include <net/net_namespace.h>

/* Maximum length of a subsystem name in a record, so that the path has space */
#define SUBSYSTEM_MAX 31

static_assert(sizeof(struct device_notification) == 32);

union device_record {
	struct device_notification n;
	char bytes[WATCH_INFO_LENGTH];
};

struct watch_list device_watchers;

/* Values of ACTION.  The indices are user ABI, those of enum kobject_action are not. */
static const char * const device_events[] = {
	[NOTIFY_DEVICE_ADD]	= "add",
	[NOTIFY_DEVICE_REMOVE]	= "remove",
	[NOTIFY_DEVICE_CHANGE]	= "change",
	[NOTIFY_DEVICE_MOVE]	= "move",
	[NOTIFY_DEVICE_ONLINE]	= "online",
	[NOTIFY_DEVICE_OFFLINE]	= "offline",
	[NOTIFY_DEVICE_BIND]	= "bind",
	[NOTIFY_DEVICE_UNBIND]	= "unbind",
};

/*
 * The first variables of a uevent.  Those of the subsystem follow, and SEQNUM is last.
 * See kobject_uevent_env().
 */
enum {
	UEVENT_ACTION,
	UEVENT_DEVPATH,
	UEVENT_SUBSYSTEM,
	UEVENT_OTHERS,
};

struct uevent_value {
	const char *text;
	size_t len;
};

/*
 * Get the value of the variable at @index, whose name and "=" are @name.  Return false
 * if this is another variable.  The variables follow each other, each with its NUL.
 */
static __always_inline bool uevent_get(const struct kobj_uevent_env *env, int index,
				       const char *name, struct uevent_value *value)
{
	const char *variable = env->envp[index];
	const char *end = index + 1 < env->envp_idx ? env->envp[index + 1] :
						      env->buf + env->buflen;

	value->text = variable + strlen(name);
	value->len = end - value->text - 1;
	return !memcmp(variable, name, strlen(name));
}

/* Return the event whose name is @action, or -1.  The first four bytes identify it. */
static int uevent_event(const char *action)
{
	for (int i = 0; i < ARRAY_SIZE(device_events); i++) {
		if (!memcmp(device_events[i], action, 4))
			return i;
	}
	return -1;
}

/*
 * Get a decimal number.  The text is from the driver core, so it is not checked.
 * kstrtou64() costs several times as much.
 */
static u64 uevent_number(const char *text)
{
	u64 number = 0;

	for (; isdigit(*text); text++)
		number = number * 10 + *text - '0';
	return number;
}

/* Store the device number, and whether a program triggered the event */
static void device_put_others(struct device_notification *n,
			      const struct kobj_uevent_env *env)
{
	struct uevent_value value;

	for (int i = UEVENT_OTHERS; i < env->envp_idx - 1; i++) {
		if (uevent_get(env, i, "MAJOR=", &value))
			n->dev_major = uevent_number(value.text);
		else if (uevent_get(env, i, "MINOR=", &value))
			n->dev_minor = uevent_number(value.text);
		else if (uevent_get(env, i, "SYNTH_UUID=", &value))
			n->watch.info |= NOTIFY_DEVICE_SYNTHETIC;
	}
}

/*
 * Store both names, each with its NUL, and add the length of the whole record to its
 * info word.  If the names do not fit, keep the start of @subsystem and the end of
 * @devpath.
 */
static void device_put_names(union device_record *rec,
			     const struct uevent_value *subsystem,
			     const struct uevent_value *devpath)
{
	size_t room = sizeof(rec->bytes) - sizeof(rec->n) - 2;	/* without the NULs */
	size_t put = min(subsystem->len, SUBSYSTEM_MAX);
	size_t put_path = min(devpath->len, room - put);
	char *names = rec->n.names;

	memcpy(names, subsystem->text, put);
	names[put] = 0;
	memcpy(names + put + 1, devpath->text + devpath->len - put_path, put_path + 1);
	if (put < subsystem->len || put_path < devpath->len)
		rec->n.watch.info |= NOTIFY_DEVICE_TRUNCATED;
	rec->n.watch.info += sizeof(rec->n) + put + put_path + 2;
}

/* Inode number that stat() returns for @kobj's directory in sysfs, 0 without one */
static u64 kobject_sysfs_ino(const struct kobject *kobj)
{
	struct kernfs_node *dir;

	/* sysfs_remove_dir() may run concurrently; the node is freed by RCU */
	guard(rcu)();
	dir = READ_ONCE(kobj->sd);
	return dir ? kernfs_ino(dir) : 0;
}

/*
 * The private pointer of a watch is the network namespace in which the watch was added,
 * with a passive reference.  The lowest bit is set if the watch gets untagged events.
 * Posters may use the watch after the reference was dropped, so they only compare the
 * pointer.
 */
#define SEES_UNTAGGED 1UL

static struct net *device_watch_net(const struct watch *watch)
{
	return (struct net *)((unsigned long)watch->private & ~SEES_UNTAGGED);
}

static bool device_watch_in_netns(const struct watch *watch, const void *net)
{
	return net ? device_watch_net(watch) == net :
		(unsigned long)watch->private & SEES_UNTAGGED;
}

/**
 * __kobject_notify - notify watchers of a uevent
 * @kobj: the kobject
 * @net: network namespace to which the event belongs, or NULL for an untagged event
 * @env: environment of the uevent, with ACTION, DEVPATH, SUBSYSTEM and SEQNUM
 *
 * Context: Process context.  Locks may be held, except raw spinlocks.
 */
void __kobject_notify(const struct kobject *kobj, const struct net *net,
		      const struct kobj_uevent_env *env)
{
	struct uevent_value action, devpath, subsystem, seqnum;
	union device_record rec;
	int event;

	if (WARN_ON_ONCE(!uevent_get(env, UEVENT_ACTION, "ACTION=", &action) ||
			 !uevent_get(env, UEVENT_DEVPATH, "DEVPATH=", &devpath) ||
			 !uevent_get(env, UEVENT_SUBSYSTEM, "SUBSYSTEM=", &subsystem) ||
			 !uevent_get(env, env->envp_idx - 1, "SEQNUM=", &seqnum)))
		return;
	event = uevent_event(action.text);
	if (WARN_ON_ONCE(event < 0))
		return;

	/* The names follow */
	rec.n = (struct device_notification) {
		.watch.type	= WATCH_TYPE_DEVICE_NOTIFY,
		.watch.subtype	= event,
		.seqnum		= uevent_number(seqnum.text),
		.sysfs_ino	= kobject_sysfs_ino(kobj),
	};
	device_put_others(&rec.n, env);
	if (!memcmp(subsystem.text, "block", sizeof("block")))
		rec.n.watch.info |= NOTIFY_DEVICE_BLOCK;
	/* Not from the kobject, which may have been renamed in the meantime */
	device_put_names(&rec, &subsystem, &devpath);

	post_watch_notification_if(&device_watchers, &rec.n.watch, NULL, 0,
				   device_watch_in_netns, net);
}

static void device_release_watch(struct watch *watch)
{
	kobj_ns_drop(KOBJ_NS_TYPE_NET, &device_watch_net(watch)->ns);
}

static int device_find(struct file *file, u32 flags, bool add,
		       struct watch_target *target)
{
	unsigned long sees;
	struct net *net;
	int ret;

	/* There is one object, all devices */
	if (file)
		return -EINVAL;
	/* Do not bypass the LSM check for uevent sockets */
	ret = security_socket_create(PF_NETLINK, SOCK_DGRAM,
				     NETLINK_KOBJECT_UEVENT, 0);
	if (ret)
		return ret;

	/* Passive reference: keeps the address from being reused by another netns */
	net = container_of(kobj_ns_grab_current(KOBJ_NS_TYPE_NET), struct net, ns);
	sees = net->user_ns == &init_user_ns ? SEES_UNTAGGED : 0;
	target->private = (void *)((unsigned long)net | sees);
	target->list = &device_watchers;
	return 0;
}

static const struct watch_source device_watch_source = {
	.type	= WATCH_TYPE_DEVICE_NOTIFY,
	.find	= device_find,
};

static int __init device_watch_init(void)
{
	init_watch_list(&device_watchers, device_release_watch);
	return register_watch_source(&device_watch_source);
}
fs_initcall(device_watch_init);

#ifdef CONFIG_DEVICE_NOTIFICATIONS_KUNIT_TEST
#include "kobject_notify_kunit.c"
#endif
