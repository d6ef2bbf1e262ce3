// @ts-check

/**
 * What the gateway says about itself to its page (`/settings.json`).
 *
 * @typedef {{ to: string, label: string }} DemoNumber
 * @typedef {import('./tones.js').Note} Note
 * @typedef {{ auth: 'open' | 'jwt', users: string[], demo: DemoNumber[], title: string, tones: Record<string, Note[]> }} Settings
 *   `tones`: those of the country, by the page's names for them.
 */

/** @type {Settings} */
const DEFAULTS = { auth: 'open', users: [], demo: [], title: 'webtrunk', tones: {} };

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
  const { auth, users, demo, title, tones } = Object(value);
  return {
    auth: auth === 'jwt' ? 'jwt' : DEFAULTS.auth,
    users: Array.isArray(users) ? users.filter((user) => typeof user === 'string') : DEFAULTS.users,
    demo: Array.isArray(demo) ? demo.filter((each) => typeof each?.to === 'string' && typeof each.label === 'string') : [],
    title: typeof title === 'string' && title ? title : DEFAULTS.title,
    tones: Object.fromEntries(Object.entries(Object(tones)).filter(([, notes]) => isTone(notes))),
  };
}

/** @param {unknown} notes */
function isTone(notes) {
  return Array.isArray(notes) && notes.length > 0 && notes.every(isNote);
}

/** @param {any} note */
function isNote(note) {
  return note?.seconds > 0 && note.seconds <= 60 && Array.isArray(note.hertz) && note.hertz.every(Number.isFinite);
}
