//! A crash anywhere: what was covered is never asked again, and the files become those of a run without a crash.
