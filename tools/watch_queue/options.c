// SPDX-License-Identifier: GPL-2.0-only
/*
 * watchq: command line
 */
#include <errno.h>
#include <getopt.h>
#include <limits.h>
#include <unistd.h>

#include "watchq.h"

/* Exit after output of puts() */
static void __noreturn exit_printed(void)
{
	if (fflush(stdout) || ferror(stdout))
		die(EXIT_FAILED, "cannot write: %s", strerror(errno));
	exit(EXIT_DONE);
}

static void __noreturn print_help(void)
{
	puts("Usage: watchq [OPTION]... WATCH...\n"
	     "Monitor kernel events and print one line per event.\n"
	     "\n"
	     "Watches, each of which can be specified several times:\n"
	     "  --key KEY        a key or keyring: a serial number, @s, @u or @us\n"
	     "  --mount PATH     the mount at PATH, or a mount namespace: /proc/PID/ns/mnt\n"
	     "    --subtree      ... and all mounts below it\n"
	     "  --sb PATH        the filesystem of PATH, or \"all\": errors, read-only, quota\n"
	     "  --block DEVICE   I/O errors of a block device, or of \"all\"\n"
	     "  --devices        devices that are added, removed or changed\n"
	     "  After each of them:\n"
	     "    --only EVENT,...   report only these events of this watch\n"
	     "\n"
	     "For all watches:\n"
	     "  --watches FILE   add the watches in FILE, which has the options of one watch\n"
	     "                   per line\n"
	     "  --keep           when the object of a path is gone, wait for the next one\n"
	     "  --no-user-ns     ignore filesystems that a user mounted in a user namespace\n"
	     "\n"
	     "Output:\n"
	     "  --filter SOURCE[=EVENT,...]  report only these events of SOURCE:\n"
	     "                   key, mount, sb, block or device\n"
	     "  --priority LEVEL report only events of this severity or above: info, notice,\n"
	     "                   warning or error\n"
	     "  --match FIELD=GLOB   report only events whose field matches, such as\n"
	     "                   path='/home/*' or fs_type=ext4\n"
	     "  --json           print a JSON object per line\n"
	     "  --output FIELD,...   print the values of these fields in columns\n"
	     "  --null           terminate events with a null byte instead of a newline\n"
	     "  --journal        write events to the journal, with WATCHQ_* fields\n"
	     "  --exec COMMAND   run COMMAND for each event, with WATCHQ_* variables\n"
	     "  --metrics FILE   keep counters and states in FILE, for Prometheus\n"
	     "  --time[=FORMAT]  start text lines with the time, in a format of strftime(3)\n"
	     "  --color WHEN     color text lines: auto, always or never\n"
	     "  --stats          print statistics on exit, as SIGUSR1 does at any time\n"
	     "  -q, --quiet      do not print that all watches are added, and other messages\n"
	     "                   that are not about a failure\n"
	     "\n"
	     "Exit:\n"
	     "  --count N        exit after N events\n"
	     "  --timeout S      exit with status 5 if no event is reported for S seconds,\n"
	     "                   such as 0.5\n"
	     "\n"
	     "Other:\n"
	     "  --queue N        set the size of the queue in records (default 512, with\n"
	     "                   --sb all 8192)\n"
	     "  -h, --help       print this message\n"
	     "  -V, --version    print the version\n"
	     "\n"
	     "Exit status: 0 success, 1 failure, 2 invalid usage, 3 not supported by the\n"
	     "kernel, 4 permission denied or limit reached, 5 timeout, 6 no watch left. See\n"
	     "watchq(1).");
	exit_printed();
}

static unsigned long long parse_number(const char *option, const char *text,
				       unsigned long long max)
{
	unsigned long long n;
	char *end;

	errno = 0;
	n = strtoull(text, &end, 10);
	if (errno || end == text || *end || strchr(text, '-') || n < 1 || n > max)
		die(EXIT_USAGE, "--%s %s: not a number from 1 to %llu", option, text, max);
	return n;
}

static bool use_colour(const char *when)
{
	const char *no = getenv("NO_COLOR"), *term = getenv("TERM");

	if (!strcmp(when, "always"))
		return true;
	if (!strcmp(when, "never"))
		return false;
	if (strcmp(when, "auto"))
		die(EXIT_USAGE, "--color %s: must be auto, always or never", when);
	return isatty(STDOUT_FILENO) && !(no && *no) && !(term && !strcmp(term, "dumb"));
}

#define MAX_SECONDS	1e9

/* Returns milliseconds */
static long long parse_seconds(const char *option, const char *text)
{
	double seconds;
	char *end;

	/* Not "1e3", "0x10", "inf" */
	seconds = strspn(text, "0123456789.") == strlen(text) ? strtod(text, &end) : 0;
	if (seconds < 0.001 || seconds > MAX_SECONDS || *end)
		die(EXIT_USAGE, "--%s %s: not a number of seconds from 0.001 to %.0f", option,
		    text, MAX_SECONDS);
	return seconds * 1000;
}

