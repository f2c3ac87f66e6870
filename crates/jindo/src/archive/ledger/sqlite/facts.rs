//! The statements about the small facts: what was learnt, kept and extracted, and totals. Which paths an output makes is not known
//! here.

use super::convert::{Moment, OfQuery, Unsigned, Words, each, first, rows, unknown};
use super::{Connection, OptionalExtension, Row, SqlError, Sqlite, Transaction, given_up, params};
use crate::archive::objects::ARCHIVE;
use crate::archive::{
    ArchiveId, Error, Extracted, FactLedger, FilesExtent, GivenUp, KnownType, Learnt, OutputName,
    ProbesDiscarded, QueryId, SeriesFile, Spaced, Totals, Trusted,
};
use crate::case_fold::folded;
use crate::plan::{Confidence, LearntLimit};
use crate::query::MetricType;
use jiff::Timestamp;

impl FactLedger for Sqlite {
    fn give_up(&self, given_up: &GivenUp) -> Result<(), Error> {
        self.change("giving a query up", |t| given_up::give_up(t, given_up))
    }

    fn given_up(&self) -> Result<Vec<GivenUp>, Error> {
        self.ask("reading what was given up", |c| {
            given_up::select(c, "ORDER BY query, start_s, end_s, whole", [])
        })
    }

    fn learn(&self, learnt: &Learnt) -> Result<(), Error> {
        let (name, value) = named(learnt.limit);
        self.change("keeping a limit", |t| {
            t.execute(
                "INSERT INTO learnt VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)
                 ON CONFLICT (name) DO UPDATE SET
                     learnt_ms = iif(value = ?2, learnt_ms, ?3),
                     why = iif(value = ?2, why, ?4),
                     value = ?2, seen_ms = ?5, refusals = refusals + ?6,
                     largest = max(largest, ?7), taught_by = ?8, teachers = ?9",
                params![
                    name,
                    value,
                    Moment(learnt.learnt_at),
                    learnt.why,
                    Moment(learnt.seen_at),
                    learnt.refusals,
                    Unsigned(learnt.largest),
                    learnt.taught_by,
                    learnt.teachers
                ],
            )
            .map(drop)
        })
    }

    fn unlearn(&self, limit: LearntLimit) -> Result<(), Error> {
        let (name, _) = named(limit);
        self.change("forgetting a limit", |t| {
            t.execute("DELETE FROM learnt WHERE name = ?1", [name]).map(drop)
        })
    }

    fn learnt(&self) -> Result<Vec<Learnt>, Error> {
        self.ask("reading its limits", |c| {
            let mut statement = c.prepare_cached("SELECT * FROM learnt ORDER BY name")?;
            rows(&mut statement, "learnt", [], |row| {
                let Moment(learnt_at) = row.get("learnt_ms")?;
                Ok(Learnt {
                    limit: limit(&row.get::<_, String>("name")?, row.get("value")?)?,
                    learnt_at,
                    seen_at: row.get::<_, Moment>("seen_ms")?.0,
                    why: row.get::<_, Words>("why")?.into(),
                    refusals: row.get("refusals")?,
                    largest: row.get::<_, Unsigned>("largest")?.0,
                    taught_by: row.get::<_, OfQuery>("taught_by")?.into(),
                    teachers: row.get("teachers")?,
                })
            })
        })
    }

    fn discard_probes(&self, ProbesDiscarded { why, at }: &ProbesDiscarded) -> Result<(), Error> {
        self.change("discarding probes", |t| {
            t.execute(
                "INSERT OR REPLACE INTO probes_discarded (id, why, at_ms) VALUES (1, ?1, ?2)",
                params![why, Moment(*at)],
            )
            .map(drop)
        })
    }

