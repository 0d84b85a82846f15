// SPDX-License-Identifier: GPL-2.0-only
/*
 * Where mounts are, and were
 *
 * A mount that is gone has no path for the kernel any more, so it is remembered.
 * There is an entry for each mount that is there, and none for those that were
 * told to be gone.
 */
#include <linux/mount.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "watchq.h"

#ifndef __NR_statmount
#define __NR_statmount	457
#define __NR_listmount	458
#endif

#define NR_CHAINS	1024

static struct mount *chains[NR_CHAINS];

static struct mount **chain(unsigned long long id)
{
	return &chains[id % NR_CHAINS];
}

static struct mount *remember(unsigned long long id, const char *path, const char *fs_type)
{
	size_t len = strlen(path) + 1, type_len = strlen(fs_type) + 1;
	struct mount *mount = malloc(sizeof(*mount) + len + type_len);

	if (!mount)
		fail(EXIT_FAILED, "no memory for a mount");
	mount->id = id;
	memcpy(mount->path, path, len);
	mount->fs_type = memcpy(mount->path + len, fs_type, type_len);
	mount->next = *chain(id);
	*chain(id) = mount;
	return mount;
}

static struct mount *ask_kernel(unsigned long long id)
{
	static union {
		struct statmount mount;
		char bytes[sizeof(struct statmount) + 8192];
	} stat;
	struct mnt_id_req req = {
		.size = MNT_ID_REQ_SIZE_VER0,
		.mnt_id = id,
		.param = STATMOUNT_MNT_POINT | STATMOUNT_FS_TYPE,
	};

	if (syscall(__NR_statmount, &req, &stat, sizeof(stat), 0) ||
	    (stat.mount.mask & req.param) != req.param)
		return NULL;
	return remember(id, stat.mount.str + stat.mount.mnt_point,
			stat.mount.str + stat.mount.fs_type);
}

const struct mount *mount_find(unsigned long long id)
{
	struct mount *mount;

	for (mount = *chain(id); mount; mount = mount->next)
		if (mount->id == id)
			return mount;
	return ask_kernel(id);
}

void mount_forget(unsigned long long id)
{
	struct mount **p, *mount;

	for (p = chain(id); *p; p = &(*p)->next) {
		if ((*p)->id != id)
			continue;
		mount = *p;
		*p = mount->next;
		free(mount);
		return;
	}
}

void mounts_read(void)
{
	struct mnt_id_req req = { .size = MNT_ID_REQ_SIZE_VER0, .mnt_id = LSMT_ROOT };
	unsigned long long ids[256];
	size_t i;
	long nr;

	for (i = 0; i < NR_CHAINS; i++)
		while (chains[i])
			mount_forget(chains[i]->id);
	do {
		nr = syscall(__NR_listmount, &req, ids, ARRAY_SIZE(ids), 0);
		for (i = 0; nr > 0 && i < (size_t)nr; i++)
			mount_find(ids[i]);
		if (nr > 0)
			req.param = ids[nr - 1];
	} while (nr == ARRAY_SIZE(ids));
}
