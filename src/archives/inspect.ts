import { NOT_INSPECTED } from '../model/inspection.js';
import type { Inspect, Inspection } from '../model/inspection.js';
import { fileNameOf } from '../model/file-entry.js';
import { isReleaseName } from '../model/release-names.js';
import { FORMAT_NAMES, MAGIC_BYTES, formatOf } from './contents.js';
import type { Format } from './contents.js';
import type { OpenFile } from './decompress.js';
import { expectedOf } from './expected.js';
import type { Expected } from './expected.js';
import { checkAr, checkGem, checkParts, checkRpm } from './inspect-parts.js';
import type { Part } from './inspect-parts.js';
import { check7z, checkCabinet, checkSquashfs } from './inspect-sizes.js';
import { checkLz4, checkLzip, checkXzEnd } from './inspect-blocks.js';
import { checkStream, isStream } from './inspect-stream.js';
import { checkTarFile } from './inspect-tar.js';
import { checkZip } from './inspect-zip.js';
import { readAt } from './read-at.js';
import { substituteOf, TEXT_BYTES } from './substitute.js';

/** What the first bytes of a file say: an answer, or what the rest of it is to be looked through as. */
export type Beginning =
  | { readonly kind: 'answer'; readonly inspection: Inspection }
  | { readonly kind: 'format'; readonly format: Format };

/** Formats that are no archives: a file that should be an archive must not be one of these. */
const PROGRAMS: readonly Format[] = ['exe', 'elf', 'wasm', 'ole', 'qcow2', 'vhdx'];

/** Looks at the first bytes of a file, `TEXT_BYTES` of it or all. The name may be a path. */
export function inspectBeginning(fileName: string, head: Buffer, inspect: Inspect): Beginning {
  if (inspect === 'none' || !isReleaseName(fileNameOf(fileName))) return answer(NOT_INSPECTED);
  if (head.length === 0) return damaged('is empty');
  const expected = expectedOf(fileName);
  const format = formatOf(head);
  if (format === null) return inspectUnknown(head, expected, inspect);
  if (expected.format === null || !PROGRAMS.includes(format)) return { kind: 'format', format };
  // Some zips follow a program that opens them, and something may follow them.
  if (expected.format === 'zip' || PROGRAMS.includes(expected.format)) return sound(inspect);
  return damaged(`is ${FORMAT_NAMES[format]}, not ${FORMAT_NAMES[expected.format]}`);
}

/** The end mark of a tar archive, which is all that there is of an empty one. */
const BLANK_TAR_BYTES = 1024;

function inspectUnknown(
  head: Buffer,
  { format, mayBeText, compression }: Expected,
  inspect: Inspect,
): Beginning {
  const substitute = substituteOf(head);
  const not = format === null ? '' : `, not ${FORMAT_NAMES[format]}`;
  if (substitute === 'web page') return damaged(`is a web page${not}`);
  if (substitute === 'git-lfs pointer') {
    return damaged('is a git-lfs pointer: the file itself was not fetched');
  }
  // A zip is found from its end: a script or a program may precede it.
  if (format === 'zip') return { kind: 'format', format };
  if (substitute === 'plain text' && !mayBeText) return damaged(`is plain text${not}`);
  if (format !== null) {
    const isBlank =
      format === 'tar' &&
      head.length >= BLANK_TAR_BYTES &&
      head.subarray(0, TEXT_BYTES).every((byte) => byte === 0);
    return damaged(isBlank ? 'is empty inside' : `does not begin like ${FORMAT_NAMES[format]}`);
  }
  return compression === null ? sound(inspect) : unseen(`packsign does not unpack ${compression}`);
}

function answer(inspection: Inspection): Beginning {
  return { kind: 'answer', inspection };
}

function damaged(reason: string): Beginning {
  return answer({ kind: 'damaged', reason });
}

function unseen(reason: string): Beginning {
  return answer({ kind: 'unseen', reason });
}

function sound(inspect: Inspect): Beginning {
  return answer({ kind: 'sound', inspect });
}

/** As much of a file's beginning as `inspectBeginning` needs. */
export function readBeginning(file: OpenFile): Buffer {
  return readAt(file, 0, Math.max(TEXT_BYTES, MAGIC_BYTES));
}

/** Formats that are checked without unpacking them, and the parts of them that are compressed streams. */
const CHECKS: Partial<Record<Format, (file: OpenFile, fileName: string) => readonly Part[] | undefined>> = {
  tar: (file, fileName) => (/\.gem$/i.test(fileName) ? checkGem(file) : checkTarFile(file)),
  zip: checkZip,
  crx: checkZip,
  '7z': check7z,
  ar: checkAr,
  rpm: checkRpm,
  cab: checkCabinet,
  squashfs: checkSquashfs,
  lzip: checkLzip,
  lz4: checkLz4,
};

/** Whether `checkFormat` has something to read. Of compressed streams that are not unpacked, only xz has an end to check. */
export function hasCheck(format: Format, inspect: Inspect): boolean {
  return CHECKS[format] !== undefined || (inspect === 'whole' ? isStream(format) : format === 'xz');
}

/** Checks a file as that format, without unpacking anything (`ends`) or to its end. Throws `damage` or `unseen`. */
export async function checkFormat(
  format: Format,
  file: OpenFile,
  { fileName, inspect }: { readonly fileName: string; readonly inspect: Inspect },
): Promise<void> {
  const parts = CHECKS[format]?.(file, fileName) ?? [];
  if (inspect !== 'whole') {
    if (format === 'xz') checkXzEnd(file);
    return;
  }
  if (isStream(format)) {
    await checkStream({ file, start: 0, end: file.size, compression: format }, fileName);
  }
  await checkParts(file, parts);
}
