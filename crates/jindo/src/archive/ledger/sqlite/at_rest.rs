//! The statements that bring data to rest: which objects hold more than coverage grants, and their copies.

use super::convert::{Name, first};
use super::records::{insert, note, unnote};
use super::{Connection, SqlError, Transaction, params};
use crate::archive::objects::{ASIDE, EARLIER};
use crate::archive::{NotePurpose, ObjectId, Record, Role, Unrest};

/// Reads the objects that hold rows beyond what coverage grants, or lie in the place of others. An answer to a probe stays whole,
/// whatever coverage grants of it.
pub(super) fn unrested(c: &Connection) -> Result<Vec<(ObjectId, Unrest)>, SqlError> {
    c.prepare_cached(
        "SELECT id, held, rows > 0 AND held AND held_s <> asked_s AS copy
         FROM (SELECT *, wanted AND held_s > 0 AS held FROM (
             SELECT o.*,
                 EXISTS (SELECT 1 FROM object_queries q JOIN queries w ON w.id = q.query
                         WHERE q.object = o.id AND w.role = 'wanted') AS wanted,
                 substr(o.name, 1, length(?1)) = ?1 AS aside,
                 substr(o.name, 1, length(?2)) = ?2 AS earlier,
                 (o.end_s - o.start_s) * (SELECT count(*) FROM object_queries WHERE object = o.id) AS asked_s,
                 (SELECT coalesce(sum(end_s - start_s), 0) FROM coverage WHERE object = o.id AND NOT probed) AS held_s
             FROM objects o))
         WHERE earlier OR aside = held OR copy
         ORDER BY id",
    )?
    .query_map([ASIDE, EARLIER], |row| {
        let unrest = match (row.get("copy")?, row.get("held")?) {
            (true, _) => Unrest::Overtaken,
            (false, true) => Unrest::Misplaced(Role::Wanted),
            (false, false) => Unrest::Misplaced(Role::Probe),
        };
        Ok((row.get("id")?, unrest))
    })?
    .collect()
}

/// Puts copies in an object's place. An object that only moves keeps its number, so that probes go on proving what they prove.
pub(super) fn copied(
    t: &Transaction<'_>,
    object: ObjectId,
    copies: &[Record],
) -> Result<(), SqlError> {
    let mut statement = t.prepare_cached("SELECT name FROM objects WHERE id = ?1")?;
    let name = first(&mut statement, "objects", [object], |row| row.get::<_, Name>(0))?;
    let Some(Name(name)) = name else { return Ok(()) };
    note(t, &name, NotePurpose::Remove)?;
    let sha256: String =
        t.query_row("SELECT sha256 FROM objects WHERE id = ?1", [object], |row| row.get(0))?;
    if let [moved] = copies
        && moved.sha256 == sha256
    {
        t.execute("UPDATE objects SET name = ?2 WHERE id = ?1", params![object, moved.name])?;
        return unnote(t, &moved.name);
    }
    for copy in copies {
        let number = insert(t, copy)?;
        // It proves what the object proved.
        t.execute(
            "UPDATE coverage SET object = ?1 WHERE object = ?2 AND probed",
            [number, object],
        )?;
        let mut grant = t.prepare_cached(
            "UPDATE coverage SET object = ?1
             WHERE object = ?2 AND query = ?3 AND start_s = ?4 AND end_s = ?5 AND open = ?6",
        )?;
        for query in &copy.queries {
            let (start_s, end_s) = (copy.window.start_s(), copy.window.end_s());
            grant.execute(params![number, object, query, start_s, end_s, copy.open])?;
        }
        unnote(t, &copy.name)?;
    }
    t.execute("DELETE FROM objects WHERE id = ?1", [object]).map(drop)
}
