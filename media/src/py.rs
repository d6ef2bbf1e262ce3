//! The Python classes `Relay` and `Leg`: conversions only, no logic. The typed contract is `_mediacore.pyi`.

#![allow(clippy::unreadable_literal, reason = "defaults are shown to Python as they are written here")]

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use pyo3::exceptions::{PyOSError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDict};

use crate::codec::Codec;
use crate::command::Remote;
use crate::counters::{Figure, Figures};
use crate::engine::Engine;
use crate::error::Error;
use crate::event::Event;
use crate::handle::Handle;
use crate::liveness::Limits;
use crate::options::Options;
use crate::sound::Sound as Samples;
use crate::tap;

impl From<Error> for PyErr {
    fn from(error: Error) -> PyErr {
        match error.errno() {
            Some(errno) => PyOSError::new_err((errno, error.to_string())),
            None => PyValueError::new_err(error.to_string()),
        }
    }
}

fn ip(text: &str) -> PyResult<IpAddr> {
    text.parse().map_err(|_| PyValueError::new_err(format!("expected an IP address, not {text:?}")))
}

fn socket_address((host, port): (String, u16)) -> PyResult<SocketAddr> {
    Ok(SocketAddr::new(ip(&host)?, port))
}

/// A UDP socket, a codec or a thread could be slow: let other Python threads run meanwhile.
fn detached<T: Send>(py: Python<'_>, work: impl FnOnce() -> Result<T, Error> + Send) -> PyResult<T> {
    py.detach(work).map_err(PyErr::from)
}

