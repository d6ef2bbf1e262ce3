// @ts-check

import { Call } from './call.js';
import { Emitter } from './events.js';
import { decode, encode, SignallingError, VERSION } from './signalling.js';

/**
 * The line between a page and the gateway: log in, stay connected, make and take calls.
 *
 *     const session = new Session({ url: 'wss://phone.example.org/signal', token });
 *     session.on('incoming', async (call) => call.accept(await microphone()));
 *     await session.connect();
 *     const call = await session.call('+49 30 1234', await microphone());
 *     call.on('stream', (stream) => { audio.srcObject = stream; });
 *
 * Needs a browser's WebSocket and RTCPeerConnection and nothing else of a page. A lost socket is opened again with
 * growing pauses; calls go on meanwhile and are taken over with the key of the last `welcome`.
 *
 * @typedef {import('./signalling.js').ClientMessage} ClientMessage
 * @typedef {import('./signalling.js').ServerMessage} ServerMessage
 * @typedef {import('./signalling.js').Welcome} Welcome
 * @typedef {import('./signalling.js').ErrorMessage} ErrorMessage
 * @typedef {'closed' | 'connecting' | 'online' | 'offline' | 'refused'} LineState
 * @typedef {{
 *   state: LineState,
 *   welcome: Welcome,
 *   incoming: Call,
 *   resumed: Call,
 *   refused: ErrorMessage,
 *   error: ErrorMessage,
 * }} SessionEvents
 * @typedef {{
 *   url: string,
 *   token?: string,
 *   user?: string,
 *   resumeKey?: string,
 *   openSocket?: (url: string) => WebSocket,
 *   makeConnection?: import('./peer.js').MakeConnection,
 *   random?: () => number,
 * }} SessionOptions
 */

/** WebSocket close code of RFC 6455 §7.4.1 by which the gateway refuses who we are or what we said. */
const POLICY_VIOLATION = 1008;
/** The gateway closes a socket normally only when a newer one has taken over its session. */
const REPLACED = 1000;
const FIRST_PAUSE_MS = 400;
const LONGEST_PAUSE_MS = 10_000;
/** No answer to a ping for this long: the socket is dead, whatever the browser believes. */
const PONG_WITHIN_MS = 5_000;
/** A gateway that accepts the socket and then says nothing is no gateway. */
const WELCOME_WITHIN_MS = 10_000;

/** @type {ErrorMessage} */
const NO_REASON = {
  type: 'error',
  code: 'refused',
  message: 'The gateway refused the login.',
  hint: 'Ask whoever runs the gateway for a new login link.',
  call: null,
};

/** @type {ErrorMessage} */
const TAKEN_OVER = {
  type: 'error',
  code: 'taken-over',
  message: 'Another tab has taken over this phone.',
  hint: 'Go on there, or load this page again to have a second phone here.',
  call: null,
};

/**
 * The pause before attempt number `attempt` (0, 1, …): doubling, with jitter so that the pages of a restarted
 * gateway do not all come back in the same instant.
 *
 * @param {number} attempt
 * @param {number} random 0…1
 */
export function pauseBefore(attempt, random) {
  const longest = Math.min(LONGEST_PAUSE_MS, FIRST_PAUSE_MS * 2 ** attempt);
  return Math.round(longest * (0.5 + random / 2));
}

/** @returns {string} A name for a call that no other call of the session has. */
function newCallName() {
  const bytes = crypto.getRandomValues(new Uint8Array(9));
  return `p-${[...bytes].map((byte) => byte.toString(16).padStart(2, '0')).join('')}`;
}

/** @extends {Emitter<SessionEvents>} */
export class Session extends Emitter {
  /** @type {LineState} */
  state = 'closed';
  /** @type {Welcome | null} */
  welcome = null;
  /** Live calls by name. @type {Map<string, Call>} */
  calls = new Map();

  #options;
  /** Secret of this page; takes over the session and its calls after a lost socket. */
  #resumeKey;
  /** @type {WebSocket | null} */
  #socket = null;
  #attempt = 0;
  #pings = 0;
  /** @type {ErrorMessage | null} */
  #lastError = null;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #retryTimer;
  /** @type {ReturnType<typeof setInterval> | undefined} */
  #pingTimer;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #deadline;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #graceTimer;

  /** @param {SessionOptions} options */
  constructor(options) {
    super();
    this.#options = { openSocket: (/** @type {string} */ url) => new WebSocket(url), random: Math.random, ...options };
    this.#resumeKey = options.resumeKey ?? '';
  }

