//! What the fuzz targets check; one module per target, each with its promise in the first line.
//!
//! A target takes any bytes. It fails by panicking: in mediacore (an index, an overflow, an `unreachable!`), or in an
//! assertion here, when a promise of mediacore's is broken.

pub mod codec;
pub mod g729;
pub mod playout;
pub mod relay;
pub mod rtcp;
pub mod rtp;
pub mod script;
pub mod source;
pub mod srtp;
pub mod stun;
pub mod tap;
pub mod telephone_event;
