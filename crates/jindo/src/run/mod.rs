//! The loop: a pure machine decides, a driver performs.
