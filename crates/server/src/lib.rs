#![doc = include_str!("../README.md")]

pub mod access;
pub mod api;
mod app;
mod client;
mod clock;
mod config;
pub mod conformance;
mod court;
mod erasing;
pub mod federation;
mod guests;
mod ledger;
pub mod openapi;
mod problem;
mod renewal;
pub mod roles;
mod telemetry;
mod tls;

pub use app::{DoorRules, ServeError, ServeOptions, Server};
pub use client::{Client, ClientError};
pub use clock::Clock;
pub use config::{ConfigError, Node, NodeConfig, NodeRole, validity};
pub use court::{CourtApproval, CourtBundle, CourtError, CourtFault, CourtFirst, CourtReport, CourtStep};
pub use erasing::{erase_records, witnessed_time_of_books};
pub use ledger::{Act, Entered, Key, Ledger, LedgerCheck, LedgerError, Stored};
pub use problem::{Problem, ProblemKind};
pub use renewal::renew_log;
pub use telemetry::{Metrics, start_log};
pub use tls::{Tls, TlsConfig};
