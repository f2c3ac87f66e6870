//! How long the article's job takes, on a virtual clock.
