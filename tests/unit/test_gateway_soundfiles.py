import errno
import math
import os
import struct
import wave
from pathlib import Path

import av
import pytest

from call.errors import PeerError
from gateway import soundfiles
from gateway.soundfiles import read

MUSIC = Path(__file__).parents[2] / "demo" / "prompts" / "music.ul"


def beep(rate_hz: int, seconds: float, channels: int = 1) -> bytes:
    level = [round(9000 * math.sin(math.tau * 500 * n / rate_hz)) for n in range(round(rate_hz * seconds))]
    return b"".join(struct.pack("<h", sample) * channels for sample in level)


def write_wav(path: Path, rate_hz: int = 44_100, seconds: float = 1.0, channels: int = 2) -> Path:
    with wave.open(str(path), "wb") as file:
        file.setparams((channels, 2, rate_hz, 0, "NONE", ""))
        file.writeframes(beep(rate_hz, seconds, channels))
    return path


def encode(path: Path, codec: str, rate_hz: int = 48_000, layout: str = "mono") -> Path:
    """The beep in another container, as FFmpeg chooses it by the ending."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=rate_hz, layout=layout)
        frame = av.AudioFrame(format="s16", layout="mono", samples=rate_hz)
        frame.planes[0].update(beep(rate_hz, 1.0))
        frame.sample_rate = rate_hz
        resampler = av.AudioResampler(stream.format.name, layout, rate_hz, frame_size=stream.frame_size or 1024)
        for piece in (*resampler.resample(frame), *resampler.resample(None)):
            container.mux(stream.encode(piece))
        container.mux(stream.encode(None))
    return path


def loudness(samples: bytes) -> float:
    values = struct.unpack(f"={len(samples) // 2}h", samples)
    return math.sqrt(sum(value * value for value in values) / len(values))


def test_a_file_of_another_rate_and_with_two_channels_becomes_mono_at_both_rates(tmp_path: Path) -> None:
    found = read(write_wav(tmp_path / "a.wav"))
    assert found.seconds == pytest.approx(1.0, abs=0.01)
    assert len(found.wide) == 2 * len(found.narrow)
    for samples in (found.narrow, found.wide):
        assert loudness(samples[2000:-2000]) == pytest.approx(9000 / math.sqrt(2), rel=0.05)


@pytest.mark.parametrize(("name", "codec"), [("a.ogg", "libopus"), ("a.flac", "flac"), ("a.mp3", "libmp3lame")])
def test_whatever_pyav_decodes_is_understood(tmp_path: Path, name: str, codec: str) -> None:
    found = read(encode(tmp_path / name, codec))
    assert found.seconds == pytest.approx(1.0, abs=0.1)
    assert loudness(found.narrow[4000:-4000]) == pytest.approx(9000 / math.sqrt(2), rel=0.1)


@pytest.mark.parametrize("codec", ["pcm_s16le", "pcm_alaw", "pcm_mulaw"])
@pytest.mark.parametrize("rate_hz", [8000, 16_000])
def test_a_mono_wav_file_at_a_rate_of_our_own_is_understood(tmp_path: Path, codec: str, rate_hz: int) -> None:
    found = read(encode(tmp_path / "a.wav", codec, rate_hz))
    assert found.seconds == pytest.approx(1.0, abs=0.01)
    for samples in (found.narrow, found.wide):
        assert loudness(samples[2000:-2000]) == pytest.approx(9000 / math.sqrt(2), rel=0.05)


def test_a_wav_file_at_8_khz_keeps_its_samples(tmp_path: Path) -> None:
    assert read(write_wav(tmp_path / "a.wav", 8000, channels=1)).narrow == beep(8000, 1.0)


@pytest.mark.parametrize(("rate_hz", "layout"), [(44_100, "mono"), (48_000, "stereo")])
def test_a_file_may_change_its_rate_and_channels_on_its_way(tmp_path: Path, rate_hz: int, layout: str) -> None:
    path = encode(tmp_path / "a.mp3", "libmp3lame")
    other = encode(tmp_path / "b.mp3", "libmp3lame", rate_hz, layout)
    path.write_bytes(path.read_bytes() + other.read_bytes())
    found = read(path)
    assert found.seconds == pytest.approx(2.0, abs=0.2)
    for beginning in (4000, 20_000):
        assert loudness(found.narrow[beginning : beginning + 8000]) > 4000  # FFmpeg makes stereo of mono 3 dB softer


@pytest.mark.parametrize(("name", "codec"), [("a.mp3", "libmp3lame"), ("a.m4a", "aac"), ("a.flac", "flac")])
def test_a_damaged_part_does_not_cost_the_whole_sound(tmp_path: Path, name: str, codec: str) -> None:
    path = encode(tmp_path / name, codec)
    data = bytearray(path.read_bytes())
    middle = len(data) // 2
    data[middle : middle + 300] = bytes([0x55]) * 300
    path.write_bytes(data)
    assert 0.5 < read(path).seconds < 1.1


def test_a_file_that_was_cut_off_is_heard_up_to_there(tmp_path: Path) -> None:
    path = encode(tmp_path / "a.flac", "flac")
    path.write_bytes(path.read_bytes()[:-300])
    assert 0.5 < read(path).seconds < 1.0


def test_junk_behind_the_sound_is_passed_over(tmp_path: Path) -> None:
    path = encode(tmp_path / "a.mp3", "libmp3lame")
    path.write_bytes(path.read_bytes() + b"TAG? " * 1000)
    assert read(path).seconds == pytest.approx(1.0, abs=0.1)


def test_a_disk_that_fails_while_it_is_read_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    monkeypatch.setattr(soundfiles, "_open", fail)
    with pytest.raises(PeerError, match="cannot be read: Input/output error"):
        read(write_wav(tmp_path / "a.wav"))


def test_bare_g711_is_known_by_its_ending() -> None:
    assert read(MUSIC).seconds == MUSIC.stat().st_size / 8000


def test_a_file_that_cannot_be_used_is_refused_in_words(tmp_path: Path) -> None:
    empty, text, playlist, mute = (tmp_path / name for name in ("a.wav", "b.txt", "c.m3u8", "d.wav"))
    empty.touch()
    text.write_text("Hello! " * 100)
    playlist.write_text(f"#EXTM3U\n#EXT-X-TARGETDURATION:9\n#EXTINF:9,\nfile://{MUSIC}\n#EXT-X-ENDLIST\n")
    write_wav(mute, seconds=0)
    os.mkfifo(tmp_path / "pipe")
    for path, words in (
        (tmp_path / "no.wav", "cannot be read: No such file"),
        (tmp_path, "cannot be read: Is a directory"),
        (Path("/dev/zero"), "is not a file"),
        (tmp_path / "pipe", "is not a file"),
        (Path("a\0b"), "is not the name of a file"),
        (empty, "it is empty"),
        (text, "There is no sound|cannot be decoded"),
        (playlist, "cannot be decoded"),
        (mute, "is empty|cannot be decoded"),
    ):
        with pytest.raises(PeerError, match=words):
            read(path)


def test_a_film_without_sound_is_no_sound(tmp_path: Path) -> None:
    path = tmp_path / "film.mkv"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("mpeg4", rate=25)
        stream.width = stream.height = 64
        container.mux(stream.encode(av.VideoFrame(64, 64, "yuv420p")))
        container.mux(stream.encode(None))
    with pytest.raises(PeerError, match="There is no sound in"):
        read(path)


def test_bounds_hold_while_decoding(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write_wav(tmp_path / "a.wav")
    ticks = iter(range(0, 10_000, 50))
    with pytest.raises(PeerError, match="takes more than 60 s"):
        read(path, clock=lambda: next(ticks))
    monkeypatch.setattr(soundfiles, "MAX_S", 0.5)
    with pytest.raises(PeerError, match="is longer than"):
        read(path)
    monkeypatch.setattr(soundfiles, "MAX_BYTES", 1000)
    with pytest.raises(PeerError, match="are the most"):
        read(path)


def test_a_sound_shorter_than_a_millisecond_is_refused_in_words(tmp_path: Path) -> None:
    path = tmp_path / "odd.ul"
    path.write_bytes(b"\x80" * 7)
    with pytest.raises(PeerError, match=r"odd\.ul is shorter than a millisecond\."):
        read(path)
    path.write_bytes(b"\x80" * 8)
    assert read(path).seconds == 0.001


def test_what_the_resampler_gives_last_counts_for_the_length(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write_wav(tmp_path / "a.wav", rate_hz=8000, seconds=0.5)
    whole = read(path).seconds
    monkeypatch.setattr(soundfiles, "MAX_S", whole)
    assert read(path).seconds == whole
    monkeypatch.setattr(soundfiles._Rate, "flush", lambda rate: rate.samples.extend(b"\0\0"))
    with pytest.raises(PeerError, match="is longer than"):
        read(path)
