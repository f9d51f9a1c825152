//! The real daemon against real or scripted neighbours, in one binary.

// Counters are whole numbers, and a test that tells one story may be long.
#![allow(
    clippy::cast_precision_loss,
    clippy::float_cmp,
    clippy::too_many_lines,
    clippy::type_complexity
)]

mod activation;
mod admin;
mod auth;
mod bucket;
mod budget;
mod channels;
mod cli;
mod clock;
mod contract;
mod damage;
mod deliveries;
mod descriptors;
mod disk;
mod eio;
mod exemplars;
mod filters;
mod half_closed;
mod limits;
mod lists;
mod mail;
mod night;
mod otel_propagation;
mod otel_receiver;
mod otel_resource;
mod otel_tls;
mod outages;
mod outgoing;
mod pace;
mod people;
mod process;
mod rates;
mod redis;
mod repeats;
mod schedule;
mod season;
mod senders;
mod services;
mod shutdown;
mod support;
mod tls;
mod traces;
mod traces_calls;
mod triggers;
mod unix;
mod unwell;
mod webhook;
