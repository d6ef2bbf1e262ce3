// @ts-check

/**
 * Signalling v1: the JSON messages between a page and the gateway, as values.
 *
 * Pure encode and decode, the twin of `webrtc/signalling.py`; the prose is in `docs/signalling.md`.
 * The page is always the offerer, so offers never cross (RFC 3264 §4). `call` names a call within one session.
 *
 * @typedef {{ type: 'hello', version: number, token?: string, user?: string, session?: string }} Hello
 * @typedef {{ type: 'call.start', call: string, to: string, sdp: string, headers?: Record<string, string> }} CallStart
 * @typedef {{ type: 'call.accept', call: string, sdp: string }} CallAccept
 * @typedef {{ type: 'call.reject', call: string }} CallReject
 * @typedef {{ type: 'call.offer', call: string, sdp: string }} CallOffer
 * @typedef {{ type: 'call.dtmf', call: string, digits: string }} CallDtmf
 * @typedef {{ type: 'call.hold', call: string, on: boolean }} CallHold
 * @typedef {{ type: 'call.hangup', call: string }} CallHangup
 * @typedef {{ type: 'goodbye' }} Goodbye
 * @typedef {{ type: 'ping', sequence: number }} Ping
 * @typedef {Hello | CallStart | CallAccept | CallReject | CallOffer | CallDtmf | CallHold | CallHangup | Goodbye | Ping}
 *   ClientMessage
 *
 * @typedef {{ call: string, direction: 'outgoing' | 'incoming', remote: string, state: 'ringing' | 'answered',
 *   held?: boolean, recorded?: boolean }} LiveCall
 * @typedef {{ urls: string, username?: string, credential?: string }} IceServer
 * @typedef {{ type: 'welcome', user: string, display: string, session: string, resumed: boolean, grace_s: number,
 *   ping_s: number, ice_servers: IceServer[], features: string[], calls: LiveCall[], version: number }} Welcome
 * @typedef {{ type: 'call.answer-sdp', call: string, sdp: string, record: string, codec: string }} CallAnswerSdp
 * @typedef {{ type: 'call.incoming', call: string, remote: string, display: string, to: string,
 *   headers: Record<string, string>, record: string }} CallIncoming
 * @typedef {{ type: 'call.progress', call: string, status: number, early_media: boolean,
 *   headers: Record<string, string> }} CallProgress
 * @typedef {{ type: 'call.answered', call: string, codec: string, headers: Record<string, string> }} CallAnswered
 * @typedef {{ type: 'call.renegotiate', call: string, why: string }} CallRenegotiate
 * @typedef {{ type: 'call.held', call: string, on: boolean }} CallHeld
 * @typedef {{ type: 'call.recording', call: string, on: boolean }} CallRecording
 * @typedef {{ type: 'call.ended', call: string, cause: string, sip_status: number, sentence: string, hint: string }} CallEnded
 * @typedef {{ type: 'error', code: string, message: string, hint: string, call: string | null }} ErrorMessage
 * @typedef {{ type: 'pong', sequence: number }} Pong
 * @typedef {CallAnswerSdp | CallIncoming | CallProgress | CallAnswered | CallRenegotiate | CallDtmf | CallHeld |
 *   CallRecording | CallEnded} CallMessage
 * @typedef {Welcome | CallMessage | ErrorMessage | Pong} ServerMessage
 */

export const VERSION = 1;

/** The gateway closes the socket with 1009 on a longer frame. */
export const MAX_MESSAGE_BYTES = 65_536;

/** A frame that is not signalling v1. */
export class SignallingError extends Error {
  /** @override */
  name = 'SignallingError';
}

/**
 * @typedef {(value: unknown) => boolean} Check
 * @typedef {{ check: Check, otherwise?: unknown }} Field `otherwise` stands in for a field left out.
 */

/** @type {Check} */
const isString = (value) => typeof value === 'string';
/** @type {Check} */
const isNumber = (value) => typeof value === 'number' && Number.isFinite(value);
/** @type {Check} */
const isBoolean = (value) => typeof value === 'boolean';
/** @type {(value: unknown) => value is Record<string, unknown>} */
const isObject = (value) => typeof value === 'object' && value !== null && !Array.isArray(value);
/** @type {Check} */
const isTable = (value) => isObject(value) && Object.values(value).every(isString);
/** @type {(each: Check) => Check} */
const isListOf = (each) => (value) => Array.isArray(value) && value.every(each);
/** @type {Check} */
const isLiveCall = (value) =>
  isObject(value) &&
  isString(value.call) &&
  isString(value.remote) &&
  (value.direction === 'outgoing' || value.direction === 'incoming') &&
  (value.state === 'ringing' || value.state === 'answered');

