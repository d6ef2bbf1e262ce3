// @ts-check

import { element, icon, make } from './elements.js';
import { duration, moment, who } from './words.js';

/**
 * The list of recent calls; a click calls again.
 *
 * @typedef {import('./history.js').History} History
 * @typedef {import('./history.js').RecentCall} RecentCall
 */
export class Recents {
  #history;
  #redial;
  #list = element('history', HTMLUListElement);
  #empty = element('no-history', HTMLParagraphElement);
  #clear = element('clear', HTMLButtonElement);

  /** @param {History} history @param {(to: string) => void} redial */
  constructor(history, redial) {
    this.#history = history;
    this.#redial = redial;
    this.#clear.addEventListener('click', () => {
      history.clear();
      this.render();
      this.#list.focus();
    });
    // Other tabs write the same list.
    addEventListener('storage', () => this.render());
    this.render();
  }

  /** @param {RecentCall} call */
  add(call) {
    this.#history.add(call);
    this.render();
  }

  render() {
    const calls = this.#history.list();
    const now = new Date();
    this.#list.replaceChildren(...calls.map((call) => this.#item(call, now)));
    this.#empty.hidden = calls.length > 0;
    this.#clear.hidden = calls.length === 0;
  }

  /** @param {RecentCall} call @param {Date} now */
  #item(call, now) {
    const item = make('li', `recent ${call.outcome}`);
    const button = make('button', 'recent-call');
    button.type = 'button';
    button.disabled = call.remote === '';
    const direction = make('span', `direction ${call.direction}`);
    direction.append(icon(call.direction === 'incoming' ? 'in' : 'out'));
    const middle = make('span', 'recent-middle');
    middle.append(make('span', 'recent-who', who(call)), make('span', 'recent-how', how(call)));
    const spoken = make('span', 'unseen', call.direction === 'incoming' ? 'Call from' : 'Call to');
    button.append(direction, spoken, middle, make('time', 'recent-when', moment(new Date(call.at), now)));
    button.addEventListener('click', () => this.#redial(call.remote));
    item.append(button);
    return item;
  }
}

/** @param {RecentCall} call @returns {string} How it ended, short. */
export function how(call) {
  if (call.seconds > 0) return duration(call.seconds);
  if (call.outcome === 'missed') return 'Missed';
  return call.sentence;
}
