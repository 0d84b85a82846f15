// SPDX-License-Identifier: GPL-2.0-only
/*
 * Receive datagrams in place of journald or a service manager, for service.sh
 *
 * Usage: datagrams PATH
 *
 * Binds a socket to PATH, or to an abstract name if PATH begins with @, and writes
 * "ready" to stderr.  Writes each datagram to stdout, followed by an empty line.  If the
 * datagram is a sealed file, the file is written, after the line "FILE".  SIGTERM ends it
 * after the datagrams that were sent before.
 */
#define _GNU_SOURCE
#include <err.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

static char buf[1 << 20];

/* journald does not accept a file that the sender can still change */
static size_t read_file(int fd)
{
	int seals = fcntl(fd, F_GET_SEALS);
	ssize_t len;

	if (seals < 0 || (seals & (F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE)) !=
			 (F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE))
		errx(1, "the file is not sealed");
	len = pread(fd, buf, sizeof(buf), 0);
	if (len < 0)
		err(1, "pread");
	close(fd);
	puts("FILE");
	return len;
}

static size_t receive(int sock)
{
	union {
		struct cmsghdr header;
		char room[CMSG_SPACE(sizeof(int))];
	} control;
	struct iovec iov = { .iov_base = buf, .iov_len = sizeof(buf) };
	struct msghdr msg = {
		.msg_iov = &iov, .msg_iovlen = 1,
		.msg_control = &control, .msg_controllen = sizeof(control),
	};
	struct cmsghdr *c;
	ssize_t len;
	int fd;

	len = recvmsg(sock, &msg, 0);
	if (len < 0 || msg.msg_flags & (MSG_TRUNC | MSG_CTRUNC))
		err(1, "recvmsg");
	c = CMSG_FIRSTHDR(&msg);
	if (!c || c->cmsg_type != SCM_RIGHTS)
		return len;
	memcpy(&fd, CMSG_DATA(c), sizeof(fd));
	return read_file(fd);
}

/* Waits for a datagram.  Returns false after SIGTERM, if there is none. */
static bool await_datagram(int sock, int signals)
{
	struct pollfd pfd[] = {
		{ .fd = sock, .events = POLLIN },
		{ .fd = signals, .events = POLLIN },
	};

	if (poll(pfd, 2, -1) < 0)
		err(1, "poll");
	return pfd[0].revents;
}

int main(int argc, char **argv)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	int sock = socket(AF_UNIX, SOCK_DGRAM, 0), signals;
	socklen_t len = sizeof(addr);
	sigset_t term;

	if (argc != 2 || strlen(argv[1]) >= sizeof(addr.sun_path))
		errx(2, "usage: datagrams PATH");
	memcpy(addr.sun_path, argv[1], strlen(argv[1]));
	if (*argv[1] == '@') {
		addr.sun_path[0] = 0;
		len = offsetof(struct sockaddr_un, sun_path) + strlen(argv[1]);
	}
	if (sock < 0 || bind(sock, (struct sockaddr *)&addr, len))
		err(1, "%s", argv[1]);
	sigemptyset(&term);
	sigaddset(&term, SIGTERM);
	sigprocmask(SIG_BLOCK, &term, NULL);
	signals = signalfd(-1, &term, SFD_CLOEXEC);
	if (signals < 0)
		err(1, "signalfd");
	fputs("ready\n", stderr);
	while (await_datagram(sock, signals)) {
		fwrite(buf, receive(sock), 1, stdout);
		fputc('\n', stdout);
		if (fflush(stdout))
			err(1, "stdout");
	}
	return 0;
}
