# Build:	make
# Try it:	make run
# Check:	make check		make check-san		make check-long
# Cross:	make CC=mips-openwrt-linux-musl-gcc LDFLAGS=-static PIE= PIELD=
.POSIX:
.SUFFIXES:
.SUFFIXES: .c .o

CC	= cc
CFLAGS	= -O2
LDFLAGS	=
LDLIBS	= -lbearssl -lz
PREFIX	= /usr/local
DESTDIR	=

SYS	= linux

STD	= -std=c11 -D_POSIX_C_SOURCE=200809L
WARN	= -Wall -Wextra -Wpedantic -Wshadow -Wstrict-prototypes \
	  -Wmissing-prototypes -Wold-style-definition -Wpointer-arith \
	  -Wcast-qual -Wcast-align -Wwrite-strings -Wformat=2 -Wvla -Wundef \
	  -Wconversion -Wno-sign-conversion
HARD	= -fstack-protector-strong
FORTIFY	= -D_FORTIFY_SOURCE=2
PIE	= -fPIE
PIELD	= -pie -Wl,-z,relro -Wl,-z,now

COMMON	= client.o fail.o http.o json.o key.o log.o loop_$(SYS).o str.o \
	  stream.o
SERVER	= server.o alert.o api.o channel.o check.o child.o config.o conn.o \
	  model.o notify.o page.o pool.o store.o store_head.o \
	  store_journal.o tls.o
AGENT	= agent.o alert.o check.o child.o probe.o proc_$(SYS).o
CTL	= ctl.o
HDR	= alert.h api.h channel.h check.h child.h client.h config.h conn.h \
	  fail.h http.h json.h key.h log.h loop.h model.h notify.h page.h \
	  pool.h probe.h proc.h store.h str.h stream.h tls.h
PROGS	= vilicus-server vilicus-agent vilicus
TESTS	= tests/alert_test tests/check_test tests/child_test \
	  tests/channel_test tests/client_test tests/config_test \
	  tests/http_test tests/json_test tests/key_test tests/loop_test \
	  tests/model_test tests/probe_test tests/store_test tests/str_test \
	  tests/tls_test

all: $(PROGS)

.c.o:
	$(CC) $(STD) $(WARN) $(HARD) $(FORTIFY) $(PIE) $(CFLAGS) -c -o $@ $<

LINK	= $(CC) $(PIELD) $(LDFLAGS) -o $@

vilicus-server: $(SERVER) $(COMMON)
	$(LINK) $(SERVER) $(COMMON) $(LDLIBS)
vilicus-agent: $(AGENT) $(COMMON)
	$(LINK) $(AGENT) $(COMMON) $(LDLIBS)
vilicus: $(CTL) $(COMMON)
	$(LINK) $(CTL) $(COMMON) $(LDLIBS)

$(SERVER) $(AGENT) $(CTL) $(COMMON): $(HDR)

# The tests: each by itself, from its own file and the objects it needs.
T_alert	= alert.o json.o str.o fail.o
T_check	= check.o alert.o json.o str.o fail.o
T_child	= child.o str.o fail.o log.o
T_channel	= channel.o child.o client.o http.o json.o loop_$(SYS).o log.o str.o stream.o tls.o fail.o
T_client	= client.o http.o loop_$(SYS).o str.o stream.o fail.o
T_config	= config.o model.o check.o alert.o json.o str.o fail.o key.o http.o
T_http	= http.o str.o fail.o
T_json	= json.o str.o fail.o
T_key	= key.o str.o fail.o
T_loop	= loop_$(SYS).o fail.o
T_model	= model.o check.o alert.o json.o str.o fail.o key.o
T_probe	= probe.o check.o alert.o proc_$(SYS).o json.o str.o fail.o
T_store	= store.o store_head.o store_journal.o json.o str.o fail.o
T_str	= str.o fail.o
T_tls	= tls.o loop_$(SYS).o str.o stream.o fail.o

tests/alert_test: tests/alert_test.o $(T_alert)
	$(LINK) tests/alert_test.o $(T_alert) $(LDLIBS)
tests/check_test: tests/check_test.o $(T_check)
	$(LINK) tests/check_test.o $(T_check) $(LDLIBS)
tests/child_test: tests/child_test.o $(T_child)
	$(LINK) tests/child_test.o $(T_child) $(LDLIBS)
tests/channel_test: tests/channel_test.o $(T_channel)
	$(LINK) tests/channel_test.o $(T_channel) $(LDLIBS)
tests/client_test: tests/client_test.o $(T_client)
	$(LINK) tests/client_test.o $(T_client) $(LDLIBS)
tests/config_test: tests/config_test.o $(T_config)
	$(LINK) tests/config_test.o $(T_config) $(LDLIBS)
tests/http_test: tests/http_test.o $(T_http)
	$(LINK) tests/http_test.o $(T_http) $(LDLIBS)
tests/json_test: tests/json_test.o $(T_json)
	$(LINK) tests/json_test.o $(T_json) $(LDLIBS)
tests/key_test: tests/key_test.o $(T_key)
	$(LINK) tests/key_test.o $(T_key) $(LDLIBS)
tests/loop_test: tests/loop_test.o $(T_loop)
	$(LINK) tests/loop_test.o $(T_loop) $(LDLIBS)
tests/model_test: tests/model_test.o $(T_model)
	$(LINK) tests/model_test.o $(T_model) $(LDLIBS)
tests/probe_test: tests/probe_test.o $(T_probe)
	$(LINK) tests/probe_test.o $(T_probe) $(LDLIBS)
tests/store_test: tests/store_test.o $(T_store)
	$(LINK) tests/store_test.o $(T_store) $(LDLIBS)
tests/str_test: tests/str_test.o $(T_str)
	$(LINK) tests/str_test.o $(T_str) $(LDLIBS)
tests/tls_test: tests/tls_test.o $(T_tls)
	$(LINK) tests/tls_test.o $(T_tls) $(LDLIBS)

tests/alert_test.o tests/check_test.o tests/child_test.o tests/channel_test.o tests/client_test.o tests/config_test.o tests/http_test.o tests/json_test.o tests/key_test.o tests/loop_test.o tests/model_test.o tests/probe_test.o tests/store_test.o tests/str_test.o tests/tls_test.o: $(HDR) tests/test.h

check: all $(TESTS)
	tests/run $(TESTS)

check-san:
	$(MAKE) clean
	$(MAKE) check-unit FORTIFY= CFLAGS='-O1 -g -fsanitize=address,undefined -fno-sanitize-recover=all' LDFLAGS='-fsanitize=address,undefined'
	$(MAKE) clean

check-unit: $(TESTS)
	tests/run $(TESTS)

install: all
	mkdir -p $(DESTDIR)$(PREFIX)/sbin $(DESTDIR)$(PREFIX)/bin
	cp vilicus-server vilicus-agent $(DESTDIR)$(PREFIX)/sbin/
	cp vilicus $(DESTDIR)$(PREFIX)/bin/

clean:
	rm -f $(PROGS) *.o tests/*.o tests/*.log $(TESTS)
