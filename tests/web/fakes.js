// A socket, a peer connection and a microphone that only exist in a test.

export class FakeSocket {
  static opened = [];

  constructor(url) {
    this.url = url;
    this.readyState = 0;
    this.sent = [];
    this.isClosed = false;
    FakeSocket.opened.push(this);
  }

  send(frame) {
    this.sent.push(JSON.parse(frame));
  }

  close() {
    this.isClosed = true;
    this.readyState = 3;
  }

  /** The gateway takes the connection. */
  open() {
    this.readyState = 1;
    this.onopen?.();
  }

  /** The gateway says something. */
  say(message) {
    this.onmessage?.({ data: JSON.stringify(message) });
  }

  /** The connection ends. */
  lose(code = 1006) {
    this.readyState = 3;
    this.onclose?.({ code });
  }

  /** What the page has sent, by type. */
  messages(type) {
    return this.sent.filter((message) => message.type === type);
  }
}

export class FakeConnection {
  static made = [];

  constructor(configuration) {
    this.configuration = configuration;
    this.signalingState = 'stable';
    this.iceConnectionState = 'new';
    this.isClosed = false;
    this.offers = 0;
    this.restarts = 0;
    this.answers = [];
    this.senders = [];
    FakeConnection.made.push(this);
  }

  addTransceiver(track, init) {
    const sender = { track, replaceTrack: async (next) => (sender.track = next) };
    this.senders.push(sender);
    this.direction = init.direction;
  }

  getSenders() {
    return this.senders;
  }

  async setLocalDescription() {
    this.offers += 1;
    this.signalingState = 'have-local-offer';
    this.localDescription = { sdp: `offer ${this.offers} of connection ${FakeConnection.made.indexOf(this)}` };
  }

  async setRemoteDescription({ sdp }) {
    if (sdp === 'broken') throw new Error('Failed to parse SessionDescription.');
    this.answers.push(sdp);
    this.signalingState = 'stable';
  }

  restartIce() {
    this.restarts += 1;
  }

  close() {
    this.isClosed = true;
  }

  become(state) {
    this.iceConnectionState = state;
    this.oniceconnectionstatechange?.();
  }
}

export function fakeMicrophone() {
  const track = { enabled: true, isStopped: false, stop: () => (track.isStopped = true) };
  return { track, getTracks: () => [track], getAudioTracks: () => [track] };
}

export class FakeStore {
  #values = new Map();

  getItem(key) {
    return this.#values.get(key) ?? null;
  }

  setItem(key, value) {
    this.#values.set(key, value);
  }

  removeItem(key) {
    this.#values.delete(key);
  }
}

export const WELCOME = {
  type: 'welcome',
  user: 'alice',
  display: 'Alice',
  session: 'key1',
  resumed: false,
  grace_s: 30,
  ping_s: 15,
  ice_servers: [],
  features: [],
  calls: [],
  version: 1,
};

/** Let everything that was promised happen. */
export const settled = () => new Promise((resolve) => setImmediate(resolve));
