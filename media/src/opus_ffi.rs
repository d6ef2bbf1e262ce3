//! The few functions of libopus that we call; the only `unsafe` of the codecs.
