"""A second verifier of evidence, written from C2SP and RFC texts alone, with nothing but Python's standard library.

usage: verify.py POLICY EVIDENCE     (exit 0: it holds; 1: it does not)

POLICY has lines `log <vkey>` and `witness <name> <vkey>`, all of which must have signed (a quorum of `all`).
"""

import base64
import hashlib
import sys

import ml_dsa

# Ed25519 after RFC 8032, section 5.1, with extended coordinates.
P = 2**255 - 19
L = 2**252 + 27742317777372353535851937790883648493
D = -121665 * pow(121666, -1, P) % P
ROOT = pow(2, (P - 1) // 4, P)


def point(data):
    y = int.from_bytes(data, "little")
    sign, y = y >> 255, y & (2**255 - 1)
    assert len(data) == 32 and y < P, "bad point"
    x2 = (y * y - 1) * pow(D * y * y + 1, -1, P) % P
    x = pow(x2, (P + 3) // 8, P)
    if (x * x - x2) % P:
        x = x * ROOT % P
    assert (x * x - x2) % P == 0, "bad point"
    x = P - x if x & 1 != sign else x
    return (x, y, 1, x * y % P)


def add(a, b):
    """Adds points (X, Y, Z, T) with x = X/Z, y = Y/Z, xy = T/Z."""
    s, t = (a[1] - a[0]) * (b[1] - b[0]) % P, (a[1] + a[0]) * (b[1] + b[0]) % P
    u, v = 2 * D * a[3] * b[3] % P, 2 * a[2] * b[2] % P
    e, f, g, h = t - s, v - u, v + u, t + s
    return (e * f % P, g * h % P, f * g % P, e * h % P)


def times(number, base):
    total = (0, 1, 1, 0)
    while number:
        if number & 1:
            total = add(total, base)
        base, number = add(base, base), number >> 1
    return total


def same(a, b):
    return (a[0] * b[2] - b[0] * a[2]) % P == 0 and (a[1] * b[2] - b[1] * a[2]) % P == 0


def ed25519(public, message, signature):
    assert len(signature) == 64, "signature has a wrong length"
    s = int.from_bytes(signature[32:], "little")
    assert s < L, "signature is not reduced"
    h = int.from_bytes(hashlib.sha512(signature[:32] + public + message).digest(), "little") % L
    base = point((4 * pow(5, -1, P) % P).to_bytes(32, "little"))
    right = add(point(signature[:32]), times(h, point(public)))
    assert same(times(s, base), right), "signature does not verify"


def unbase64(text):
    data = base64.b64decode(text, validate=True)
    assert base64.b64encode(data).decode() == text, "base64 has a second spelling"
    return data


def key(text):
    name, identity, material = text.split("+", 2)
    material = unbase64(material)
    digest = hashlib.sha256(name.encode() + b"\n" + material).digest()
    assert digest[:4].hex() == identity, "key id"
    return name, digest[:4], material[0], material[1:]


def number(text):
    assert text == str(int(text)), "number has a second spelling"
    return int(text)


def inclusion(leaf, index, size, proof):
    node, last = index, size - 1
    assert index < size, "index"
    for sibling in proof:
        assert last > 0, "proof is too long"
        if node & 1 or node == last:
            leaf = hashlib.sha256(b"\1" + sibling + leaf).digest()
            while not node & 1:
                node, last = node >> 1, last >> 1
        else:
            leaf = hashlib.sha256(b"\1" + leaf + sibling).digest()
        node, last = node >> 1, last >> 1
    assert last == 0, "proof is too short"
    return leaf


def subtree(witness, time, body):
    """What an ML-DSA-44 cosignature signs: the whole tree as the subtree that starts at 0 (C2SP tlog-cosignature)."""
    origin, size, root = body[:-1].split("\n")
    short = lambda text: bytes([len(text.encode())]) + text.encode()
    numbers = bytes(8) + int(size).to_bytes(8, "big")
    return b"subtree/v1\n\0" + short(witness) + time + short(origin) + numbers + unbase64(root)


def note(text, keys, seen={}):
    """The text of a note that all keys have signed; entries of one bundle share it, so it is checked once."""
    if text in seen:
        return seen[text]
    body, signatures = text.rsplit("\n\n", 1)
    body += "\n"
    assert signatures.endswith("\n")
    wanted = {(name, identity): (kind, public) for name, identity, kind, public in keys}
    for line in signatures[:-1].split("\n"):
        dash, name, data = line.split(" ")
        data = unbase64(data)
        assert dash == "\u2014"
        kind, public = wanted.pop((name, data[:4]))  # unknown or doubled: KeyError
        if kind == 1:
            assert body.split("\n")[0] == name, "origin"
            ed25519(public, body.encode(), data[4:])
        elif kind == 4:
            time = int.from_bytes(data[4:12], "big")
            ed25519(public, f"cosignature/v1\ntime {time}\n{body}".encode(), data[12:])
        else:
            assert kind == 6
            ml_dsa.verify(public, subtree(name, data[4:12], body), data[12:])
    assert not wanted, "a signature is missing"
    return seen.setdefault(text, body)


def entry(text, keys):
    head, rest = text.split("\n\n", 1)
    origin, size, root = note(rest, keys)[:-1].split("\n")
    header, extra, index, *proof = head.split("\n")
    assert header == "c2sp.org/tlog-proof@v1" and extra.startswith("extra ") and index.startswith("index ")
    extra = unbase64(extra[6:])
    assert len(extra) >= 32
    leaf = hashlib.sha256(b"\0" + hashlib.sha256(b"microstamp commitment v1\n" + extra).digest()).digest()
    proof = [unbase64(line) for line in proof]
    assert all(len(sibling) == 32 for sibling in proof)
    assert inclusion(leaf, number(index[6:]), number(size), proof) == unbase64(root), "root"
    return rest


def main(policy, evidence):
    lines = [line.split() for line in open(policy, encoding="utf-8") if line.strip()]
    keys = [key(line[-1]) for line in lines if line[0] in ("log", "witness")]
    data = open(evidence, "rb").read()
    header, count, rest = data.split(b"\n", 2)
    assert header == b"microstamp.bundle/1" and count.startswith(b"entries ")
    checkpoints = []
    for _ in range(number(count[8:].decode())):
        length, rest = rest.split(b"\n", 1)
        assert length.startswith(b"proof ")
        length = number(length[6:].decode())
        assert length <= len(rest)
        checkpoints.append(entry(rest[:length].decode(), keys))
        rest = rest[length:]
    assert rest == b"" and len(set(checkpoints)) == 1


if __name__ == "__main__":
    try:
        main(*sys.argv[1:])
    except (AssertionError, ValueError, KeyError, OverflowError) as error:
        sys.exit(f"does not hold: {error!r}")
