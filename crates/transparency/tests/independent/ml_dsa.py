"""ML-DSA-44 verification after FIPS 204, with nothing but Python's standard library. Names are those of the standard."""

import hashlib

Q, D, TAU, OMEGA = 8380417, 13, 39, 80
GAMMA1, GAMMA2, BETA = 2**17, (8380417 - 1) // 88, 78
ZETAS = [pow(1753, int(f"{k:08b}"[::-1], 2), Q) for k in range(256)]


def ntt(w):
    w, k, length = list(w), 0, 128
    while length >= 1:
        for start in range(0, 256, 2 * length):
            k += 1
            for j in range(start, start + length):
                t = ZETAS[k] * w[j + length] % Q
                w[j + length], w[j] = (w[j] - t) % Q, (w[j] + t) % Q
        length //= 2
    return w


def inverse_ntt(w):
    w, k, length = list(w), 256, 1
    while length < 256:
        for start in range(0, 256, 2 * length):
            k -= 1
            for j in range(start, start + length):
                t, u = w[j], w[j + length]
                w[j], w[j + length] = (t + u) % Q, -ZETAS[k] * (t - u) % Q
        length *= 2
    return [8347681 * x % Q for x in w]


def unpack(data, bits):
    """Little-endian numbers of so many bits."""
    number = int.from_bytes(data, "little")
    return [number >> (bits * i) & (2**bits - 1) for i in range(len(data) * 8 // bits)]


def rej_ntt_poly(seed):
    stream = hashlib.shake_128(seed).digest(3 * 400)
    triples = (stream[i] | stream[i + 1] << 8 | (stream[i + 2] & 127) << 16 for i in range(0, len(stream), 3))
    poly = [z for z in triples if z < Q][:256]
    assert len(poly) == 256
    return poly


def sample_in_ball(rho):
    stream = hashlib.shake_256(rho).digest(1024)
    signs, at, c = int.from_bytes(stream[:8], "little"), 8, [0] * 256
    for i in range(256 - TAU, 256):
        while stream[at] > i:
            at += 1
        j, at = stream[at], at + 1
        c[i] = c[j]
        c[j] = -1 if signs >> (i + TAU - 256) & 1 else 1
    return c


def hints(y):
    h, index = [[0] * 256 for _ in range(4)], 0
    for i in range(4):
        end = y[OMEGA + i]
        assert index <= end <= OMEGA, "hint"
        places = y[index:end]
        assert all(a < b for a, b in zip(places, places[1:])), "hint"
        for place in places:
            h[i][place] = 1
        index = end
    assert not any(y[index:OMEGA]), "hint"
    return h


def use_hint(h, r):
    r0 = r % (2 * GAMMA2)
    r0 -= 2 * GAMMA2 if r0 > GAMMA2 else 0
    r1, r0 = (0, r0 - 1) if r - r0 == Q - 1 else ((r - r0) // (2 * GAMMA2), r0)
    return (r1 + (1 if r0 > 0 else -1)) % 44 if h else r1


def verify(public, message, signature):
    """Pure ML-DSA-44 with an empty context."""
    assert len(public) == 1312 and len(signature) == 2420, "length"
    rho, t1 = public[:32], [unpack(public[32 + 320 * i : 352 + 320 * i], 10) for i in range(4)]
    tilde, h = signature[:32], hints(signature[32 + 4 * 576 :])
    z = [[GAMMA1 - x for x in unpack(signature[32 + 576 * i : 608 + 576 * i], 18)] for i in range(4)]
    assert all(abs(x) < GAMMA1 - BETA for poly in z for x in poly), "z is too large"
    tr = hashlib.shake_256(public).digest(64)
    mu = hashlib.shake_256(tr + b"\0\0" + message).digest(64)
    c, z, packed = ntt(sample_in_ball(tilde)), [ntt(poly) for poly in z], 0
    for r in range(4):
        row = [rej_ntt_poly(rho + bytes([s, r])) for s in range(4)]
        t = ntt([x << D for x in t1[r]])
        w = inverse_ntt([(sum(row[s][i] * z[s][i] for s in range(4)) - c[i] * t[i]) % Q for i in range(256)])
        for i in range(256):
            packed |= use_hint(h[r][i], w[i]) << 6 * (256 * r + i)
    assert hashlib.shake_256(mu + packed.to_bytes(768, "little")).digest(32) == tilde, "signature does not verify"
