/* What is asked of Pushover beside messages, and what a receipt says; but for
 * the network.  tests/channel_test.c has the messages. */
#include "test.h"
#include "channel_help.h"
#include "../channel_push.c"

#define TOKEN	"azGDORePK8gMaC0QOYAMyEEuzJnyUi"
#define USER	"uQiRzpo4DXghDmr9QzzfQu27cmVRsG"
#define RECEIPT	"rLqVuqTRh62UzxtmqiaLzQmVcPgiCy"
#define JOB(what, more)	"{\"channel\":\"pushover\",\"url\":" \
	"\"https://api.example/1/messages.json\",\"token\":\"" TOKEN "\"," \
	"\"user\":\"" USER "\",\"what\":\"" what "\"" more "}"
#define OF(id)	",\"receipt\":\"" id "\""
#define FORM	"Content-Type: application/x-www-form-urlencoded\r\n"

static const struct {
	const char *job, *method, *url, *head, *body;
} questions_[] = {
	{ JOB("receipt", OF(RECEIPT)), "GET", "https://api.example:443/1/"
	    "receipts/" RECEIPT ".json?token=" TOKEN, "", "" },
	{ JOB("cancel", OF(RECEIPT)), "POST", "https://api.example:443/1/"
	    "receipts/" RECEIPT "/cancel.json", FORM, "token=" TOKEN },
	{ JOB("validate", ""), "POST", "https://api.example:443/1/users/"
	    "validate.json", FORM, "token=" TOKEN "&user=" USER },
	{ JOB("", ",\"message\":\"m\""), "POST", "https://api.example:443/1/"
	    "messages.json", FORM, "token=" TOKEN "&user=" USER
	    "&message=m&priority=0" },
	/* There are no such: nothing is asked. */
	{ JOB("receipt", ""), NULL, NULL, NULL, NULL },
	{ JOB("receipt", OF("")), NULL, NULL, NULL, NULL },
	{ JOB("receipt", OF("a/../b")), NULL, NULL, NULL, NULL },
	{ JOB("cancel", OF("a?b")), NULL, NULL, NULL, NULL },
	{ JOB("cancel", ",\"receipt\":7"), NULL, NULL, NULL, NULL },
};

static struct channel_outcome
run(const char *job)
{
	struct channel_outcome o = { .end = CHANNEL_REFUSED };

	asked.n = 0;
	channel_push(str_of(job), &o);
	return o;
}

static void
test_questions(void)
{
	struct channel_outcome o;
	size_t i;

	answer.head = "HTTP/1.1 200 OK\r\n\r\n";
	answer.body = "{\"status\":1,\"request\":\"r\"}";
	for (i = 0; i < COUNT(questions_); i++) {
		o = run(questions_[i].job);
		if (questions_[i].url == NULL) {
			CHECK_ROW(i, o.end == CHANNEL_REFUSED &&
			    asked.n == 0 && o.reason[0] != '\0');
			continue;
		}
		if (!CHECK_ROW(i, o.end == CHANNEL_ACCEPTED && asked.n == 1 &&
		    !asked.far && !asked.lan &&
		    strcmp(asked.method, questions_[i].method) == 0 &&
		    strcmp(asked.url, questions_[i].url) == 0 &&
		    strcmp(asked.head, questions_[i].head) == 0 &&
		    strcmp(asked.body, questions_[i].body) == 0))
			printf("%s %s %s: %s\n", asked.method, asked.url,
			    asked.body, o.reason);
	}
}

/* What receipts say. */
static const struct {
	const char *head, *body;
	int end;
	int64_t seen_s;
	bool over;
	const char *device;
} receipts[] = {
	{ "200 OK", "{\"status\":1,\"acknowledged\":0,\"acknowledged_at\":0,"
	    "\"acknowledged_by\":\"\",\"acknowledged_by_device\":\"\","
	    "\"expired\":0,\"expires_at\":1424889000}", CHANNEL_ACCEPTED, 0,
	    false, "" },
	{ "200 OK", "{\"status\":1,\"acknowledged\":1,\"acknowledged_at\":"
	    "1424885373,\"acknowledged_by_device\":\"iph\\none\","
	    "\"expired\":0}", CHANNEL_ACCEPTED, 1424885373, false,
	    "iph?one" },
	{ "200 OK", "{\"status\":1,\"acknowledged\":0,\"acknowledged_at\":9,"
	    "\"expired\":1}", CHANNEL_ACCEPTED, 0, true, "" },
	{ "200 OK", "{\"status\":1}", CHANNEL_ACCEPTED, 0, false, "" },
	{ "200 OK", "{\"status\":1,\"acknowledged\":1,\"acknowledged_at\":"
	    "\"x\",\"expired\":2}", CHANNEL_ACCEPTED, 0, false, "" },
	{ "200 OK", "{\"status\":1,\"acknow", CHANNEL_UNKNOWN, 0, false, "" },
	{ "404 No", "{\"receipt\":\"not found\",\"errors\":[\"receipt not "
	    "found; may be invalid or expired\"],\"status\":0}",
	    CHANNEL_REFUSED, 0, false, "" },
	{ "500 No", "{\"acknowledged\":1,\"acknowledged_at\":9}",
	    CHANNEL_RETRY, 0, false, "" },
};

static void
test_receipts(void)
{
	struct channel_outcome o;
	char head[64];
	size_t i;

	for (i = 0; i < COUNT(receipts); i++) {
		snprintf(head, sizeof head, "HTTP/1.1 %s\r\n\r\n",
		    receipts[i].head);
		answer.head = head;
		answer.body = receipts[i].body;
		o = run(JOB("receipt", OF(RECEIPT)));
		CHECK_ROW(i, (int)o.end == receipts[i].end &&
		    o.seen_s == receipts[i].seen_s &&
		    o.over == receipts[i].over &&
		    strcmp(o.device, receipts[i].device) == 0);
	}
}

int
main(void)
{
	test_questions();
	test_receipts();
	return test_end();
}
