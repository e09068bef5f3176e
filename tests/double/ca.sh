#!/bin/sh
# ca.sh DIR [NAME ...]: a private authority and a leaf for the doubles.
#
# Makes in DIR: ca.crt, ca.key (RSA-2048), leaf.crt, leaf.key (P-256) for the
# names given, else localhost and 127.0.0.1.  What is there already stays.
dir=$1
[ -n "$dir" ] || { echo "usage: $0 DIR [NAME ...]" >&2; exit 2; }
shift
[ $# -gt 0 ] || set -- localhost 127.0.0.1
mkdir -p "$dir" && cd "$dir" || exit 1
umask 077

names=
for n do
	case $n in
	*[!0-9.]*) names=$names,DNS:$n ;;
	*) names=$names,IP:$n ;;
	esac
done

make_ca() {
	openssl req -x509 -newkey rsa:2048 -nodes -keyout ca.key -out ca.crt \
	    -days 3650 -subj '/CN=A test authority' \
	    -addext basicConstraints=critical,CA:TRUE
}

make_leaf() {
	echo "subjectAltName=${names#,}" >leaf.ext
	openssl req -new -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes \
	    -keyout leaf.key -out leaf.csr -subj '/CN=A test server' &&
	openssl x509 -req -in leaf.csr -CA ca.crt -CAkey ca.key \
	    -set_serial "$(date +%s)" -days 365 -extfile leaf.ext -out leaf.crt
}

{
	[ -s ca.crt ] || make_ca
	[ -s leaf.crt ] || make_leaf
} 2>ca.log || { cat ca.log >&2; exit 1; }
