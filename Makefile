# Build:	make
# Try it:	make run
# Check:	make check		make check-san		make check-long
# Static:	./bootstrap static [ARCH ...]		make dist-static
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
LISTEN	= 127.0.0.1:8454

SYS	= linux

STD	= -std=c11 -D_POSIX_C_SOURCE=200809L -D_FILE_OFFSET_BITS=64
WARN	= -Wall -Wextra -Wpedantic -Wshadow -Wstrict-prototypes \
	  -Wmissing-prototypes -Wold-style-definition -Wpointer-arith \
	  -Wcast-qual -Wcast-align -Wwrite-strings -Wformat=2 -Wvla -Wundef \
	  -Wconversion -Wno-sign-conversion
HARD	= -fstack-protector-strong
FORTIFY	= -D_FORTIFY_SOURCE=2
PIE	= -fPIE
PIELD	= -pie -Wl,-z,relro -Wl,-z,now

# What static programs are made for.
ARCHS	= x86_64 aarch64 armhf armel mipsel mips riscv64

TLS	= tls.o tls_cert.o tls_client.o tls_pem.o
COMMON	= client.o fail.o http.o json.o key.o log.o loop_$(SYS).o str.o \
	  stream.o $(TLS)
SERVER	= server.o alert.o api.o api_list.o api_object.o api_replay.o api_result.o api_series.o \
	  api_who.o api_why.o beat.o change.o channel.o channel_exec.o channel_mail.o channel_push.o channel_web.o check.o child.o config.o conn.o file.o gzip.o hours.o identity.o login.o mail.o match.o model.o \
	  model_field.o model_set.o notify.o notify_drill.o notify_job.o notify_ring.o notify_way.o page.o pool.o run.o silence.o store.o \
	  store_block.o store_code.o store_head.o store_job.o store_journal.o \
	  store_open.o store_part.o store_rows.o tls_make.o tls_server.o watch.o zone.o
AGENT	= agent.o agent_cycle.o agent_link.o agent_ring.o agent_wire.o \
	  alert.o check.o child.o match.o probe.o probe_allow.o probe_child.o probe_host.o probe_net.o probe_ping.o \
	  probe_process.o probe_who.o proc_$(SYS).o proc_host_$(SYS).o proc_watch_$(SYS).o \
	  dns.o probe_command.o probe_dns.o probe_file.o probe_service.o run.o
CTL	= ctl.o ctl_edit.o ctl_replay.o ctl_show.o ctl_table.o ctl_why.o alert.o check.o store.o \
	  store_block.o store_code.o store_head.o store_job.o store_journal.o \
	  store_open.o store_part.o store_rows.o store_verify.o
HDR	= agent.h alert.h api.h api_impl.h beat.h change.h channel.h channel_impl.h check.h child.h \
	  client.h config.h conn.h ctl.h dns.h fail.h file.h gzip.h hours.h http.h identity.h \
	  json.h key.h log.h login.h loop.h mail.h match.h model.h model_impl.h notify.h notify_impl.h page.h pool.h probe.h probe_impl.h proc.h run.h \
	  server.h silence.h store.h store_impl.h str.h stream.h tls.h tls_impl.h watch.h zone.h
