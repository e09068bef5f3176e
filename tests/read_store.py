"""read_store.py DIR: print what a data directory holds, knowing doc/format
and nothing else: the journal's events, the reports and their results."""
import hashlib, json, os, struct, sys, zlib

def files(path):
    n = sorted(int(f[:-4]) for f in os.listdir(path)
               if f.endswith(".log") and f[:-4].isdigit() and f[0] != "0")
    return [open("%s/%d.log" % (path, i), "rb").read() for i in n]

def lines(data):
    for line in data.split(b"\n")[:-1]:
        head, mark, crc = line.rpartition(b',"crc":"')
        if mark and crc == b'%08x"}' % zlib.crc32(head):
            yield json.loads(line)["n"], line

def varint(p, i):
    v = s = 0
    while True:
        v |= (p[i] & 127) << s
        s, i = s + 7, i + 1
        if p[i - 1] < 128:
            return v, i

class Reader:
    def __init__(self, p):
        self.p, self.i = p, 0
    def u(self):
        v, self.i = varint(self.p, self.i)
        return v
    def s(self, base=0):
        z = self.u()
        v = (base + (-(z + 1 >> 1) if z & 1 else z >> 1)) % 2**64
        return v - 2**64 if v >> 63 else v
    def b(self, n=None):
        n = self.u() if n is None else n
        self.i += n
        return self.p[self.i - n:self.i]

def records(p):
    i = 0
    while i + 10 <= len(p):
        n, crc = struct.unpack_from("<II", p, i)
        body = p[i + 8:i + 8 + n]
        if 2 <= n == len(body) and crc == zlib.crc32(p[i:i + 4] + body):
            r = Reader(body[1:])
            yield r.u(), r if body[0] == 2 else None
            i += 8 + n
        else:
            i += 1

def report(seq, r):
    source, received, _, n = r.u(), r.s(), r.u(), r.u()
    least = r.s(received)
    most = least + r.u()
    print("report %d source %d results %d" % (seq, source, n))
    check, at, names = 0, received, []
    for _ in range(n):
        flags = r.b(1)[0]
        code = given = flags & 3
        if not flags & 64:
            given = r.b(1)[0] if flags & 128 else 255
        check, at = r.s(check), r.s(at)
        assert least <= at <= most
        value = r.s() if flags & 4 else 0
        metrics = []
        for _ in range(r.u() if flags & 8 else 0):
            k = r.u()
            name = names[k - 1] if k else r.b()
            if not k and len(names) < 64:
                names.append(name)
            metrics.append("%s=%d" % (name.decode(), r.s()))
        text = r.b().decode() if flags & 16 else ""
        print(check, at, code, given, value, *metrics, text)

def counted(kind, split):
    """All of a kind, file after file, but what the next file has again."""
    found = [f for f in (list(split(f)) for f in files(kind)) if f]
    last = 0
    for i, f in enumerate(found):
        limit = found[i + 1][0][0] if i + 1 < len(found) else 10**18
        for n, record in f:
            if record is not None and last < n < limit:
                last = n
                yield n, record

prev = b"0" * 64
journal = list(counted(sys.argv[1] + "/journal", lines))
while journal and b',"more":true,' in journal[-1][1][:40]:
    journal.pop()                       # a batch without its end
for n, line in journal:
    j = json.loads(line)
    if j["prev"].encode() != prev and (prev.strip(b"0") or n == 1):
        print("the chain is broken before", n)
    prev = hashlib.sha256(line).hexdigest().encode()
    if "format" not in j and "snap" not in j:
        print(line.decode())
for seq, r in counted(sys.argv[1] + "/head", records):
    report(seq, r)