    fn probes_discarded(&self) -> Result<Option<ProbesDiscarded>, Error> {
        self.ask("reading that probes are discarded", |c| {
            let mut statement = c.prepare_cached("SELECT why, at_ms FROM probes_discarded")?;
            first(&mut statement, "probes_discarded", [], |row| {
                Ok(ProbesDiscarded { why: row.get(0)?, at: row.get::<_, Moment>(1)?.0 })
            })
        })
    }

    fn weigh(&self, weights: &[(QueryId, Option<u64>)], at: Timestamp) -> Result<(), Error> {
        self.change("keeping weights", |t| {
            let mut weigh = t.prepare_cached(
                "UPDATE queries SET bytes_per_bucket = ?2, weighed_ms = ?3 WHERE id = ?1",
            )?;
            for (query, bytes) in weights {
                let weighed = bytes.map(|_| Moment(at));
                weigh.execute(params![query, bytes.map(Unsigned), weighed])?;
            }
            Ok(())
        })
    }

    fn forget(&self) -> Result<(), Error> {
        self.change("forgetting limits", |t| {
            t.execute_batch(
                "DELETE FROM learnt;
                 DELETE FROM probes_discarded;
                 UPDATE queries SET bytes_per_bucket = NULL, weighed_ms = NULL;
                 DELETE FROM spacings;
                 DELETE FROM metric_types;
                 DELETE FROM trusted;
                 DELETE FROM given_up WHERE NOT whole",
            )
        })
    }

    fn space(&self, spaced: &[Spaced]) -> Result<(), Error> {
        self.change("keeping spacings", |t| {
            let mut insert =
                t.prepare_cached("INSERT OR REPLACE INTO spacings VALUES (?1, ?2, ?3, ?4, ?5)")?;
            for Spaced { query, interval, basis, why, found_at } in spaced {
                insert.execute(params![query, interval, basis.name(), why, Moment(*found_at)])?;
            }
            Ok(())
        })
    }

    fn spaced(&self) -> Result<Vec<Spaced>, Error> {
        self.ask("reading its spacings", |c| {
            let mut statement = c.prepare_cached("SELECT * FROM spacings ORDER BY query")?;
            rows(&mut statement, "spacings", [], |row| {
                let name: String = row.get("basis")?;
                let basis = Confidence::ALL.into_iter().find(|known| known.name() == name);
                Ok(Spaced {
                    query: row.get("query")?,
                    interval: row.get("interval_s")?,
                    basis: basis.ok_or_else(|| unknown("spacings.basis", &name))?,
                    why: row.get("why")?,
                    found_at: row.get::<_, Moment>("found_ms")?.0,
                })
            })
        })
    }

    fn keep_type(&self, KnownType { metric, of, found_at }: &KnownType) -> Result<(), Error> {
        self.change("keeping the type of a metric", |t| {
            t.prepare_cached("INSERT OR REPLACE INTO metric_types VALUES (?1, ?2, ?3)")?
                .execute(params![metric, of.name(), Moment(*found_at)])
                .map(drop)
        })
    }

    fn metric_types(&self) -> Result<Vec<KnownType>, Error> {
        self.ask("reading its types of metrics", |c| {
            let mut statement = c.prepare_cached("SELECT * FROM metric_types ORDER BY metric")?;
            rows(&mut statement, "metric_types", [], |row| {
                let name: String = row.get("type")?;
                let of = MetricType::from_name(&name);
                Ok(KnownType {
                    metric: row.get("metric")?,
                    of: of.ok_or_else(|| unknown("metric_types.type", &name))?,
                    found_at: row.get::<_, Moment>("found_ms")?.0,
                })
            })
        })
    }

    fn trust(&self, verdicts: &[(QueryId, Trusted)]) -> Result<(), Error> {
        self.change("keeping verdicts", |t| {
            let mut insert =
                t.prepare_cached("INSERT OR REPLACE INTO trusted VALUES (?1, ?2, ?3, ?4, ?5)")?;
            for (query, Trusted { points, stride, call_points, newest }) in verdicts {
                insert.execute(params![query, points, stride, Unsigned(*call_points), newest])?;
            }
            Ok(())
        })
    }

