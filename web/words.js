// @ts-check

/**
 * States, times and endings in words. Pure.
 *
 * @typedef {import('./call.js').Call} Call
 * @typedef {import('./session.js').LineState} LineState
 * @typedef {Pick<Call, 'state' | 'direction' | 'audio' | 'held' | 'isIncoming'>} CallView
 */

/** @param {CallView | null} call @returns {string} The state of the phone in words. */
export function stateInWords(call) {
  if (!call) return 'Ready';
  if (call.isIncoming) return 'Incoming call';
  switch (call.state) {
    case 'connecting':
      return call.direction === 'incoming' ? 'Answering…' : 'Calling…';
    case 'ringing':
      return 'Ringing…';
    case 'early':
      return 'Ringing… you hear the far end';
    case 'answered':
      if (call.held && call.audio !== 'interrupted') return 'On hold';
      return call.audio === 'interrupted' ? 'Sound interrupted, repairing…' : 'Connected';
    case 'ended':
      return 'Call ended';
  }
}

/** @param {LineState} line @param {string} who @returns {string} */
export function lineInWords(line, who) {
  switch (line) {
    case 'online':
      return `Online as ${who}`;
    case 'offline':
      return 'Gateway not reachable, trying again…';
    case 'refused':
    case 'closed':
      return 'Not logged in';
    case 'connecting':
      return 'Connecting…';
  }
}

/** @param {number} seconds @returns {string} 0:07, 12:34, 1:02:03 */
export function clock(seconds) {
  const whole = Math.max(0, Math.floor(seconds));
  const [hours, minutes, rest] = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60, whole % 60];
  const tail = `${hours ? String(minutes).padStart(2, '0') : minutes}:${String(rest).padStart(2, '0')}`;
  return hours ? `${hours}:${tail}` : tail;
}

/** @param {Date | null} from @param {Date | null} to @returns {number} Seconds; 0 if it never began. */
export function secondsBetween(from, to) {
  return from ? Math.max(0, ((to ?? new Date()).getTime() - from.getTime()) / 1000) : 0;
}

/** @param {number} seconds @returns {string} 40 s, 3 min, 1 h 5 min */
export function duration(seconds) {
  if (seconds < 60) return `${Math.max(1, Math.round(seconds))} s`;
  const minutes = Math.round(seconds / 60);
  return minutes < 60 ? `${minutes} min` : `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
}

/** @param {Date} when @param {Date} now @returns {string} "14:05" today, "Yesterday 14:05", "3 Nov 14:05" */
export function moment(when, now) {
  const time = when.toLocaleTimeString([], { hour: '2-digit', minute: '2-digit' });
  if (when.toDateString() === now.toDateString()) return time;
  const yesterday = new Date(now);
  yesterday.setDate(now.getDate() - 1);
  if (when.toDateString() === yesterday.toDateString()) return `Yesterday ${time}`;
  return `${when.toLocaleDateString([], { day: 'numeric', month: 'short' })} ${time}`;
}

/** @param {{ remote: string, display?: string }} call @returns {string} Who is at the far end, as we would say it. */
export function who(call) {
  return call.display || call.remote || 'Number withheld';
}
