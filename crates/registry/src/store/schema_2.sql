-- Version 2: keys of houses that change marked parts, and what they signed.

-- `verifier` is the public key in C2SP signed-note form. A key is never changed; it ends, or it is revoked.
CREATE TABLE party_key (
    verifier TEXT NOT NULL PRIMARY KEY,
    party BIGINT NOT NULL REFERENCES party (party_id),
    kind TEXT NOT NULL,
    valid_from BIGINT NOT NULL,
    valid_until BIGINT NOT NULL,
    registered_at BIGINT NOT NULL
);
CREATE TABLE revocation (
    verifier TEXT NOT NULL PRIMARY KEY REFERENCES party_key (verifier),
    revoked_at BIGINT NOT NULL,
    reason TEXT NOT NULL
);

-- Signed texts as they came; the hash is over the text without its signature, and no text is taken twice.
CREATE TABLE statement (
    statement_id BIGINT NOT NULL PRIMARY KEY,
    sha256 TEXT NOT NULL UNIQUE,
    note TEXT NOT NULL
);
