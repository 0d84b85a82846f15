// SPDX-License-Identifier: GPL-2.0-only
/*
 * Print how many of a known number of events a program gets from fanotify, from the
 * health monitor of XFS and from the queue, one line for each kind of event:
 *
 *	NAME,EVENTS,FANOTIFY,MONITOR,QUEUE
 *
 * A value is empty if the interface does not cover this object at all, and "EPERM" if
 * it refused to.
 */
#include "rivals.h"

#include <errno.h>
#include <sched.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/klog.h>
#include <sys/mount.h>

#define SET_CONSOLE_LEVEL	8	/* klogctl() */

void die(const char *what)
{
	fprintf(stderr, "rivals: %s: %s\n", what, strerror(errno));
	exit(1);
}

static void value(const struct reader *r, unsigned long offset)
{
	if (r->error)
		printf(",%s", strerrorname_np(r->error));
	else if (r->fd < 0)
		printf(",");
	else
		printf(",%ld", *(const long *)((const char *)&r->t + offset));
}

void row(const char *name, long made, const struct reader *r, unsigned long offset)
{
	printf("%s,%ld", name, made);
	for (int i = 0; i < NR_READERS; i++)
		value(&r[i], offset);
	printf("\n");
	fflush(stdout);
}

int main(void)
{
	if (unshare(CLONE_NEWNS) || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL))
		die("mount namespace");
	/* Messages about the errors would wait for the console */
	if (klogctl(SET_CONSOLE_LEVEL, NULL, 1) < 0)
		die("klogctl");
	printf("scenario,events,fanotify,monitor,queue\n");
	errors_scenes();
	state_scenes();
	mounts_scenes();
	user_scenes();
	return 0;
}
