/*
 * server.h: the limits of the server's own loop.  Nothing is exported:
 * server.c holds main, which joins the modules.
 */
#ifndef SERVER_H
#define SERVER_H

#define SERVER_TICK_MS		1000	/* between two looks at what is late */
#define SERVER_ACCEPTS		64	/* of a listener in one turn */
#define SERVER_PAUSE_MS		2000	/* a longer turn was no looking */
#define SERVER_LAG_MS		5000	/* and this one is told by /healthz, */
#define SERVER_LAGGED_MS	60000	/* for so long */
#define SERVER_OVERDUE_MS	600000	/* a delivery not done: /healthz says */
#define SERVER_DISK_MAX		(UINT64_C(1) << 30) /* bytes, if none is set */
#define SERVER_SHAKE_MS		20	/* of a turn for handshakes */
#define SERVER_CERT_MS	INT64_C(1209600000) /* 14 days: a certificate ends */
#define SERVER_JOB_S		3600	/* the longest job of the store's */
#define SERVER_FILES		64	/* descriptors kept from connections */
#define SERVER_PATH_MAX		4000	/* bytes of a path, NUL included */
#define SERVER_FAULTS_MAX	16384	/* bytes of a configuration's faults */

#endif
