// SPDX-License-Identifier: GPL-2.0-only
// Remove the 6.12 notification queue from fs/pipe.c and pipe_fs_i.h, after unifdef
// has removed the conditional parts.  The result must do what the stock kernel does
// with the option off: pipe_has_watch_queue() is false there, and pipe2() returns
// ENOPKG for O_EXCL, which equals O_NOTIFICATION_PIPE.
//
// base/strip counts each construct before and after, so a rule that does not match
// is an error.

@@ @@
- #include <linux/watch_queue.h>

// Special cases for the pipe of a queue
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

// The acquire load is for posts, which do not take the mutex of the pipe
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
