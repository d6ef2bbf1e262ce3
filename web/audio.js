// @ts-check

import { useSpeaker } from './devices.js';

/**
 * The page's one AudioContext and the element that plays the far end.
 *
 * A browser lets a page sound only after the person has touched it: until then the context is suspended, and an
 * incoming call shows without ringing.
 */
export class PageAudio {
  /** @type {AudioContext | null} */
  #context = null;
  #far;
  #speaker = '';

  /** @param {HTMLAudioElement} far */
  constructor(far) {
    this.#far = far;
    for (const gesture of ['pointerdown', 'keydown']) {
      addEventListener(gesture, () => this.context()?.resume(), { capture: true });
    }
  }

  /** @returns {AudioContext | null} Null where the browser has no WebAudio. */
  context() {
    if (!this.#context && 'AudioContext' in globalThis) {
      this.#context = new AudioContext({ latencyHint: 'interactive' });
      void useSpeaker(this.#context, this.#speaker);
    }
    return this.#context;
  }

  /** @param {MediaStream | null} stream What the far end sends. */
  play(stream) {
    if (this.#far.srcObject === stream) return;
    this.#far.srcObject = stream;
    if (stream) this.#far.play().catch(() => {}); // `autoplay` tries again as soon as the page is touched.
  }

  /** @param {string} id "" is the system's default. */
  async chooseSpeaker(id) {
    this.#speaker = id;
    await useSpeaker(this.#far, id);
    if (this.#context) await useSpeaker(this.#context, id);
  }
}
