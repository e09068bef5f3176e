"""read_store.py DIR [CHECK]: print what a data directory holds, knowing
doc/format and nothing else: the newest snapshot, the journal's events, the
head's reports and their results; or all rows of a check by time.  A row is
AT CODE GIVEN LATE [*COUNT] VALUE NAME=NUMBER... "TEXT", with numbers in
thousandths; those of a mean, which has a COUNT, are MEAN,LEAST,GREATEST."""
import hashlib, json, os, struct, sys, zlib

def files(kind, end):
    n = sorted(int(f[:-len(end)]) for f in os.listdir(kind) if f.endswith(end)
               and f[:-len(end)].isdigit() and f[0] != "0")
    return [open("%s/%d%s" % (kind, i, end), "rb").read() for i in n]

def signed(v):
    return (v + 2**63) % 2**64 - 2**63

def unfold(z):
    return -(z + 1 >> 1) if z & 1 else z >> 1

def cut(a, b):
    return a // b if a >= 0 else -(-a // b)

class Reader:
    def __init__(self, p):
        self.p, self.i = p, 0
    def u(self):
        c = self.b(1)[0]
        return c if c < 128 else c - 128 + (self.u() << 7)
    def s(self, base=0):
        return signed(base + unfold(self.u()))
    def b(self, n=None):
        n = self.u() if n is None else n
        self.i += n
        assert self.i <= len(self.p)
        return self.p[self.i - n:self.i]
    def fill(self):
        while self.span < 1 << 24:
            self.span <<= 8
            self.code = self.code << 8 | self.b(1)[0]
    def likely(self, tree, place):
        z, seen = tree.get(place, (2048, 0))
        low = (self.span >> 12) * z
        bit = self.code >= low
        rate = 2 if seen == 0 else 3 if seen < 4 else 4
        z += -(z - 31 >> rate) if bit else 4065 - z >> rate
        tree[place] = z, seen + 1
        self.code -= low if bit else 0
        self.span = self.span - low if bit else low
        self.fill()
        return int(bit)
    def tree(self, tree, n):
        got = 1
        for _ in range(n):
            got = got << 1 | self.likely(tree, got)
        return got
    def plain(self, n):
        got = 0
        while n:
            k = min(n, 16)
            self.span >>= k
            digit = self.code // self.span
            self.code -= digit * self.span
            got, n = got << k | digit, n - k
            self.fill()
        return got
    def residuals(self, n):
        most, trees = self.b(1)[0].bit_length(), {}
        self.span, self.code = 2**32 - 1, int.from_bytes(self.b(4), "big")
        for _ in range(n):
            w = self.tree(trees.setdefault(None, {}), most) - (1 << most)
            k = max(min(w - 1, 7), 0)
            u = w and self.tree(trees.setdefault(w, {}), k)
            yield u and u << w - 1 - k | self.plain(w - 1 - k)
    def column(self, n):
        how = self.b(1)[0]
        if how == 5:
            part, whole = self.column(n), self.column(n)
            return [(p * 100000 + w // 2) // w for p, w in zip(part, whole)]
        first = self.s()
        if how == 0:
            return [first] * n
        d, base, w, t = self.u(), self.s() if how in (1, 3) else 0, [0], 0
        for i, r in enumerate(self.residuals(n)):
            guess = (0, base, w[-1], cut(base * i, max(n - 1, 1)),
                     cut(t + 128, 256))
            w.append(signed(guess[how] + (r if how == 1 else unfold(r))))
            t += cut(w[-1] * 256 - t, 4)
        return [signed(first + d * x) for x in w[1:]]

def record(p, i):
    """The record at i, if it is whole: its number, type, rest and end."""
    n, crc = struct.unpack_from("<II", p, i)
    body = p[i + 8:i + 8 + n]
    if 2 <= n == len(body) and crc == zlib.crc32(p[i:i + 4] + body):
        r = Reader(body[1:])
        return r.u(), body[0], r, i + 8 + n

def records(p, i=0):
    while i + 10 <= len(p):
        seq, kind, r, end = record(p, i) or (0, 0, None, i + 1)
        if r:
            yield seq, r if kind == 2 else None
        i = end

def lines(data):
    for line in data.split(b"\n")[:-1]:
        head, mark, crc = line.rpartition(b',"crc":"')
        if mark and crc == b'%08x"}' % zlib.crc32(head):
            yield json.loads(line)["n"], line

def counted(kind, split):
    """All of a kind, file after file, but what the next file has again."""
    found = [f for f in (list(split(f)) for f in files(kind, ".log")) if f]
    last = 0
    for f, after in zip(found, found[1:] + [[(10**18, 0)]]):
        for n, item in f:
            if item is not None and last < n < after[0][0]:
                last = n
                yield n, item

def chained(numbered):
    prev = "0" * 64
    for n, line in numbered:
        j = json.loads(line)
        if j["prev"] != prev and (n == 1 or prev != "0" * 64):
            print("the chain is broken before", n)
        prev = hashlib.sha256(line).hexdigest()
        yield j, line.decode(), prev

def snapshot(path):
    """The newest that is whole."""
    for f in reversed(files(path, ".snap")):
        s = list(chained(lines(f)))
        if s and "end" in s[-1][0] and len(s) == f.count(b"\n"):
            return s
    return []

def report(r):
    source, received, _, n = r.u(), r.s(), r.u(), r.u()
    least = r.s(received)
    most, check, at, names, rows = least + r.u(), 0, received, [], []
    for _ in range(n):
        flags = r.b(1)[0]
        given = r.b(1)[0] if flags & 128 else flags & 3 if flags & 64 else 4
        check, at = r.s(check), r.s(at)
        assert least <= at <= most
        numbers = {b"": [r.s()]} if flags & 4 else {}
        for _ in range(r.u() if flags & 8 else 0):
            k = r.u()
            name = names[k - 1] if k else r.b()
            names += [name] * (k == 0 and len(names) < 64)
            numbers[name] = [r.s()]
        rows.append((check, at, flags & 3, given, flags >> 5 & 1, 0, numbers,
                     r.b() if flags & 16 else b""))
    return source, rows

class Block:
    def __init__(self, p):
        self.p, h = p, record(p, 0)[2]
        assert p[:88] == p[-88:] and h.b(14) == b"vilicus-block\1"
        self.first, self.last, self.level, *_, top = struct.unpack(
            ">4Q2q2Q", h.b(64))
        self.strips = {c: strip for _, page in self.places(top, 8)
                       for c, strip in self.places(page, 7)}
    def at(self, place, *want):
        *found, r, _ = record(self.p, place)
        assert found == [*want]
        return r
    def places(self, place, kind):
        r, check, place = self.at(place, 0, kind), 0, 0
        for _ in range(r.u()):
            check, place = check + r.u(), place + r.u()
            yield check, place
    def rows(self, check):
        r = self.at(self.strips[check], check, 6)
        names, rows, thirds = [r.b() for _ in range(r.u())], [], []
        at = place = times = 0
        for _ in range(r.u()):
            n, least = r.u(), r.s(at)
            at, place, times = least + r.u(), r.s(place), r.s(times)
            part = list(self.part(check, n, place, times, names))
            assert (part[0][1], part[-1][1]) == (least, at)
            rows += part
            thirds += [part[i:i + 342] for i in range(0, n, 342)]
        n = r.u()
        three = lambda: zip(thirds, *[r.column(n) for _ in range(3)])
        for q, *said in three() if n else []:
            assert said == [q[0][1], max(x[2] for x in q),
                            sum(x[5] or 1 for x in q)]
        for name in names if n else []:
            for q, mean, *ends in three() if r.b(1)[0] else []:
                v = [x[6][name] for x in q]
                assert [signed(mean + x) for x in ends] == [
                    min(map(min, v)), max(map(max, v))]
        assert r.i == len(r.p)
        return rows
    def part(self, check, n, place, times, names):
        ats, r = self.at(times, 0, 4).column(n), self.at(place, check, 5)
        assert r.u() == n
        flags, width = r.column(n), 3 if self.level else 1
        counts = r.column(n) if self.level else [0] * n
        numbers, text = [{} for _ in range(n)], b""
        for _ in range(r.u()):
            k = r.u()
            name = names[k - 1] if k else r.b()
            end = int.from_bytes(r.b(2), "little") + r.i
            has = [1] * n if r.b(1)[0] else r.column(n)
            values = zip(*[r.column(sum(has)) for _ in range(width)])
            for row in (x for x, y in zip(numbers, has) if y):
                v, *ends = next(values)
                row[name] = [v] + [signed(v + x) for x in ends]
            assert r.i == end
        for i, new in enumerate(r.column(n)):
            text = r.b() if new else text
            f = flags[i]
            yield (check, ats[i], f & 3, f >> 2 & 7, f >> 5, counts[i],
                   numbers[i], text)
        assert r.i == len(r.p)

def show(check, at, code, given, late, count, numbers, text):
    numbers = {k.decode(): ",".join(map(str, v)) for k, v in numbers.items()}
    return " ".join([str(at), str(code), "-" if given == 4 else str(given),
                     str(late), *["*%d" % count] * (count > 0),
                     numbers.pop("", "-"), *map("=".join, numbers.items()),
                     json.dumps(text.decode(), ensure_ascii=False)])

path = sys.argv[1]
all = [Block(p) for p in files(path + "/blocks", ".blk")]
blocks = sorted((b for i, b in enumerate(all) if not any(
    c.first <= b.first and b.last <= c.last for c in all[i + 1:])),
    key=lambda b: b.first)
head = [(n, *report(r)) for n, r in counted(path + "/head", records)
        if not any(b.first <= n <= b.last for b in blocks)]
if len(sys.argv) > 2:
    check, once = int(sys.argv[2]), {}
    rows = [row for b in blocks if check in b.strips for row in b.rows(check)]
    for row in rows + [row for h in head for row in h[2] if row[0] == check]:
        once.setdefault((row[1], row[5] and len(once) + 1), row)
    for row in sorted(once.values(), key=lambda row: row[1]):
        print(show(*row))
    sys.exit()
snap = snapshot(path + "/journal")
journal = list(counted(path + "/journal", lines))
while journal and b',"more":true,' in journal[-1][1][:40]:
    journal.pop()                       # a batch without its end
for j, line, hash in snap + list(chained(journal)):
    if "snap" in j or "format" not in j:
        print(line)
    assert "snap" in j or not snap or j["n"] != snap[0][0]["journal"] \
        or hash == snap[0][0]["hash"]
for n, source, rows in head:
    print("report %d source %d results %d" % (n, source, len(rows)))
    for row in rows:
        print(row[0], show(*row))
