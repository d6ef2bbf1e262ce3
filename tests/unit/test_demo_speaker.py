from demo.speaker import SILENCE, Speaker

A, B = b"a" * 160, b"b" * 160


def frames(speaker: Speaker, count: int) -> list[bytes]:
    return [speaker.next_frame() for _ in range(count)]


def test_recordings_follow_one_another_then_silence() -> None:
    speaker = Speaker()
    speaker.play(A + A)
    speaker.play(B)
    assert frames(speaker, 4) == [A, A, B, SILENCE]
    assert speaker.is_idle


def test_a_short_last_frame_is_filled_with_silence() -> None:
    speaker = Speaker()
    speaker.play(b"a" * 100)
    assert frames(speaker, 1) == [b"a" * 100 + SILENCE[:60]]


def test_a_loop_has_no_seam() -> None:
    speaker = Speaker()
    speaker.loop(bytes(range(250)))
    assert b"".join(frames(speaker, 25)) == bytes(range(250)) * 16


def test_a_loop_shorter_than_a_frame_fills_it() -> None:
    speaker = Speaker()
    speaker.loop(b"xyz")
    assert b"".join(frames(speaker, 3)) == (b"xyz" * 160)


def test_a_loop_waits_for_what_is_being_said() -> None:
    speaker = Speaker()
    speaker.play(A)
    speaker.loop(B)
    assert frames(speaker, 3) == [A, B, B]


def test_stop_falls_silent_at_once() -> None:
    speaker = Speaker()
    speaker.play(A * 10)
    speaker.loop(B)
    speaker.next_frame()
    speaker.stop()
    assert frames(speaker, 2) == [SILENCE, SILENCE]
    speaker.play(B)
    assert speaker.next_frame() == B
