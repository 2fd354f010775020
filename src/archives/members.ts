import type { Member } from '../model/member.js';
import { formatOf, MAGIC_BYTES } from './contents.js';
import { fileChunks } from './decompress.js';
import type { OpenFile } from './decompress.js';
import { expectedOf } from './expected.js';
import { damage, unseen } from './fault.js';
import { checkAr, checkGem } from './inspect-parts.js';
import type { Part } from './inspect-parts.js';
import { unpack } from './inspect-stream.js';
import { checkZip } from './inspect-zip.js';
import { readBeginning } from './inspect.js';
import { readAt } from './read-at.js';
import { isTar } from './read-tar.js';
import { createTarReader, NO_LIMITS } from './tar.js';

const MIB = 1024 * 1024;
/** Callers remember names. No archive that people publish has so many. */
const NAMES_LIMIT_BYTES = 64 * MIB;
const MEMBERS_LIMIT = 1_000_000;

type See = (member: Member) => void;

/**
 * Shows the members of a tar archive in any compression, a zip, or a package of Debian, Ruby or conda, as far as that goes:
 * it unpacks no more than a check for damage does. False for anything else. The file name may be a path. Throws `damage`
 * and `unseen`, possibly after some members.
 */
export async function readMembers(fileName: string, file: OpenFile, see: See): Promise<boolean> {
  const seen = bounded(see);
  const format = formatOf(readBeginning(file));
  if (format === 'ar') return await readParts(file, dataOf(checkAr(file, fileName)), seen);
  if (format === 'tar' && /\.gem$/i.test(fileName))
    return await readParts(file, dataOf(checkGem(file)), seen);
  if (isTar(format)) return await readTar(file, { start: 0, size: file.size }, seen);
  // A program may precede a zip.
  if (format !== 'zip' && format !== 'crx' && expectedOf(fileName).format !== 'zip') return false;
  if (!/\.conda$/i.test(fileName)) checkZip(file, fileName, seen);
  else return await readParts(file, checkZip(file, fileName), seen);
  return true;
}

function bounded(see: See): See {
  let bytes = 0;
  let count = 0;
  return (member) => {
    count += 1;
    if (count > MEMBERS_LIMIT) throw unseen('has more than 1,000,000 members');
    for (const text of [...member.names, member.target ?? '']) bytes += text.length;
    if (bytes > NAMES_LIMIT_BYTES) throw unseen('has more than 64 MiB of names');
    see(member);
  };
}

/** What a package installs, and not what it says of itself. */
function dataOf(parts: readonly Part[]): readonly Part[] {
  return parts.filter(({ name }) => name.startsWith('data.tar'));
}

async function readParts(file: OpenFile, parts: readonly Part[], seen: See): Promise<boolean> {
  let isRead = parts.length > 0;
  for (const part of parts) isRead = (await readTar(file, part, seen)) && isRead;
  return isRead;
}

async function readTar(
  file: OpenFile,
  { start, size }: Pick<Part, 'start' | 'size'>,
  seen: See,
): Promise<boolean> {
  const end = start + size;
  const format = formatOf(readAt(file, start, Math.min(size, MAGIC_BYTES)));
  if (!isTar(format)) return false;
  let members = 0;
  const see = (member: Member) => {
    members += 1;
    seen(member);
  };
  const reader = createTarReader({ wants: () => false, found: () => 'more', seen: see }, NO_LIMITS);
  for await (const piece of format === 'tar'
    ? fileChunks(file, start, end)
    : unpack({ file, start, end, compression: format })) {
    if (reader.push(piece).kind !== 'more') break;
  }
  const last = reader.finish();
  if (last.kind === 'damaged' && members > 0) throw damage(last.reason);
  return members > 0;
}
