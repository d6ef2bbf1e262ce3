// @ts-check

/** Held this long, 0 becomes + (as on every mobile phone). */
const LONG_PRESS_MS = 600;
const KEYS = new Set('0123456789*#');

/**
 * The twelve keys: by mouse, touch, keyboard and screen reader.
 *
 * @typedef {{
 *   press: (key: string) => () => void,
 *   plus: () => void,
 * }} KeypadUser `press` returns what lets the key go; `plus` says that the 0 just pressed was meant as +.
 */
export class Keypad {
  #user;
  /** Keys held down, with what lets them go. @type {Map<string, () => void>} */
  #held = new Map();

  /**
   * @param {HTMLElement} root
   * @param {KeypadUser} user
   */
  constructor(root, user) {
    this.#user = user;
    for (const button of root.querySelectorAll('button')) this.#wireButton(button);
    addEventListener('keydown', (event) => this.#keyDown(event, root));
    addEventListener('keyup', ({ key }) => this.#letGo(key));
    addEventListener('blur', () => this.#letAllGo());
  }

  /** @param {HTMLButtonElement} button */
  #wireButton(button) {
    const key = button.dataset.key ?? '';
    button.addEventListener('pointerdown', (event) => {
      if (event.button !== 0) return;
      event.preventDefault(); // Keep the focus, so that typing and clicking mix.
      this.#down(key, button);
    });
    for (const end of ['pointerup', 'pointerleave', 'pointercancel']) {
      button.addEventListener(end, () => this.#letGo(key));
    }
    // Enter, Space and screen readers click without a pointer (`detail` 0).
    button.addEventListener('click', ({ detail }) => {
      if (detail !== 0) return;
      this.#down(key, button);
      this.#letGo(key);
    });
  }

  /** @param {KeyboardEvent} event @param {HTMLElement} root */
  #keyDown(event, root) {
    if (event.ctrlKey || event.metaKey || event.altKey || event.repeat) return;
    if (!KEYS.has(event.key) || isEditable(event.target) || root.hidden) return;
    this.#down(event.key, root.querySelector(`[data-key="${CSS.escape(event.key)}"]`));
  }

  /** @param {string} key @param {Element | null} button */
  #down(key, button) {
    this.#letGo(key);
    const quiet = this.#user.press(key);
    const timer = key === '0' ? setTimeout(() => this.#user.plus(), LONG_PRESS_MS) : undefined;
    button?.classList.add('pressed');
    this.#held.set(key, () => {
      clearTimeout(timer);
      button?.classList.remove('pressed');
      quiet();
    });
  }

  /** @param {string} key */
  #letGo(key) {
    this.#held.get(key)?.();
    this.#held.delete(key);
  }

  #letAllGo() {
    for (const key of [...this.#held.keys()]) this.#letGo(key);
  }
}

/** @param {EventTarget | null} target Whether it takes what is typed. */
export function isEditable(target) {
  return target instanceof HTMLElement && target.matches('input:not([type=checkbox]), select, textarea, [contenteditable]');
}
