import type { FileEntry } from '../../src/model/file-entry.js';
import { assemble } from '../../src/model/assemble.js';
import type { AssembleContext, Assembled } from '../../src/model/assemble.js';
import type { Database, Packsign } from '../../src/model/database.js';
import type { FileFacts } from '../../src/model/entry.js';
import { NOT_INSPECTED } from '../../src/model/inspection.js';
import type { Metadata } from '../../src/model/metadata.js';
import type { Override, Settings } from '../../src/model/settings.js';

/** Values of the model for its tests: databases by hand, and archives as if they had been hashed. */

export const HASH_A = 'a'.repeat(64);
export const HASH_B = 'b'.repeat(64);
export const HASH_C = 'c'.repeat(64);

export function date(day: number): Date {
  return new Date(Date.UTC(2026, 0, day));
}

export function archive(sha256 = HASH_A, more: Partial<FileEntry> = {}): FileEntry {
  const identity = { Name: 'demo', Version: '1.0', Flavor: 'source' };
  return { ...identity, Size: 3, SHA256: sha256, Since: date(1), ...more };
}

export function databaseOf(
  archives: Readonly<Record<string, FileEntry>>,
  packsign: Partial<Packsign> = {},
): Database {
  return {
    Version: '0.5',
    Description: '',
    Packages: [],
    Files: new Map(Object.entries(archives)),
    Packsign: { Format: 1, Issued: date(1), ...packsign },
  };
}

export interface ObservedOptions {
  readonly sha256?: string;
  readonly metadata?: Partial<Metadata> | null;
  readonly md5?: string | null;
}

/** An archive as it was hashed; a source distribution of demo 1.0 unless told otherwise. */
export function observed(path: string, options: ObservedOptions = {}): FileFacts {
  const { sha256 = HASH_A, metadata = {}, md5 = 'd'.repeat(32) } = options;
  const found: Metadata = {
    kind: 'sdist',
    name: 'demo',
    version: '1.0',
    summary: 'does demo',
    homePage: null,
    ...metadata,
  };
  return {
    path,
    size: 3,
    sha256,
    md5,
    inspection: NOT_INSPECTED,
    reading:
      metadata === null ? { kind: 'absent', reason: 'it was not read' } : { kind: 'found', metadata: found },
  };
}

export function assembled(
  archives: readonly FileFacts[],
  settings: Settings = {},
  context: Partial<AssembleContext> = {},
): Assembled {
  return assemble(archives, {
    settings,
    published: null,
    previous: null,
    maintainer: null,
    signers: null,
    issued: date(1),
    allowed: new Map(),
    ...context,
  });
}

/** Settings with overrides of packages or paths. */
export function overriding(overrides: Readonly<Record<string, Override>>, more: Settings = {}): Settings {
  return { ...more, Packages: new Map(Object.entries(overrides)) };
}
