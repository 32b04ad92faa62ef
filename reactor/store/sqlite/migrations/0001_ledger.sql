-- The ledger. Names and meanings follow reactor/store/base.py and reactor/model; instants are microseconds since 1970, UTC.
-- The lists of words in the CHECKs are compared with the enums of reactor/model by a test.

CREATE TABLE engine (
    one INTEGER PRIMARY KEY CHECK (one = 1),
    epoch INTEGER NOT NULL,
    holder TEXT NOT NULL,
    next_seq INTEGER NOT NULL,
    next_order INTEGER NOT NULL
);
INSERT INTO engine VALUES (1, 0, '', 1, 1);

CREATE TABLE note (
    name TEXT PRIMARY KEY,
    value TEXT NOT NULL
) WITHOUT ROWID;

-- Where each lane stands. `gone_*`: events whose rows were forgotten, so that the sums still come out.
CREATE TABLE lane (
    source TEXT NOT NULL,
    lane TEXT NOT NULL,
    first INTEGER NOT NULL,
    position INTEGER NOT NULL CHECK (position >= first),
    cursor TEXT NOT NULL,
    gone_ready INTEGER NOT NULL DEFAULT 0,
    gone_dead INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (source, lane)
) WITHOUT ROWID;

CREATE TABLE span (
    source TEXT NOT NULL,
    lane TEXT NOT NULL,
    first INTEGER NOT NULL,
    until INTEGER NOT NULL CHECK (until > first),
    ready INTEGER NOT NULL CHECK (ready >= 0),
    ignored INTEGER NOT NULL CHECK (ignored >= 0),
    duplicate INTEGER NOT NULL CHECK (duplicate >= 0),
    dead INTEGER NOT NULL CHECK (dead >= 0),
    gap INTEGER NOT NULL CHECK (gap >= 0),
    at INTEGER NOT NULL,
    PRIMARY KEY (source, lane, first),
    CHECK (ready + ignored + duplicate + dead + gap = until - first)
) WITHOUT ROWID;

CREATE TABLE seen (
    scope TEXT NOT NULL,
    id TEXT NOT NULL,
    at INTEGER NOT NULL,
    PRIMARY KEY (scope, id)
) WITHOUT ROWID;
CREATE INDEX seen_at ON seen (at);

CREATE TABLE kept (
    source TEXT NOT NULL,
    lane TEXT NOT NULL,
    position INTEGER NOT NULL,
    id TEXT NOT NULL,
    at INTEGER NOT NULL,
    payload BLOB NOT NULL,
    UNIQUE (source, lane, position)
);
CREATE INDEX kept_at ON kept (at);

CREATE TABLE file_seen (
    source TEXT NOT NULL,
    name TEXT NOT NULL,
    inode INTEGER NOT NULL,
    size INTEGER NOT NULL,
    mtime_ns INTEGER NOT NULL,
    version INTEGER NOT NULL,
    PRIMARY KEY (source, name)
) WITHOUT ROWID;

-- `leads`: the first readiness event of its raw event, so that their number is the number of raw events that were ready.
-- `places`: JSON, the [task, key] of each wait that it was put into when it came; an event enters a wait at no other time.
CREATE TABLE readiness (
    seq INTEGER PRIMARY KEY,
    id TEXT NOT NULL,
    asset TEXT NOT NULL,
    partition TEXT NOT NULL,
    status TEXT NOT NULL CHECK (status IN ('ok', 'failed', 'skipped')),
    evidence BLOB NOT NULL,
    arrived INTEGER NOT NULL,
    at INTEGER NOT NULL,
    source TEXT NOT NULL,
    lane TEXT NOT NULL,
    position INTEGER NOT NULL,
    "by" TEXT NOT NULL,
    run TEXT NOT NULL,
    traceparent TEXT,
    version INTEGER NOT NULL,
    offered INTEGER NOT NULL,
    leads INTEGER NOT NULL CHECK (leads IN (0, 1)),
    places TEXT
);
CREATE INDEX readiness_asset ON readiness (asset);

CREATE TABLE disposition (
    seq INTEGER NOT NULL,
    task TEXT NOT NULL,
    outcome TEXT NOT NULL CHECK (outcome IN (
        'filtered', 'superseded', 'duplicate', 'late', 'expired', 'dropped', 'status', 'merged', 'recorded', 'released')),
    detail TEXT NOT NULL,
    at INTEGER NOT NULL
);
CREATE INDEX disposition_seq ON disposition (seq);

-- Event `seq` was handed to a run of a task. An empty run: to runs that are forgotten.
CREATE TABLE used (
    seq INTEGER NOT NULL,
    task TEXT NOT NULL,
    run TEXT NOT NULL,
    PRIMARY KEY (seq, task, run)
) WITHOUT ROWID;