PROGS	= vilicus-server vilicus-agent vilicus
TESTS	= tests/agent_test tests/alert_test tests/block_test \
	  tests/budget_test tests/change_test tests/check_test \
	  tests/crash_test tests/child_test tests/cycle_test tests/channel_test tests/channel_exec_test tests/channel_push_test tests/channel_web_test tests/client_test \
	  tests/config_test tests/conn_test tests/drill_test tests/flap_test tests/full_test tests/gzip_test tests/hours_test tests/http_test tests/json_test \
	  tests/key_test tests/login_test tests/loop_test tests/mail_test tests/match_test tests/model_test tests/pool_test \
	  tests/probe_command_test tests/probe_dns_test tests/probe_file_test tests/probe_host_test \
	  tests/probe_net_test tests/probe_service_test tests/probe_test tests/proc_test tests/reach_test \
	  tests/replay_test tests/store_test tests/str_test tests/tls_server_test tests/tls_test \
	  tests/told_test tests/watch_test tests/why_test

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
T_agent	= agent_ring.o agent_wire.o probe_allow.o match.o alert.o check.o http.o json.o str.o key.o fail.o
T_alert	= alert.o json.o str.o fail.o
T_check	= check.o alert.o json.o str.o fail.o
T_child	= child.o str.o fail.o log.o
T_channel	= channel.o channel_exec.o channel_mail.o channel_push.o channel_web.o mail.o child.o client.o http.o json.o loop_$(SYS).o log.o str.o stream.o run.o key.o $(TLS) fail.o
T_channel_one = run.o http.o json.o loop_$(SYS).o str.o fail.o
T_client	= client.o http.o loop_$(SYS).o str.o stream.o fail.o
T_config	= config.o mail.o json.o http.o str.o fail.o
T_conn	= conn.o http.o loop_$(SYS).o pool.o str.o stream.o fail.o key.o tls_server.o $(TLS)
T_hours	= hours.o zone.o file.o str.o fail.o
T_http	= http.o str.o fail.o
T_json	= json.o str.o fail.o
T_gzip	= gzip.o str.o fail.o
T_login	= key.o str.o fail.o
T_key	= key.o str.o fail.o
T_mail	= mail.o http.o json.o str.o fail.o
T_loop	= loop_$(SYS).o fail.o
T_match	= match.o str.o fail.o
MODEL	= model.o model_field.o model_set.o mail.o http.o check.o alert.o json.o key.o \
	  hours.o zone.o file.o match.o \
	  str.o fail.o
T_model	= $(MODEL)
T_change = change.o log.o $(MODEL)
T_watch	= beat.o watch.o notify.o notify_drill.o notify_job.o notify_ring.o notify_way.o silence.o change.o $(MODEL)
T_pool	= pool.o
BLOCKS	= dns.o probe_command.o probe_dns.o probe_file.o probe_service.o run.o
T_probe	= probe.o probe_allow.o probe_child.o probe_host.o probe_net.o probe_ping.o probe_process.o probe_who.o proc_watch_$(SYS).o child.o check.o alert.o match.o http.o stream.o key.o $(TLS) log.o proc_$(SYS).o proc_host_$(SYS).o json.o str.o fail.o $(BLOCKS)
T_probe_net = probe.o probe_child.o probe_host.o probe_process.o probe_who.o proc_watch_$(SYS).o child.o check.o alert.o match.o http.o stream.o key.o $(TLS) loop_$(SYS).o log.o proc_$(SYS).o proc_host_$(SYS).o json.o str.o fail.o $(BLOCKS)
T_block	= $(T_probe) loop_$(SYS).o
T_store	= store.o store_block.o store_code.o store_head.o store_job.o \
	  store_journal.o store_open.o store_part.o store_rows.o \
	  store_verify.o json.o str.o fail.o
T_str	= str.o fail.o
T_tls	= $(TLS) key.o tls_make.o tls_server.o loop_$(SYS).o str.o stream.o fail.o

tests/agent_test: tests/agent_test.o $(T_agent)
	$(LINK) tests/agent_test.o $(T_agent) $(LDLIBS)
tests/alert_test: tests/alert_test.o $(T_alert)
	$(LINK) tests/alert_test.o $(T_alert) $(LDLIBS)
tests/block_test: tests/block_test.o tests/memfs.o $(T_store)
	$(LINK) tests/block_test.o tests/memfs.o $(T_store) $(LDLIBS)
tests/check_test: tests/check_test.o $(T_check)
	$(LINK) tests/check_test.o $(T_check) $(LDLIBS)
tests/full_test: tests/full_test.o tests/memfs.o $(T_store)
	$(LINK) tests/full_test.o tests/memfs.o $(T_store) $(LDLIBS)
tests/budget_test: tests/budget_test.o tests/memfs.o $(T_store)
	$(LINK) tests/budget_test.o tests/memfs.o $(T_store) $(LDLIBS)
tests/crash_test: tests/crash_test.o tests/memfs.o $(T_store)
	$(LINK) tests/crash_test.o tests/memfs.o $(T_store) $(LDLIBS)
tests/child_test: tests/child_test.o $(T_child)
	$(LINK) tests/child_test.o $(T_child) $(LDLIBS)
