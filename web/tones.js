// @ts-check

/**
 * The tones of a telephone, made by WebAudio: keys, ringback, busy, ringing.
 *
 * A tone is one cycle of sound and silence, rendered once as samples and looped by the sound card: no timer of the
 * page has to keep the rhythm.
 *
 * @typedef {{ seconds: number, hertz: readonly number[], gain?: number }} Note No frequencies: a pause.
 * @typedef {{ notes: readonly Note[], times: number }} Tone `times` is Infinity for one that goes on until stopped.
 * @typedef {'ringback' | 'busy' | 'failed' | 'farewell' | 'ringtone' | 'waiting'} ToneName
 */

/** Rows and columns of the keypad (ITU-T Q.23). */
const ROWS = [697, 770, 852, 941];
const COLUMNS = [1209, 1336, 1477, 1633];
const KEYS = ['123A', '456B', '789C', '*0#D'];

/** A shorter key press still sounds this long. */
const SHORTEST_KEY_S = 0.12;
const FADE_S = 0.008;

/** Call progress in cadences that ITU-T E.180 allows; the melodies are ours. @type {Record<ToneName, Tone>} */
export const TONES = {
  ringback: { notes: [note(1, 425), pause(4)], times: Infinity },
  busy: { notes: [note(0.48, 425), pause(0.48)], times: 4 },
  failed: { notes: [note(0.24, 425), pause(0.24)], times: 5 },
  farewell: { notes: [note(0.12, 480, 0.1), pause(0.06), note(0.16, 360, 0.1), pause(0.1)], times: 1 },
  waiting: { notes: [note(0.2, 425, 0.06), pause(0.2), note(0.2, 425, 0.06), pause(5)], times: Infinity },
  ringtone: {
    notes: [
      ...[659, 784, 988, 784].flatMap((hertz) => [note(0.14, hertz), pause(0.04)]),
      ...[659, 784, 988, 1175].flatMap((hertz) => [note(0.14, hertz), pause(0.04)]),
      pause(1.6),
    ],
    times: Infinity,
  },
};

/** @param {number} seconds @param {number} hertz @param {number} [gain] @returns {Note} */
function note(seconds, hertz, gain = 0.16) {
  return { seconds, hertz: [hertz], gain };
}

/** @param {number} seconds @returns {Note} */
function pause(seconds) {
  return { seconds, hertz: [] };
}

/** @param {string} key 0-9, *, #, A-D @returns {readonly [number, number] | null} Its two frequencies. */
export function keyFrequencies(key) {
  const row = KEYS.findIndex((keys) => keys.includes(key.toUpperCase()));
  if (key.length !== 1 || row < 0) return null;
  return [ROWS[row], COLUMNS[KEYS[row].indexOf(key.toUpperCase())]];
}

/**
 * The samples of one cycle.
 *
 * @param {readonly Note[]} notes
 * @param {number} rate Samples per second.
 * @returns {Float32Array<ArrayBuffer>}
 */
export function render(notes, rate) {
  const lengths = notes.map(({ seconds }) => Math.round(seconds * rate));
  const samples = new Float32Array(lengths.reduce((sum, length) => sum + length, 0));
  let start = 0;
  notes.forEach(({ hertz, gain = 0.16 }, index) => {
    const length = lengths[index];
    for (let i = 0; i < length; i += 1) {
      const tone = hertz.reduce((sum, each) => sum + Math.sin((2 * Math.PI * each * i) / rate), 0);
      samples[start + i] = tone * gain * fade(i, length, rate);
    }
    start += length;
  });
  return samples;
}

/** Without it every note would begin and end with a click. @param {number} i @param {number} length @param {number} rate */
function fade(i, length, rate) {
  const ramp = Math.max(1, FADE_S * rate);
  return Math.min(1, i / ramp, (length - i) / ramp);
}

/** Plays one tone at a time, and keys over it. */
export class TonePlayer {
  #context;
  #tones = TONES;
  /** @type {{ name: ToneName, source: AudioBufferSourceNode } | null} */
  #playing = null;

  /** @param {() => AudioContext | null} context The page's audio context; null where there is no WebAudio. */
  constructor(context) {
    this.#context = context;
  }

  /** The tone that sounds now, or is meant to. @type {ToneName | null} */
  get playing() {
    return this.#playing?.name ?? null;
  }

  /** @param {Record<string, Note[]>} local Tones as people here know them, in the place of ours. */
  localize(local) {
    this.#tones = localTones(local);
  }

  /** @param {ToneName} name */
  play(name) {
    if (this.#playing?.name === name) return;
    this.stop();
    const context = this.#context();
    if (!context) return;
    const source = this.#source(context, this.#tones[name]);
    source.onended = () => this.#playing?.source === source && (this.#playing = null);
    this.#playing = { name, source };
  }

  stop() {
    this.#playing?.source.stop();
    this.#playing = null;
  }

  /**
   * Sound a key while it is held.
   *
   * @param {string} key
   * @returns {() => void} Lets the key go.
   */
  press(key) {
    const context = this.#context();
    const hertz = keyFrequencies(key);
    if (!context || !hertz) return () => {};
    const began = context.currentTime;
    const gain = new GainNode(context, { gain: 0 });
    gain.gain.linearRampToValueAtTime(0.09, began + FADE_S);
    gain.connect(context.destination);
    const tones = hertz.map((frequency) => new OscillatorNode(context, { frequency }));
    for (const tone of tones) tone.connect(gain).context && tone.start();
    return () => release(gain, tones, Math.max(context.currentTime, began + SHORTEST_KEY_S));
  }

  /** @param {AudioContext} context @param {Tone} tone */
  #source(context, { notes, times }) {
    const samples = render(notes, context.sampleRate);
    const buffer = new AudioBuffer({ length: samples.length, sampleRate: context.sampleRate });
    buffer.copyToChannel(samples, 0);
    const source = new AudioBufferSourceNode(context, { buffer, loop: times > 1 });
    source.connect(context.destination);
    source.start();
    if (Number.isFinite(times)) source.stop(context.currentTime + buffer.duration * times);
    return source;
  }
}

/** @param {Record<string, Note[]>} local @returns {Record<ToneName, Tone>} Ours, but where there is a local one that. */
export function localTones(local) {
  const all = Object.entries(TONES).map(([name, tone]) => [name, local[name] ? inPlaceOf(tone, local[name]) : tone]);
  return Object.fromEntries(all);
}

/** @param {Tone} tone @param {Note[]} notes @returns {Tone} As loud as ours, and about as long. */
function inPlaceOf(tone, notes) {
  const [ours, theirs] = [tone.notes, notes].map((all) => all.reduce((sum, { seconds }) => sum + seconds, 0));
  const loud = notes.map((note) => ({ ...note, gain: 0.16 / Math.sqrt(note.hertz.length || 1) }));
  return { notes: loud, times: Number.isFinite(tone.times) ? Math.max(1, Math.round((tone.times * ours) / theirs)) : Infinity };
}

/** @param {GainNode} gain @param {OscillatorNode[]} tones @param {number} at */
function release(gain, tones, at) {
  gain.gain.setValueAtTime(0.09, at);
  gain.gain.linearRampToValueAtTime(0, at + FADE_S);
  for (const tone of tones) tone.stop(at + 2 * FADE_S);
}
