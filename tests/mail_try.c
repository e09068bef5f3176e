/*
 * mail_try [CAFILE] <JOB: what the delivery's child makes of a job: END CODE
 * AFTER, id, receipt and reason, a line each.  For tests/e2e/mail.py.
 */
#include <stdio.h>
#include <unistd.h>

#include "../channel.h"

int
main(int argc, char **argv)
{
	static char job[CHILD_JOB_MAX];
	char answer[CHILD_ANSWER];
	struct fail why;
	size_t n = fread(job, 1, sizeof job, stdin);
	int rc = channel_child.prepare(str_of(argc > 1 ? argv[1] : ""), &why);

	alarm(channel_child.deadline_s);
	channel_child.run((struct str){ job, n }, rc == -1 ? &why : NULL,
	    answer);
	puts(answer);
	return 0;
}