tests/channel_test: tests/channel_test.o $(T_channel)
	$(LINK) tests/channel_test.o $(T_channel) $(LDLIBS)
tests/channel_exec_test: tests/channel_exec_test.o $(T_channel_one)
	$(LINK) tests/channel_exec_test.o $(T_channel_one) $(LDLIBS)
tests/channel_push_test: tests/channel_push_test.o $(T_channel_one)
	$(LINK) tests/channel_push_test.o $(T_channel_one) $(LDLIBS)
tests/channel_web_test: tests/channel_web_test.o $(T_channel_one)
	$(LINK) tests/channel_web_test.o $(T_channel_one) $(LDLIBS)
tests/client_test: tests/client_test.o $(T_client)
	$(LINK) tests/client_test.o $(T_client) $(LDLIBS)
tests/config_test: tests/config_test.o $(T_config)
	$(LINK) tests/config_test.o $(T_config) $(LDLIBS)
tests/gzip_test: tests/gzip_test.o $(T_gzip)
	$(LINK) tests/gzip_test.o $(T_gzip) $(LDLIBS)
tests/hours_test: tests/hours_test.o $(T_hours)
	$(LINK) tests/hours_test.o $(T_hours) $(LDLIBS)
tests/http_test: tests/http_test.o $(T_http)
	$(LINK) tests/http_test.o $(T_http) $(LDLIBS)
tests/json_test: tests/json_test.o $(T_json)
	$(LINK) tests/json_test.o $(T_json) $(LDLIBS)
tests/key_test: tests/key_test.o $(T_key)
	$(LINK) tests/key_test.o $(T_key) $(LDLIBS)
tests/login_test: tests/login_test.o $(T_login)
	$(LINK) tests/login_test.o $(T_login) $(LDLIBS)
tests/loop_test: tests/loop_test.o $(T_loop)
	$(LINK) tests/loop_test.o $(T_loop) $(LDLIBS)
tests/mail_test: tests/mail_test.o $(T_mail)
	$(LINK) tests/mail_test.o $(T_mail) $(LDLIBS)
tests/mail_try: tests/mail_try.o $(T_channel)
	$(LINK) tests/mail_try.o $(T_channel) $(LDLIBS)
tests/match_test: tests/match_test.o $(T_match)
	$(LINK) tests/match_test.o $(T_match) $(LDLIBS)
tests/model_test: tests/model_test.o $(T_model)
	$(LINK) tests/model_test.o $(T_model) $(LDLIBS)
tests/change_test: tests/change_test.o $(T_change)
	$(LINK) tests/change_test.o $(T_change) $(LDLIBS)
tests/conn_test: tests/conn_test.o $(T_conn)
	$(LINK) tests/conn_test.o $(T_conn) $(LDLIBS)
tests/pool_test: tests/pool_test.o $(T_pool)
	$(LINK) tests/pool_test.o $(T_pool) $(LDLIBS)
tests/cycle_test: tests/cycle_test.o log.o $(T_agent)
	$(LINK) tests/cycle_test.o log.o $(T_agent) $(LDLIBS)
tests/drill_test: tests/drill_test.o $(T_watch)
	$(LINK) tests/drill_test.o $(T_watch) $(LDLIBS)
tests/flap_test: tests/flap_test.o $(T_watch)
	$(LINK) tests/flap_test.o $(T_watch) $(LDLIBS)
tests/reach_test: tests/reach_test.o $(T_watch)
	$(LINK) tests/reach_test.o $(T_watch) $(LDLIBS)
tests/told_test: tests/told_test.o $(T_watch)
	$(LINK) tests/told_test.o $(T_watch) $(LDLIBS)
tests/watch_test: tests/watch_test.o $(T_watch)
	$(LINK) tests/watch_test.o $(T_watch) $(LDLIBS)
tests/why_test: tests/why_test.o $(T_change)
	$(LINK) tests/why_test.o $(T_change) $(LDLIBS)
tests/probe_command_test: tests/probe_command_test.o $(T_block)
	$(LINK) tests/probe_command_test.o $(T_block) $(LDLIBS)
tests/probe_dns_test: tests/probe_dns_test.o $(T_block)
	$(LINK) tests/probe_dns_test.o $(T_block) $(LDLIBS)
