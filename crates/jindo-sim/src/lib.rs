//! A simulated Datadog metrics API.
