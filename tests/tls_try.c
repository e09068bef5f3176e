/*
 * tls_try PORT HOST PINS|CAFILE [TIME_MS]: what a client of ours says of the
 * server on 127.0.0.1: "ok" and the first line of its answer to GET, or why
 * not.  For tests/e2e/chains.py.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../client.h"
#include "../log.h"
#include "../tls.h"

static struct tls_client tls;
static struct tls_anchors anchors;
static struct tls_trust trust;
static unsigned char room[TLS_LARGE];
static char answer[65536];

int
main(int argc, char **argv)
{
	bool file = argc > 3 && argv[3][0] == '/';
	int64_t now_ms = argc > 4 ? strtoll(argv[4], NULL, 10) :
	    log_clock_ms();
	struct client c;
	struct fail why;
	int fd;

	if (argc < 4)
		return 2;
	if (tls_trust(&trust, file ? (struct str){ NULL, 0 } :
	    str_of(argv[3]), &anchors, argv[3], &why) == -1 ||
	    (fd = stream_connect("127.0.0.1", argv[1], 5000, &why)) == -1 ||
	    tls_client(&tls, fd, argv[2], &trust, now_ms, room,
	    file ? sizeof room : TLS_SMALL, &why) == -1) {
		puts(why.msg);
		return 1;
	}
	client_begin(&c, &tls.t.s, STR("GET / HTTP/1.1\r\nHost: x\r\n\r\n"),
	    false, answer, sizeof answer);
	if (client_run(&c, 5000) != HTTP_DONE) {
		puts(c.why.msg);
		return 1;
	}
	printf("ok %d\n", c.head.status);
	return 0;
}