enum {
	/* The options that have a letter */
	OPT_HELP = 'h', OPT_QUIET = 'q', OPT_VERSION = 'V',
	OPT_KEY = 256, OPT_MOUNT, OPT_SB, OPT_BLOCK, OPT_DEVICES, OPT_SUBTREE, OPT_NO_USER_NS,
	OPT_ONLY, OPT_KEEP, OPT_WATCHES, OPT_FILTER, OPT_PRIORITY, OPT_MATCH,
	OPT_JSON, OPT_OUTPUT, OPT_NULL, OPT_EXEC, OPT_TIME, OPT_COLOR, OPT_STATS,
	OPT_COUNT, OPT_TIMEOUT, OPT_QUEUE, OPT_JOURNAL, OPT_METRICS,
};

static const struct option long_options[] = {
	{ "no-user-ns",	no_argument,	   NULL, OPT_NO_USER_NS },
	{ "keep",	no_argument,	   NULL, OPT_KEEP },
	{ "watches",	required_argument, NULL, OPT_WATCHES },
	{ "filter",	required_argument, NULL, OPT_FILTER },
	{ "priority",	required_argument, NULL, OPT_PRIORITY },
	{ "match",	required_argument, NULL, OPT_MATCH },
	{ "json",	no_argument,	   NULL, OPT_JSON },
	{ "output",	required_argument, NULL, OPT_OUTPUT },
	{ "null",	no_argument,	   NULL, OPT_NULL },
	{ "journal",	no_argument,	   NULL, OPT_JOURNAL },
	{ "exec",	required_argument, NULL, OPT_EXEC },
	{ "metrics",	required_argument, NULL, OPT_METRICS },
	{ "time",	optional_argument, NULL, OPT_TIME },
	{ "color",	required_argument, NULL, OPT_COLOR },
	{ "stats",	no_argument,	   NULL, OPT_STATS },
	{ "quiet",	no_argument,	   NULL, OPT_QUIET },
	{ "count",	required_argument, NULL, OPT_COUNT },
	{ "timeout",	required_argument, NULL, OPT_TIMEOUT },
	{ "queue",	required_argument, NULL, OPT_QUEUE },
	{ "help",	no_argument,	   NULL, OPT_HELP },
	{ "version",	no_argument,	   NULL, OPT_VERSION },
	/* The options of a watch, see watch_options() */
	{ "key",	required_argument, NULL, OPT_KEY },
	{ "mount",	required_argument, NULL, OPT_MOUNT },
	{ "sb",		required_argument, NULL, OPT_SB },
	{ "block",	required_argument, NULL, OPT_BLOCK },
	{ "devices",	no_argument,	   NULL, OPT_DEVICES },
	{ "subtree",	no_argument,	   NULL, OPT_SUBTREE },
	{ "only",	required_argument, NULL, OPT_ONLY },
	{ }
};

/* The options that --watches accepts, too.  Returns false if it is another one. */
static bool parse_watch_option(int option)
{
	switch (option) {
	case OPT_KEY:
		add_watch("key", optarg);
		break;
	case OPT_MOUNT:
		add_watch("mount", optarg);
		break;
	case OPT_SB:
		add_watch("sb", optarg);
		break;
	case OPT_BLOCK:
		add_watch("block", optarg);
		break;
	case OPT_DEVICES:
		add_watch("device", "devices");
		break;
	case OPT_SUBTREE:
		set_subtree();
		break;
	case OPT_ONLY:
		set_only(optarg);
		break;
	default:
		return false;
	}
	return true;
}

static void parse_option(struct options *options, int option, int index)
{
	const char *name = long_options[index].name;

	if (parse_watch_option(option))
		return;
	switch (option) {
	case OPT_NO_USER_NS:
		set_no_user_ns();
		break;
	case OPT_WATCHES:
		if (options->watches)
			die(EXIT_USAGE, "--watches %s: only one file can be specified", optarg);
		options->watches = optarg;
		break;
	case OPT_KEEP:
		keep_enable();
		break;
	case OPT_FILTER:
		add_filter(optarg);
		break;
	case OPT_PRIORITY:
		match_priority(optarg);
		break;
	case OPT_MATCH:
		match_field(optarg);
		break;
	case OPT_JSON:
		options->output.format = OUTPUT_JSON;
		break;
	case OPT_OUTPUT:
		text_set_columns(optarg);
		options->output.columns = true;
		break;
	case OPT_NULL:
		options->output.end = 0;
		break;
	case OPT_JOURNAL:
		options->journal = true;
		break;
	case OPT_METRICS:
		options->metrics = optarg;
		set_track_states();
		break;
	case OPT_EXEC:
		options->output.command = optarg;
		break;
	case OPT_TIME:
		if (optarg)
			text_check_time(optarg);
		options->output.time = optarg ? optarg : "";
		break;
	case OPT_COLOR:
		options->output.colour = use_colour(optarg);
		break;
	case OPT_QUIET:
		quiet = true;
		break;
	case OPT_STATS:
		options->statistics = true;
		break;
	case OPT_COUNT:
		options->count = parse_number(name, optarg, ULLONG_MAX);
		break;
	case OPT_TIMEOUT:
		options->timeout = parse_seconds(name, optarg);
		break;
	case OPT_QUEUE:
		options->depth = parse_number(name, optarg, ULONG_MAX);
		break;
	case OPT_HELP:
		print_help();
	case OPT_VERSION:
		puts("watchq " WATCHQ_VERSION);
		exit_printed();
	default:
		die(EXIT_USAGE, "see watchq --help");
	}
}

