/*
 * record: the numbers in some files of /proc, again and again.
 *
 *	cc -O2 -std=c11 -D_POSIX_C_SOURCE=200809L -o record record.c
 *	record OUT ROWS INTERVAL_US FILE...
 *
 * Every FILE is kept open and read anew INTERVAL_US after the time before.
 * A number is a run of digits that follows no letter, digit or _; how many a
 * file has is counted once.  OUT is ROWS rows of uint64 as they lie in
 * memory: the time in us since the start, then the numbers of all files.
 * Where a file cannot be read any more, or has fewer numbers than at first,
 * those that are missing stay as they were.  How many columns each file has,
 * which is none if it was gone before the start, goes to standard error.
 */
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#define FILES_MAX	256
#define FILE_MAX	65536		/* bytes */
#define ROWS_MAX	1000000
#define COLUMNS_MAX	16384

static struct {
	int fd;
	unsigned columns;
} files[FILES_MAX];
static uint64_t row[COLUMNS_MAX];

static void
die(const char *what)
{
	fprintf(stderr, "record: %s\n", what);
	exit(1);
}

static int
is_digit(char c)
{
	return c >= '0' && c <= '9';
}

/* May a number follow c? */
static int
is_apart(char c)
{
	return !is_digit(c) && c != '_' && ((c | 32) < 'a' || (c | 32) > 'z');
}

/* The numbers of a file, at most max, to v.  How many there were. */
static unsigned
numbers(int fd, uint64_t *v, unsigned max)
{
	static char text[FILE_MAX];
	ssize_t size = pread(fd, text, sizeof text, 0), i = 0;
	unsigned n = 0;
	char before = ' ';

	while (i < size && n < max) {
		if (is_digit(text[i]) && is_apart(before)) {
			for (v[n] = 0; i < size && is_digit(text[i]); i++)
				v[n] = v[n] * 10 + (uint64_t)(text[i] - '0');
			n++;
			before = '0';
		} else {
			before = text[i++];
		}
	}
	return n;
}

static int64_t
now_us(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (int64_t)ts.tv_sec * 1000000 + ts.tv_nsec / 1000;
}

static void
sleep_until(int64_t us)
{
	struct timespec ts = { .tv_sec = (time_t)(us / 1000000),
	    .tv_nsec = (long)(us % 1000000 * 1000) };

	clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &ts, NULL);
}

static unsigned
open_all(char **path, unsigned n)
{
	unsigned i, columns = 1;

	for (i = 0; i < n; i++) {
		files[i].fd = open(path[i], O_RDONLY | O_CLOEXEC);
		files[i].columns = numbers(files[i].fd, row + columns,
		    COLUMNS_MAX - columns);
		columns += files[i].columns;
		fprintf(stderr, "%u %s\n", files[i].columns, path[i]);
	}
	return columns;
}

int
main(int argc, char **argv)
{
	unsigned long rows, r;
	unsigned i, at, columns, n;
	int64_t start, due, every;
	FILE *out;

	if (argc < 5 || argc - 4 > FILES_MAX)
		die("usage: record OUT ROWS INTERVAL_US FILE...");
	rows = strtoul(argv[2], NULL, 10);
	every = (int64_t)strtoul(argv[3], NULL, 10);
	out = fopen(argv[1], "w");
	if (rows < 1 || rows > ROWS_MAX || every < 1 || out == NULL)
		die("ROWS, INTERVAL_US or OUT cannot be so");
	n = (unsigned)argc - 4;
	columns = open_all(argv + 4, n);
	start = due = now_us();
	for (r = 0; r < rows; r++) {
		sleep_until(due);
		row[0] = (uint64_t)(now_us() - start);
		for (i = 0, at = 1; i < n; at += files[i++].columns)
			(void)numbers(files[i].fd, row + at, files[i].columns);
		if (fwrite(row, sizeof row[0], columns, out) != columns)
			die("OUT cannot be written");
		/* Held up for longer: go on from here, not in a rush. */
		due += every;
		if (due < now_us())
			due = now_us() + every;
	}
	return fclose(out) == 0 ? 0 : 1;
}
