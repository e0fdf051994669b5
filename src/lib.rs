//! inga (因果, cause and effect): which malware sample is the likely cause of a scan seen in a darknet.
//!
//! Data flows one way, and imports go down only:
//!
//! | floor | room | what lives there |
//! |---|---|---|
//! | F0 | [`event`] | what one packet says |
//! | I/O | [`capture`] | packets out of captures and logs |
#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used))]

pub mod app;
pub mod behavior;
pub mod capture;
pub mod cli;
pub mod correlate;
pub mod event;
pub mod history;
pub mod report;
pub mod rules;
pub mod sample;
pub mod store;
pub mod yaml;
