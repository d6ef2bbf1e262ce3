// @ts-check

/**
 * Closing the page ends its calls at once; loading it again keeps them.
 *
 * A browser does not tell the two apart for a page that goes away. What can be seen is seen: `location.reload()` by the
 * Navigation API, F5 and Ctrl+R by their keys. The browser's own reload button counts as leaving, after a question.
 *
 * @typedef {{
 *   wouldHurt: () => boolean,
 *   reloads: () => void,
 *   leaves: () => void,
 * }} Leaving `wouldHurt`: a call is up, so ask before it is lost.
 */

/** @param {Leaving} leaving */
export function watchLeaving({ wouldHurt, reloads, leaves }) {
  let isReload = false;
  addEventListener('keydown', (event) => {
    isReload = isReloadKey(event);
  });
  // Not every browser has the Navigation API.
  const navigation = 'navigation' in window ? /** @type {EventTarget} */ (window.navigation) : null;
  navigation?.addEventListener('navigate', (event) => {
    isReload = 'navigationType' in event && event.navigationType === 'reload';
  });
  addEventListener('beforeunload', (event) => wouldHurt() && !isReload && event.preventDefault());
  addEventListener('pagehide', ({ persisted }) => {
    if (persisted) return; // Into the back/forward cache: the page may come back to life.
    if (wouldHurt() && isReload) reloads();
    else leaves();
  });
}

/** @param {Pick<KeyboardEvent, 'key' | 'ctrlKey' | 'metaKey'>} event @returns {boolean} */
export function isReloadKey({ key, ctrlKey, metaKey }) {
  return key === 'F5' || ((ctrlKey || metaKey) && key.toLowerCase() === 'r');
}
