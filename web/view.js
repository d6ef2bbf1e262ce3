// @ts-check

import { element, make } from './elements.js';
import { clock, lineInWords, secondsBetween, stateInWords, who } from './words.js';

/**
 * Shows a phone. It decides nothing: it reads the phone and writes the page.
 *
 * @typedef {import('./phone.js').Phone} Phone
 * @typedef {import('./call.js').Call} Call
 * @typedef {'idle' | 'outgoing' | 'incoming' | 'talking'} Mode What the person can do now.
 */

/** @param {Call | null} call @returns {Mode} */
export function modeOf(call) {
  if (!call || call.isOver) return 'idle';
  if (call.isIncoming) return 'incoming';
  return call.state === 'answered' ? 'talking' : 'outgoing';
}

export class View {
  #phone;
  #root = element('phone', HTMLElement);
  #state = element('state', HTMLSpanElement);
  #timer = element('timer', HTMLSpanElement);
  #number = element('number', HTMLInputElement);
  /** @type {Record<string, HTMLButtonElement>} */
  #buttons = Object.fromEntries(
    ['call', 'hangup', 'mute', 'hold', 'accept', 'reject'].map((id) => [id, element(id, HTMLButtonElement)]),
  );
  #title = 'webtrunk';
  /** @type {Mode} */
  #mode = 'idle';

  /** @param {Phone} phone */
  constructor(phone) {
    this.#phone = phone;
    phone.on('change', () => this.render());
    element('dismiss', HTMLButtonElement).addEventListener('click', () => phone.say(null));
    setInterval(() => this.#renderTime(), 250);
  }

  /** @param {string} title What the page is called. */
  set title(title) {
    this.#title = title;
    element('title', HTMLHeadingElement).textContent = title;
    this.#renderTime();
  }

  render() {
    const { call } = this.#phone;
    const mode = modeOf(call);
    this.#root.dataset.mode = mode;
    this.#renderState(call);
    this.#renderRemote(call, mode);
    this.#renderButtons(call, mode);
    this.#renderMessage();
    this.#renderFacts(call);
    this.#renderWaiting();
    this.#renderTime();
    this.#moveFocus(mode);
  }

  renderLine() {
    const { session } = this.#phone;
    const name = session.welcome?.display || session.welcome?.user || '';
    element('line', HTMLParagraphElement).dataset.line = session.state;
    setText(element('line-text', HTMLSpanElement), lineInWords(session.state, name));
  }

  /** @param {Call | null} call */
  #renderState(call) {
    this.#state.dataset.state = call?.state ?? 'idle';
    this.#state.dataset.audio = call?.audio ?? '';
    this.#state.dataset.held = String(call?.held ?? false);
    setText(this.#state, stateInWords(call));
  }

  /** @param {Call | null} call @param {Mode} mode */
  #renderRemote(call, mode) {
    const isUp = mode !== 'idle';
    const name = isUp && call ? who(call) : '';
    show('dial', !isUp);
    show('remote', isUp);
    show('address', isUp && name !== call?.remote && call?.remote !== '');
    setText(element('address', HTMLElement), call?.remote ?? '');
    show('avatar', isUp);
    show('recorded', mode === 'talking' && (call?.recorded ?? false));
    show('meters', mode === 'talking' || call?.state === 'early');
    show('digits', isUp && call?.digits !== '');
    setText(element('remote', HTMLElement), name);
    setText(element('digits', HTMLElement), call?.digits ?? '');
    setText(element('initial', HTMLElement), initial(name));
    element('avatar', HTMLElement).dataset.audio = call?.audio ?? '';
  }

  /** @param {Call | null} call @param {Mode} mode */
  #renderButtons(call, mode) {
    const { call: dial, hangup, mute, hold, accept, reject } = this.#buttons;
    dial.hidden = mode !== 'idle';
    hangup.hidden = mode !== 'outgoing' && mode !== 'talking';
    mute.hidden = hangup.hidden;
    hold.hidden = mode !== 'talking' || !this.#phone.session.welcome?.features.includes('hold');
    hold.setAttribute('aria-pressed', String(call?.held ?? false));
    hold.querySelector('use')?.setAttribute('href', call?.held ? '#i-go-on' : '#i-hold');
    accept.hidden = reject.hidden = mode !== 'incoming';
    show('keypad', mode !== 'incoming');
    const muted = call?.muted ?? false;
    mute.setAttribute('aria-pressed', String(muted));
    mute.querySelector('use')?.setAttribute('href', muted ? '#i-mic-off' : '#i-mic');
    mute.disabled = !call?.pc;
    element('chips', HTMLFieldSetElement).disabled = mode !== 'idle';
  }

  #renderMessage() {
    const { message } = this.#phone;
    const box = element('message', HTMLElement);
    setText(element('sentence', HTMLElement), message?.sentence ?? '');
    setText(element('hint', HTMLElement), message?.hint ?? '');
    box.classList.toggle('calm', message?.calm ?? false);
    box.hidden = message === null;
  }

  /** @param {Call | null} call */
  #renderFacts(call) {
    show('facts', Boolean(call?.record || call?.codec));
    setText(element('codec', HTMLElement), call?.codec || 'not agreed');
    setText(element('record', HTMLElement), call?.record || 'none');
  }

  #renderWaiting() {
    const list = element('waiting', HTMLUListElement);
    list.hidden = this.#phone.waiting.length === 0;
    list.replaceChildren(...this.#phone.waiting.map((call) => this.#waitingItem(call)));
  }

  /** @param {Call} call */
  #waitingItem(call) {
    const item = make('li', 'waiting-call');
    const swap = make('button', 'quiet', 'Hang up and answer');
    const refuse = make('button', 'quiet', 'Refuse');
    swap.type = refuse.type = 'button';
    swap.addEventListener('click', () => this.#phone.swap(call));
    refuse.addEventListener('click', () => call.reject());
    item.append(make('span', 'waiting-who', `${who(call)} is calling too`), swap, refuse);
    return item;
  }

  #renderTime() {
    const { call } = this.#phone;
    const time = clock(secondsBetween(call?.answeredAt ?? null, call?.endedAt ?? null));
    this.#timer.hidden = !call?.answeredAt;
    setText(this.#timer, time);
    document.title = titleFor(call, time, this.#title);
  }

  /**
   * A button that disappears takes the focus with it: give it to the one that does what comes next. Whoever is
   * typing elsewhere is left alone, above all by an incoming call.
   *
   * @param {Mode} mode
   */
  #moveFocus(mode) {
    if (mode === this.#mode) return;
    this.#mode = mode;
    const { activeElement: focused } = document;
    const isLost = focused === null || focused === document.body || isHidden(focused);
    if (!isLost) return;
    const next = { idle: this.#number, incoming: this.#buttons.accept, outgoing: this.#buttons.hangup, talking: this.#buttons.hangup };
    // On a phone, focusing the field would raise the keyboard over the keypad.
    if (mode === 'idle' && matchMedia('(pointer: coarse)').matches) return this.#buttons.call.focus();
    next[mode].focus({ preventScroll: true });
  }
}

/** @param {Call | null} call @param {string} time @param {string} title */
export function titleFor(call, time, title) {
  if (!call || call.isOver) return title;
  if (call.isIncoming) return `☎ ${who(call)} is calling – ${title}`;
  return `${call.state === 'answered' ? time : stateInWords(call)} ${who(call)} – ${title}`;
}

/** @param {string} name @returns {string} What stands in the circle: a letter, or # for a number. */
function initial(name) {
  const [letter] = name.match(/\p{L}/u) ?? [];
  return letter && !/^[+\d]/.test(name) ? letter.toUpperCase() : '#';
}

/** @param {Element} element */
function isHidden(element) {
  return element.closest('[hidden]') !== null;
}

/** @param {string} id @param {boolean} visible */
function show(id, visible) {
  element(id, HTMLElement).hidden = !visible;
}

/** Writing the same text again would make a screen reader say it again. @param {Element} target @param {string} text */
function setText(target, text) {
  if (target.textContent !== text) target.textContent = text;
}
