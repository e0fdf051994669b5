//! inga (因果, cause and effect) identifies the malware that is the likely cause of a scan seen in a darknet.
//!
//! Data flows in one direction, and a room imports only rooms below it:
//!
//! | floor | room | content |
//! |---|---|---|
//! | F0 | [`packet`], [`escape`], [`yaml`] | one packet's fields; escaping of attackers' text; YAML files |
//! | F1 | [`behavior`] | the behavior engine, which darknets and sandboxes share |
//! | F2 | [`history`], [`rules`], [`sample`], [`incident`] | darknet observations; rules; malware samples; incidents |
//! | F3 | [`analysis`], [`correlate`], [`simulate`] | surges; evidence and verdicts; simulated outbreaks |
//! | F4 | [`render`] | output as text, JSON, pictures and pages |
//! | I/O | [`capture`], [`store`] | reading of captures and logs; storage of histories |
//! | F5 | [`app`] | one file per use case |
//! | F6 | [`cli`], `web` | one file per subcommand; the operator's page (feature `serve`) |
#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used))]

pub mod analysis;
pub mod app;
pub mod behavior;
pub mod capture;
pub mod cli;
pub mod correlate;
pub mod escape;
pub mod history;
pub mod incident;
pub mod packet;
pub mod render;
pub mod rules;
pub mod sample;
pub mod simulate;
pub mod store;
#[cfg(feature = "serve")]
pub mod web;
pub mod yaml;
