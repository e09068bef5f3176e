/* log.c: see log.h. */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

#include "log.h"
#include "str.h"

int log_verbose;
static const char *name = "vilicus";

static void put(const char *fmt, va_list ap)
    __attribute__((format(printf, 1, 0)));

static void
put(const char *fmt, va_list ap)
{
	char text[LOG_LINE_MAX], line[LOG_LINE_MAX];
	struct timespec now = { 0, 0 };
	int saved = errno;
	struct buf b;

	if (clock_gettime(CLOCK_REALTIME, &now) == -1)
		now.tv_sec = 0;
	if (vsnprintf(text, sizeof text, fmt, ap) < 0)
		text[0] = '\0';
	buf_init(&b, line, sizeof line - 1);
	buf_time(&b, (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000);
	buf_addc(&b, ' ');
	buf_addz(&b, name);
	buf_addz(&b, ": ");
	buf_line(&b, str_of(text));
	line[b.n++] = '\n';
	while (write(STDERR_FILENO, line, b.n) == -1 && errno == EINTR)
		;
	errno = saved;
}

void
log_line(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	put(fmt, ap);
	va_end(ap);
}

void
log_info(const char *fmt, ...)
{
	va_list ap;

	if (log_verbose == 0)
		return;
	va_start(ap, fmt);
	put(fmt, ap);
	va_end(ap);
}

void
log_name(const char *program)
{
	name = program;
}
