// SPDX-License-Identifier: GPL-2.0-only
/*
 * Unmount what is mounted on PATH if it is not in use, as an automounter does
 *
 * Usage: expire PATH
 */
#include <err.h>
#include <errno.h>
#include <sys/mount.h>

int main(int argc, char **argv)
{
	if (argc != 2)
		errx(2, "usage: expire PATH");
	/* The first call marks the mount, the second finds that it was not used since */
	if (!umount2(argv[1], MNT_EXPIRE) || errno != EAGAIN)
		err(1, "%s: cannot mark", argv[1]);
	if (umount2(argv[1], MNT_EXPIRE))
		err(1, "%s", argv[1]);
	return 0;
}
