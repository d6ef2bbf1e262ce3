// @ts-check

/**
 * The recent calls of this browser, newest first.
 *
 * @typedef {import('./call.js').Call} Call
 * @typedef {'ok' | 'missed' | 'failed'} Outcome
 * @typedef {{
 *   direction: 'outgoing' | 'incoming',
 *   remote: string,
 *   display: string,
 *   at: string,
 *   seconds: number,
 *   cause: string,
 *   sentence: string,
 *   outcome: Outcome,
 * }} RecentCall `at` is an ISO 8601 time.
 * @typedef {Pick<Storage, 'getItem' | 'setItem' | 'removeItem'>} Store
 */

const KEY = 'webtrunk.recent-calls';
export const MOST_RECENT = 40;

/** @param {Call} call @returns {Outcome} */
export function outcomeOf(call) {
  if (call.answeredAt) return 'ok';
  if (call.ending?.here || call.ending?.cause === 'answered-elsewhere') return 'ok';
  return call.direction === 'incoming' ? 'missed' : 'failed';
}

/** @param {Call} call A call that has ended. @returns {RecentCall} */
export function summary(call) {
  const seconds = call.answeredAt && call.endedAt ? (call.endedAt.getTime() - call.answeredAt.getTime()) / 1000 : 0;
  return {
    direction: call.direction,
    remote: call.remote,
    display: call.display,
    at: call.startedAt.toISOString(),
    seconds,
    cause: call.ending?.cause ?? '',
    sentence: call.ending?.sentence ?? '',
    outcome: outcomeOf(call),
  };
}

/** Keeps the list in the browser's storage; a full or forbidden storage costs the list, never a call. */
export class History {
  #store;

  /** @param {Store} store */
  constructor(store) {
    this.#store = store;
  }

  /** @returns {RecentCall[]} */
  list() {
    try {
      const calls = JSON.parse(this.#store.getItem(KEY) ?? '[]');
      return Array.isArray(calls) ? calls.filter(isRecentCall) : [];
    } catch {
      return [];
    }
  }

  /** @param {RecentCall} call */
  add(call) {
    this.#save([call, ...this.list()].slice(0, MOST_RECENT));
  }

  clear() {
    this.#save([]);
  }

  /** @param {RecentCall[]} calls */
  #save(calls) {
    try {
      this.#store.setItem(KEY, JSON.stringify(calls));
    } catch {
      // Private windows and full disks: the list is a convenience.
    }
  }
}

/** @param {any} value @returns {value is RecentCall} */
function isRecentCall(value) {
  return (
    typeof value?.remote === 'string' &&
    typeof value.sentence === 'string' &&
    typeof value.seconds === 'number' &&
    !Number.isNaN(Date.parse(value.at))
  );
}