/*
 * --watches FILE: the options of one watch per line
 */

/* The end of long_options */
static const struct option *watch_options(void)
{
	const struct option *first = long_options;

	while (first->val != OPT_KEY)
		first++;
	return first;
}

#define MAX_WORDS	16		/* per line */

/* The watch refers to @line */
static void parse_line(char *line)
{
	unsigned int before = watches_count();
	char *words[MAX_WORDS + 1] = { NULL }, *word, *rest;
	char program[PATH_MAX + 64];
	int nr = 1, option;

	for (word = strtok_r(line, " \t\r\n", &rest); word && *word != '#';
	     word = strtok_r(NULL, " \t\r\n", &rest)) {
		if (nr == MAX_WORDS)
			die(EXIT_USAGE, "more than %d words", MAX_WORDS - 1);
		unescape(word);
		words[nr++] = word;
	}
	if (nr == 1)
		return;
	/* getopt_long() prints messages after the name of the program */
	snprintf(program, sizeof(program), "watchq: %s", message_place);
	words[0] = program;
	optind = 0;
	while ((option = getopt_long(nr, words, "", watch_options(), NULL)) != -1) {
		/* They would apply to the watch of an earlier line */
		if ((option == OPT_SUBTREE || option == OPT_ONLY) && watches_count() == before)
			die(EXIT_USAGE, "--subtree and --only must follow the watch of the line");
		if (!parse_watch_option(option))
			die(EXIT_USAGE, "must have the options of one watch, see watchq(1)");
	}
	if (optind < nr)
		die(EXIT_USAGE, "unexpected argument '%s'", words[optind]);
	if (watches_count() != before + 1)
		die(EXIT_USAGE, "must have the options of one watch, see watchq(1)");
}

static void parse_file(const char *path)
{
	FILE *file = fopen(path, "re");
	char *line = NULL, *copy, *place;
	unsigned int nr = 0;
	size_t room = 0;
	ssize_t len;

	while (file && (len = getline(&line, &room, file)) >= 0) {
		copy = strdup(line);
		if (!copy || asprintf(&place, "%s:%u", path, ++nr) < 0)
			die(EXIT_FAILED, "out of memory");
		message_place = place;
		if (strlen(line) != (size_t)len)
			die(EXIT_USAGE, "has a null byte");
		parse_line(copy);
		message_place = NULL;
	}
	if (!file || ferror(file))
		die(status_of(errno), "--watches %s: %s", path, strerror(errno));
	free(line);
	fclose(file);
}

struct options parse_options(int argc, char **argv)
{
	struct options options = {
		.output.end = '\n', .output.colour = use_colour("auto"), .timeout = -1,
	};
	int option, index = 0;

	while ((option = getopt_long(argc, argv, "hqV", long_options, &index)) != -1)
		parse_option(&options, option, index);
	if (optind < argc)
		die(EXIT_USAGE, "unexpected argument '%s', see watchq --help",
		    argv[optind]);
	if (options.watches)
		parse_file(options.watches);
	if (options.output.command) {
		if (options.output.format == OUTPUT_JSON || !options.output.end)
			die(EXIT_USAGE, "--exec cannot be combined with --json or --null");
		options.output.format = OUTPUT_EXEC;
	}
	if (options.output.columns && options.output.format != OUTPUT_TEXT)
		die(EXIT_USAGE, "--output cannot be combined with --json or --exec");
	if (options.journal) {
		if (options.output.format != OUTPUT_TEXT || !options.output.end ||
		    options.output.columns)
			die(EXIT_USAGE,
			    "--journal cannot be combined with --json, --null, --output or --exec");
		options.output.format = OUTPUT_JOURNAL;
	}
	if (!options.depth)
		options.depth = watches_depth();
	/* The reader of null bytes is not a terminal */
	if (!options.output.end)
		options.output.colour = false;
	return options;
}
