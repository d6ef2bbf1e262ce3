// @ts-check

import { element } from './elements.js';
import { DEFAULT_USER } from './login.js';

/**
 * Who the person is, on the page: a name in open mode, a token otherwise.
 *
 * @typedef {import('./login.js').Login} Login
 * @typedef {import('./settings.js').Settings} Settings
 */
export class IdentityPanel {
  #login;
  #changed;
  #user = element('user', HTMLInputElement);
  #token = element('token', HTMLInputElement);
  #dialog = element('login', HTMLDialogElement);

  /** @param {Login} login @param {() => void} changed The person is somebody else now. */
  constructor(login, changed) {
    this.#login = login;
    this.#changed = changed;
    this.#user.addEventListener('change', () => this.#takeName());
    element('identity', HTMLFormElement).addEventListener('submit', (event) => {
      event.preventDefault();
      this.#takeName();
    });
    element('login-form', HTMLFormElement).addEventListener('submit', () => {
      login.token = this.#token.value;
      changed();
    });
  }

  /** @param {Settings} settings */
  show({ auth, users }) {
    element('identity', HTMLFormElement).hidden = auth === 'jwt';
    element('users', HTMLDataListElement).replaceChildren(...users.map((user) => new Option(user, user)));
    this.#user.value = this.#login.user;
  }

  /** @param {string} [reason] Why the token that we have is not good enough. */
  askForToken(reason) {
    if (reason) element('login-reason', HTMLParagraphElement).textContent = reason;
    this.#token.value = '';
    if (!this.#dialog.open) this.#dialog.showModal();
  }

  #takeName() {
    if (this.#user.value.trim() === this.#login.user) return;
    this.#login.user = this.#user.value;
    this.#user.value = this.#login.user || DEFAULT_USER;
    this.#changed();
  }
}
