"""`reactor demo`: a day of daily revenue, played against the real service: real files, a real table, an embedded topic, the real ledger.

Only time is not real: it stands still until the story lets it pass, so that a day takes a minute, or as long as the work takes.
"""
