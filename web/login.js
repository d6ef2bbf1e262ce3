// @ts-check

/**
 * Who this tab is: a name in open mode, a token otherwise.
 *
 * A token never travels in a query, where servers and histories would keep it: it comes in the fragment, which the
 * browser does not send, leaves the address bar at once, and lives as long as the tab.
 *
 * @typedef {Pick<Storage, 'getItem' | 'setItem' | 'removeItem'>} Store
 * @typedef {{ location: Pick<Location, 'search' | 'hash' | 'pathname'>, history: Pick<History, 'replaceState'>,
 *   local: Store, tab: Store }} Browser
 */

const USER_KEY = 'webtrunk.user';
const TOKEN_KEY = 'webtrunk.token';
const RESUME_KEY = 'webtrunk.resume';
export const DEFAULT_USER = 'alice';

export class Login {
  #browser;

  /** @param {Browser} browser */
  constructor(browser) {
    this.#browser = browser;
    this.#takeToken();
  }

  /** The user to be in open mode: this tab's `?user=`, else the name last typed in this browser. */
  get user() {
    const { location, local } = this.#browser;
    return new URLSearchParams(location.search).get('user') || local.getItem(USER_KEY) || DEFAULT_USER;
  }

  /** @param {string} name A name typed by the person: it outlives the tab and replaces `?user=`. */
  set user(name) {
    const { local, history, location } = this.#browser;
    local.setItem(USER_KEY, name.trim() || DEFAULT_USER);
    history.replaceState(null, '', location.pathname);
  }

  get token() {
    return this.#browser.tab.getItem(TOKEN_KEY) ?? '';
  }

  set token(token) {
    this.#browser.tab.setItem(TOKEN_KEY, token.trim());
  }

  /** Forget a token that was refused. */
  forgetToken() {
    this.#browser.tab.removeItem(TOKEN_KEY);
  }

  /**
   * The session key that the page left behind when it was reloaded, once. It lies in the tab's storage only between
   * two lives of the page: a duplicated tab copies that storage, and must not take the first tab's calls.
   */
  takeResumeKey() {
    const key = this.#browser.tab.getItem(RESUME_KEY) ?? '';
    this.#browser.tab.removeItem(RESUME_KEY);
    return key;
  }

  /** @param {string} key */
  leaveResumeKey(key) {
    this.#browser.tab.setItem(RESUME_KEY, key);
  }

  #takeToken() {
    const { location, history } = this.#browser;
    const token = new URLSearchParams(location.hash.slice(1)).get('token');
    if (token === null) return;
    this.token = token;
    history.replaceState(null, '', location.pathname + location.search);
  }
}