    fn trusted(&self) -> Result<Vec<(QueryId, Trusted)>, Error> {
        self.ask("reading its verdicts", |c| {
            let mut statement = c.prepare_cached("SELECT * FROM trusted ORDER BY query")?;
            rows(&mut statement, "trusted", [], |row| {
                let trusted = Trusted {
                    points: row.get("points")?,
                    stride: row.get("stride")?,
                    call_points: row.get::<_, Unsigned>("call_points")?.0,
                    newest: row.get("newest")?,
                };
                Ok((row.get("query")?, trusted))
            })
        })
    }

    fn keep(&self, key: &str, text: &str) -> Result<(), Error> {
        self.change("keeping a fact", |t| {
            t.execute("INSERT OR REPLACE INTO kept (key, text) VALUES (?1, ?2)", [key, text])
                .map(drop)
        })
    }

    fn kept(&self, key: &str) -> Result<Option<String>, Error> {
        self.ask("reading a fact", |c| kept(c, key))
    }

    fn extracted(&self, output: OutputName, query: QueryId) -> Result<Option<Extracted>, Error> {
        self.ask("reading what was extracted", |c| {
            let of = params![output.0, query];
            let mut statement =
                c.prepare_cached("SELECT digest FROM extracted WHERE output = ?1 AND query = ?2")?;
            let digest = first(&mut statement, "extracted", of, |row| row.get(0))?;
            let Some(digest) = digest else { return Ok(None) };
            let mut statement = c.prepare_cached(
                "SELECT * FROM files WHERE output = ?1 AND query = ?2 ORDER BY position",
            )?;
            Ok(Some(Extracted { digest, files: rows(&mut statement, "files", of, file)? }))
        })
    }

    fn extents(&self, output: OutputName) -> Result<Vec<FilesExtent>, Error> {
        self.ask("reading what was extracted", |c| {
            let mut statement = c.prepare_cached(
                "SELECT query, count(*) AS files, min(first_ms) AS first_ms, max(last_ms) AS last_ms
                 FROM files WHERE output = ?1 GROUP BY query ORDER BY query",
            )?;
            rows(&mut statement, "files", [output.0], |row| {
                Ok(FilesExtent {
                    query: row.get("query")?,
                    files: row.get::<_, Unsigned>("files")?.0,
                    first: row.get::<_, Moment>("first_ms")?.0,
                    last: row.get::<_, Moment>("last_ms")?.0,
                })
            })
        })
    }

    fn owner(&self, path: &str) -> Result<Option<QueryId>, Error> {
        self.ask("reading what was extracted", |c| {
            c.prepare_cached("SELECT query FROM files WHERE folded = ?1 AND path = ?2")?
                .query_row([&*folded(path), path], |row| row.get(0))
                .optional()
        })
    }

    fn mark_extracted(
        &self,
        output: OutputName,
        extracted: &[(QueryId, Extracted)],
    ) -> Result<(), Error> {
        self.change_or_leave("keeping what was extracted", |t| {
            let mut delete =
                t.prepare_cached("DELETE FROM extracted WHERE output = ?1 AND query = ?2")?;
            for (query, _) in extracted {
                delete.execute(params![output.0, query])?;
            }
            for (query, extracted) in extracted {
                if let Err(taken) = mark(t, output, *query, extracted)? {
                    return Ok(Err(taken));
                }
            }
            Ok(Ok(()))
        })
    }

    fn totals(&self) -> Result<Totals, Error> {
        self.ask("counting its totals", totals)
    }
}

fn kept(c: &Connection, key: &str) -> Result<Option<String>, SqlError> {
    let mut statement = c.prepare_cached("SELECT text FROM kept WHERE key = ?1")?;
    first(&mut statement, "kept", [key], |row| row.get(0))
}

