-- Gates: a slot may hold an event that no rule was asked about. The lists of words grow, so their tables are made anew.

ALTER TABLE slot ADD COLUMN held_seq INTEGER;
ALTER TABLE slot ADD COLUMN held BLOB;
CREATE INDEX slot_held ON slot (held_seq) WHERE held_seq IS NOT NULL;

CREATE TABLE disposition_new (
    seq INTEGER NOT NULL,
    task TEXT NOT NULL,
    outcome TEXT NOT NULL CHECK (outcome IN (
        'filtered', 'superseded', 'duplicate', 'late', 'expired', 'dropped', 'status', 'merged', 'recorded', 'held', 'approved', 'rejected',
        'released')),
    detail TEXT NOT NULL,
    at INTEGER NOT NULL
);
INSERT INTO disposition_new SELECT seq, task, outcome, detail, at FROM disposition ORDER BY rowid;
DROP TABLE disposition;
ALTER TABLE disposition_new RENAME TO disposition;
CREATE INDEX disposition_seq ON disposition (seq);

CREATE TABLE alert_new (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    key TEXT NOT NULL UNIQUE,
    kind TEXT NOT NULL CHECK (kind IN ('late', 'failed', 'source', 'dead letter', 'held')),
    owner TEXT NOT NULL,
    subject TEXT NOT NULL,
    text TEXT NOT NULL,
    at INTEGER NOT NULL
);
INSERT INTO alert_new SELECT id, key, kind, owner, subject, text, at FROM alert ORDER BY id;
DROP TABLE alert;
ALTER TABLE alert_new RENAME TO alert;