CREATE TABLE dead (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    source TEXT NOT NULL,
    lane TEXT NOT NULL,
    position INTEGER NOT NULL,
    sensor TEXT NOT NULL,
    reason TEXT NOT NULL,
    detail TEXT NOT NULL,
    body BLOB NOT NULL,
    at INTEGER NOT NULL,
    digest TEXT NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('open', 'retried', 'dropped')),
    leads INTEGER NOT NULL CHECK (leads IN (0, 1))
);
CREATE INDEX dead_state ON dead (state, at);

CREATE TABLE slot (
    asset TEXT NOT NULL,
    partition TEXT NOT NULL,
    version INTEGER NOT NULL,
    seq INTEGER NOT NULL,
    event TEXT NOT NULL,
    at INTEGER NOT NULL,
    evidence BLOB NOT NULL,
    run TEXT NOT NULL,
    late_since INTEGER,
    PRIMARY KEY (asset, partition)
) WITHOUT ROWID;
CREATE INDEX slot_run ON slot (run) WHERE run <> '';

CREATE TABLE wait (
    task TEXT NOT NULL,
    key TEXT NOT NULL,
    generation INTEGER NOT NULL,
    items BLOB,
    since INTEGER NOT NULL,
    plan TEXT NOT NULL,
    PRIMARY KEY (task, key)
) WITHOUT ROWID;

CREATE TABLE run (
    ord INTEGER PRIMARY KEY,
    id TEXT NOT NULL UNIQUE,
    task TEXT NOT NULL,
    workflow TEXT NOT NULL,
    key TEXT NOT NULL,
    generation INTEGER NOT NULL,
    state TEXT NOT NULL CHECK (state IN (
        'queued', 'running', 'retrying', 'succeeded', 'failed', 'cancelled', 'expired')),
    reason TEXT NOT NULL CHECK (reason IN ('inputs', 'new version', 'manual')),
    created INTEGER NOT NULL,
    waited_since INTEGER NOT NULL,
    limit_key TEXT NOT NULL,
    digest TEXT NOT NULL,
    traceparent TEXT,
    parent TEXT,
    attempt_traceparent TEXT,
    started INTEGER,
    attempt_started INTEGER,
    ended INTEGER,
    attempt INTEGER NOT NULL,
    token INTEGER NOT NULL,
    failures INTEGER NOT NULL,
    lost INTEGER NOT NULL,
    next_at INTEGER,
    cancel_asked TEXT,
    merged INTEGER NOT NULL,
    error TEXT,
    inputs BLOB NOT NULL,
    UNIQUE (task, key, generation)
);
CREATE INDEX run_state ON run (state, task);
CREATE INDEX run_ended ON run (ended) WHERE ended IS NOT NULL;

CREATE TABLE attempt (
    run TEXT NOT NULL,
    number INTEGER NOT NULL,
    token INTEGER NOT NULL,
    started INTEGER NOT NULL,
    ended INTEGER NOT NULL,
    result TEXT NOT NULL,
    error TEXT,
    executor TEXT NOT NULL,
    exit_code INTEGER,
    checks BLOB,
    traceparent TEXT,
    PRIMARY KEY (run, number)
) WITHOUT ROWID;

CREATE TABLE sensor_state (
    sensor TEXT PRIMARY KEY,
    state BLOB NOT NULL
) WITHOUT ROWID;

CREATE TABLE alert (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    key TEXT NOT NULL UNIQUE,
    kind TEXT NOT NULL CHECK (kind IN ('late', 'failed', 'source', 'dead letter')),
    owner TEXT NOT NULL,
    subject TEXT NOT NULL,
    text TEXT NOT NULL,
    at INTEGER NOT NULL
);

CREATE TABLE topic (
    name TEXT PRIMARY KEY,
    first INTEGER NOT NULL,
    next INTEGER NOT NULL
) WITHOUT ROWID;

CREATE TABLE record (
    topic TEXT NOT NULL,
    position INTEGER NOT NULL,
    key BLOB,
    body BLOB,
    headers BLOB,
    at INTEGER NOT NULL,
    PRIMARY KEY (topic, position)
) WITHOUT ROWID;

-- What people did. Rows are only ever added: the triggers refuse anything else.
CREATE TABLE audit (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    at INTEGER NOT NULL,
    actor TEXT NOT NULL,
    action TEXT NOT NULL,
    object TEXT NOT NULL,
    detail TEXT NOT NULL
);
CREATE TRIGGER audit_is_not_changed BEFORE UPDATE ON audit
BEGIN
    SELECT RAISE(ABORT, 'the audit log only grows');
END;
CREATE TRIGGER audit_is_not_removed BEFORE DELETE ON audit
BEGIN
    SELECT RAISE(ABORT, 'the audit log only grows');
END;

-- Sums over rows that were forgotten.
CREATE TABLE gone (
    what TEXT PRIMARY KEY,
    number INTEGER NOT NULL
) WITHOUT ROWID;
