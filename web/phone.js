// @ts-check

import { Emitter } from './events.js';
import { outcomeOf, summary } from './history.js';
import { MicrophoneError } from './microphone.js';
import { who } from './words.js';

/**
 * The softphone without its looks: one call at a time, who waits, what sounds, what there is to say.
 *
 * A second caller waits until the first call is over or gives way. Refusing a call refuses it for all tabs of
 * the user, so a busy tab never does that by itself: another tab may be free.
 *
 * @typedef {import('./call.js').Call} Call
 * @typedef {import('./call.js').Problem} Problem
 * @typedef {import('./session.js').Session} Session
 * @typedef {import('./tones.js').ToneName} ToneName
 * @typedef {{ play: (name: ToneName) => void, stop: () => void, press: (key: string) => () => void }} Tones
 * @typedef {{ add: (call: import('./history.js').RecentCall) => void }} Recents
 * @typedef {Problem & { calm?: boolean }} Message `calm`: nothing went wrong.
 * @typedef {{ change: null, stream: MediaStream }} PhoneEvents
 * @typedef {{ openMicrophone: () => Promise<MediaStream>, tones: Tones, history: Recents }} PhoneParts
 *
 * @extends {Emitter<PhoneEvents>}
 */
export class Phone extends Emitter {
  /** @type {Session} */
  session;
  /** The call on the line, or the last one. @type {Call | null} */
  call = null;
  /** Callers who wait. @type {Call[]} */
  waiting = [];
  /** What the person should know, with what to do. @type {Message | null} */
  message = null;

  #parts;

  /** @param {Session} session @param {PhoneParts} parts */
  constructor(session, parts) {
    super();
    this.#parts = parts;
    this.session = session;
    this.serve(session);
  }

  /** @param {Session} session The line from now on; another login, for instance. */
  serve(session) {
    this.session = session;
    session.on('incoming', (call) => this.#ring(call));
    session.on('resumed', (call) => this.#takeOver(call));
    session.on('error', ({ message, hint }) => this.say({ sentence: message, hint }));
  }

  /** Whether a call is up or on its way. */
  get isBusy() {
    return this.call !== null && !this.call.isOver;
  }

  /** @param {string} to A cleaned destination. */
  async dial(to) {
    if (this.isBusy) return;
    if (!to) return this.say({ sentence: 'Whom do you want to call?', hint: 'Type a number or name first.' });
    this.message = null;
    const call = this.session.newCall(to);
    this.#put(call);
    await this.#withMicrophone(call, (microphone) => call.start(microphone));
  }

  /** Take the call that rings here. */
  async accept() {
    const call = this.call;
    if (!call?.isIncoming) return;
    this.message = null;
    this.#parts.tones.stop();
    await this.#withMicrophone(call, (microphone) => call.accept(microphone));
  }

  /** Refuse the call that rings here. */
  reject() {
    this.call?.reject();
  }

  hangup() {
    this.call?.hangup();
  }

  /** What Escape means: get rid of what is there, a caller, a call or a message. */
  leave() {
    if (!this.isBusy) this.say(null);
    else if (this.call?.isIncoming) this.reject();
    else this.hangup();
  }

  /** @param {Call} call End the call on the line and take this one, which waits. */
  async swap(call) {
    this.waiting = [call, ...this.waiting.filter((each) => each !== call)];
    this.call?.hangup();
    await this.accept();
  }

  toggleMute() {
    if (!this.call || !this.isBusy) return;
    this.call.muted = !this.call.muted;
    this.emit('change', null);
  }

  /** Hold the call, or go on with it. */
  toggleHold() {
    this.call?.hold(!this.call.held);
  }

  /**
   * Press a key of the keypad: it sounds, and on a call it is sent.
   *
   * @param {string} key
   * @returns {() => void} Lets the key go.
   */
  press(key) {
    if (this.call?.state === 'answered' || this.call?.state === 'early') this.call.dtmf(key);
    this.emit('change', null);
    return this.#parts.tones.press(key);
  }

  /** The microphone was changed: go on with the new one. */
  async changeMicrophone() {
    const call = this.call;
    if (call?.pc && this.isBusy) await this.#withMicrophone(call, (microphone) => call.replaceMicrophone(microphone));
  }

  /** @param {Message | null} message */
  say(message) {
    this.message = message;
    this.emit('change', null);
  }

  /** @param {Call} call */
  #ring(call) {
    if (!this.isBusy) {
      this.message = null; // It was about the call before.
      return this.#put(call);
    }
    this.waiting.push(call);
    call.on('state', () => call.isOver && this.#leaveQueue(call));
    if (this.call?.state === 'answered') this.#parts.tones.play('waiting');
    this.emit('change', null);
  }

  /** @param {Call} call A caller who gave up, or whom another tab took. */
  #leaveQueue(call) {
    if (!this.waiting.includes(call)) return;
    this.waiting = this.waiting.filter((each) => each !== call);
    this.#parts.history.add(summary(call));
    if (!this.waiting.length && this.call?.state === 'answered') this.#parts.tones.stop();
    this.emit('change', null);
  }

  /** @param {Call} call A call that the page had before it was reloaded. */
  async #takeOver(call) {
    if (this.isBusy) return call.hangup();
    this.#put(call);
    await this.#withMicrophone(call, (microphone) => call.attach(microphone));
  }

