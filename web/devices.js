// @ts-check

/**
 * Which microphone and which speaker, remembered in this browser.
 *
 * @typedef {{ id: string, label: string }} Device
 * @typedef {Pick<Storage, 'getItem' | 'setItem'>} Store
 */

const MICROPHONE_KEY = 'webtrunk.microphone';
const SPEAKER_KEY = 'webtrunk.speaker';
const PROCESSING_KEY = 'webtrunk.voice-processing';

/** The choices; "" is the system's default. */
export class SoundChoice {
  #store;

  /** @param {Store} store */
  constructor(store) {
    this.#store = store;
  }

  get microphone() {
    return this.#store.getItem(MICROPHONE_KEY) ?? '';
  }

  set microphone(id) {
    this.#store.setItem(MICROPHONE_KEY, id);
  }

  get speaker() {
    return this.#store.getItem(SPEAKER_KEY) ?? '';
  }

  set speaker(id) {
    this.#store.setItem(SPEAKER_KEY, id);
  }

  /** Echo cancellation, noise suppression and gain control of the browser. */
  get processing() {
    return this.#store.getItem(PROCESSING_KEY) !== 'off';
  }

  set processing(on) {
    this.#store.setItem(PROCESSING_KEY, on ? 'on' : 'off');
  }
}

/** Whether this browser lets a page choose where it sounds (W3C Audio Output Devices). */
export function canChooseSpeaker() {
  return 'setSinkId' in HTMLMediaElement.prototype;
}

/**
 * @param {'audioinput' | 'audiooutput'} kind
 * @returns {Promise<Device[]>} Nameless until the microphone has been allowed once.
 */
export async function listDevices(kind) {
  const devices = (await navigator.mediaDevices?.enumerateDevices()) ?? [];
  return devices
    .filter((device) => device.kind === kind && device.deviceId !== 'default' && device.deviceId !== '')
    .map(({ deviceId, label }, index) => ({ id: deviceId, label: label || `Device ${index + 1}` }));
}

/**
 * Send an element's or a context's sound to the chosen speaker; one that has gone falls back to the default.
 *
 * @param {object} sink HTMLMediaElement or AudioContext.
 * @param {string} id
 */
export async function useSpeaker(sink, id) {
  if (!('setSinkId' in sink) || typeof sink.setSinkId !== 'function') return;
  try {
    await sink.setSinkId(id);
  } catch {
    await sink.setSinkId('').catch(() => {});
  }
}
