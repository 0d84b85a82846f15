// SPDX-License-Identifier: GPL-2.0-only
/*
 * Notifications about devices
 *
 * Posts one record for each uevent that the kernel sends: what happened, to which
 * device, and the sequence number of the event.  The events are documented in
 * Documentation/userspace-api/watch_queue.rst.
 *
 * There is one object, all devices, and a watch on it belongs to the network
 * namespace that it was set in: it sees what a netlink socket there would.  As
 * netlink does, it tells nothing to the namespaces of a container of the events
 * that belong to none.
 *
 * Locks
 *
 *	locks of the queue	kernel/watch_queue.c; there is no other
 *
 * Events come in process context, often with locks of drivers held.
 */

#include <linux/init.h>
#include <linux/kobject.h>
#include <linux/kobject_notify.h>
#include <linux/kstrtox.h>
#include <linux/netlink.h>
#include <linux/security.h>
#include <linux/socket.h>
#include <linux/string.h>
#include <linux/watch_queue.h>
#include <net/net_namespace.h>

/* Of the subsystem's name; what it leaves is for the device's */
#define SUBSYSTEM_MAX 31

static_assert(sizeof(struct device_notification) == 24);

union device_record {
	struct device_notification n;
	char bytes[WATCH_INFO_LENGTH];
};

struct watch_list device_watchers;

/* As in ACTION=.  User ABI, whatever the numbers in enum kobject_action become. */
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

/* The value of a variable of the event, or NULL */
static const char *uevent_value(const struct kobj_uevent_env *env, const char *name)
{
	size_t len = strlen(name);
	int i;

	for (i = 0; i < env->envp_idx; i++)
		if (!strncmp(env->envp[i], name, len) && env->envp[i][len] == '=')
			return env->envp[i] + len + 1;
	return NULL;
}

static u32 uevent_number(const struct kobj_uevent_env *env, const char *name)
{
	const char *value = uevent_value(env, name);
	u32 number;

	return value && !kstrtou32(value, 10, &number) ? number : 0;
}

/* Both names, each with its NUL; false if not all of them fits */
static bool device_put_names(union device_record *rec, size_t *len,
			     const char *subsystem, const char *name)
{
	size_t room = sizeof(rec->bytes) - sizeof(rec->n);
	char *to = rec->n.names;
	ssize_t put, put_name;

	put = strscpy(to, subsystem, SUBSYSTEM_MAX + 1);
	*len = (put < 0 ? SUBSYSTEM_MAX : put) + 1;
	put_name = strscpy(to + *len, name, room - *len);
	*len = put_name < 0 ? room : *len + put_name + 1;
	return put >= 0 && put_name >= 0;
}

/*
 * A watch's private pointer is the network namespace that it was set in, held, and in
 * the lowest bit whether events of no namespace are seen there.  A poster may still
 * have the watch when the namespace is let go, so it does not look into that.
 */
#define SEES_HOST 1UL

static struct net *device_watch_net(const struct watch *watch)
{
	return (struct net *)((unsigned long)watch->private & ~SEES_HOST);
}

static bool device_is_seen(const struct watch *watch, const void *net)
{
	return net ? device_watch_net(watch) == net :
		(unsigned long)watch->private & SEES_HOST;
}

/* The rest of a record, whose number and flags the caller has filled in */
static void device_post(union device_record *rec, const struct net *net, u8 event,
			const char *subsystem, const char *name)
{
	size_t len;

	if (!device_put_names(rec, &len, subsystem, name))
		rec->n.watch.info |= NOTIFY_DEVICE_CUT;
	rec->n.watch.type = WATCH_TYPE_DEVICE_NOTIFY;
	rec->n.watch.subtype = event;
	rec->n.watch.info |= sizeof(rec->n) + len;

	post_watch_notification_if(&device_watchers, &rec->n.watch, NULL, 0,
				   device_is_seen, net);
}

/**
 * __kobject_notify - kobject_notify() when somebody watches
 * @net: the network namespace it belongs to, or NULL for none
 * @env: all that is told through netlink, with ACTION, DEVPATH, SUBSYSTEM and SEQNUM
 *
 * Context: Process context, with any lock but a raw spinlock.
 */
void __kobject_notify(const struct net *net, const struct kobj_uevent_env *env)
{
	const char *action = uevent_value(env, "ACTION");
	const char *subsystem = uevent_value(env, "SUBSYSTEM");
	const char *seqnum = uevent_value(env, "SEQNUM");
	const char *path = uevent_value(env, "DEVPATH");
	union device_record rec = { };
	int event;

	event = action ? match_string(device_events, ARRAY_SIZE(device_events),
				      action) : -1;
	if (WARN_ON_ONCE(event < 0 || !subsystem || !path || !seqnum ||
			 kstrtou64(seqnum, 10, &rec.n.seqnum)))
		return;

	rec.n.dev_major = uevent_number(env, "MAJOR");
	rec.n.dev_minor = uevent_number(env, "MINOR");
	if (uevent_value(env, "SYNTH_UUID"))
		rec.n.watch.info |= NOTIFY_DEVICE_SYNTHETIC;
	if (!strcmp(subsystem, "block"))
		rec.n.watch.info |= NOTIFY_DEVICE_BLOCK;
	/* The device itself may have another name by now */
	device_post(&rec, net, event, subsystem, kbasename(path));
}

static void device_release_watch(struct watch *watch)
{
	kobj_ns_drop(KOBJ_NS_TYPE_NET, device_watch_net(watch));
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
	net = kobj_ns_grab_current(KOBJ_NS_TYPE_NET);
	sees = net->user_ns == &init_user_ns ? SEES_HOST : 0;
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