  /** How many times in a row nobody answered. */
  get attempts() {
    return this.#attempt;
  }

  /** Secret that a reload of this page needs in order to keep its calls. */
  get resumeKey() {
    return this.#resumeKey;
  }

  /**
   * Connect, and stay connected until `close`.
   *
   * @returns {Promise<Welcome>} Rejected if the gateway refuses the login; it waits as long as nobody answers.
   */
  connect() {
    return new Promise((resolve, reject) => {
      const stops = [
        this.on('welcome', (welcome) => settle(() => resolve(welcome))),
        this.on('refused', (error) => settle(() => reject(new SignallingError(error.message, { cause: error })))),
      ];
      const settle = (/** @type {() => void} */ outcome) => {
        for (const stop of stops) stop();
        outcome();
      };
      this.#open();
    });
  }

  /** Try again now instead of after the pause: the network is back, or the person asked. */
  wake() {
    if (this.state === 'offline') this.#open();
  }

  /**
   * Call a number or name.
   *
   * @param {string} to
   * @param {MediaStream} microphone
   * @param {Record<string, string>} [headers] X- headers that become headers of the INVITE.
   */
  async call(to, microphone, headers) {
    const call = this.newCall(to);
    await call.start(microphone, headers);
    return call;
  }

  /** @param {string} to @returns {Call} An outgoing call of which the gateway hears when it is started. */
  newCall(to) {
    return this.#adopt({ name: newCallName(), direction: 'outgoing', remote: to });
  }

  /** Leave for good: the gateway ends the calls now, without its grace for a lost socket. */
  goodbye() {
    this.#send({ type: 'goodbye' });
    this.#resumeKey = '';
    this.#endAllBut(new Set(), 'You left the phone.', '', true);
  }

  /** Disconnect and stay disconnected. Calls outlive this by the gateway's grace unless `goodbye` came first. */
  close() {
    this.#drop();
    this.#endGrace();
    this.#become('closed');
  }

