//! mediacore: the packets of webtrunk.
//!
//! Pure parts, values and time in, values out. From the outside inwards: `relay` holds the legs of one thread; a `leg`
//! has a `transport` (`browser`: `ice`, `stun`, `srtp`; or `port`: `latch`, `sdes`), an `inbound` half (`rtp`, `dtmf`, `rtcp`),
//! an `outbound` half (`stream`, `route`, `playout`, `codec`; `player`, which plays a `sound` in the source's place), an
//! `ear` for whoever listens in (`tap`), a `liveness` watch and a `report`er. What is to be done collects in the
//! `outbox`.
//!
//! Thin parts: `socket` (system calls), `shard` (one thread's loop), `engine` (threads, ports, who is where), `py`
//! (Python classes, behind the feature `python`).

pub mod balance;
pub mod browser;
pub mod codec;
pub mod command;
pub mod counters;
pub mod directory;
pub mod dtmf;
pub mod ear;
pub mod effort;
pub mod emodel;
pub mod engine;
pub mod error;
pub mod event;
pub mod expected_loss;
pub mod handle;
pub mod ice;
pub mod inbound;
pub mod keyear;
pub mod keytones;
pub mod latch;
pub mod leg;
pub mod level;
pub mod liveness;
pub mod mailbox;
pub mod options;
mod opus_ffi;
pub mod outbound;
pub mod outbox;
pub mod path;
pub mod player;
pub mod playout;
pub mod port;
pub mod ports;
mod prefetch;
#[cfg(feature = "python")]
mod py;
pub mod random;
pub mod relay;
pub mod report;
pub mod route;
pub mod rtcp;
pub mod rtp;
pub mod sdes;
mod shard;
pub mod socket;
pub mod sound;
pub mod srtp;
pub mod stream;
pub mod stun;
pub mod tap;
pub mod transport;