fn to_dict(py: Python<'_>, figures: Figures) -> PyResult<Bound<'_, PyDict>> {
    let dict = PyDict::new(py);
    for (name, figure) in figures {
        match figure {
            Figure::Count(count) => dict.set_item(name, count)?,
            Figure::Number(number) => dict.set_item(name, number)?,
            Figure::Text(text) => dict.set_item(name, text)?,
            Figure::Unknown => dict.set_item(name, py.None())?,
        }
    }
    Ok(dict)
}

/// What an event carries, as a Python object.
fn payload(py: Python<'_>, event: Event) -> PyResult<(&'static str, Py<PyAny>)> {
    let text = |text: String| Ok::<_, PyErr>(text.into_pyobject(py)?.into_any().unbind());
    Ok(match event {
        Event::Dtls(record) => ("dtls", PyBytes::new(py, &record).into_any().unbind()),
        Event::Nominated(path) => ("nominated", text(path)?),
        Event::Detour(source) => {
            ("detour", source.map(|source| source.to_string()).into_pyobject(py)?.into_any().unbind())
        }
        Event::MediaStarted => ("media-started", py.None()),
        Event::MediaStalled => ("media-stalled", py.None()),
        Event::Soundless => ("soundless", py.None()),
        Event::Hushed => ("hushed", py.None()),
        Event::Audible => ("audible", py.None()),
        Event::Undecryptable => ("undecryptable", py.None()),
        Event::Silent(sentence) => ("silent", text(sentence)?),
        Event::Returned => ("returned", py.None()),
        Event::Dtmf(digit, form) => {
            let values = (digit.as_char(), digit.duration_ms, form.name());
            ("dtmf", values.into_pyobject(py)?.into_any().unbind())
        }
        Event::Dead(sentence) => ("dead", text(sentence)?),
        Event::Broken => ("broken", py.None()),
        Event::Unplayable(number) => ("unplayable", number.into_pyobject(py)?.into_any().unbind()),
        Event::Played(number) => ("played", number.into_pyobject(py)?.into_any().unbind()),
        Event::RtcpBye => ("rtcp-bye", py.None()),
        Event::Overflow => ("overflow", py.None()),
    })
}

/// Our half of a call's media: one endpoint that receives and sends RTP.
#[pyclass(frozen, module = "mediacore")]
struct Leg(Handle);

#[pymethods]
impl Leg {
    #[getter]
    fn id(&self) -> u64 {
        self.0.id().0
    }

    #[getter]
    fn address(&self) -> Option<(String, u16)> {
        self.0.address().map(|address| (address.ip().to_string(), address.port()))
    }

    fn send_dtls(&self, py: Python<'_>, data: &[u8]) {
        py.detach(|| self.0.send_dtls(data));
    }

    fn set_srtp(&self, py: Python<'_>, profile: &str, receive_key: &[u8], send_key: &[u8]) -> PyResult<()> {
        detached(py, || self.0.set_srtp(profile, receive_key, send_key))
    }

    #[pyo3(signature = (profile, receive_key, send_key, *, receive_mki=None, send_mki=None))]
    fn set_sdes(
        &self,
        py: Python<'_>,
        profile: &str,
        receive_key: &[u8],
        send_key: &[u8],
        receive_mki: Option<&[u8]>,
        send_mki: Option<&[u8]>,
    ) -> PyResult<()> {
        let receive = (receive_key, receive_mki.unwrap_or_default());
        let send = (send_key, send_mki.unwrap_or_default());
        detached(py, || self.0.set_sdes(profile, receive, send))
    }

    fn clear_sdes(&self) -> PyResult<()> {
        Ok(self.0.clear_sdes()?)
    }

    #[allow(clippy::needless_pass_by_value, reason = "a sequence of Python")]
    #[pyo3(
        signature = (codec, payload_type, events=vec![], ptime_ms=20, comfort_noise=None, offered_as=None),
        text_signature = "($self, codec, payload_type, events=(), ptime_ms=20, comfort_noise=None, offered_as=None)"
    )]
    fn set_codec(
        &self,
        codec: &str,
        payload_type: u8,
        events: Vec<(u8, u32)>,
        ptime_ms: u32,
        comfort_noise: Option<u8>,
        offered_as: Option<u8>,
    ) -> PyResult<()> {
        Ok(self.0.set_codec(codec, payload_type, &events, ptime_ms, comfort_noise, offered_as)?)
    }

    #[pyo3(signature = (rtp, rtcp, *, rtcp_mux=false, reopen=true))]
    fn set_remote(
        &self,
        rtp: (String, u16),
        rtcp: Option<(String, u16)>,
        rtcp_mux: bool,
        reopen: bool,
    ) -> PyResult<()> {
        let rtp = socket_address(rtp)?;
        let rtcp = rtcp.map(socket_address).transpose()?;
        Ok(self.0.set_remote(Remote { rtp, rtcp, rtcp_mux, reopen })?)
    }

    fn set_voip_metrics(&self, enabled: bool) {
        self.0.set_voip_metrics(enabled);
    }

    fn answered(&self) {
        self.0.answered();
    }

    fn set_sending(&self, enabled: bool) {
        self.0.set_sending(enabled);
    }

    fn set_receiving(&self, enabled: bool) {
        self.0.set_receiving(enabled);
    }

    fn restart_ice(&self, ufrag: &str, pwd: &str) -> PyResult<()> {
        Ok(self.0.restart_ice(ufrag, pwd)?)
    }

    #[pyo3(signature = (digits, duration_ms=120, gap_ms=80))]
    fn dtmf(&self, digits: &str, duration_ms: u32, gap_ms: u32) -> PyResult<()> {
        Ok(self.0.dtmf(digits, duration_ms, gap_ms)?)
    }

    #[pyo3(signature = (rate_hz=16000, start_ms=None))]
    fn tap(&self, rate_hz: u32, start_ms: Option<u64>) -> PyResult<Tap> {
        Ok(Tap(self.0.tap(rate_hz, start_ms.map(Duration::from_millis))?))
    }

    #[pyo3(signature = (send="rfc4733", *, detect_inband=false))]
    fn set_dtmf(&self, send: &str, detect_inband: bool) -> PyResult<()> {
        Ok(self.0.set_dtmf(send, detect_inband)?)
    }

    fn hear_dtmf(&self, digit: char, duration_ms: u32) -> PyResult<()> {
        Ok(self.0.hear_dtmf(digit, duration_ms)?)
    }

    fn stats<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        let figures = py.detach(|| self.0.figures());
        to_dict(py, figures)
    }

    fn close(&self, py: Python<'_>) {
        py.detach(|| self.0.close());
    }
}

/// A sound that legs can play.
#[pyclass(frozen, module = "mediacore")]
struct Sound(Arc<Samples>);

/// 16-bit samples in this machine's byte order.
fn samples(bytes: &[u8]) -> Vec<i16> {
    bytes.as_chunks().0.iter().map(|sample| i16::from_ne_bytes(*sample)).collect()
}

#[pymethods]
impl Sound {
    #[new]
    fn new(py: Python<'_>, narrow: &[u8], wide: &[u8]) -> PyResult<Sound> {
        Ok(Sound(Arc::new(detached(py, || Samples::new(samples(narrow), samples(wide)))?)))
    }

    #[getter]
    fn duration_ms(&self) -> u64 {
        self.0.duration_ms()
    }
}

/// What the peer of a leg says, as samples at their place in time.
#[pyclass(frozen, module = "mediacore")]
struct Tap(tap::Tap);

