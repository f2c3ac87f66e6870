//! One writer, any number of readers, one organisation.

use super::*;
use expect_test::expect;

#[test]
fn a_second_writer_is_refused_by_name() {
    let dir = tempfile::tempdir().unwrap();
    let first = opened(dir.path());
    let other = ArchiveWriter { holder: Holder { pid: 8, ..holder() }, ..writer() };
    let refused = Archive::open(dir.path(), &other).unwrap_err().to_string();
    let refused = refused.replace(&dir.path().display().to_string(), "DIR");
    expect!["another jindo is writing to DIR: process 7 on loft, since 1970-01-01T00:00:00Z"]
        .assert_eq(&refused);
    drop(first);
    opened(dir.path());
}

#[test]
fn readers_see_what_a_writer_commits() {
    let dir = tempfile::tempdir().unwrap();
    assert!(matches!(Archive::read(dir.path()), Err(Error::Absent { .. })));
    let writer = opened(dir.path());
    writer.register(&request(&["avg:a{*}"])).unwrap();
    let reader = Archive::read(dir.path()).unwrap();
    let queries = ids(&reader);
    store(&writer, &queries, window(0, DAY_S), 1).unwrap();
    assert_eq!(shown(&reader), shown(&writer));
    assert!(matches!(reader.ledger().forget(), Err(Error::ReadOnly)));
    assert_eq!(Archive::verify(dir.path()).unwrap().findings, []);

    let stale = reader.ledger().coverage(queries[0]).unwrap()[0].object;
    store(&writer, &queries, window(0, DAY_S), 2).unwrap();
    let gone = reader.rows::<Error>(stale, queries[0], &mut |_| Ok(()));
    assert!(matches!(gone, Err(Error::ObjectGone { object }) if object == stale));
    drop(writer);
    assert_eq!(shown(&Archive::read(dir.path()).unwrap()), shown(&reader));
}

#[test]
fn an_archive_works_inside_a_runtime_and_is_dropped_there() {
    let dir = tempfile::tempdir().unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    runtime.block_on(async {
        let archive = opened(dir.path());
        archive.register(&request(&["avg:a{*}"])).unwrap();
        store(&archive, &ids(&archive), window(0, 3600), 1).unwrap();
        assert_eq!(archive.ledger().totals().unwrap().rows, 60);
    });
}

fn organisation(site: &str, org_id: Option<&str>, key_hash: Option<&str>) -> Organisation {
    let (org_id, key_hash) = (org_id.map(Into::into), key_hash.map(Into::into));
    Organisation { site: site.into(), org_id, key_hash }
}

#[test]
fn a_directory_belongs_to_one_organisation() {
    let dir = tempfile::tempdir().unwrap();
    let archive = opened(dir.path());
    assert_eq!(archive.salt("s1").unwrap(), "s1");
    assert_eq!(archive.salt("s2").unwrap(), "s1", "the first salt stays");
    let bind = |site: &str, id: Option<&str>, key: Option<&str>| {
        archive.bind(&organisation(site, id, key)).map_err(|error| error.to_string())
    };
    assert_eq!(bind("eu", None, Some("k1")), Ok(()));
    assert_eq!(bind("eu", None, Some("k1")), Ok(()));
    expect![[r#"
        Err(
            "this directory belongs to an organisation on eu known by its API key only (the first key), the keys to an organisation on eu known by its API key only (another key); `--rebind` makes it theirs",
        )
    "#]]
    .assert_debug_eq(&bind("eu", None, Some("k2")));
    assert!(bind("eu", Some("42"), Some("k2")).is_err(), "another key proves nothing");
    assert_eq!(bind("eu", Some("42"), Some("k1")), Ok(()), "the id is learnt");
    assert_eq!(bind("eu", Some("42"), Some("k2")), Ok(()), "the id vouches for k2");
    assert_eq!(bind("eu", None, Some("k2")), Ok(()), "when the id does not answer");
    expect![[r#"
        Err(
            "this directory belongs to organisation 42 on eu, the keys to organisation 43 on eu; `--rebind` makes it theirs",
        )
    "#]]
    .assert_debug_eq(&bind("eu", Some("43"), Some("k1")));
    assert!(bind("us", Some("42"), Some("k1")).is_err(), "another site");
    archive.rebind(&organisation("us", Some("7"), None)).unwrap();
    assert_eq!(bind("us", Some("7"), None), Ok(()));
}