tests/probe_file_test: tests/probe_file_test.o $(T_block)
	$(LINK) tests/probe_file_test.o $(T_block:probe_file.o=) $(LDLIBS)
tests/probe_service_test: tests/probe_service_test.o $(T_block)
	$(LINK) tests/probe_service_test.o $(T_block) $(LDLIBS)
tests/probe_test: tests/probe_test.o $(T_probe)
	$(LINK) tests/probe_test.o $(T_probe) $(LDLIBS)
tests/proc_test: tests/proc_test.o proc_$(SYS).o str.o fail.o
	$(LINK) tests/proc_test.o proc_$(SYS).o str.o fail.o $(LDLIBS)
tests/probe_net_test: tests/probe_net_test.o $(T_probe_net)
	$(LINK) tests/probe_net_test.o $(T_probe_net) $(LDLIBS)
tests/probe_host_test: tests/probe_host_test.o $(T_probe)
	$(LINK) tests/probe_host_test.o $(T_probe) $(LDLIBS)
tests/replay_test: tests/replay_test.o $(MODEL)
	$(LINK) tests/replay_test.o $(MODEL) $(LDLIBS)
tests/store_test: tests/store_test.o $(T_store)
	$(LINK) tests/store_test.o $(T_store) $(LDLIBS)
tests/str_test: tests/str_test.o $(T_str)
	$(LINK) tests/str_test.o $(T_str) $(LDLIBS)
tests/tls_server_test: tests/tls_server_test.o $(T_tls)
	$(LINK) tests/tls_server_test.o $(T_tls) $(LDLIBS)
T_try	= client.o http.o json.o log.o $(T_tls)
tests/tls_try: tests/tls_try.o $(T_try)
	$(LINK) tests/tls_try.o $(T_try) $(LDLIBS)
tests/tls_test: tests/tls_test.o $(T_tls)
	$(LINK) tests/tls_test.o $(T_tls) $(LDLIBS)

tests/agent_test.o tests/alert_test.o tests/check_test.o tests/child_test.o tests/channel_test.o tests/channel_exec_test.o tests/channel_push_test.o tests/channel_web_test.o tests/client_test.o tests/config_test.o tests/gzip_test.o tests/hours_test.o tests/http_test.o tests/json_test.o tests/key_test.o tests/login_test.o tests/loop_test.o tests/mail_test.o tests/mail_try.o tests/match_test.o tests/model_test.o tests/probe_test.o tests/probe_host_test.o tests/store_test.o tests/str_test.o tests/tls_server_test.o tests/tls_test.o tests/tls_try.o: $(HDR) tests/test.h
tests/login_test.o: login.c
tests/cycle_test.o: agent_cycle.c $(HDR) tests/test.h
tests/proc_test.o: proc_watch_linux.c $(HDR) tests/test.h
tests/probe_net_test.o: probe_net.c probe_ping.c probe_allow.c $(HDR) tests/test.h
tests/replay_test.o: api_replay.c $(HDR) tests/test.h
tests/why_test.o: api_why.c $(HDR) tests/test.h
tests/probe_command_test.o: probe_command.c $(HDR) tests/test.h
tests/probe_dns_test.o: probe_dns.c $(HDR) tests/test.h
tests/probe_file_test.o: probe_file.c $(HDR) tests/test.h
tests/probe_service_test.o: probe_service.c $(HDR) tests/test.h
tests/channel_exec_test.o: channel_exec.c tests/channel_help.h
tests/channel_push_test.o: channel_push.c tests/channel_help.h
tests/channel_web_test.o: channel_web.c tests/channel_help.h
tests/change_test.o tests/conn_test.o tests/pool_test.o: $(HDR) tests/test.h
tests/drill_test.o tests/flap_test.o tests/reach_test.o tests/told_test.o tests/watch_test.o: $(HDR) tests/test.h tests/watch_world.h
tests/told_test.o: tests/told_seen.h

tests/store_test.o: tests/store_data.h tests/store_help.h
tests/budget_test.o tests/full_test.o: $(HDR) tests/test.h tests/memfs.h tests/store_data.h
tests/block_test.o: $(HDR) tests/test.h tests/block_help.h \
	tests/block_damage.h tests/memfs.h tests/store_data.h
