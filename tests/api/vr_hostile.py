# SPDX-License-Identifier: MIT
"""What hostile and careless clients send, as values of JSON, YAML, paths, queries and headers."""
import json


class Raw:
    """JSON text that json.dumps() would not write."""

    def __init__(self, text):
        self.text = text if isinstance(text, bytes) else text.encode()

    def __repr__(self):
        return f"Raw({self.text[:60]!r})"


def dumps(body):
    """The body as bytes, with each Raw as it is."""
    raws = []

    def mark(value):
        raws.append(value.text)
        return f"@raw{len(raws) - 1}@"
    text = json.dumps(body, default=mark).encode()
    for i, raw in enumerate(raws):
        text = text.replace(b'"@raw%d@"' % i, raw)
    return text


MANY = 100_000
DEEP = 10_000
LONG = 1_000_000

TEXTS = [
    "", " ", "x", "é", "a\nb", "a\tb", "\u0001", "\u007f", "\u200b", "\u202egnp.exe", "\ufeffx", "😀", "../../etc/passwd", "..", ".", "/",
    "%s%n%x", "%00", "'", "' OR 1=1 --", "\"; DROP TABLE apps; --", "<script>alert(1)</script>", "$(id)", "`id`", "-x", "--help", "null",
    "nan", "a" * 51, "a" * 201, "a" * 10_001, "a" * LONG,
]
NUMBERS = [0, 1, -1, 1.5, 2**31, 2**53 + 1, 2**63 - 1, -2**63, 10**9]
OTHERS = [None, True, False, [], {}, [[]], [None], {"a": 1}, {"": {}}, [1, "x", None]]
NOT_JSON = [
    Raw("NaN"), Raw("1e400"), Raw("-1e400"), Raw(str(2**63)), Raw(str(-2**63 - 1)), Raw("1" * 1000), Raw("01"), Raw("0x1f"), Raw("'x'"),
    Raw('"\\u0000"'), Raw('"\\ud800"'), Raw('"\\udc00\\ud800"'), Raw(b'"\xff\xfe"'), Raw(b'"\xc0\xaf"'), Raw(b'"\xed\xa0\x80"'),
    Raw(b'"\x00"'), Raw('"x'), Raw('"\\x"'), Raw(""), Raw("[1,]"), Raw("{1: 2}"), Raw('{"a": 1, "a": 2}'), Raw("undefined"),
    Raw("[" * DEEP + "]" * DEEP), Raw("[" * DEEP), Raw('{"a":' * DEEP + "1" + "}" * DEEP),
]
LARGE = [Raw("{" + ",".join(f'"k{i}":0' for i in range(MANY)) + "}"), Raw("[" + ",".join("0" for _ in range(MANY)) + "]")]

BOMB = "a: &a [x,x,x,x,x,x,x,x,x,x]\n" + "".join(
    f"{chr(98 + i)}: &{chr(98 + i)} [{','.join(['*' + chr(97 + i)] * 10)}]\n" for i in range(9))
# YAML that is refused wherever a mapping is wanted.
BAD_YAML = [
    BOMB, "a: &a\n  b: *a\n", "a: !!python/object/apply:os.system [id]\n", "a: !custom x\n", "\ta: 1\n", "a:\n\t- 1\n", "a: 1\n---\nb: 2\n",
    "---\n---\n", "a: 1\na: 2\n", "1: x\n", "[x]: y\n", "? {a: b}\n: c\n", "*nothing", "a: *nothing\n", "- 1\n- 2\n", "just text", "a: .nan\n",
    "a: .inf\n", "a: 99999999999999999999\n", "a: 'x", "a: {b: [c}\n", "%YAML 9.9\n---\na: 1\n", "a: \"\\0\"\n", "a: \"\\ud800\"\n", "@x", "a: `b`\n",
    "{" * DEEP, "a: " + "[" * DEEP + "]" * DEEP + "\n", "".join(" " * i + "a:\n" for i in range(1000)), "a" * LONG, "a: [" + "x," * (MANY + 1) + "]\n",
]
# YAML that may be accepted, and is then as harmless as it looks.
ODD_YAML = [
    "", "null", "~", "{}", "...", "# only a comment\n", "a: 1\n", "a: yes\nb: 012\nc: 1:30\n", "a: |\n  <script>\n", "a: &x 1\nb: *x\n", "<<: {a: 1}\n",
    "a: 2026-01-31\n", "😀: 😀\n", "A: 'true'\n", "a: \"\\u202e\"\n", "a: !!str 1\n", "a: !!binary aGVsbG8=\n", "é: x\n", "'a b': c\n", "a: '" + "x" * 70_000 + "'\n",
]

