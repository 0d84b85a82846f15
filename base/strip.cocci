// SPDX-License-Identifier: GPL-2.0-only
// Takes the shipped notification queue out of fs/pipe.c and pipe_fs_i.h, after
// unifdef has taken the conditional parts.  What is left must do what stock
// does with the option off: pipe_has_watch_queue() is false there, and pipe2()
// answers O_EXCL, the value of O_NOTIFICATION_PIPE, with ENOPKG.
//
// base/strip counts each construct before and after, so a rule that did not
// match is an error.

@@ @@
- #include <linux/watch_queue.h>

// What a queue's pipe does differently
@@
expression pipe;
statement S;
@@
- if (pipe_has_watch_queue(pipe)) S

@@
expression pipe, e;
statement S;
@@
- if (e && pipe_has_watch_queue(pipe)) S

@@
expression pipe;
statement list ordinary;
@@
- if (!pipe_has_watch_queue(pipe)) {
ordinary
- }

@@ @@
- pipe_has_watch_queue(...) { ... }

// A record is read whole or not at all
@@
expression buf, a, b;
statement S;
@@
- if (a > b) {
- 	if (buf->flags & PIPE_BUF_FLAG_WHOLE) S
- 	a = b;
- }
+ if (a > b)
+ 	a = b;

// Records are posted without the pipe's mutex; all else moves head under it
@@
expression pipe;
@@
- smp_load_acquire(&pipe->head)
+ pipe->head

// pipe2() with the flag
@@
identifier error;
expression flags;
@@
- int error;
  ... when any
- if (flags & O_NOTIFICATION_PIPE) {
+ if (flags & O_EXCL) {
- 	error = watch_queue_init(...);
- 	if (error) {
  		...
- 		return error;
- 	}
+ 	return -ENOPKG;
  }

@@ @@
- O_NOTIFICATION_PIPE
+ O_EXCL
