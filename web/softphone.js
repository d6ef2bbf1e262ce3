// @ts-check

import { PageAudio } from './audio.js';
import { SoundChoice } from './devices.js';
import { element, make } from './elements.js';
import { History } from './history.js';
import { IdentityPanel } from './identity.js';
import { isEditable, Keypad } from './keypad.js';
import { watchLeaving } from './leaving.js';
import { Login } from './login.js';
import { LevelMeter } from './meter.js';
import { openMicrophone, pageProblem } from './microphone.js';
import { cleanDestination } from './number.js';
import { Phone } from './phone.js';
import { Recents } from './recents.js';
import { Session } from './session.js';
import { loadSettings } from './settings.js';
import { SoundPanel } from './soundpanel.js';
import { TonePlayer } from './tones.js';
import { View } from './view.js';
import { who } from './words.js';

/**
 * The softphone page: joins the parts and the page's events. No rule about calls is made here.
 *
 * @typedef {import('./call.js').Call} Call
 * @typedef {import('./settings.js').Settings} Settings
 */

const SIGNAL_URL = `${location.protocol === 'https:' ? 'wss' : 'ws'}://${location.host}/signal`;
/** The gateway was not there when the page was loaded from a cache: ask again. */
const ASK_AGAIN_MS = 2000;
/** Attempts in vain after which silence wants an explanation. */
const PATIENCE = 3;

