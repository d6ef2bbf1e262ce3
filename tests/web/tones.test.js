import assert from 'node:assert/strict';
import { test } from 'node:test';

import { keyFrequencies, localTones, render, TonePlayer, TONES } from '../../web/tones.js';

const RATE = 8000;

/** How much of one frequency is in the samples (Goertzel). */
function strength(samples, hertz) {
  let [re, im] = [0, 0];
  samples.forEach((sample, i) => {
    re += sample * Math.cos((2 * Math.PI * hertz * i) / RATE);
    im += sample * Math.sin((2 * Math.PI * hertz * i) / RATE);
  });
  return Math.hypot(re, im) / samples.length;
}

test('every key has its own pair of frequencies', () => {
  const pairs = [...'0123456789*#ABCD'].map((key) => String(keyFrequencies(key)));
  assert.equal(new Set(pairs).size, 16);
  assert.deepEqual(keyFrequencies('5'), [770, 1336]);
  assert.deepEqual(keyFrequencies('#'), [941, 1477]);
  assert.deepEqual(keyFrequencies('a'), [697, 1633]);
});

test('what is not a key makes no sound', () => {
  for (const key of ['', 'x', '12', ' ']) assert.equal(keyFrequencies(key), null);
});

test('ringback is one second of 425 Hz in five', () => {
  const samples = render(TONES.ringback.notes, RATE);
  assert.equal(samples.length, 5 * RATE);
  assert.ok(strength(samples.subarray(0, RATE), 425) > 0.05);
  assert.ok(strength(samples.subarray(0, RATE), 600) < 0.005);
  assert.ok(samples.subarray(RATE).every((sample) => sample === 0));
});

test('no tone clicks or is loud', () => {
  for (const [name, { notes }] of Object.entries(TONES)) {
    const samples = render(notes, 48_000);
    const steps = samples.map((sample, i) => Math.abs(sample - (samples[i - 1] ?? 0)));
    assert.ok(Math.max(...samples.map(Math.abs).slice(0, 48_000)) <= 0.2, `${name} is too loud`);
    assert.ok(steps.every((step) => step < 0.04), `${name} clicks`);
  }
});

test('only a tone that waits for somebody goes on by itself', () => {
  const endless = Object.keys(TONES).filter((name) => TONES[name].times === Infinity);
  assert.deepEqual(endless.sort(), ['ringback', 'ringtone', 'waiting']);
});

test('without WebAudio the phone is silent but works', () => {
  const player = new TonePlayer(() => null);
  player.play('busy');
  player.press('1')();
  player.stop();
  assert.equal(player.playing, null);
});

test('a tone of another country is as loud as ours and sounds about as long; the others stay', () => {
  const british = [{ seconds: 0.4, hertz: [400, 450] }, { seconds: 0.2, hertz: [] }];
  const fast = [{ seconds: 0.25, hertz: [425] }, { seconds: 0.25, hertz: [] }];
  const { ringback, busy, ...others } = localTones({ ringback: british, busy: fast, unheard: fast });
  assert.deepEqual([ringback.times, ringback.notes[0].gain.toFixed(3)], [Infinity, '0.113']);
  assert.deepEqual([busy.times, busy.notes[0].gain], [8, 0.16]);
  for (const [name, tone] of Object.entries(others)) assert.equal(tone, TONES[name]);
});
