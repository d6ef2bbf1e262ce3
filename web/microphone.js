// @ts-check

/**
 * The microphone, and why we do not get it, in words.
 *
 * @typedef {import('./call.js').Problem} Problem
 * @typedef {{ deviceId: string, processing: boolean }} MicrophoneWish
 */

/** The microphone cannot be had; `sentence` and `hint` are for the person. */
export class MicrophoneError extends Error {
  /** @param {Problem} problem @param {unknown} [cause] */
  constructor({ sentence, hint }, cause) {
    super(sentence, { cause });
    this.hint = hint;
  }
}

/** @type {Record<string, Problem>} */
const PROBLEMS = {
  NotAllowedError: {
    sentence: 'The microphone is blocked for this page.',
    hint: 'Click the icon beside the address, allow the microphone, then call again.',
  },
  NotFoundError: {
    sentence: 'No microphone was found.',
    hint: 'Plug in a headset or microphone, then call again.',
  },
  NotReadableError: {
    sentence: 'The microphone is in use by another program, or switched off.',
    hint: 'Close other programs that use it (another meeting, for instance), then call again.',
  },
};

/** @type {Problem} */
const INSECURE = {
  sentence: 'This browser gives no microphone to a page without encryption.',
  hint: 'Open the page by https://, or by http://localhost on the computer that runs the gateway.',
};

/** @type {Problem} */
const BLOCKED_BY_SYSTEM = {
  sentence: 'The operating system keeps the microphone from this browser.',
  hint: 'Allow the browser to use the microphone in the privacy settings of the system, then call again.',
};

/**
 * Why there is no microphone.
 *
 * @param {unknown} error What getUserMedia threw (W3C Media Capture §10.2).
 * @returns {Problem}
 */
export function microphoneProblem(error) {
  const { name, message } = error instanceof Error ? error : { name: '', message: String(error) };
  if (name === 'NotAllowedError' && /system/i.test(message)) return BLOCKED_BY_SYSTEM;
  return PROBLEMS[name] ?? { sentence: 'The microphone could not be opened.', hint: message };
}

/** @returns {Problem | null} What keeps this page from ever getting a microphone. */
export function pageProblem() {
  return globalThis.isSecureContext && navigator.mediaDevices ? null : INSECURE;
}

/**
 * @param {MicrophoneWish} wish
 * @returns {MediaTrackConstraints}
 */
export function constraints({ deviceId, processing }) {
  return {
    ...(deviceId ? { deviceId: { ideal: deviceId } } : {}),
    echoCancellation: processing,
    noiseSuppression: processing,
    autoGainControl: processing,
  };
}

/**
 * @param {MicrophoneWish} wish
 * @returns {Promise<MediaStream>}
 * @throws {MicrophoneError}
 */
export async function openMicrophone(wish) {
  const problem = pageProblem();
  if (problem) throw new MicrophoneError(problem);
  try {
    return await navigator.mediaDevices.getUserMedia({ audio: constraints(wish) });
  } catch (error) {
    throw new MicrophoneError(microphoneProblem(error), error);
  }
}
