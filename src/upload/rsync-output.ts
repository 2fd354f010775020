import { PacksignError } from '../errors.js';
import { oneLine } from '../model/text.js';
import type { Stored } from '../model/listing.js';

// What rsync prints, in the C locale and in UTC.

/** What lies below a folder. */
export interface Found {
  readonly files: ReadonlyMap<string, Stored>;
  readonly folders: ReadonlySet<string>;
  /** Symbolic links. */
  readonly links: ReadonlySet<string>;
}

const LINE = /^([-dlbcpsD])[-rwxsStT]{9}[+.@]? +([\d,.' ]+) (\d{4}\/\d\d\/\d\d \d\d:\d\d:\d\d) (.+)$/;

/** Reads what `rsync --list-only` prints. Throws DESTINATION_FAILED. */
export function parseListing(text: string, destination: string): Found {
  const files = new Map<string, Stored>();
  const folders = new Set<string>();
  const links = new Set<string>();
  for (const line of text.split('\n')) {
    if (line === '') continue;
    const [, kind, size = '', date = '', name = ''] = LINE.exec(line) ?? [];
    if (kind === undefined) {
      throw new PacksignError(
        'DESTINATION_FAILED',
        `cannot read what rsync lists at ${destination}: ${oneLine(line, 200)}`,
        { hint: 'packsign needs rsync 3.1 or newer: rsync --version' },
      );
    }
    const path = unescaped(name);
    if (kind === '-') {
      const modifiedMs = Date.parse(`${date.replaceAll('/', '-').replace(' ', 'T')}Z`);
      files.set(path, { size: Number(size.replace(/\D/g, '')), modifiedMs, etag: null });
    }
    if (kind === 'd') folders.add(path);
    if (kind === 'l') links.add(path.replace(/ -> .*$/s, ''));
  }
  return { files, folders, links };
}

/** Reads lines of `--out-format=%i %n`: the paths of files that are other ones there. */
export function parseChanges(text: string): readonly string[] {
  return text.split('\n').flatMap((line) => {
    const [, name] = /^[<>c][fLDS]\S* (.+)$/.exec(line) ?? [];
    return name === undefined ? [] : [unescaped(name)];
  });
}

/** Reads what `--info=progress2` prints: how many bytes of all files are there by now; null if this says nothing about it. */
export function parseProgress(text: string): number | null {
  const [, bytes = null] = Array.from(text.matchAll(/([\d,.']+) +\d+%/g)).at(-1) ?? [];
  return bytes === null ? null : Number(bytes.replace(/\D/g, ''));
}

/** Rsync writes bytes that it does not print as `\#ooo`. */
function unescaped(name: string): string {
  if (!name.includes('\\#')) return name;
  const bytes = name.replace(/\\#([0-7]{3})/g, (_, octal: string) =>
    String.fromCharCode(Number.parseInt(octal, 8)),
  );
  return Buffer.from(bytes, 'latin1').toString('utf8');
}
