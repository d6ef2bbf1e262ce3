// @ts-check

import { canChooseSpeaker, listDevices } from './devices.js';
import { element } from './elements.js';

/**
 * The choice of microphone and speaker on the page.
 *
 * @typedef {import('./devices.js').SoundChoice} SoundChoice
 * @typedef {import('./devices.js').Device} Device
 * @typedef {{ microphone: () => void, speaker: (id: string) => void }} SoundUser Told when a choice changes.
 */
export class SoundPanel {
  #choice;
  #user;
  #microphone = element('microphone', HTMLSelectElement);
  #speaker = element('speaker', HTMLSelectElement);

  /** @param {SoundChoice} choice @param {SoundUser} user */
  constructor(choice, user) {
    this.#choice = choice;
    this.#user = user;
    this.#wireDevices();
    this.#wireProcessing();
    this.#wireNotifications();
    element('speaker-field', HTMLLabelElement).hidden = !canChooseSpeaker();
    navigator.mediaDevices?.addEventListener('devicechange', () => this.refresh());
    user.speaker(choice.speaker);
    void this.refresh();
  }

  /** Names of devices appear once the microphone has been allowed. */
  async refresh() {
    fill(this.#microphone, await listDevices('audioinput'), this.#choice.microphone);
    fill(this.#speaker, await listDevices('audiooutput'), this.#choice.speaker);
  }

  #wireDevices() {
    this.#microphone.addEventListener('change', () => {
      this.#choice.microphone = this.#microphone.value;
      this.#user.microphone();
    });
    this.#speaker.addEventListener('change', () => {
      this.#choice.speaker = this.#speaker.value;
      this.#user.speaker(this.#speaker.value);
    });
  }

  #wireProcessing() {
    const box = element('processing', HTMLInputElement);
    box.checked = this.#choice.processing;
    box.addEventListener('change', () => {
      this.#choice.processing = box.checked;
      this.#user.microphone();
    });
  }

  /** The permission itself is the setting: there is nothing to remember. */
  #wireNotifications() {
    const box = element('notify', HTMLInputElement);
    if (!('Notification' in globalThis) || Notification.permission === 'denied') return;
    element('notify-field', HTMLLabelElement).hidden = Notification.permission === 'granted';
    box.addEventListener('change', async () => {
      const permission = await Notification.requestPermission();
      box.checked = permission === 'granted';
      box.disabled = permission !== 'default';
    });
  }
}

/** @param {HTMLSelectElement} select @param {Device[]} devices @param {string} chosen */
function fill(select, devices, chosen) {
  const options = [new Option('Chosen by the system', ''), ...devices.map(({ id, label }) => new Option(label, id))];
  select.replaceChildren(...options);
  select.value = devices.some(({ id }) => id === chosen) ? chosen : '';
}
