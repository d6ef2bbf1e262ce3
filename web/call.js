// @ts-check

import { nextState } from './callstate.js';
import { Emitter } from './events.js';
import { AudioPeer } from './peer.js';

/** How long a silent path may heal by itself before ICE is restarted. */
const RESTART_AFTER_MS = 1000;

/**
 * One call of this page, incoming or outgoing: its state, its audio, and what can be done with it.
 *
 * Made by `Session`: `session.call(to, microphone)` starts one, the session's `incoming` event brings one.
 *
 * @typedef {import('./callstate.js').CallState} CallState
 * @typedef {import('./callstate.js').CallEvent} CallEvent
 * @typedef {import('./signalling.js').ClientMessage} ClientMessage
 * @typedef {import('./signalling.js').CallMessage} CallMessage
 * @typedef {{ cause: string, sipStatus: number, sentence: string, hint: string, here: boolean }} Ending
 *   `here`: this page ended it.
 * @typedef {{ sentence: string, hint: string, about?: 'sound' }} Problem `about` sound: over as soon as it flows again.
 * @typedef {{
 *   state: CallState,
 *   stream: MediaStream,
 *   audio: 'waiting' | 'open' | 'interrupted',
 *   dtmf: string,
 *   hold: boolean,
 *   recording: boolean,
 *   codec: string,
 *   problem: Problem,
 * }} CallEvents
 * @typedef {{
 *   name: string,
 *   direction: 'outgoing' | 'incoming',
 *   remote: string,
 *   display?: string,
 *   headers?: Record<string, string>,
 *   record?: string,
 *   state?: CallState,
 *   held?: boolean,
 *   recorded?: boolean,
 * }} CallFacts
 * @typedef {{
 *   send: (message: ClientMessage) => boolean,
 *   iceServers: () => RTCIceServer[],
 *   makeConnection?: import('./peer.js').MakeConnection,
 * }} CallLine What a call needs of its session; `send` says whether the message left.
 *
 * @extends {Emitter<CallEvents>}
 */
export class Call extends Emitter {
  /** Names the call within the session. */
  name;
  direction;
  /** Number or name of the far end; "" when withheld. */
  remote;
  /** The far end's display name, if it gave one. */
  display;
  /** X- headers of an incoming call. */
  headers;
  /** Id of the gateway's record of this call: `webtrunk call ID`. */
  record;
  /** @type {CallState} */
  state;
  /** One sentence: which codecs, and why. */
  codec = '';
  /** On hold, by us: the far end hears music, we hear nothing. */
  held = false;
  /** What is said is being recorded. */
  recorded = false;
  /** Digits sent so far. */
  digits = '';
  /** @type {'waiting' | 'open' | 'interrupted'} */
  audio = 'waiting';
  /** @type {Date | null} */
  answeredAt = null;
  /** @type {Date | null} */
  endedAt = null;
  /** @type {Ending | null} */
  ending = null;
  startedAt = new Date();

  #line;
  /** @type {AudioPeer | null} */
  #peer = null;
  #announced;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #restartTimer;

  /**
   * @param {CallFacts} facts
   * @param {CallLine} line
   */
  constructor(facts, line) {
    super();
    this.name = facts.name;
    this.direction = facts.direction;
    this.remote = facts.remote;
    this.display = facts.display ?? '';
    this.headers = facts.headers ?? {};
    this.record = facts.record ?? '';
    this.state = facts.state ?? (facts.direction === 'incoming' ? 'ringing' : 'connecting');
    this.#announced = facts.direction === 'incoming' || facts.state !== undefined;
    if (this.state === 'answered') this.answeredAt = this.startedAt;
    this.held = facts.held ?? false;
    this.recorded = facts.recorded ?? false;
    this.#line = line;
  }

  /** @returns {RTCPeerConnection | null} The connection of now; a repair may put another in its place. */
  get pc() {
    return this.#peer?.connection ?? null;
  }

  /** @returns {MediaStream | null} What the far end sends. */
  get remoteStream() {
    return this.#peer?.remoteStream ?? null;
  }

  /** @returns {MediaStream | null} What we send. */
  get microphone() {
    return this.#peer?.microphone ?? null;
  }

  get muted() {
    return this.#peer?.muted ?? false;
  }