  #open() {
    this.#drop();
    this.#lastError = null;
    this.#become('connecting');
    const socket = this.#options.openSocket(this.#options.url);
    this.#socket = socket;
    socket.onopen = () => this.#sayHello();
    socket.onmessage = ({ data }) => this.#receive(String(data));
    socket.onclose = ({ code }) => this.#lost(code);
    this.#deadline = setTimeout(() => this.#lost(0), WELCOME_WITHIN_MS);
  }

  /** Forget the socket at once: its own close event may come minutes later on a dead network. */
  #drop() {
    clearTimeout(this.#retryTimer);
    clearInterval(this.#pingTimer);
    clearTimeout(this.#deadline);
    const socket = this.#socket;
    this.#socket = null;
    if (!socket) return;
    socket.onopen = socket.onmessage = socket.onclose = null;
    socket.close();
  }

  /**
   * A token may have expired since it let us in, and the gateway would refuse it: while there is a session to take
   * over, its key alone says who we are.
   */
  #sayHello() {
    const { token = '', user = '' } = this.#options;
    const session = this.#resumeKey;
    this.#write({ type: 'hello', version: VERSION, token: session ? '' : token, user, session });
  }

  /** @param {number} code */
  #lost(code) {
    const wasRefused = code === POLICY_VIOLATION && this.state === 'connecting';
    this.#drop();
    if (wasRefused && this.#resumeKey && this.#options.token) return this.#startOver();
    if (wasRefused) return this.#refuse(this.#lastError ?? NO_REASON);
    if (code === REPLACED) return this.#refuse(TAKEN_OVER);
    this.#become('offline');
    this.#graceTimer ??= setTimeout(() => this.#outlived(), (this.welcome?.grace_s ?? 0) * 1000);
    const pause = pauseBefore(this.#attempt, this.#options.random());
    this.#attempt += 1;
    this.#retryTimer = setTimeout(() => this.#open(), pause);
  }

  /** The session is gone; its key was our only word. Now the token must do. */
  #startOver() {
    this.#resumeKey = '';
    this.#open();
  }

  /** @param {ErrorMessage} error */
  #refuse(error) {
    this.#resumeKey = '';
    this.#endAllBut(new Set(), error.message, error.hint);
    this.#become('refused');
    this.emit('refused', error);
  }

  /** @param {string} frame */
  #receive(frame) {
    const message = this.#decode(frame);
    if (message === null) return;
    switch (message.type) {
      case 'welcome':
        return this.#welcomed(message);
      case 'pong':
        return clearTimeout(this.#deadline);
      case 'error':
        return this.#failed(message);
      case 'call.incoming':
        return this.#ring(message);
      default:
        return this.#passOn(message);
    }
  }

  /** @param {string} frame @returns {ServerMessage | null} Null for a message that only a newer page knows. */
  #decode(frame) {
    try {
      return decode(frame);
    } catch (error) {
      if (error instanceof SignallingError) return null;
      throw error;
    }
  }

  /** The gateway has ended our calls by now, if it still lives. */
  #outlived() {
    this.#endAllBut(
      new Set(),
      'The connection to the gateway was lost for too long; the call has ended.',
      'Check the network; the page connects again by itself.',
    );
  }

  #endGrace() {
    clearTimeout(this.#graceTimer);
    this.#graceTimer = undefined;
  }

  /** @param {Welcome} welcome */
  #welcomed(welcome) {
    clearTimeout(this.#deadline);
    this.#endGrace();
    this.welcome = welcome;
    this.#resumeKey = welcome.session;
    this.#attempt = 0;
    this.#pingTimer = setInterval(() => this.#ping(), welcome.ping_s * 1000);
    this.#become('online');
    this.emit('welcome', welcome);
    this.#reconcile(welcome.calls);
  }

  /** @param {readonly import('./signalling.js').LiveCall[]} live The calls that the gateway still has. */
  #reconcile(live) {
    this.#endAllBut(
      new Set(live.map(({ call }) => call)),
      'The call ended while the connection to the gateway was lost.',
      'Check the network, then call again.',
    );
    for (const { call: name, direction, remote, state, held = false, recorded = false } of live) {
      const known = this.calls.get(name);
      if (known) known.resume(state, held, recorded);
      else this.#recover({ name, direction, remote, state, held, recorded });
    }
  }

  /** @param {import('./call.js').CallFacts} facts */
  #recover(facts) {
    const call = this.#adopt(facts);
    this.emit(call.isIncoming ? 'incoming' : 'resumed', call);
  }

  /** @param {Set<string>} names @param {string} sentence @param {string} hint @param {boolean} here */
  #endAllBut(names, sentence, hint, here = false) {
    for (const [name, call] of this.calls) {
      if (names.has(name)) continue;
      this.calls.delete(name);
      call.end({ cause: here ? 'hangup' : 'connection-lost', sipStatus: 0, sentence, hint, here });
    }
  }

  #ping() {
    this.#pings += 1;
    this.#write({ type: 'ping', sequence: this.#pings });
    clearTimeout(this.#deadline);
    this.#deadline = setTimeout(() => this.#lost(0), PONG_WITHIN_MS);
  }

  /** @param {ErrorMessage} error */
  #failed(error) {
    this.#lastError = error;
    const call = error.call === null ? undefined : this.calls.get(error.call);
    if (call) call.refused({ sentence: error.message, hint: error.hint });
    else if (this.state === 'online') this.emit('error', error);
  }

  /** @param {import('./signalling.js').CallIncoming} message */
  #ring({ call: name, remote, display, headers, record }) {
    this.emit('incoming', this.#adopt({ name, direction: 'incoming', remote, display, headers, record }));
  }

  /** @param {Exclude<import('./signalling.js').CallMessage, import('./signalling.js').CallIncoming>} message */
  #passOn(message) {
    const call = this.calls.get(message.call);
    if (message.type === 'call.ended') this.calls.delete(message.call);
    void call?.receive(message);
  }

  /** @param {import('./call.js').CallFacts} facts */
  #adopt(facts) {
    const call = new Call(facts, {
      send: (message) => this.#send(message),
      iceServers: () => this.welcome?.ice_servers ?? [],
      makeConnection: this.#options.makeConnection,
    });
    this.calls.set(call.name, call);
    // A call of which the gateway never heard gets no `call.ended` that would free its name.
    call.on('state', () => call.isOver && !call.isAnnounced && this.calls.delete(call.name));
    return call;
  }

  /** @param {ClientMessage} message @returns {boolean} */
  #send(message) {
    return this.state === 'online' && this.#write(message);
  }

  /** @param {ClientMessage} message @returns {boolean} */
  #write(message) {
    if (this.#socket?.readyState !== 1) return false;
    this.#socket.send(encode(message));
    return true;
  }

  /** @param {LineState} state */
  #become(state) {
    if (state === this.state) return;
    this.state = state;
    this.emit('state', state);
  }
}
