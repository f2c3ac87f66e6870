//! The command line of jindo.
