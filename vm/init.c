// SPDX-License-Identifier: GPL-2.0-only
/*
 * PID 1 of the guest: run the programs listed in /jobs one after the other, write
 * their output to a separate port, and reboot, which ends the guest.
 *
 * A line of /jobs is "NAME SECONDS MODE COMMAND...". SECONDS is the time limit.
 * MODE is "ktap" or "plain", for bin/check-results. COMMAND is a command for sh.
 * Only the kernel writes to the console. The output goes to the port of the
 * parameter "results=TTY" (default ttyS1), in this format:
 *
 *	@@ begin NAME MODE
 *	(what the program wrote to stdout and stderr)
 *	@@ end NAME exit STATUS | signal NUMBER | timeout SECONDS
 *	...
 *	@@ end of run
 *
 * The newline before "@@ end" is added because the last line of a program may lack
 * one. Two programs are always run last: "kmemleak", if the kernel has it, and
 * "taint". With the argument "shell", start a shell on the console instead.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/keyctl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

static FILE *report;

/* PID 1 cannot exit. Without the end mark, the run counts as incomplete. */
static void give_up(const char *what)
{
	fprintf(stderr, "init: %s: %s\n", what, strerror(errno));
	reboot(RB_AUTOBOOT);
	pause();
}

static void mount_one(const char *type, const char *dir, int must)
{
	mkdir(dir, 0755);
	if (mount(type, dir, type, 0, NULL) && must)
		give_up(dir);
}

static int write_to(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);
	int ok = fd >= 0 && write(fd, text, strlen(text)) > 0;

	if (fd >= 0)
		close(fd);
	return ok;
}

/* Open the port in raw mode: no echo, no carriage returns */
static FILE *open_port(const char *path)
{
	int fd = open(path, O_RDWR | O_NOCTTY | O_CLOEXEC);
	struct termios tio;

	if (fd < 0 || tcgetattr(fd, &tio))
		give_up(path);
	cfmakeraw(&tio);
	tcsetattr(fd, TCSANOW, &tio);
	return fdopen(fd, "w");
}

/* Name of the terminal behind /dev/console, the last one. It supports job control. */
static const char *console_name(void)
{
	static char names[64];
	FILE *active = fopen("/sys/class/tty/console/active", "re");
	char *space;

	if (!active || !fgets(names, sizeof(names), active))
		give_up("/sys/class/tty/console/active");
	fclose(active);
	names[strcspn(names, "\n")] = '\0';
	space = strrchr(names, ' ');
	return space ? space + 1 : names;
}

static pid_t start(const char *command, int in, int out)
{
	pid_t pid = fork();
	sigset_t none;

	if (pid)
		return pid;
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	setsid();
	/* As a login does. Otherwise each program would create its own keyring. */
	syscall(SYS_keyctl, KEYCTL_JOIN_SESSION_KEYRING, NULL);
	dup2(in, 0);
	dup2(out, 1);
	dup2(out, 2);
	ioctl(0, TIOCSCTTY, 0);		/* job control, if stdin is the console */
	execl("/bin/sh", "sh", "-c", command, NULL);
	_exit(127);
}

/* Wait for @pid until the time @end, and reap orphans. Returns 0 after the time limit. */
static int wait_until(pid_t pid, time_t end, int *status)
{
	struct timespec now, left = { };
	sigset_t child;
	pid_t dead;

	sigemptyset(&child);
	sigaddset(&child, SIGCHLD);
	for (;;) {
		while ((dead = waitpid(-1, status, WNOHANG)) > 0)
			if (dead == pid)
				return 1;
		clock_gettime(CLOCK_MONOTONIC, &now);
		if (now.tv_sec >= end)
			return 0;
		left.tv_sec = end - now.tv_sec;
		sigtimedwait(&child, NULL, &left);
	}
}

static void run(const char *name, unsigned int limit, const char *mode,
		const char *command)
{
	int null = open("/dev/null", O_RDONLY | O_CLOEXEC), status, ended;
	struct timespec now;
	pid_t pid;

	fprintf(report, "@@ begin %s %s\n", name, mode);
	fflush(report);
	clock_gettime(CLOCK_MONOTONIC, &now);
	pid = start(command, null, fileno(report));
	ended = wait_until(pid, now.tv_sec + limit, &status);
	close(null);

	/*
	 * No process may outlive its test. Tests create process groups and
	 * sessions, so kill all processes; this does not include PID 1.
	 */
	kill(-1, SIGKILL);
	while (waitpid(-1, NULL, 0) > 0)
		;

	fprintf(report, "\n@@ end %s ", name);
	if (!ended)
		fprintf(report, "timeout %u\n", limit);
	else if (WIFSIGNALED(status))
		fprintf(report, "signal %d\n", WTERMSIG(status));
	else
		fprintf(report, "exit %d\n", WEXITSTATUS(status));
	fflush(report);
}

static void run_all(void)
{
	char line[4096], name[64], mode[16];
	FILE *jobs = fopen("/jobs", "re");
	unsigned int limit;
	int at = 0;

	if (!jobs)
		give_up("/jobs");
	while (fgets(line, sizeof(line), jobs)) {
		line[strcspn(line, "\n")] = '\0';
		if (sscanf(line, "%63s %u %15s %n", name, &limit, mode, &at) != 3)
			give_up(line);
		run(name, limit, mode, line + at);
	}
	fclose(jobs);
}

int main(int argc, char **argv)
{
	int console = open("/dev/console", O_RDWR), i;
	const char *port = getenv("results");
	sigset_t child;

	for (i = 0; console >= 0 && i < 3; i++)
		dup2(console, i);
	sigemptyset(&child);
	sigaddset(&child, SIGCHLD);
	sigprocmask(SIG_BLOCK, &child, NULL);
	mount_one("proc", "/proc", 1);
	mount_one("sysfs", "/sys", 1);
	mount_one("devtmpfs", "/dev", 1);
	mount_one("tmpfs", "/tmp", 1);
	chmod("/tmp", 01777);
	mount_one("cgroup2", "/sys/fs/cgroup", 0);
	mount_one("debugfs", "/sys/kernel/debug", 0);
	write_to("/sys/fs/cgroup/cgroup.subtree_control", "+memory");
	setenv("PATH", "/t:/bin:/sbin", 1);
	setenv("HOME", "/root", 1);
	chdir("/dev");

	if (argc > 1 && !strcmp(argv[1], "shell")) {
		console = open(console_name(), O_RDWR | O_NOCTTY | O_CLOEXEC);
		chdir("/tmp");
		waitpid(start("exec sh -l", console, console), NULL, 0);
	} else {
		report = open_port(port ? port : "ttyS1");
		chdir("/tmp");
		run_all();
		if (write_to("/sys/kernel/debug/kmemleak", "scan"))
			run("kmemleak", 300, "plain", "sh /t/leaks.sh");
		/* Ignore bit 18: KUnit tests have run */
		run("taint", 60, "plain",
		    "t=$(cat /proc/sys/kernel/tainted); echo $t; "
		    "[ $((t & ~(1 << 18))) = 0 ]");
		fputs("@@ end of run\n", report);
		fflush(report);
		tcdrain(fileno(report));
	}
	sync();
	reboot(RB_AUTOBOOT);
	pause();
}
