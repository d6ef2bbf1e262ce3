// @ts-check

/** As long as the gateway takes a destination. */
export const LONGEST_DESTINATION = 128;

/** Zero-width and direction marks that come along when a number is copied from a contact list. */
const INVISIBLE = /[\p{Cc}\p{Cf}]/gu;
const SCHEME = /^(tel|sips?|callto):(?:\/\/)?/i;
/** What people put between digits: blanks, brackets, dots, slashes and every kind of dash. */
const BETWEEN_DIGITS = /[\s().\/\p{Pd}]/gu;

/**
 * Make what somebody typed or pasted into what the gateway can dial.
 *
 * A number loses its formatting; a name (anything with a letter) keeps its spelling.
 *
 * @param {string} text
 * @returns {string}
 */
export function cleanDestination(text) {
  const plain = withoutScheme(text.normalize('NFKC').replace(INVISIBLE, '').trim());
  const destination = /[\p{L}@]/u.test(plain) ? plain.replace(/\s+/g, ' ') : cleanNumber(plain);
  return destination.slice(0, LONGEST_DESTINATION);
}

// A tel: URI (RFC 3966) and a sip: URI (RFC 3261 §19.1) may carry parameters that are nobody's number, and the gateway
// decides which host is asked.
/** @param {string} text */
function withoutScheme(text) {
  const [scheme, name] = SCHEME.exec(text) ?? [];
  if (!scheme) return text;
  const isSip = name.toLowerCase().startsWith('sip');
  const [address] = text.slice(scheme.length).split(isSip ? /[;?@:]/ : /[;?]/);
  try {
    return decodeURIComponent(address);
  } catch {
    return address;
  }
}

/** @param {string} text */
function cleanNumber(text) {
  // "+49 (0) 30": the trunk zero in brackets is not dialled after a country code.
  const dialled = /^\s*(?:\+|00)/.test(text) ? text.replace(/\(\s*0\s*\)/, '') : text;
  return dialled.replace(BETWEEN_DIGITS, '').replace(/(?!^)\+/g, '');
}
