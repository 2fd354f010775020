import type { OpenFile } from '../archives/decompress.js';
import { inspectionOf } from '../archives/fault.js';
import { readMembers } from '../archives/members.js';
import { reasonOf } from '../errors.js';
import { fileNameOf } from '../model/file-entry.js';
import { isArchiveName } from '../model/file-name.js';
import { partsOf } from '../model/member-links.js';
import { createMemberRules } from '../model/member-rules.js';
import type { MemberContext, MemberFinding } from '../model/member-rules.js';
import type { Part } from '../places/objects.js';
import { countBytes } from './byte-count.js';
import type { DigestOptions } from './digest.js';
import { readOnce } from './object-reader.js';
import type { FetchPart, PartSource } from './object-reader.js';

export interface SurveyOptions extends MemberContext {
  /** The folder in which PackMan looks for a `setup.py`; null if it looks for none. */
  readonly folder: string | null;
}

/** What the members of an archive are like. */
export interface Survey {
  readonly found: readonly MemberFinding[];
  /** The names at the top, two of them at most. */
  readonly tops: readonly string[];
  /** Also if nobody looks for one. */
  readonly hasSetup: boolean;
  /** Why not all members could be read; null if they were, or it is no archive. */
  readonly unread: string | null;
}

/** Archives whose members packsign does not read, by their names. */
const OTHERS = /\.(?:tar\.(?:lz|lzma|lz4|br)|tlz|7z|rar|cab|cpio|lha|lzh|arj|shar)$/i;

/** Looks at the members of an open file, as far as it is an archive. Never rejects. */
export async function surveyFile(
  path: string,
  file: OpenFile,
  { now, isRooted, folder }: SurveyOptions,
): Promise<Survey> {
  const rules = createMemberRules({ now, isRooted });
  let hasSetup = folder === null;
  let unread: string | null = null;
  try {
    const isRead = await readMembers(path, file, (member) => {
      rules.see(member);
      hasSetup ||= partsOf(member.names[0]).join('/') === `${folder ?? ''}/setup.py`;
    });
    const isArchive = isArchiveName(fileNameOf(path)) || OTHERS.test(path);
    if (!isRead && isArchive) unread = 'packsign does not read archives of this kind';
  } catch (error) {
    unread = reasonIn(error);
  }
  return { found: rules.findings(), tops: rules.tops(), hasSetup, unread };
}

function reasonIn(error: unknown): string | null {
  if (error instanceof Error && 'syscall' in error) return reasonOf(error);
  const seen = inspectionOf(error);
  return seen.kind === 'sound' ? null : seen.reason;
}

/** The same for an object of a store, of which no more is fetched than that takes. Never rejects. */
export async function surveyObject(
  { path, size }: { readonly path: string; readonly size: number },
  { fetch, spare }: PartSource<Part<Buffer>>,
  options: SurveyOptions & Pick<DigestOptions, 'counted'>,
): Promise<Survey> {
  const fetchOrThrow: FetchPart = (at, into) => {
    const part = fetch(at, into);
    if (typeof part !== 'string') return part;
    throw Object.assign(new Error(part === 'gone' ? 'it is gone' : 'it has been replaced'), {
      syscall: 'read',
    });
  };
  const { file, close } = readOnce(size, { fetch: fetchOrThrow, spare }, (bytes) =>
    countBytes(options.counted, bytes.length),
  );
  try {
    return await surveyFile(path, file, options);
  } finally {
    close();
  }
}
