// @ts-check

import { Emitter } from './events.js';

/**
 * The audio of one call: an RTCPeerConnection that only ever offers (RFC 9429 §3.2).
 *
 * The gateway is ICE-lite on one port (RFC 8445 §2.5), so an offer leaves at once, without candidates. A path that
 * falls silent is repaired by an ICE restart; one that has failed by a new connection, because Firefox stays mute
 * on the old one.
 *
 * @typedef {{
 *   stream: MediaStream,
 *   path: 'open' | 'broken' | 'failed',
 * }} PeerEvents
 * @typedef {(configuration: RTCConfiguration) => RTCPeerConnection} MakeConnection
 *
 * @extends {Emitter<PeerEvents>}
 */
export class AudioPeer extends Emitter {
  /** @type {RTCPeerConnection} */
  connection;
  /** What the far end sends; a new one after `renew`. @type {MediaStream | null} */
  remoteStream = null;

  #microphone;
  #configuration;
  #makeConnection;

  /** Offers on the way; only the answer to the last one is of use. */
  #unanswered = 0;

  /**
   * @param {MediaStream} microphone
   * @param {RTCIceServer[]} iceServers An empty list asks nobody: no address leaks to a public STUN server.
   * @param {MakeConnection} makeConnection
   */
  constructor(microphone, iceServers = [], makeConnection = (configuration) => new RTCPeerConnection(configuration)) {
    super();
    this.#microphone = microphone;
    this.#configuration = { iceServers };
    this.#makeConnection = makeConnection;
    this.connection = this.#connect();
  }

  /** The SDP offer for the gateway. */
  async offer() {
    const connection = this.connection;
    await connection.setLocalDescription();
    this.#unanswered += 1;
    return connection.localDescription?.sdp ?? '';
  }

  /**
   * Take the gateway's answer. One that belongs to an offer we have replaced since is dropped.
   *
   * @param {string} sdp
   */
  async answer(sdp) {
    this.#unanswered = Math.max(0, this.#unanswered - 1);
    if (this.#unanswered > 0 || this.connection.signalingState !== 'have-local-offer') return;
    await this.connection.setRemoteDescription({ type: 'answer', sdp });
  }

  /** Offers that were on the way are lost with the socket that carried them. */
  forgetOffers() {
    this.#unanswered = 0;
  }

  /** Whether audio can flow now. */
  get isOpen() {
    return ['connected', 'completed'].includes(this.connection.iceConnectionState);
  }

  /** New ICE credentials on the same connection (RFC 9429 §4.1.16); send the next `offer`. */
  restart() {
    this.connection.restartIce();
  }

  /** A new connection with the same microphone; send the next `offer`. */
  renew() {
    this.#drop(this.connection);
    this.connection = this.#connect();
  }

  /** @param {MediaStream} microphone Another microphone, without a new offer. */
  async replaceMicrophone(microphone) {
    const [track] = microphone.getAudioTracks();
    track.enabled = !this.muted;
    for (const old of this.#microphone.getTracks()) old.stop();
    this.#microphone = microphone;
    await this.connection.getSenders()[0]?.replaceTrack(track);
  }

  get microphone() {
    return this.#microphone;
  }

  get muted() {
    return this.#microphone.getAudioTracks().every((track) => !track.enabled);
  }

  set muted(muted) {
    for (const track of this.#microphone.getAudioTracks()) track.enabled = !muted;
  }

  /** Let go of the network and of the microphone. */
  close() {
    this.#drop(this.connection);
    for (const track of this.#microphone.getTracks()) track.stop();
  }

  #connect() {
    const connection = this.#makeConnection(this.#configuration);
    connection.ontrack = ({ track, streams }) => {
      this.remoteStream = streams[0] ?? new MediaStream([track]);
      this.emit('stream', this.remoteStream);
    };
    connection.oniceconnectionstatechange = () => this.#reportPath(connection.iceConnectionState);
    const [track] = this.#microphone.getAudioTracks();
    connection.addTransceiver(track, { direction: 'sendrecv', streams: [this.#microphone] });
    return connection;
  }

  /** @param {RTCIceConnectionState} state */
  #reportPath(state) {
    if (state === 'connected' || state === 'completed') this.emit('path', 'open');
    if (state === 'disconnected') this.emit('path', 'broken');
    if (state === 'failed') this.emit('path', 'failed');
  }

  /** @param {RTCPeerConnection} connection */
  #drop(connection) {
    connection.ontrack = null;
    connection.oniceconnectionstatechange = null;
    connection.close();
  }
}
