// @ts-check

/**
 * What the gateway says about itself to its page (`/settings.json`).
 *
 * @typedef {{ to: string, label: string }} DemoNumber
 * @typedef {{ auth: 'open' | 'jwt', users: string[], demo: DemoNumber[], title: string }} Settings
 */

/** @type {Settings} */
const DEFAULTS = { auth: 'open', users: [], demo: [], title: 'webtrunk' };

/**
 * @param {string} url
 * @param {typeof fetch} get
 * @returns {Promise<Settings | null>} Null while the gateway does not answer.
 */
export async function loadSettings(url = '/settings.json', get = fetch) {
  try {
    const response = await get(url, { cache: 'no-store' });
    return response.ok ? readSettings(await response.json()) : null;
  } catch {
    return null;
  }
}

/**
 * @param {any} value
 * @returns {Settings} What is missing or wrong stands at its default.
 */
export function readSettings(value) {
  const { auth, users, demo, title } = Object(value);
  return {
    auth: auth === 'jwt' ? 'jwt' : DEFAULTS.auth,
    users: Array.isArray(users) ? users.filter((user) => typeof user === 'string') : DEFAULTS.users,
    demo: Array.isArray(demo) ? demo.filter((each) => typeof each?.to === 'string' && typeof each.label === 'string') : [],
    title: typeof title === 'string' && title ? title : DEFAULTS.title,
  };
}