class Softphone {
  #login = new Login({ location, history, local: localStorage, tab: sessionStorage });
  #identity = new IdentityPanel(this.#login, () => this.#logInAgain());
  #audio = new PageAudio(element('far', HTMLAudioElement));
  #choice = new SoundChoice(localStorage);
  #tones = new TonePlayer(() => this.#audio.context());
  #meters = {
    near: new LevelMeter(() => this.#audio.context()),
    far: new LevelMeter(() => this.#audio.context()),
  };
  #number = element('number', HTMLInputElement);
  #recents = new Recents(new History(localStorage), (to) => this.#dial(to));
  #sound = new SoundPanel(this.#choice, {
    microphone: () => this.phone.changeMicrophone(),
    speaker: (id) => void this.#audio.chooseSpeaker(id),
  });
  /** @type {Phone} */
  phone;
  #view;

  constructor() {
    this.phone = new Phone(this.#newSession(this.#login.takeResumeKey()), {
      openMicrophone: () => this.#openMicrophone(),
      tones: this.#tones,
      history: this.#recents,
    });
    this.#view = new View(this.phone);
    this.phone.on('change', () => this.#followCall());
    this.phone.on('stream', () => this.#followCall());
    this.#wireDialling();
    this.#wireCallButtons();
    this.#wireLeaving();
    this.#drawMeters();
  }

  get session() {
    return this.phone.session;
  }

  get call() {
    return this.phone.call;
  }

  async start() {
    this.phone.say(pageProblem());
    const settings = await this.#settings();
    this.#view.title = settings.title;
    this.#tones.localize(settings.tones);
    this.#showDemo(settings);
    this.#identity.show(settings);
    if (settings.auth === 'jwt' && !this.#login.token) this.#waitForToken();
    else this.#connect();
    if (!matchMedia('(pointer: coarse)').matches) this.#number.focus({ preventScroll: true });
  }

  /** @returns {Promise<Settings>} */
  async #settings() {
    for (;;) {
      const settings = await loadSettings();
      if (settings) return settings;
      this.phone.say({
        sentence: 'The gateway cannot be reached.',
        hint: 'Check that it runs and that you are on its network; this page tries again by itself.',
      });
      await new Promise((resolve) => setTimeout(resolve, ASK_AGAIN_MS));
      this.phone.say(null);
    }
  }

  /** @param {string} [resumeKey] */
  #newSession(resumeKey = '') {
    const { token, user } = this.#login;
    const session = new Session({ url: SIGNAL_URL, token, user: token ? '' : user, resumeKey });
    session.on('state', () => this.#view.renderLine());
    session.on('state', (state) => state === 'offline' && void this.#explainSilence(session));
    session.on('welcome', () => this.#view.renderLine());
    session.on('incoming', (call) => this.#announce(call));
    session.on('refused', ({ message, hint }) => this.#refused({ sentence: message, hint }));
    return session;
  }

  /**
   * A socket that never opens tells a page nothing of why; whether the gateway still serves settings tells a little.
   *
   * @param {Session} session
   */
  async #explainSilence(session) {
    if (session.welcome || session.attempts !== PATIENCE || !(await loadSettings())) return;
    this.phone.say({
      sentence: 'The gateway serves this page but refuses its connection.',
      hint: `Its operator may have to add ${location.origin} to listen.origins, or let the proxy pass WebSockets.`,
    });
  }

  #waitForToken() {
    this.#view.renderLine();
    this.#identity.askForToken();
  }

  #connect() {
    // What a refusal means to the person is said by the `refused` event.
    this.session.connect().catch(() => {});
  }

  /** Another name or token: the old session has no business any more. */
  #logInAgain() {
    this.session.goodbye();
    this.session.close();
    this.phone.say(null);
    this.phone.serve(this.#newSession());
    this.#connect();
  }

  /** @param {import('./call.js').Problem} problem */
  #refused(problem) {
    this.phone.say(problem);
    if (!this.#login.token) return;
    this.#login.forgetToken();
    this.#identity.askForToken(`${problem.sentence} ${problem.hint}`);
  }

  async #openMicrophone() {
    const { microphone: deviceId, processing } = this.#choice;
    const stream = await openMicrophone({ deviceId, processing });
    void this.#sound.refresh();
    return stream;
  }

  /** @param {string} text */
  #dial(text) {
    const to = cleanDestination(text);
    if (!this.phone.isBusy) this.#number.value = to;
    this.#showErase();
    void this.phone.dial(to);
  }

  #wireDialling() {
    element('dial', HTMLFormElement).addEventListener('submit', (event) => {
      event.preventDefault();
      this.#dial(this.#number.value);
    });
    this.#number.addEventListener('paste', (event) => this.#paste(event));
    this.#number.addEventListener('input', () => this.#showErase());
    this.#number.addEventListener('keydown', ({ key, ctrlKey, metaKey, repeat }) => {
      if (!ctrlKey && !metaKey && !repeat && key.length === 1) setTimeout(this.#tones.press(key), 0);
    });
    element('erase', HTMLButtonElement).addEventListener('click', () => this.#erase());
    new Keypad(element('keypad', HTMLElement), {
      press: (key) => this.#press(key),
      plus: () => this.#turnIntoPlus(),
    });
  }

  /** @param {ClipboardEvent} event */
  #paste(event) {
    const text = cleanDestination(event.clipboardData?.getData('text') ?? '');
    if (!text) return;
    event.preventDefault();
    this.#insert(text);
  }

  /** @param {string} text */
  #insert(text) {
    const field = this.#number;
    const { selectionStart, selectionEnd, value } = field;
    field.setRangeText(text, selectionStart ?? value.length, selectionEnd ?? value.length, 'end');
    this.#showErase();
  }

  #erase() {
    this.#number.value = this.#number.value.slice(0, -1);
    this.#showErase();
  }

  #showErase() {
    element('erase', HTMLButtonElement).hidden = this.#number.value === '';
  }

  /** @param {string} key */
  #press(key) {
    if (!this.phone.isBusy) this.#insert(key);
    return this.phone.press(key);
  }

  #turnIntoPlus() {
    if (this.phone.isBusy) return;
    const at = this.#number.selectionEnd ?? 0;
    this.#number.setRangeText('+', at - 1, at, 'end');
  }

  #wireCallButtons() {
    const { phone } = this;
    /** @type {Record<string, () => void>} */
    const actions = {
      hangup: () => phone.hangup(),
      mute: () => phone.toggleMute(),
      hold: () => phone.toggleHold(),
      accept: () => void phone.accept(),
      reject: () => phone.reject(),
    };
    for (const [id, action] of Object.entries(actions)) {
      element(id, HTMLButtonElement).addEventListener('click', action);
    }
    addEventListener('keydown', (event) => this.#escape(event));
  }

  /** @param {KeyboardEvent} event Escape belongs first to whatever else is open: a dialog, a list, a half-typed word. */
  #escape({ key, repeat, isComposing, defaultPrevented, target }) {
    if (key !== 'Escape' || repeat || isComposing || defaultPrevented || document.querySelector('dialog[open]')) return;
    if (!this.phone.isBusy || !isEditable(target)) this.phone.leave();
  }

  /** @param {Settings} settings */
  #showDemo({ demo }) {
    element('demo', HTMLElement).hidden = demo.length === 0;
    const chips = demo.map(({ to, label }) => {
      const chip = make('button', 'chip', label);
      chip.type = 'button';
      chip.dataset.to = to;
      chip.addEventListener('click', () => this.#dial(to));
      return chip;
    });
    element('chips', HTMLElement).replaceChildren(...chips);
  }

  #followCall() {
    const call = this.phone.isBusy ? this.phone.call : null;
    this.#audio.play(call?.remoteStream ?? null);
    this.#meters.near.watch(call?.microphone ?? null);
    this.#meters.far.watch(call?.remoteStream ?? null);
  }

  #drawMeters() {
    drawLevel(element('meter', HTMLElement), this.#meters.near.read());
    drawLevel(element('meter-far', HTMLElement), this.#meters.far.read());
    requestAnimationFrame(() => this.#drawMeters());
  }

  /** @param {Call} call Tell a person who looks at another window. */
  #announce(call) {
    if (!document.hidden || !('Notification' in window) || Notification.permission !== 'granted') return;
    const notification = new Notification(`${who(call)} is calling`, { icon: 'logo.svg', tag: call.name });
    notification.onclick = () => {
      window.focus();
      notification.close();
    };
    call.on('state', () => notification.close());
  }

  #wireLeaving() {
    addEventListener('online', () => this.session.wake());
    watchLeaving({
      wouldHurt: () => this.phone.isBusy,
      reloads: () => this.#login.leaveResumeKey(this.session.resumeKey),
      leaves: () => this.session.goodbye(),
    });
  }
}

/** @param {HTMLElement} meter @param {number} level 0…1 */
function drawLevel(meter, level) {
  const percent = String(Math.round(level * 100));
  if (meter.getAttribute('aria-valuenow') === percent) return;
  meter.setAttribute('aria-valuenow', percent);
  meter.style.setProperty('--level', String(level));
}

const softphone = new Softphone();
Object.assign(window, { webtrunk: softphone });
void softphone.start();
