// SPDX-License-Identifier: GPL-2.0-only
/*
 * watchq: what /proc/self/fdinfo shows of the queue
 */
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "watchq.h"

static int fdinfo = -1;

bool fdinfo_open(int queue)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", queue);
	fdinfo = open(path, O_RDONLY | O_CLOEXEC);
	return fdinfo >= 0;
}

/* The numbers precede the watches.  Returns false if fdinfo cannot be read. */
static bool read_lines(char *lines, size_t size)
{
	ssize_t len, used = 0;

	do {
		len = pread(fdinfo, lines + used, size - 1 - used, used);
		used += len > 0 ? len : 0;
	} while (len > 0);
	lines[used] = 0;
	return used;
}

unsigned long long fdinfo_number(const char *name)
{
	char lines[512];
	const char *p;

	p = read_lines(lines, sizeof(lines)) ? strstr(lines, name) : NULL;
	return p ? strtoull(p + strlen(name), NULL, 10) : 0;
}

unsigned int fdinfo_watches(const struct queue_watch **list)
{
	static struct queue_watch watches[MAX_WATCHES];
	static char lines[512 + 64 * MAX_WATCHES];
	const char *p = lines;
	unsigned int nr = 0;

	*list = watches;
	if (!read_lines(lines, sizeof(lines)))
		return 0;
	while (nr < MAX_WATCHES && (p = strstr(p, "watch:\t"))) {
		struct queue_watch *w = &watches[nr];

		nr += sscanf(p, "watch:\ttype:%u id:%u object:%llx", &w->type, &w->id,
			     &w->object) == 3;
		p++;
	}
	return nr;
}
