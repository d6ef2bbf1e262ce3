// @ts-check

/** What counts as silence on the meter: below it there is only noise. */
const FLOOR_DB = -60;

/**
 * How loud a block of samples is, from 0 (silence) to 1 (full scale), on a scale that follows the ear.
 *
 * @param {Float32Array} samples
 * @returns {number}
 */
export function loudness(samples) {
  let energy = 0;
  for (const sample of samples) energy += sample * sample;
  const db = 10 * Math.log10(energy / Math.max(1, samples.length) + 1e-12);
  return Math.min(1, Math.max(0, 1 - db / FLOOR_DB));
}

/** Watches the level of one stream at a time. */
export class LevelMeter {
  #context;
  #samples = new Float32Array(1024);
  /** @type {MediaStream | null} */
  #stream = null;
  /** @type {{ source: MediaStreamAudioSourceNode, analyser: AnalyserNode } | null} */
  #nodes = null;

  /** @param {() => AudioContext | null} context */
  constructor(context) {
    this.#context = context;
  }

  /** @param {MediaStream | null} stream Null to let go. */
  watch(stream) {
    if (stream === this.#stream) return;
    this.#nodes?.source.disconnect();
    this.#nodes = null;
    this.#stream = stream;
    const context = this.#context();
    if (!context || !stream?.getAudioTracks().length) return;
    const source = context.createMediaStreamSource(stream);
    const analyser = new AnalyserNode(context, { fftSize: this.#samples.length });
    source.connect(analyser);
    this.#nodes = { source, analyser };
  }

  /** @returns {number} 0…1 */
  read() {
    if (!this.#nodes) return 0;
    this.#nodes.analyser.getFloatTimeDomainData(this.#samples);
    return loudness(this.#samples);
  }
}