  /** @param {Call} call */
  #put(call) {
    this.call = call;
    call.on('state', () => this.#follow(call));
    call.on('audio', (audio) => this.#hear(audio));
    call.on('dtmf', (digits) => this.#hearDigits(digits));
    call.on('hold', () => this.emit('change', null));
    call.on('recording', () => this.emit('change', null));
    call.on('codec', () => this.emit('change', null));
    call.on('problem', (problem) => this.say(problem));
    call.on('stream', (stream) => this.emit('stream', stream));
    this.#follow(call);
  }

  /** @param {Call} call */
  #follow(call) {
    if (call !== this.call) return;
    if (call.isOver) this.#finish(call);
    else this.#sound(call);
    this.emit('change', null);
  }

  /** @param {Call} call What the state sounds like here; the far end's own sound comes by itself. */
  #sound(call) {
    const { tones } = this.#parts;
    if (call.isIncoming) tones.play('ringtone');
    else if (call.state === 'ringing') tones.play('ringback');
    else tones.stop();
  }

  /** @param {Call} call */
  #finish(call) {
    const { tones, history } = this.#parts;
    tones.stop();
    const tone = farewell(call);
    if (tone) tones.play(tone);
    if (call.ending) this.message = { ...call.ending, calm: outcomeOf(call) === 'ok' };
    history.add(summary(call));
    const next = this.waiting.shift();
    if (next) this.#put(next);
  }

  /** @param {Call['audio']} audio */
  #hear(audio) {
    if (audio === 'open' && this.message?.about === 'sound') this.message = null;
    this.emit('change', null);
  }

  /** @param {string} digits */
  #hearDigits(digits) {
    if (this.call?.playsDigits) return;
    for (const digit of digits) this.#parts.tones.press(digit)();
  }

  /** @param {Call} call @param {(microphone: MediaStream) => Promise<void>} use */
  async #withMicrophone(call, use) {
    try {
      await use(await this.#parts.openMicrophone());
    } catch (error) {
      this.#withoutMicrophone(call, error);
    }
  }

  /** @param {Call} call @param {unknown} error */
  #withoutMicrophone(call, error) {
    if (!(error instanceof MicrophoneError)) throw error;
    const problem = { sentence: error.message, hint: error.hint };
    if (call.isIncoming) return this.say({ ...problem, hint: `${problem.hint} ${who(call)} is still calling.` });
    if (call.state === 'connecting') call.end({ cause: 'no-microphone', sipStatus: 0, ...problem });
    else this.say(problem);
  }
}

/** @param {Call} call @returns {ToneName | null} How the end of a call sounds. */
export function farewell(call) {
  if (!call.ending || call.ending.here) return null;
  if (call.ending.cause === 'busy') return 'busy';
  if (call.answeredAt) return 'farewell';
  return call.direction === 'outgoing' ? 'failed' : null;
}