/** @type {Field} */
const TEXT = { check: isString };
/** @type {Field} */
const TEXT_OR_EMPTY = { check: isString, otherwise: '' };
/** @type {Field} */
const NUMBER = { check: isNumber };
/** @type {Field} */
const FLAG = { check: isBoolean };
/** @type {Field} */
const HEADERS = { check: isTable, otherwise: {} };

/** @type {Record<ServerMessage['type'], Record<string, Field>>} */
const SERVER_FIELDS = {
  welcome: {
    user: TEXT,
    display: TEXT,
    session: TEXT,
    resumed: FLAG,
    grace_s: NUMBER,
    ping_s: NUMBER,
    ice_servers: { check: isListOf(isTable), otherwise: [] },
    features: { check: isListOf(isString), otherwise: [] },
    calls: { check: isListOf(isLiveCall), otherwise: [] },
    version: { check: (value) => value === VERSION, otherwise: VERSION },
  },
  'call.answer-sdp': { call: TEXT, sdp: TEXT, record: TEXT, codec: TEXT_OR_EMPTY },
  'call.incoming': { call: TEXT, remote: TEXT, display: TEXT, to: TEXT, headers: HEADERS, record: TEXT_OR_EMPTY },
  'call.progress': { call: TEXT, status: NUMBER, early_media: FLAG, headers: HEADERS },
  'call.answered': { call: TEXT, codec: TEXT, headers: HEADERS },
  'call.dtmf': { call: TEXT, digits: TEXT },
  'call.renegotiate': { call: TEXT, why: TEXT },
  'call.held': { call: TEXT, on: FLAG },
  'call.recording': { call: TEXT, on: FLAG },
  'call.ended': { call: TEXT, cause: TEXT, sip_status: NUMBER, sentence: TEXT, hint: TEXT_OR_EMPTY },
  error: {
    code: TEXT,
    message: TEXT,
    hint: TEXT_OR_EMPTY,
    call: { check: (value) => value === null || isString(value), otherwise: null },
  },
  pong: { sequence: NUMBER },
};

/**
 * One frame for the gateway.
 *
 * @param {ClientMessage} message
 * @returns {string}
 */
export function encode(message) {
  const frame = JSON.stringify(message);
  if (new TextEncoder().encode(frame).length > MAX_MESSAGE_BYTES) {
    throw new SignallingError(`${message.type} is longer than ${MAX_MESSAGE_BYTES} bytes.`);
  }
  return frame;
}

/**
 * Parse one frame of the gateway. Fields that a newer gateway adds are left out.
 *
 * @param {string} frame
 * @returns {ServerMessage}
 * @throws {SignallingError} Not JSON, an unknown type, or a field that is missing or wrong; the message names it.
 */
export function decode(frame) {
  const value = parseJson(frame);
  if (!isObject(value)) throw new SignallingError('The frame is not a JSON object.');
  const type = String(value.type);
  if (!Object.hasOwn(SERVER_FIELDS, type)) throw new SignallingError(`Unknown message type "${type}".`);
  const fields = SERVER_FIELDS[/** @type {ServerMessage['type']} */ (type)];
  /** @type {Record<string, unknown>} */
  const message = { type };
  for (const [name, field] of Object.entries(fields)) message[name] = read(type, name, field, value[name]);
  return /** @type {ServerMessage} */ (/** @type {unknown} */ (message));
}

/** @param {string} frame @returns {unknown} */
function parseJson(frame) {
  try {
    return JSON.parse(frame);
  } catch (error) {
    throw new SignallingError('The frame is not JSON.', { cause: error });
  }
}

/** @param {string} type @param {string} name @param {Field} field @param {unknown} value */
function read(type, name, field, value) {
  if (value === undefined && 'otherwise' in field) return field.otherwise;
  if (!field.check(value)) throw new SignallingError(`${type}.${name} is missing or wrong.`);
  return value;
}
