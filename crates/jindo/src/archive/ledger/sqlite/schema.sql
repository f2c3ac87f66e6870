-- The ledger of a jindo archive. Times are Unix seconds UTC, or milliseconds where the name ends in _ms.
-- Windows are half-open: [start_s, end_s).
CREATE TABLE queries (
  -- One row per identity of data: the query as it travels, and the seconds per point.
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  sent TEXT NOT NULL,
  interval_s INTEGER NOT NULL CHECK (interval_s > 0),
  written TEXT NOT NULL,                 -- as it stands in the list
  unfilled TEXT,                         -- sent without the fill that jindo added; NULL: none was added
  alone INTEGER NOT NULL CHECK (alone IN (0, 1)),
  asked_start_s INTEGER,                 -- what was last asked, aligned to the interval; NULL: never
  asked_end_s INTEGER,
  position INTEGER,                      -- place in the last request's list; NULL: of an earlier list
  substitute INTEGER REFERENCES queries (id),  -- the server refused this form's fill: that row is sent instead
  instead_of INTEGER REFERENCES queries (id),  -- the refused form that the last request asked for
  role TEXT NOT NULL DEFAULT 'wanted'    -- else asked only to learn where another query has points, or how far apart
    CHECK (role IN ('wanted', 'probe', 'sample')),
  generation_floor INTEGER NOT NULL DEFAULT 0, -- objects of this query start here: a damaged one was dropped
  bytes_per_bucket INTEGER,              -- decoded bytes of its answers a bucket; NULL: not known to be heavy
  weighed_ms INTEGER,                    -- when that was learnt
  UNIQUE (sent, interval_s)
) STRICT;
CREATE TABLE request (
  -- The last request; one row.
  id INTEGER PRIMARY KEY CHECK (id = 1),
  asked_start_s INTEGER NOT NULL,
  asked_end_s INTEGER NOT NULL,
  settled_s INTEGER NOT NULL,            -- buckets that end later were not over
  timezone TEXT NOT NULL,                -- IANA name
  arguments TEXT NOT NULL                -- JSON
) STRICT;
CREATE TABLE lines (
  -- The last request's list: a query, or a line that was refused for a reason.
  position INTEGER PRIMARY KEY,
  written TEXT NOT NULL,
  query INTEGER REFERENCES queries (id),
  reason TEXT,
  CHECK ((query IS NULL) <> (reason IS NULL))
) STRICT;
CREATE TABLE objects (
  -- The Parquet files below archive/data/ and archive/probes/ that coverage refers to.
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  name TEXT NOT NULL UNIQUE,
  interval_s INTEGER NOT NULL,
  start_s INTEGER NOT NULL,
  end_s INTEGER NOT NULL,
  generation INTEGER NOT NULL,           -- one more than any older object that it took over from
  fetched_ms INTEGER NOT NULL,
  open INTEGER NOT NULL CHECK (open IN (0, 1)),
  rows INTEGER NOT NULL,
  bytes INTEGER NOT NULL,
  sha256 TEXT NOT NULL                   -- of the file, hex
) STRICT;
CREATE TABLE copies (
  -- Objects that hold what newer ones left of an answer.
  object INTEGER PRIMARY KEY REFERENCES objects (id) ON DELETE CASCADE,
  answer TEXT NOT NULL                   -- its first object's name and sha256
) STRICT;
CREATE TABLE object_queries (
  -- The queries of an object, in the order of the call.
  object INTEGER NOT NULL REFERENCES objects (id) ON DELETE CASCADE,
  position INTEGER NOT NULL,
  query INTEGER NOT NULL REFERENCES queries (id),
  PRIMARY KEY (object, position)
) STRICT, WITHOUT ROWID;
CREATE TABLE coverage (
  -- Which stretch of a query is read from which object; disjoint per query.
  query INTEGER NOT NULL REFERENCES queries (id),
  start_s INTEGER NOT NULL,
  end_s INTEGER NOT NULL CHECK (end_s > start_s),
  object INTEGER NOT NULL REFERENCES objects (id) ON DELETE CASCADE,
  open INTEGER NOT NULL CHECK (open IN (0, 1)),  -- marked: asked again by the next run
  asked_ms INTEGER NOT NULL,             -- when the server last gave just this; not before the object was fetched
  probed INTEGER NOT NULL DEFAULT 0 CHECK (probed IN (0, 1)),  -- the object, a probe's, has no points there
  PRIMARY KEY (query, start_s)
) STRICT, WITHOUT ROWID;
CREATE INDEX coverage_of_object ON coverage (object);
CREATE TABLE noted (
  -- Names about to be published or removed. After a crash these, and only these, are looked at.
  name TEXT PRIMARY KEY,
  purpose TEXT NOT NULL CHECK (purpose IN ('publish', 'remove'))
) STRICT, WITHOUT ROWID;
CREATE TABLE given_up (
  query INTEGER NOT NULL REFERENCES queries (id),
  start_s INTEGER NOT NULL,
  end_s INTEGER NOT NULL,
  whole INTEGER NOT NULL CHECK (whole IN (0, 1)),  -- the query itself; 0: only this stretch, for its place in time
  reason TEXT NOT NULL,                  -- refused, not-offered, url-too-long, point-too-large, type-unknown
  words TEXT,                            -- refused: the server's; type-unknown: why
  asked_s INTEGER,                       -- not-offered: this interval
  nearest_s INTEGER,                     -- not-offered: the interval that is
  mebibytes_max INTEGER,                 -- point-too-large: so much is read of an answer
  at_ms INTEGER NOT NULL,
  PRIMARY KEY (query, start_s, end_s, whole)
) STRICT, WITHOUT ROWID;
CREATE TABLE learnt (
  -- Limits of the server, each for a week after it was last seen.
  name TEXT PRIMARY KEY,
  value INTEGER NOT NULL,
  learnt_ms INTEGER NOT NULL,
  why TEXT NOT NULL,
  seen_ms INTEGER NOT NULL,              -- last answer that confirmed it
  refusals INTEGER NOT NULL,             -- answers that taught or confirmed it
  largest INTEGER NOT NULL,              -- size of the largest answer seen, in the limit's unit; 0: not known
  taught_by TEXT NOT NULL,               -- a query of the refused calls, as it is written; empty: not known
  teachers INTEGER NOT NULL              -- how many queries these calls had; a cap on points that one alone taught is its own
) STRICT, WITHOUT ROWID;
CREATE TABLE probes_discarded (
  -- An answer contradicted a probe: none is made or used here any more. At most one row.
  id INTEGER PRIMARY KEY CHECK (id = 1),
  why TEXT NOT NULL,
  at_ms INTEGER NOT NULL
) STRICT;
CREATE TABLE spacings (
  -- At which interval queries without one of their own are asked.
  query TEXT PRIMARY KEY,                -- as it would be asked every 60 s, without invented points
  interval_s INTEGER NOT NULL CHECK (interval_s > 0),
  basis TEXT NOT NULL CHECK (basis IN ('sampled', 'empty', 'sparse', 'irregular', 'refused')),
  why TEXT NOT NULL,
  found_ms INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE TABLE metric_types (
  -- Types of the metrics of queries with .as_count() or .as_rate(), by which these were rewritten.
  metric TEXT PRIMARY KEY,
  type TEXT NOT NULL,                    -- gauge, count, rate, rate without interval, distribution, absent
  found_ms INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE TABLE trusted (
  -- Queries whose answers looked cut and were found to be whole: up to so much they are not asked again.
  query INTEGER PRIMARY KEY REFERENCES queries (id),
  points INTEGER NOT NULL,               -- of the longest series
  stride INTEGER NOT NULL,               -- intervals from point to point; 0: not found to be regular
  call_points INTEGER NOT NULL,          -- of all queries of a call
  newest INTEGER NOT NULL CHECK (newest IN (0, 1))  -- an answer without its last bucket was whole
) STRICT;
CREATE TABLE kept (
  -- Small things by name: the organisation, the salt of its key's hash. Never a key.
  key TEXT PRIMARY KEY,
  text TEXT NOT NULL
) STRICT, WITHOUT ROWID;
CREATE TABLE extracted (
  -- Marks, per output: queries whose files are up to date with what the digest names.
  output TEXT NOT NULL,                  -- csv, ...
  query INTEGER NOT NULL REFERENCES queries (id),
  digest TEXT NOT NULL,
  files INTEGER NOT NULL,
  bytes INTEGER NOT NULL,
  points INTEGER NOT NULL,
  PRIMARY KEY (output, query)
) STRICT, WITHOUT ROWID;
CREATE TABLE files (
  output TEXT NOT NULL,
  query INTEGER NOT NULL,
  position INTEGER NOT NULL,
  path TEXT NOT NULL,                    -- relative to the directory
  folded TEXT NOT NULL,                  -- the path where names differ by neither case nor Unicode form
  metric TEXT NOT NULL,
  tags TEXT NOT NULL,                    -- JSON array of key:value
  unit TEXT,
  first_ms INTEGER NOT NULL,
  last_ms INTEGER NOT NULL,
  points INTEGER NOT NULL,
  bytes INTEGER NOT NULL,
  sha256 TEXT NOT NULL,                  -- hex
  PRIMARY KEY (output, query, position),
  FOREIGN KEY (output, query) REFERENCES extracted (output, query) ON DELETE CASCADE
) STRICT, WITHOUT ROWID;
CREATE UNIQUE INDEX files_by_folded_path ON files (folded);
