import { join } from 'node:path';
import { quietly, readBounded, writeHint } from '../disk/files.js';
import { nameIdentity } from '../disk/identities.js';
import type { FileIdentity } from '../disk/identities.js';
import { seal, unseal } from '../disk/sealed.js';
import { orElse } from '../model/or-null.js';

/**
 * Files beside the listed ones in which there is no secret, so that we need not read them again. A hint: without it they are
 * read once more.
 */
export interface SearchedFiles {
  readonly has: (identity: FileIdentity) => boolean;
  readonly add: (identity: FileIdentity) => void;
  /** Forgets all that nobody has asked for. */
  readonly save: () => void;
}

const NAME = 'searched';
/** To be counted up when the search finds more. */
const KIND = 'packsign-searched 1';
const LIMIT_BYTES = 256 * 1024 * 1024;

export function openSearchedFiles(stateFolder: string): SearchedFiles {
  const known = load(stateFolder);
  const kept = new Set<string>();
  let isNew = false;
  return {
    has: (identity) => {
      const name = nameIdentity(identity);
      const isKnown = known.has(name);
      if (isKnown) kept.add(name);
      return isKnown;
    },
    add: (identity) => {
      isNew = true;
      kept.add(nameIdentity(identity));
    },
    save: () => {
      // What was kept was known, or is new.
      if (!isNew && kept.size === known.size) return;
      // Without it the next run reads them once more.
      quietly(() => {
        writeHint(join(stateFolder, NAME), seal(KIND, Buffer.from(Array.from(kept).join('\n'))).bytes);
      });
    },
  };
}

function load(stateFolder: string): ReadonlySet<string> {
  return orElse(() => {
    const bytes = readBounded(join(stateFolder, NAME), LIMIT_BYTES);
    const text = bytes === null ? '' : (unseal(KIND, bytes)?.body.toString() ?? '');
    return new Set(text === '' ? [] : text.split('\n'));
  }, new Set<string>());
}
