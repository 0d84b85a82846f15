// SPDX-License-Identifier: GPL-2.0-only
/*
 * watchq: names of the numbers in a record
 *
 * Names are looked up when the record is read.  An object that is gone by that time
 * has no name.
 */
#include <errno.h>
#include <grp.h>
#include <linux/keyctl.h>
#include <linux/quota.h>
#include <pwd.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "watchq.h"

/* The last component of the link in sysfs, which has a '!' for each '/' */
const char *name_of_device(char *buf, size_t size, unsigned int major,
			   unsigned int minor)
{
	char path[64], *name, *p;
	ssize_t len;

	snprintf(path, sizeof(path), "/sys/dev/block/%u:%u", major, minor);
	len = readlink(path, buf, size);
	if (len < 0 || (size_t)len == size)
		return NULL;
	buf[len] = 0;
	name = strrchr(buf, '/');
	if (!name)
		return NULL;
	for (p = ++name; *p; p++)
		if (*p == '!')
			*p = '/';
	return name;
}

/* The format is "type;uid;gid;permissions;description" */
bool name_of_key(char *buf, size_t size, unsigned int key, const char **type,
		 const char **name)
{
	long len = syscall(__NR_keyctl, KEYCTL_DESCRIBE, key, buf, size);
	char *p = buf;
	int i;

	if (len <= 0 || (size_t)len > size)
		return false;
	*type = buf;
	for (i = 0; i < 4; i++) {
		p = strchr(p, ';');
		if (!p)
			return false;
		*p++ = 0;
	}
	*name = p;
	return true;
}

const char *name_of_error(unsigned int error)
{
	return strerrorname_np(error);
}

const char *name_of_owner(unsigned int type, unsigned int id)
{
	struct passwd *user;
	struct group *group;

	switch (type) {
	case USRQUOTA:
		user = getpwuid(id);
		return user ? user->pw_name : NULL;
	case GRPQUOTA:
		group = getgrgid(id);
		return group ? group->gr_name : NULL;
	default:
		return NULL;
	}
}
