//! Requests to the kernel about this process: no core file, which would hold keys, and an error where a file may grow no further.
//! Nothing is said where the kernel refuses: a run can do without.

/// Makes the requests, before any key is read.
#[cfg(unix)]
pub(crate) fn prepare() {
    use rustix::process::{Resource, Rlimit, setrlimit};
    let none = Rlimit { current: Some(0), maximum: Some(0) };
    setrlimit(Resource::Core, none).unwrap_or_default();
    keep_memory_private();
    // The signal would end the process; with a handler that does nothing, the write fails with the error that the run reports. The
    // handler ends with `exec`: a key command has what it would have anywhere.
    let noted = std::sync::Arc::default();
    signal_hook::flag::register(signal_hook::consts::SIGXFSZ, noted).map(drop).unwrap_or_default();
}

/// Makes no requests: other systems have others.
#[cfg(not(unix))]
pub(crate) fn prepare() {}

/// Limits of size do not hold where core files go to a program, as on most desktops; this does. It keeps other processes of the same
/// user from reading memory and environment, too.
#[cfg(target_os = "linux")]
fn keep_memory_private() {
    use rustix::process::{DumpableBehavior, set_dumpable_behavior};
    set_dumpable_behavior(DumpableBehavior::NotDumpable).unwrap_or_default();
}

#[cfg(all(unix, not(target_os = "linux")))]
fn keep_memory_private() {}
