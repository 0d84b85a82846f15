// SPDX-License-Identifier: GPL-2.0-only
/*
 * Linked with --wrap=unshare to the kernel's selftests that bin/clients runs. Most of
 * them create a mount namespace. vm/clients.sh watches each one before unshare()
 * returns: it reads the process ID from descriptor 8, and writes a line to descriptor
 * 9. On 6.12 these are closed.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define REQUEST	8
#define REPLY	9

int __real_unshare(int flags);

int __wrap_unshare(int flags)
{
	int ret = __real_unshare(flags);
	char newline;

	if (ret || !(flags & CLONE_NEWNS) || fcntl(REQUEST, F_GETFD) < 0)
		return ret;
	if (dprintf(REQUEST, "%d\n", getpid()) < 0 || read(REPLY, &newline, 1) != 1)
		abort();
	return 0;
}
