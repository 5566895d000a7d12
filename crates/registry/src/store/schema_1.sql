-- The issuer's books, version 1. One text for SQLite and PostgreSQL.
-- Times are microseconds since 1970 UTC, days are days since 1970, truth values are 0 and 1.
-- Nothing here is ever updated or deleted but `counter`; a correction is a new row of `entry`.

CREATE TABLE counter (
    name TEXT NOT NULL PRIMARY KEY,
    next BIGINT NOT NULL
);

-- Blocks of 2^20 units. `key_check` tells whether the sealing key beside the books is the one the block was opened with.
CREATE TABLE block (
    prefix BIGINT NOT NULL PRIMARY KEY,
    key_check TEXT NOT NULL,
    opened_at BIGINT NOT NULL
);

-- Salted records of what was asked, done and answered; the log holds only their hashes.
CREATE TABLE record (
    record_id BIGINT NOT NULL PRIMARY KEY,
    kind TEXT NOT NULL,
    recorded_at BIGINT NOT NULL,
    salt BYTEA NOT NULL,
    body TEXT NOT NULL
);

-- Written after the log has taken the hash. A record without such a row never took effect.
CREATE TABLE logged (
    record_id BIGINT NOT NULL PRIMARY KEY,
    log_index BIGINT NOT NULL UNIQUE
);

CREATE TABLE party (
    party_id BIGINT NOT NULL PRIMARY KEY,
    licence TEXT NOT NULL,
    name TEXT NOT NULL,
    UNIQUE (licence, name)
);

-- A licensee that went out of business; its records went to the named successor.
CREATE TABLE closure (
    licence TEXT NOT NULL PRIMARY KEY,
    closed_on BIGINT NOT NULL,
    records_at TEXT NOT NULL,
    recorded_at BIGINT NOT NULL
);

-- Licensee and model: with the serial number, the key of a firearm.
CREATE TABLE line (
    line_id BIGINT NOT NULL PRIMARY KEY,
    licence TEXT NOT NULL,
    model TEXT NOT NULL,
    UNIQUE (licence, model)
);

CREATE TABLE description (
    description_id BIGINT NOT NULL PRIMARY KEY,
    body TEXT NOT NULL UNIQUE
);

CREATE TABLE firearm (
    firearm_id BIGINT NOT NULL PRIMARY KEY,
    line_id BIGINT NOT NULL REFERENCES line (line_id),
    serial TEXT NOT NULL,
    description_id BIGINT NOT NULL REFERENCES description (description_id),
    UNIQUE (line_id, serial)
);

-- `code` is the six payload symbols, five bits each, the first symbol highest; `unit` is prefix * 2^20 + unit number.
-- Both are unique: a code is never issued twice. `parts` has bit 0 for the firing pin, bit 1 for the breech
-- face, bit 2 for the rounds of a box.
CREATE TABLE code (
    code BIGINT NOT NULL PRIMARY KEY,
    unit BIGINT NOT NULL UNIQUE,
    parts BIGINT NOT NULL,
    firearm_id BIGINT REFERENCES firearm (firearm_id),
    record_id BIGINT NOT NULL,
    issued_at BIGINT NOT NULL
);

CREATE TABLE entry (
    entry_id BIGINT NOT NULL PRIMARY KEY,
    firearm_id BIGINT NOT NULL REFERENCES firearm (firearm_id),
    kind TEXT NOT NULL,
    holder BIGINT NOT NULL REFERENCES party (party_id),
    other BIGINT REFERENCES party (party_id),
    happened_on BIGINT NOT NULL,
    recorded_at BIGINT NOT NULL,
    recorded_by TEXT NOT NULL,
    description_id BIGINT REFERENCES description (description_id),
    code BIGINT,
    corrects BIGINT,
    void BIGINT NOT NULL,
    body TEXT
);
CREATE INDEX entry_firearm ON entry (firearm_id);
-- An entry is corrected once; a correction can be corrected in turn.
CREATE UNIQUE INDEX entry_corrects ON entry (corrects) WHERE corrects IS NOT NULL;

-- Later fittings and removals of marked parts, by code; the first fitting is the issue itself.
CREATE TABLE fitting (
    entry_id BIGINT NOT NULL PRIMARY KEY,
    code BIGINT NOT NULL
);
CREATE INDEX fitting_code ON fitting (code);