#[pymethods]
impl Tap {
    fn read<'py>(&self, py: Python<'py>, until_ms: u64) -> Bound<'py, PyBytes> {
        let mut bytes = Vec::new();
        py.detach(|| self.0.read(Duration::from_millis(until_ms), &mut bytes));
        PyBytes::new(py, &bytes)
    }

    #[getter]
    fn dropped_ms(&self) -> f64 {
        self.0.dropped().as_secs_f64() * 1000.0
    }

    #[getter]
    fn late_ms(&self) -> f64 {
        self.0.late().as_secs_f64() * 1000.0
    }

    fn close(&self) {
        self.0.close();
    }
}

/// The engine: its threads own every RTP socket from birth to close.
#[pyclass(frozen, module = "mediacore")]
struct Relay(Arc<Engine>);

#[pymethods]
impl Relay {
    #[new]
    #[pyo3(signature = (
        *, threads, networks, browser_port, rtp_ports, receive_buffer=4194304, opus_complexity=5, stall_ms=3000,
        dead_ms=30000, silent_ms=8000
    ))]
    #[allow(clippy::too_many_arguments, clippy::needless_pass_by_value, reason = "keyword arguments of Python")]
    fn new(
        py: Python<'_>,
        threads: usize,
        networks: Vec<String>,
        browser_port: u16,
        rtp_ports: (u16, u16),
        receive_buffer: usize,
        opus_complexity: i32,
        stall_ms: u64,
        dead_ms: u64,
        silent_ms: u64,
    ) -> PyResult<Relay> {
        let networks = networks.iter().map(|text| ip(text)).collect::<PyResult<_>>()?;
        let [stall, dead, silent] = [stall_ms, dead_ms, silent_ms].map(Duration::from_millis);
        let limits = Limits { stall, dead, silent };
        let options = Options { threads, networks, browser_port, rtp_ports, receive_buffer, opus_complexity, limits };
        Ok(Relay(Arc::new(detached(py, || Engine::start(options))?)))
    }

    #[getter]
    fn browser_port(&self) -> u16 {
        self.0.browser_port()
    }

    fn browser_leg(&self, py: Python<'_>, ufrag: &str, pwd: &str) -> PyResult<Leg> {
        let id = detached(py, || self.0.browser_leg(ufrag, pwd))?;
        Ok(Leg(Handle::new(self.0.clone(), id, None)))
    }

    #[pyo3(signature = (network=0))]
    fn rtp_leg(&self, py: Python<'_>, network: usize) -> PyResult<Leg> {
        let (id, address) = detached(py, || self.0.rtp_leg(network))?;
        Ok(Leg(Handle::new(self.0.clone(), id, Some(address))))
    }

    fn route(&self, py: Python<'_>, source: &Leg, destination: &Leg) {
        py.detach(|| self.0.route(Some(source.0.id()), destination.0.id()));
    }

    fn unroute(&self, py: Python<'_>, destination: &Leg) {
        py.detach(|| self.0.route(None, destination.0.id()));
    }

    #[pyo3(signature = (sound, destination, *, repeats=false))]
    fn play(&self, py: Python<'_>, sound: &Sound, destination: &Leg, repeats: bool) -> u64 {
        py.detach(|| self.0.play(destination.0.id(), &sound.0, repeats))
    }

    fn stop(&self, py: Python<'_>, destination: &Leg) {
        py.detach(|| self.0.stop_playing(destination.0.id()));
    }

    fn clock_ms(&self) -> u64 {
        u64::try_from(self.0.clock().as_millis()).unwrap_or(u64::MAX)
    }

    fn fileno(&self) -> i32 {
        self.0.event_descriptor()
    }

    fn events(&self, py: Python<'_>) -> PyResult<Vec<(u64, &'static str, Py<PyAny>)>> {
        let convert = |(leg, event): (crate::path::LegId, Event)| {
            let (kind, value) = payload(py, event)?;
            Ok((leg.0, kind, value))
        };
        py.detach(|| self.0.events()).into_iter().map(convert).collect()
    }

    fn stats<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        let totals = py.detach(|| self.0.totals());
        to_dict(py, totals.into_iter().map(|(name, count)| (name, Figure::Count(count))).collect())
    }

    fn close(&self, py: Python<'_>) {
        py.detach(|| self.0.close());
    }
}

/// The codecs that this build can decode and encode.
#[pyfunction]
fn transcoded_codecs() -> Vec<&'static str> {
    Codec::transcoded().collect()
}

/// The extension module.
#[pymodule]
fn _mediacore(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_function(wrap_pyfunction!(transcoded_codecs, module)?)?;
    module.add_class::<Leg>()?;
    module.add_class::<Sound>()?;
    module.add_class::<Tap>()?;
    module.add_class::<Relay>()
}
