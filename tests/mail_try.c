/*
 * mail_try [CAFILE] <JOBS: what the delivery's child makes of each job, a line,
 * in order: END CODE AFTER SEEN OVER, id, receipt, device and reason, a line
 * each.  For tests/e2e/mail.py and answers.py.
 */
#include <stdio.h>
#include <unistd.h>

#include "../channel.h"

int
main(int argc, char **argv)
{
	static char job[CHILD_JOB_MAX + 1];
	char answer[CHILD_ANSWER];
	struct fail why;
	int rc = channel_child.prepare(str_of(argc > 1 ? argv[1] : ""), &why);

	while (fgets(job, sizeof job, stdin) != NULL) {
		alarm(channel_child.deadline_s);
		channel_child.run(str_of(job), rc == -1 ? &why : NULL, answer);
		puts(answer);
		fflush(stdout);
	}
	return 0;
}
