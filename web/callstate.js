// @ts-check

/**
 * The states of one call as the page sees them, and the table that joins them.
 *
 * The names follow the early/confirmed/terminated split of RFC 4235 §3.7.1 in the words that a page shows.
 * `ended` is a sink. An event that a state does not list leaves the state as it is: messages may cross on the
 * wire (a ringing that was sent before our hang-up arrived), and the page has nothing to gain from failing then.
 *
 * @typedef {'connecting' | 'ringing' | 'early' | 'answered' | 'ended'} CallState
 * @typedef {'accepted' | 'rang' | 'earlyMedia' | 'answered' | 'ended'} CallEvent
 */

/** @type {Readonly<Record<CallState, Readonly<Partial<Record<CallEvent, CallState>>>>>} */
export const TRANSITIONS = Object.freeze({
  connecting: { rang: 'ringing', earlyMedia: 'early', answered: 'answered', ended: 'ended' },
  ringing: { accepted: 'connecting', earlyMedia: 'early', answered: 'answered', ended: 'ended' },
  early: { answered: 'answered', ended: 'ended' },
  answered: { ended: 'ended' },
  ended: {},
});

/**
 * @param {CallState} state
 * @param {CallEvent} event
 * @returns {CallState}
 */
export function nextState(state, event) {
  return TRANSITIONS[state][event] ?? state;
}
