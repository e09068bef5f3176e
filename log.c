/* log.c: see log.h. */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

#include "log.h"
#include "str.h"

int log_verbose;
const char *log_program = "vilicus";

int64_t
log_clock_ms(void)
{
	struct timespec t;

	if (clock_gettime(CLOCK_REALTIME, &t) == -1)
		return 0;
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

void
log_at(int verbose, const char *fmt, ...)
{
	char text[LOG_LINE_MAX], line[LOG_LINE_MAX];
	int saved = errno;
	struct buf b;
	va_list ap;

	if (log_verbose < verbose)
		return;
	va_start(ap, fmt);
	if (vsnprintf(text, sizeof text, fmt, ap) < 0)
		text[0] = '\0';
	va_end(ap);
	buf_init(&b, line, sizeof line - 1);
	buf_time(&b, log_clock_ms());
	buf_addf(&b, " %s: ", log_program);
	buf_line(&b, str_of(text));
	line[b.n++] = '\n';
	while (write(STDERR_FILENO, line, b.n) == -1 && errno == EINTR)
		;
	errno = saved;
}
