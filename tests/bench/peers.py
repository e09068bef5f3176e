#!/usr/bin/env python3
"""peers: what others need for the samples of a data set.

	tests/bench/peers.py [FILE ...]		build/bench/*.data unless given

The files are those tests/bench/dataset makes.  For each way of keeping them:
bytes a sample (a time and a value), and thousands of samples for a second of
CPU time, in and out.  Out gives the values back as numbers, which are looked
at: they are those that went in.  All is Python, with C where zlib, xz and
sqlite are; what is written in C throughout is faster than that.

Rows of JSON, and of sqlite what is committed at once, are the samples of one
time, as a report would bring them.  sqlite: a WAL, synchronous=FULL, its file
next to the data set, measured after the last checkpoint; of its first 1080
rows, which says as much and does not take minutes.  JSON and the int64 with
the times once have a time for all series together, the others one for each.

From a program: import peers; peers.rows(path) gives (name, bytes a sample,
k samples in, k samples out) of each.
"""
import array
import glob
import json
import lzma
import os
import sqlite3
import sys
import time
import zlib

HERE = os.path.dirname(os.path.abspath(__file__))
BUILD = os.path.abspath(os.path.join(HERE, "..", "..", "build", "bench"))
SQLITE_ROWS = 1080
# Measured earlier with real samples, and not here: the name, bytes a sample.
MEASURED_EARLIER = (("VictoriaMetrics 1.79 (measured earlier)", 1.16),)


def numbers(text, n):
    a = array.array("q")
    a.frombytes(text[:8 * n])
    if sys.byteorder == "big":
        a.byteswap()
    return a


def load(path):
    """(times, [values of a series ...])"""
    with open(path, "rb") as f:
        series, rows = map(int, f.readline().split())
        return numbers(f.read(8 * rows), rows), [
            numbers(f.read(8 * rows), rows) for _ in range(series)]


# ---- JSON lines ----

def milli(v):
    """Thousandths as a number is written."""
    if v % 1000 == 0:
        return str(v // 1000)
    sign = "-" if v < 0 else ""
    return ("%s%d.%03d" % (sign, abs(v) // 1000, abs(v) % 1000)).rstrip("0")


def to_lines(times, series):
    names = ['"s%d":' % i for i in range(len(series))]
    return "".join('{"at":%d,"values":{%s}}\n' % (at, ",".join(
        [n + milli(v) for n, v in zip(names, row)]))
        for at, row in zip(times, zip(*series))).encode()


def to_milli(text):
    """A JSON number as thousandths, exactly."""
    whole, _, part = text.partition(".")
    n = int(whole + (part + "000")[:3])
    return n


def from_lines(text):
    times, rows = [], []
    decoder = json.JSONDecoder(parse_float=to_milli,
                               parse_int=lambda s: int(s) * 1000)
    for line in text.decode().splitlines():
        obj = decoder.decode(line)
        times.append(obj["at"] // 1000)
        rows.append(list(obj["values"].values()))
    return times, list(zip(*rows))


def json_with(pack, unpack):
    return (lambda path, t, s: pack(to_lines(t, s)),
            lambda path, kept, n: from_lines(unpack(kept)))


def gzip_pack(text):
    c = zlib.compressobj(6, zlib.DEFLATED, 31)
    return c.compress(text) + c.flush()


def gzip_unpack(text):
    return zlib.decompress(text, 31)


# ---- int64 ----

def each_pack(path, times, series):
    """A series after the other, each with its times and its values."""
    return gzip_pack(b"".join(times.tobytes() + s.tobytes() for s in series))


def each_unpack(path, kept, n):
    a = array.array("q")
    a.frombytes(gzip_unpack(kept))
    rows = len(a) // n // 2
    return a[:rows], [a[(2 * i + 1) * rows:(2 * i + 2) * rows]
                      for i in range(n)]


def once_pack(path, times, series):
    """The times, then the values of each: as if none had times of its own."""
    return gzip_pack(b"".join(a.tobytes() for a in [times] + series))


def once_unpack(path, kept, n):
    a = array.array("q")
    a.frombytes(gzip_unpack(kept))
    rows = len(a) // (n + 1)
    return a[:rows], [a[i * rows:(i + 1) * rows] for i in range(1, n + 1)]


# ---- sqlite ----

def sqlite_pack(path, times, series, more):
    for end in ("", "-wal", "-shm"):
        if os.path.exists(path + end):
            os.unlink(path + end)
    db = sqlite3.connect(path, isolation_level=None)
    db.execute("pragma journal_mode=wal")
    db.execute("pragma synchronous=full")
    db.execute("create table sample (series integer, at integer, value "
               "integer, primary key (series, at))" + more)
    for at, row in zip(times, zip(*series)):
        db.execute("begin")
        db.executemany("insert into sample values (?, ?, ?)",
                       [(i, at, v) for i, v in enumerate(row)])
        db.execute("commit")
    db.execute("pragma wal_checkpoint(truncate)")
    db.close()
    return os.path.getsize(path)


def sqlite_unpack(path, kept, n):
    db = sqlite3.connect(path)
    found = [db.execute("select at, value from sample where series = ? "
                        "order by at", (i,)).fetchall() for i in range(n)]
    db.close()
    return [r[0] for r in found[0]], [[r[1] for r in f] for f in found]


def sqlite_with(more):
    return (lambda path, t, s: sqlite_pack(path, t, s, more), sqlite_unpack)


WAYS = (("JSON lines, gzip -6",) + json_with(gzip_pack, gzip_unpack),
        ("JSON lines, xz -6",) + json_with(lzma.compress, lzma.decompress),
        ("int64 by series, times once, gzip -6", once_pack, once_unpack),
        ("int64 by series, times in each, gzip -6", each_pack, each_unpack),
        ("sqlite, key (series, at)",) + sqlite_with(""),
        ("sqlite, the same without rowid",) + sqlite_with(" without rowid"))


def cpu_of(f, *args):
    """(its value, CPU seconds it took)"""
    start = time.process_time()
    value = f(*args)
    return value, time.process_time() - start


def rows(path):
    times, series = load(path)
    scratch = path + ".sqlite"
    for name, pack, unpack in WAYS:
        if name.startswith("sqlite"):
            times, series = times[:SQLITE_ROWS], [s[:SQLITE_ROWS]
                                                  for s in series]
        samples = len(times) * len(series)
        kept, spent_in = cpu_of(pack, scratch, times, series)
        got, spent_out = cpu_of(unpack, scratch, kept, len(series))
        if list(got[0]) != list(times) or \
                [list(s) for s in got[1]] != [list(s) for s in series]:
            raise ValueError("%s: other samples came out" % name)
        size = kept if isinstance(kept, int) else len(kept)
        yield (name, size / samples, samples / spent_in / 1000,
               samples / spent_out / 1000)
    if os.path.exists(scratch):
        os.unlink(scratch)


def show(path):
    times, series = load(path)
    print("%s: %d series, %d samples of each" % (
        os.path.basename(path), len(series), len(times)))
    print("%-42s%14s%12s%12s" % ("", "bytes/sample", "k/s in", "k/s out"))
    for name, size, k_in, k_out in rows(path):
        print("%-42s%14.2f%12.0f%12.0f" % (name, size, k_in, k_out),
              flush=True)
    for name, size in MEASURED_EARLIER:
        print("%-42s%14.2f" % (name, size))


def main():
    paths = sys.argv[1:] or sorted(glob.glob(os.path.join(BUILD, "*.data")))
    if not paths:
        sys.exit("no data set: run tests/bench/dataset first")
    for path in paths:
        show(path)


if __name__ == "__main__":
    main()