/// Reads the archive's id; `None` in a ledger that was not opened for writing since ids exist.
pub(super) fn archive_id(c: &Connection) -> Result<Option<ArchiveId>, SqlError> {
    let id = kept(c, ARCHIVE)?;
    id.map(|id| id.parse().map_err(|_| unknown("kept.archive", &id))).transpose()
}

/// Names in the table `learnt`.
const POINTS: &str = "points";
const QUERIES: &str = "queries";
const URL_CHARS: &str = "url";
const SERIES_POINTS: &str = "series points";
const CALL_POINTS: &str = "call points";
const WITHHELD: &str = "withheld";
/// Its figure is in Unix seconds.
const OLDEST_KEPT: &str = "oldest";

/// Returns the name and the figure of a limit.
fn named(limit: LearntLimit) -> (&'static str, Unsigned) {
    match limit {
        LearntLimit::Points(points) => (POINTS, Unsigned(points.into())),
        LearntLimit::Queries(queries) => (QUERIES, Unsigned::of(queries)),
        LearntLimit::UrlChars(chars) => (URL_CHARS, Unsigned::of(chars)),
        LearntLimit::SeriesPoints(points) => (SERIES_POINTS, Unsigned(points.into())),
        LearntLimit::CallPoints(points) => (CALL_POINTS, Unsigned(points)),
        LearntLimit::Withheld(buckets) => (WITHHELD, Unsigned(buckets.into())),
        LearntLimit::OldestKept(oldest) => {
            (OLDEST_KEPT, Unsigned(u64::try_from(oldest.as_second()).unwrap_or(0)))
        }
    }
}

/// The limit of that name and figure. Another name is an error: a limit that is skipped would be learnt again by failing calls. So is
/// a figure that is not learnt: nothing would be asked by it, or one window for ever.
fn limit(name: &str, value: i64) -> Result<LearntLimit, SqlError> {
    let none_such = || unknown("learnt.value", format_args!("{value}, no limit on {name}"));
    let points = || u32::try_from(value).map_err(|_| none_such());
    let figure = || usize::try_from(value).map_err(|_| none_such());
    let limit = match name {
        POINTS => LearntLimit::Points(points()?),
        QUERIES => LearntLimit::Queries(figure()?),
        SERIES_POINTS => LearntLimit::SeriesPoints(points()?),
        CALL_POINTS => LearntLimit::CallPoints(value.try_into().map_err(|_| none_such())?),
        WITHHELD => LearntLimit::Withheld(points()?),
        URL_CHARS => LearntLimit::UrlChars(figure()?),
        OLDEST_KEPT => {
            LearntLimit::OldestKept(Timestamp::from_second(value).map_err(|_| none_such())?)
        }
        _ => return Err(unknown("learnt.name", name)),
    };
    if limit.may_be_learnt() { Ok(limit) } else { Err(none_such()) }
}

/// Reads a row of `files`.
fn file(row: &Row<'_>) -> Result<SeriesFile, SqlError> {
    let tags: String = row.get("tags")?;
    Ok(SeriesFile {
        path: row.get("path")?,
        metric: row.get("metric")?,
        tags: serde_json::from_str(&tags).map_err(|_| unknown("files.tags", "no JSON array"))?,
        unit: row.get("unit")?,
        first: row.get::<_, Moment>("first_ms")?.0,
        last: row.get::<_, Moment>("last_ms")?.0,
        points: row.get::<_, Unsigned>("points")?.0,
        bytes: row.get::<_, Unsigned>("bytes")?.0,
        sha256: row.get("sha256")?,
    })
}

/// Reads every file, one in memory at a time.
pub(super) fn read_files(c: &Connection) -> Result<(), SqlError> {
    let mut all = c.prepare("SELECT * FROM files")?;
    each(&mut all, "files", |row| file(row).map(drop))
}

