//! The seam of outputs, by a second one: a list of a query's series, which shares nothing with the tree of CSV files.

use super::*;
use expect_test::expect;
use jindo::archive::{OutputName, SeriesFile};

/// A file per query, with a line per series: tags and number of points.
struct Listing;

impl Output for Listing {
    fn name(&self) -> OutputName {
        OutputName("listing")
    }

    fn folder(&self) -> &'static str {
        "listing"
    }

    fn is_file(&self, path: &str) -> bool {
        let number = path.strip_prefix("listing/").and_then(|name| name.strip_suffix(".txt"));
        number.is_some_and(|number| number.bytes().all(|digit| digit.is_ascii_digit()))
    }

    fn ingredients(&self, _: &QueryExtent<'_>) -> Vec<String> {
        vec!["listing 1".to_owned()]
    }

    /// It writes none.
    fn row_bytes_min(&self) -> u64 {
        0
    }

    fn begin<'a>(&'a self, query: &QueryExtent<'a>, staging: Staging<'a>) -> Box<dyn Writer + 'a> {
        Box::new(Lister { query: query.query.id, staging })
    }
}

struct Lister<'a> {
    query: QueryId,
    staging: Staging<'a>,
}

impl Writer for Lister<'_> {
    fn series(&mut self, _: &[String]) -> Result<(), Error> {
        Ok(())
    }

    fn points(&mut self, _: usize, _: &[i64], _: &[f64]) -> Result<(), Error> {
        Ok(())
    }

    fn finish(mut self: Box<Self>, series: Vec<SeriesFacts>) -> Result<Vec<MadeFile>, Error> {
        let Some(newest) = series.iter().max_by_key(|series| series.last) else {
            return Ok(Vec::new());
        };
        let all = SeriesFacts {
            tags: Vec::new().into(),
            first: series.iter().map(|series| series.first).min().unwrap(),
            points: series.iter().map(|series| series.points).sum(),
            ..newest.clone()
        };
        let file = self.staging.create(format!("listing/{}.txt", self.query.0));
        for SeriesFacts { tags, points, .. } in &series {
            let line = format!("{tags:?} {points}\n");
            self.staging.append(file, |out| out.extend_from_slice(line.as_bytes()))?;
        }
        self.staging.finish(vec![all])
    }
}

#[test]
fn two_outputs_of_one_archive_do_not_know_of_each_other() {
    let mut shelf = Shelf::new();
    let one = shelf.ask("avg:one{*} by {host}");
    shelf.cover(one, [0, 60], &[("host:a", &[(0, 1.0)]), ("host:b", &[(0, 2.0)])]);
    shelf.cover(one, [60, 120], &[("host:a", &[(60, 1.0)])]);
    let two = shelf.ask("avg:two{*}");
    shelf.cover(two, [0, 60], &[("", &[(0, 1.0)])]);
    let (disk, utc) = (Memory::new(&shelf.fuse), csv("UTC"));
    export(&shelf.archive, &disk, &utc).unwrap();
    let tree = disk.files();

    let all = shelf.ids();
    let change = update(&shelf.archive, &disk, &Listing, &all, Which::Outdated).unwrap();
    assert_eq!((change.queries, change.files), (2, 2));
    let mut files = disk.files();
    let listed: BTreeMap<_, _> =
        files.extract_if(.., |path, _| path.starts_with("listing/")).collect();
    assert_eq!(files, tree, "the tree is as it was");
    expect![[r#"
        == listing/1.txt
        ["host:a"] 2
        ["host:b"] 1
        == listing/3.txt
        [] 1
    "#]]
    .assert_eq(&told(&listed));
    assert_eq!(verify(&shelf.archive, &disk, &utc).unwrap(), []);

    assert_eq!(verify_output(&shelf.archive, &disk, &Listing).unwrap(), []);
    disk.state.lock().unwrap().files.insert("listing/mine".to_owned(), Vec::new());
    let stranger = FileFinding::Stranger { path: "listing/mine".to_owned() };
    assert_eq!(verify_output(&shelf.archive, &disk, &Listing).unwrap(), [stranger]);

    let again = update(&shelf.archive, &disk, &Listing, &all, Which::Outdated).unwrap();
    assert_eq!(again, Change::default());
    shelf.uncover(two);
    let change = update(&shelf.archive, &disk, &Listing, &all, Which::Outdated).unwrap();
    assert_eq!((change.queries, change.files, change.removed), (1, 0, 1));
    let made = shelf.archive.ledger().extracted(CsvTree::NAME, two).unwrap().unwrap();
    let paths: Vec<&str> = made.files.iter().map(|SeriesFile { path, .. }| &**path).collect();
    assert_eq!(paths, ["csv/two/values.csv"], "the tree's mark is as it was");
}
