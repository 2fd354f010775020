import { join } from 'node:path';
import { readBounded, writeHint } from '../disk/files.js';
import { nameIdentity } from '../disk/identities.js';
import type { FileIdentity } from '../disk/identities.js';
import { seal, unseal } from '../disk/sealed.js';
import { orNull } from '../model/or-null.js';

/** Which objects are programs, among those whose names do not tell. A hint: without it they are looked at once more. */
export interface ObjectKinds {
  /** Null if nobody has looked at it. */
  readonly find: (identity: FileIdentity) => boolean | null;
  readonly add: (identity: FileIdentity, isProgram: boolean) => void;
  /** Forgets all that nobody has asked for. */
  readonly save: () => void;
}

const NAME = 'object-kinds';
const KIND = 'packsign-object-kinds 1';
const LIMIT_BYTES = 256 * 1024 * 1024;
const PROGRAM = '+';
const OTHER = '-';

/** Without a folder of working state, nothing is known before. */
export function openObjectKinds(stateFolder: string | null): ObjectKinds {
  const known = new Set(stateFolder === null ? [] : load(stateFolder));
  const asked = new Set<string>();
  let isNew = false;
  const lineOf = (identity: FileIdentity, isProgram: boolean) =>
    `${isProgram ? PROGRAM : OTHER}${nameIdentity(identity)}`;
  return {
    find: (identity) => {
      for (const isProgram of [true, false]) {
        const line = lineOf(identity, isProgram);
        if (!known.has(line)) continue;
        asked.add(line);
        return isProgram;
      }
      return null;
    },
    add: (identity, isProgram) => {
      isNew = true;
      known.add(lineOf(identity, isProgram));
      asked.add(lineOf(identity, isProgram));
    },
    save: () => {
      if (stateFolder === null || (asked.size === known.size && !isNew)) return;
      const bytes = seal(KIND, Buffer.from(Array.from(asked).join('\n'))).bytes;
      orNull(() => {
        writeHint(join(stateFolder, NAME), bytes);
      });
    },
  };
}

function load(stateFolder: string): readonly string[] {
  const bytes = orNull(() => readBounded(join(stateFolder, NAME), LIMIT_BYTES));
  const text = bytes === null ? '' : (unseal(KIND, bytes)?.body.toString() ?? '');
  return text === '' ? [] : text.split('\n');
}
