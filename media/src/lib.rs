//! mediacore: the packets of webtrunk.
//!
//! Pure parts (values and time in, values out): `stun`, `srtp`, `rtp`, `rtcp`, `dtmf`, `reorder`, `codec`, `leg`,
//! `route`, `relay`. Thin parts: `socket` (system calls), `engine` (threads and the loop), `py` (Python classes).

pub mod codec;
pub mod dtmf;
mod opus_ffi;
pub mod reorder;
pub mod rtcp;
pub mod srtp;