PATH_PARTS = [
    "..", "%2e%2e", "%2e%2e%2f%2e%2e%2fetc%2fpasswd", "%2f", "%00", "a%00b", "%ff", "%c0%af", "%", "%zz", "%0a", "%0d%0aX-Y:%20z", "-1", "0", "1.0", "+1",
    "01", "1e3", str(2**31), str(2**63 - 1), str(2**63), "9" * 400, "a" * 300, "a" * 7000, "'", "%27%20OR%201=1--", "%3Cscript%3E", "%F0%9F%98%80", "schema",
    "set", "*", ";", ";;;", "~", "null", "%E2%80%AE", "a%20b", "$(id)", "%25s%25n",
]
QUERY_VALUES = [
    "x", "-1", "1.5", "0", "1", str(2**31), str(2**63 - 1), str(2**63), str(-2**63 - 1), "1e400", "NaN", "%00", "%ff", "%", "%zz", "%C0%AF", "%E2%80%AE",
    "%F0%9F%98%80", "'", "%27%20OR%201=1--", "%3Cscript%3E", "..%2f..", "a" * 1000, "a" * 9000, "1," * 50 + "1", "1," * 150 + "1", ",", ",,", "%0a", "*", "%25", "_",
    "null", "None", "true", "True", "(", "[", "%28a%2B%29%2B%24",
]
HEADERS = [
    {"If-Match": v} for v in ("", "x", '"', '""', '"x"', 'W/"1"', '"1", "2"', "*, *", '"' + "1" * 400 + '"', '"-1"', '"99999999999999999999"', "é", "\t")
] + [
    {"Idempotency-Key": v} for v in ("", " ", "x" * 201, "x" * 5000, "é", "' OR 1=1", "<b>", "a\tb")
] + [
    {"Content-Type": v} for v in ("", "x", "text/plain", "application/jsonp", "application/json; charset=utf-16", "application/json;" + "x" * 3000,
                                  "APPLICATION/JSON", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", "json")
] + [
    {"Range": v} for v in ("", "bytes", "bytes=", "bytes=-", "bytes=5-1", "bytes=-0", "bytes=0-0,2-3", "bytes=99999999999999999999-", "lines=1-2", "bytes=a-b")
] + [
    {"Cookie": v} for v in ("", "=", ";;;;", "csrftoken", "sessionid=x; sessionid=y", "a=" + "b" * 4000, "sessionid=%00", "é=ü")
] + [
    {"Last-Event-ID": v} for v in ("", "x", "-1", str(2**63), "1" * 1000)
] + [
    {"If-None-Match": v} for v in ("", "*", '"', "x" * 3000, 'W/"x"')
] + [
    {"X-HTTP-Method-Override": v} for v in ("", "GET", "DELETES", "patch", "x" * 1000, "CONNECT")
] + [
    {"Accept": "text/html"}, {"Accept": "application/xml;q=x"}, {"Expect": "x"}, {"X-Forwarded-Proto": "javascript"}, {"X-Forwarded-For": "x" * 3000},
    {"Referer": "http://evil.example.com/"}, {"Origin": "http://evil.example.com"}, {"Host": "evil.example.com/\"><b>"}, {"X-CSRFToken": "x"},
]
AUTHORIZATIONS = ["", "Basic", "Basic ", "Basic =", "Basic !!!!", "Basic YWRtaW4=", "Basic " + "QUFB" * 2000, "Basic OjpA", "Basic AP8AOgD/", "Bearer", "Bearer ",
                  "Bearer x", "Bearer " + "x" * 4000, "Digest username=admin", "basic YTpi", "YTpi", "Basic YTpi,Basic YTpi"]
