import { isDeepStrictEqual } from 'node:util';
import { PacksignError } from '../errors.js';
import { orItsError } from '../model/or-null.js';
import type { Settings } from '../model/settings.js';
import { noticeOf, settingsHeld } from './notices.js';
import type { Notice } from './notices.js';

/** What a watch knows of the settings. */
export interface KnownSettings {
  readonly last: object | null;
  /** The settings that a person started with or signed. */
  accepted: Settings;
  /** Other settings that are in packsign.json now, and whether a person has published since then. */
  offered: { readonly settings: Settings; readonly signed: boolean } | null;
}

/** Changed settings wait until a person signs with them; until then cycles use the accepted ones. */
export function considerSettings(
  settings: () => Settings,
  memory: KnownSettings,
  byOthers: boolean,
): readonly Notice[] {
  const current = orItsError(settings);
  if (current instanceof PacksignError) return [noticeOf(current)];
  if (memory.last === null) memory.accepted = current;
  if (isDeepStrictEqual(current, memory.accepted)) {
    memory.offered = null;
    return [];
  }
  const isKnown = isDeepStrictEqual(current, memory.offered?.settings);
  memory.offered = { settings: current, signed: byOthers || (isKnown && memory.offered?.signed === true) };
  return memory.offered.signed ? [] : [settingsHeld()];
}
