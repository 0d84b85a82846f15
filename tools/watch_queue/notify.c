// SPDX-License-Identifier: GPL-2.0-only
/*
 * watchq: notification of the service manager, see sd_notify(3)
 */
#include <errno.h>
#include <stddef.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "watchq.h"

static bool send_text(const char *path, const char *text)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	size_t len = strlen(path);
	ssize_t sent = -1;
	int fd;

	if (len >= sizeof(addr.sun_path)) {
		errno = ENAMETOOLONG;
		return false;
	}
	memcpy(addr.sun_path, path, len);
	/* A name in the abstract namespace */
	if (*path == '@')
		addr.sun_path[0] = 0;
	fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd >= 0) {
		sent = sendto(fd, text, strlen(text), MSG_NOSIGNAL, (struct sockaddr *)&addr,
			      offsetof(struct sockaddr_un, sun_path) + len);
		close(fd);
	}
	return sent >= 0;
}

void notify_ready(void)
{
	const char *path = getenv("NOTIFY_SOCKET");

	if (!path)
		return;
	if (!send_text(path, "READY=1"))
		warn("cannot notify the service manager at %s: %s", path, strerror(errno));
	/* Not for the commands of --exec */
	unsetenv("NOTIFY_SOCKET");
}
