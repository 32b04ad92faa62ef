-- What is known of the schema of each asset that has one: the accepted one, and one that waits for a decision.
CREATE TABLE shape (
    asset TEXT PRIMARY KEY,
    accepted BLOB NOT NULL,
    declared TEXT NOT NULL,
    pending BLOB NOT NULL,
    why TEXT NOT NULL,
    at INTEGER NOT NULL
) WITHOUT ROWID;
