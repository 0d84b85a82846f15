// SPDX-License-Identifier: GPL-2.0-only
/*
 * Two processors: ticks per post in a loop in the kernel, on one processor, on both
 * into one queue, and on both into two queues.
 *
 * The queues are drained between rounds, without concurrent posts, because 6.12 does
 * not survive millions of posts that race with a reader.  All records are counted,
 * so that a queue that stopped working does not appear fast.
 */
#include "bench.h"

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <unistd.h>

#define ROUNDS	2000
#define DEPTH	512

struct poster {
	pthread_t thread;
	int cpu;
	int object;
	unsigned int nr;	/* posts per round */
	uint64_t took;
	pthread_barrier_t *start, *end;
};

static void *post(void *arg)
{
	struct poster *p = arg;
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(p->cpu, &set);
	if (sched_setaffinity(0, sizeof(set), &set))
		die("sched_setaffinity");
	for (int i = 0; i < ROUNDS; i++) {
		pthread_barrier_wait(p->start);
		p->took += driver(p->object, WQBENCH_POST, (struct wqbench){
			.len = 16, .nr = p->nr,
		});
		pthread_barrier_wait(p->end);
	}
	return NULL;
}

static unsigned long count(int fd)
{
	unsigned long records = 0;
	ssize_t n;

	while ((n = read(fd, buffer, sizeof(buffer))) > 0)
		records += n / 16;
	return records;
}

static void run_smp_one(const char *name, int nr_posters, int nr_queues)
{
	pthread_barrier_t start, end;
	struct poster posters[2] = { };
	unsigned long read = 0;
	uint64_t took = 0;
	int q[2][2];

	pthread_barrier_init(&start, NULL, nr_posters + 1);
	pthread_barrier_init(&end, NULL, nr_posters + 1);
	for (int i = 0; i < nr_queues; i++) {
		posters[i].object = open_object();
		if (!open_queue(q[i], DEPTH))
			die("queue");
		driver(posters[i].object, WQBENCH_WATCH,
		       (struct wqbench){ .fd = q[i][0], .nr = 1 });
	}
	for (int i = 0; i < nr_posters; i++) {
		posters[i].cpu = i;
		posters[i].nr = DEPTH / 2;
		posters[i].object = posters[i % nr_queues].object;
		posters[i].start = &start;
		posters[i].end = &end;
		if (pthread_create(&posters[i].thread, NULL, post, &posters[i]))
			die("pthread_create");
	}
	for (int i = 0; i < ROUNDS; i++) {
		pthread_barrier_wait(&start);
		pthread_barrier_wait(&end);
		for (int j = 0; j < nr_queues; j++)
			read += count(q[j][0]);
	}
	for (int i = 0; i < nr_posters; i++) {
		pthread_join(posters[i].thread, NULL);
		took += posters[i].took;
	}
	if (read != (unsigned long)ROUNDS * nr_posters * (DEPTH / 2))
		die("records are missing");
	printf("%-24s %.1f\n", name, (double)took / read);
}

int run_smp(void)
{
	run_smp_one("smp-1cpu", 1, 1);
	run_smp_one("smp-2cpu-1queue", 2, 1);
	run_smp_one("smp-2cpu-2queues", 2, 2);
	return 0;
}