  set muted(muted) {
    if (this.#peer) this.#peer.muted = muted;
  }

  /** Whether the gateway has heard of this call: only then must it hear of its end. */
  get isAnnounced() {
    return this.#announced;
  }

  get isOver() {
    return this.state === 'ended';
  }

  /** Whether this page must still accept or refuse it. */
  get isIncoming() {
    return this.direction === 'incoming' && this.state === 'ringing';
  }

  /**
   * Call the far end. The call owns the microphone from here on and stops it at its end.
   *
   * @param {MediaStream} microphone
   * @param {Record<string, string>} headers X- headers that become headers of the INVITE.
   */
  async start(microphone, headers = {}) {
    const sdp = await this.#open(microphone);
    if (sdp === null) return;
    this.#announced = true;
    this.#must({ type: 'call.start', call: this.name, to: this.remote, sdp, headers });
  }

  /** @param {MediaStream} microphone Take an incoming call. */
  async accept(microphone) {
    const sdp = await this.#open(microphone);
    if (sdp === null) return;
    this.#step('accepted');
    this.#must({ type: 'call.accept', call: this.name, sdp });
  }

  /** @param {MediaStream} microphone Take over the audio of a call that a reload of the page has interrupted. */
  async attach(microphone) {
    const sdp = await this.#open(microphone);
    if (sdp !== null) this.#must({ type: 'call.offer', call: this.name, sdp });
  }

  /**
   * The gateway refused something we asked for this call; the call itself goes on.
   *
   * @param {Problem} problem
   */
  refused(problem) {
    this.#peer?.forgetOffers();
    this.emit('problem', problem);
  }

  /** Refuse an incoming call, for all tabs of the user. */
  reject() {
    if (!this.isIncoming) return;
    this.#line.send({ type: 'call.reject', call: this.name });
    this.end({ cause: 'rejected', sipStatus: 603, sentence: 'You refused the call.', hint: '', here: true });
  }

  /** End the call in any state. */
  hangup() {
    if (this.isOver) return;
    if (this.#announced) this.#line.send({ type: 'call.hangup', call: this.name });
    const cause = this.answeredAt ? 'hangup' : 'cancelled';
    this.end({ cause, sipStatus: 0, sentence: 'You hung up.', hint: '', here: true });
  }

  /** The far end's digits are in the audio as telephone-events (RFC 4733), which browsers play by themselves. */
  get playsDigits() {
    return /telephone-event/.test(this.pc?.currentRemoteDescription?.sdp ?? '');
  }

  /** @param {string} digits One or more of 0-9, *, #, A-D. */
  dtmf(digits) {
    if (this.isOver) return;
    if (this.#line.send({ type: 'call.dtmf', call: this.name, digits })) this.digits += digits;
    else this.emit('problem', { sentence: `${digits} was not sent.`, hint: 'Press it again once the line is back.' });
  }

  /** @param {boolean} on Hold the call, or go on: `held` follows once the gateway has done it. */
  hold(on) {
    if (this.state !== 'answered' || this.#line.send({ type: 'call.hold', call: this.name, on })) return;
    this.emit('problem', { sentence: 'The call was not put on hold.', hint: 'Try again once the line is back.' });
  }

  /** @param {MediaStream} microphone Go on with another microphone. */
  async replaceMicrophone(microphone) {
    await this.#peer?.replaceMicrophone(microphone);
  }

  /** @param {CallMessage} message What the gateway says about this call. */
  async receive(message) {
    switch (message.type) {
      case 'call.answer-sdp':
        return this.#takeAnswer(message);
      case 'call.progress':
        return this.#step(message.early_media ? 'earlyMedia' : 'rang');
      case 'call.answered':
        this.#learnCodec(message.codec);
        return this.#step('answered');
      case 'call.renegotiate':
        return this.#offer();
      case 'call.dtmf':
        return this.emit('dtmf', message.digits);
      case 'call.held':
        return this.#hold(message.on);
      case 'call.recording':
        return this.#record(message.on);
      case 'call.ended':
        return this.end({ ...message, sipStatus: message.sip_status });
    }
  }

  /**
   * The socket is back and the gateway still has this call.
   *
   * @param {'ringing' | 'answered'} state
   * @param {boolean} held
   * @param {boolean} recorded
   */
  resume(state, held = false, recorded = false) {
    if (this.isOver) {
      this.#line.send({ type: 'call.hangup', call: this.name });
      return;
    }
    if (state === 'answered') this.#step('answered');
    this.#hold(held);
    this.#record(recorded);
    this.#peer?.forgetOffers();
    if (this.#peer && (!this.#peer.isOpen || this.#peer.connection.signalingState !== 'stable')) this.#repair('restart');
  }

  /**
   * Everything is over: nothing leaves this state.
   *
   * @param {Omit<Ending, 'here'> & { here?: boolean }} ending
   */
  end({ cause, sipStatus, sentence, hint, here = false }) {
    if (this.isOver) return;
    this.ending = { cause, sipStatus, sentence, hint, here };
    this.endedAt = new Date();
    clearTimeout(this.#restartTimer);
    this.#peer?.close();
    this.#step('ended');
  }

  /** @param {MediaStream} microphone @returns {Promise<string | null>} The offer, or null if the call is over. */
  async #open(microphone) {
    if (this.isOver) {
      for (const track of microphone.getTracks()) track.stop();
      return null;
    }
    const peer = new AudioPeer(microphone, this.#line.iceServers(), this.#line.makeConnection);
    this.#peer = peer;
    peer.on('stream', (stream) => this.emit('stream', stream));
    peer.on('path', (path) => this.#watchPath(path));
    const sdp = await peer.offer();
    return this.isOver ? null : sdp;
  }

  /** @param {import('./signalling.js').CallAnswerSdp} message */
  async #takeAnswer({ sdp, record, codec }) {
    this.record = record;
    if (codec) this.#learnCodec(codec);
    try {
      await this.#peer?.answer(sdp);
    } catch (error) {
      this.#line.send({ type: 'call.hangup', call: this.name });
      this.end({
        cause: 'browser',
        sipStatus: 0,
        sentence: 'This browser could not use the audio that the gateway offered.',
        hint: error instanceof Error ? error.message : '',
      });
    }
  }

  /** @param {string} codec */
  #learnCodec(codec) {
    this.codec = codec;
    this.emit('codec', codec);
  }

  /** @param {boolean} on */
  #hold(on) {
    if (on === this.held) return;
    this.held = on;
    this.emit('hold', on);
  }

  /** @param {boolean} on */
  #record(on) {
    if (on === this.recorded) return;
    this.recorded = on;
    this.emit('recording', on);
  }

  /** @param {'open' | 'broken' | 'failed'} path */
  #watchPath(path) {
    clearTimeout(this.#restartTimer);
    if (path === 'open') return this.#hear('open');
    if (path === 'broken') this.#restartTimer = setTimeout(() => this.#repair('restart'), RESTART_AFTER_MS);
    if (path === 'failed') this.#reportFailure();
    this.#hear('interrupted');
  }

  #reportFailure() {
    this.emit('problem', {
      about: 'sound',
      sentence: 'No sound gets through to the gateway; trying again.',
      hint: 'If this stays, a firewall or VPN may block UDP between this computer and the gateway.',
    });
    this.#repair('renew');
  }

  /** @param {'waiting' | 'open' | 'interrupted'} audio */
  #hear(audio) {
    this.audio = audio;
    this.emit('audio', audio);
  }

  /** @param {'restart' | 'renew'} how */
  async #repair(how) {
    if (this.isOver) return;
    this.#peer?.[how]();
    await this.#offer();
  }

  /** Another offer on the connection as it is; an answer that is still on its way is then of no use. */
  async #offer() {
    if (!this.#peer || this.isOver) return;
    const sdp = await this.#peer.offer();
    if (!this.isOver) this.#line.send({ type: 'call.offer', call: this.name, sdp });
  }

  /** @param {ClientMessage} message A message without which there is no call. */
  #must(message) {
    if (this.#line.send(message)) return;
    this.end({
      cause: 'connection-lost',
      sipStatus: 0,
      sentence: 'There is no connection to the gateway.',
      hint: 'Check the network; the page connects again by itself, then call again.',
    });
  }

  /** @param {CallEvent} event */
  #step(event) {
    const state = nextState(this.state, event);
    if (state === this.state) return;
    this.state = state;
    if (state === 'answered') this.answeredAt = new Date();
    this.emit('state', state);
  }
}