/// Reads every mark of an output, and every text that is kept.
pub(super) fn read_texts(c: &Connection) -> Result<(), SqlError> {
    let mut marks = c.prepare("SELECT output, digest FROM extracted")?;
    each(&mut marks, "extracted", |row| {
        let _: (String, String) = (row.get(0)?, row.get(1)?);
        Ok(())
    })?;
    let mut texts = c.prepare("SELECT key, text FROM kept")?;
    each(&mut texts, "kept", |row| {
        let _: (String, String) = (row.get(0)?, row.get(1)?);
        Ok(())
    })
}

/// Marks one query, unless a file would be one with another where names differ by neither case nor Unicode form.
fn mark(
    t: &Transaction<'_>,
    output: OutputName,
    query: QueryId,
    Extracted { digest, files }: &Extracted,
) -> Result<Result<(), Error>, SqlError> {
    let bytes = Unsigned::sum(files.iter().map(|file| file.bytes));
    let points = Unsigned::sum(files.iter().map(|file| file.points));
    t.prepare_cached("INSERT INTO extracted VALUES (?1, ?2, ?3, ?4, ?5, ?6)")?.execute(params![
        output.0,
        query,
        digest,
        Unsigned::of(files.len()),
        bytes,
        points
    ])?;
    let mut insert = t.prepare_cached(
        "INSERT INTO files VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13)
         ON CONFLICT (folded) DO NOTHING",
    )?;
    for (position, file) in files.iter().enumerate() {
        let folded = folded(&file.path);
        let inserted = insert.execute(params![
            output.0,
            query,
            Unsigned::of(position),
            file.path,
            folded,
            file.metric,
            file.tags.as_json(),
            file.unit,
            Moment(file.first),
            Moment(file.last),
            Unsigned(file.points),
            Unsigned(file.bytes),
            file.sha256
        ])?;
        if inserted == 0 {
            return t.prepare_cached("SELECT path, query FROM files WHERE folded = ?1")?.query_row(
                [folded],
                |row| {
                    let (path, twin, other) = (file.path.clone(), row.get(0)?, row.get(1)?);
                    Ok(Err(Error::PathTaken { path, query, twin, other }))
                },
            );
        }
    }
    Ok(Ok(()))
}

fn totals(c: &Connection) -> Result<Totals, SqlError> {
    let mut statement = c.prepare_cached(
        "SELECT * FROM
         (SELECT count(*) AS listed FROM queries WHERE position IS NOT NULL),
         (SELECT count(*) AS queries FROM queries WHERE substitute IS NULL AND role = 'wanted'),
         (SELECT count(DISTINCT query) AS given_up FROM given_up
          WHERE whole AND query IN (SELECT id FROM queries WHERE role = 'wanted')),
         (SELECT count(*) AS objects, coalesce(sum(bytes), 0) AS bytes, coalesce(sum(rows), 0) AS rows
          FROM objects),
         (SELECT coalesce(sum(end_s - start_s), 0) AS covered_s, coalesce(sum(open), 0) AS open,
                 coalesce(sum(iif(probed, end_s - start_s, 0)), 0) AS probed_s
          FROM coverage WHERE query IN (SELECT id FROM queries WHERE role = 'wanted')),
         (SELECT coalesce(sum(files), 0) AS files, coalesce(sum(bytes), 0) AS file_bytes,
                 coalesce(sum(points), 0) AS file_points
          FROM extracted)",
    )?;
    let found = first(&mut statement, "totals", [], |row| {
        let number = |name: &str| Ok::<_, SqlError>(row.get::<_, Unsigned>(name)?.0);
        Ok(Totals {
            listed: number("listed")?,
            queries: number("queries")?,
            covered_s: number("covered_s")?,
            probed_s: number("probed_s")?,
            objects: number("objects")?,
            bytes: number("bytes")?,
            rows: number("rows")?,
            open: number("open")?,
            given_up: number("given_up")?,
            files: number("files")?,
            file_bytes: number("file_bytes")?,
            file_points: number("file_points")?,
        })
    })?;
    found.ok_or(SqlError::QueryReturnedNoRows)
}
