-- Alerts that a channel will never take, each with the reason.
CREATE TABLE undelivered (
    alert INTEGER NOT NULL,
    channel TEXT NOT NULL,
    reason TEXT NOT NULL,
    at INTEGER NOT NULL,
    PRIMARY KEY (alert, channel)
) WITHOUT ROWID;
