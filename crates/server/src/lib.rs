//! Trace federation.
