//! Whole legs, driven with packets and time.
