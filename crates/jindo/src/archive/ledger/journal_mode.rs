//! Which journal the ledger needs on a file system. Pure: the number of its kind is handed in, `disk` asks for it.

/// Journal by which SQLite keeps a commit of the ledger whole. In both, what is committed survives a power failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Journal {
    /// The write-ahead log: readers and the writer never wait for each other. It needs memory that processes share, which
    /// file systems of other machines do not have, or have per machine: two of them would read each other's halves.
    WriteAhead,
    /// The rollback journal, for the file system named: locks are all it needs. Slower, and readers wait while a commit
    /// is written.
    Rollback(&'static str),
}

/// File systems of other machines, or that may be such (FUSE), by its number in Linux's `statfs`
/// (`linux/magic.h`, `statfs(2)`, the sources of those outside the kernel).
const ELSEWHERE: [(u32, &str); 21] = [
    (0x6969, "NFS"),
    (0x517b, "SMB"),
    (0xff53_4d42, "CIFS"),
    (0xfe53_4d42, "SMB2"),
    (0x0102_1997, "9p"),
    (0x6573_5546, "FUSE"),
    (0x6573_5543, "FUSE"),
    (0x5346_414f, "AFS"),
    (0x6b41_4653, "AFS"),
    (0x7375_7245, "Coda"),
    (0x564c, "NCP"),
    (0x00c3_6400, "Ceph"),
    (0x0bd0_0bd0, "Lustre"),
    (0x4750_4653, "GPFS"),
    (0x1983_0326, "BeeGFS"),
    (0xaad7_aaea, "PanFS"),
    (0x0116_1970, "GFS2"),
    (0x7461_636f, "OCFS2"),
    (0x2003_0528, "OrangeFS"),
    (0x786f_4256, "a shared folder of VirtualBox"),
    (0xbacb_acbc, "a shared folder of VMware"),
];

impl Journal {
    /// For a file system of that kind. What is not known is taken for local: SQLite itself says where that is wrong.
    pub(in crate::archive) fn on(kind: u32) -> Self {
        let elsewhere = ELSEWHERE.iter().find(|(number, _)| *number == kind);
        elsewhere.map_or(Self::WriteAhead, |(_, name)| Self::Rollback(name))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use expect_test::expect;

    #[test]
    fn only_local_file_systems_get_the_write_ahead_log() {
        let local = [0xef53, 0x0102_1994, 0x794c_7630, 0x9123_683e, 0x5846_5342, 0x2fc1_2fc1, 0];
        for kind in local {
            assert_eq!(Journal::on(kind), Journal::WriteAhead, "{kind:x}");
        }
        let named = [0x6969, 0xff53_4d42, 0x0102_1997, 0x6573_5546].map(Journal::on);
        expect![[r#"[Rollback("NFS"), Rollback("CIFS"), Rollback("9p"), Rollback("FUSE")]"#]]
            .assert_eq(&format!("{named:?}"));
    }
}