tests/crash_test.o tests/memfs.o: $(HDR) tests/test.h tests/crash.h \
	tests/crash_work.h tests/memfs.h tests/store_data.h

.PHONY: all check check-long check-san check-unit clean dist-static everything \
	install run

everything: all $(TESTS) tests/mail_try tests/tls_try

# A server and an agent for this host, with their data in run/.
run: all
	tests/try run $(LISTEN)

# The end-to-end tests; cpu.py loads the machine and so runs alone.
E2E	= tests/e2e/main.py tests/e2e/crash.py tests/e2e/kill9.py \
	  tests/e2e/sync.py tests/e2e/legacy.py tests/e2e/silent.py \
	  tests/e2e/hostile.py tests/e2e/try.py tests/e2e/roles.py \
	  tests/e2e/ctl.py tests/e2e/format.py tests/e2e/disk.py \
	  tests/e2e/verify.py tests/e2e/chains.py tests/e2e/tls.py \
	  tests/e2e/beat.py tests/e2e/repeat.py tests/e2e/hooks.py \
	  tests/e2e/mail.py tests/e2e/quiet.py tests/e2e/seen.py \
	  tests/e2e/waiting.py tests/e2e/many.py tests/e2e/replay.py \
	  tests/e2e/drill.py tests/e2e/why.py tests/e2e/answers.py \
	  tests/e2e/flap.py tests/e2e/outage.py tests/e2e/rounds.py \
	  tests/e2e/net.py tests/e2e/host.py tests/e2e/resolver.py \
	  tests/e2e/logs.py tests/e2e/plugins.py tests/e2e/death.py

check: everything
	tests/run -2 $(TESTS) tests/style -1 tests/e2e/cpu.py -p $(E2E)

check-unit: $(TESTS)
	tests/run -2 $(TESTS)

# Each path, but of what is repeated at random less than check does.
check-san:
	$(MAKE) clean
	DAYS=180 HISTORIES=100 STATES=0 $(MAKE) -j2 check-unit FORTIFY= CFLAGS='-O1 -g -fsanitize=address,undefined -fno-sanitize-recover=all' LDFLAGS='-fsanitize=address,undefined'
	$(MAKE) clean

# Full counts: half an hour; and each of ARCHS: another.
check-long: everything
	ALL=1 STATES=10 tests/run tests/crash_test tests/block_test \
	    tests/budget_test
	HISTORIES=10000 tests/run tests/told_test
	HOURS=24 ROUNDS=1000000 tests/run tests/e2e/outage.py tests/e2e/rounds.py
	KILLS=500 tests/run tests/e2e/kill9.py tests/chroot
	ALL=1 tests/run tests/broken
	SECS=120 tests/run tests/fuzz/run
	ARCHS='$(ARCHS)' tests/run tests/static

# The agents for ARCHS, in one file each that needs nothing but a kernel, and
# their sums.
dist-static:
	./bootstrap static $(ARCHS)
	rm -rf build/dist
	mkdir -p build/dist
	v=$$(sed -n 's/^#define AGENT_VERSION.*"\(.*\)".*/\1/p' agent.h) && \
	for a in $(ARCHS); do \
		cp "build/$$a/vilicus-agent" \
		    "build/dist/vilicus-agent-$$v-$$a" || exit 1; \
	done
	cd build/dist && sha256sum vilicus-agent-* >SHA256SUMS
	cat build/dist/SHA256SUMS

install: all
	mkdir -p $(DESTDIR)$(PREFIX)/sbin $(DESTDIR)$(PREFIX)/bin
	cp vilicus-server vilicus-agent $(DESTDIR)$(PREFIX)/sbin/
	cp vilicus $(DESTDIR)$(PREFIX)/bin/
	for m in doc/*.[158]; do \
		[ -e "$$m" ] || continue; \
		d=$(DESTDIR)$(PREFIX)/share/man/man$${m##*.}; \
		mkdir -p "$$d" && cp "$$m" "$$d/" || exit 1; \
	done

clean:
	rm -f $(PROGS) *.o tests/*.o tests/*.log tests/e2e/*.log $(TESTS) \
	    tests/mail_try tests/tls_try
