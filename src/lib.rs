//! inga (因果, cause and effect): which malware sample is the likely cause of a scan seen in a darknet.
//!
//! Data flows one way, and imports go down only:
//!
//! | floor | room | what lives there |
//! |---|---|---|
//! | F0 | [`event`], [`escape`], [`yaml`] | the fields of one packet; escaping of attackers' text; YAML that people write |
//! | F1 | [`behavior`] | the behavior engine, one for darknet and sandbox |
//! | F2 | [`history`], [`rules`], [`sample`] | what darknets saw; rules; malware samples |
//! | F3 | [`correlate`], [`simulate`] | samples against histories: evidence and verdicts; outbreaks of known cause |
//! | F4 | [`report`] | text, JSON, pictures, pages |
//! | I/O | [`capture`], [`store`] | packets out of captures and logs; where histories are kept |
//! | F5 | [`app`] | one file a use case |
//! | F6 | [`cli`] | one file a subcommand |
#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used))]

pub mod app;
pub mod behavior;
pub mod capture;
pub mod cli;
pub mod correlate;
pub mod escape;
pub mod event;
pub mod history;
pub mod report;
pub mod rules;
pub mod sample;
pub mod simulate;
pub mod store;
pub mod yaml;
