import { fileChunks } from './decompress.js';
import type { OpenFile } from './decompress.js';
import { isCompressedTar } from './expected.js';
import { damage } from './fault.js';
import { substituteOf, TEXT_BYTES } from './substitute.js';
import { createTarReader, isTarHeader, NO_LIMITS } from './tar.js';
import type { TarReader, TarStep } from './tar.js';

const BLOCK_BYTES = 512;
const END_BYTES = 2 * BLOCK_BYTES;
const CUT = 'ends early: the rest of the tar archive is missing';

function openTar(): TarReader {
  return createTarReader({ wants: () => false, found: () => 'stop' }, NO_LIMITS);
}

/**
 * Checks a tar archive that no compression protects. It must have its end mark: most programs write two blocks of zeros or
 * more, and without them nobody can tell how much is missing.
 */
export function checkTarFile(file: OpenFile): undefined {
  const reader = openTar();
  for (const chunk of fileChunks(file, 0, file.size)) if (reader.push(chunk).kind !== 'more') break;
  const step = reader.finish();
  if (step.kind === 'damaged') {
    throw damage(step.reason === 'a header is broken' ? 'a header inside is broken' : CUT);
  }
  if (step.kind !== 'end') return;
  const { markAt } = reader;
  const mark = markAt() === null ? 0 : file.size - (markAt() ?? 0);
  if (mark < END_BYTES) throw damage(CUT);
  const rest = Buffer.concat([...fileChunks(file, file.size - mark, file.size - mark + END_BYTES)]);
  // After a single blank block, or after the mark, another archive may follow.
  if (rest.every((byte) => byte === 0) && file.size % BLOCK_BYTES !== 0) throw damage(CUT);
}

/** Checks what a compression unpacks to, piece by piece. */
export interface ContentsCheck {
  readonly push: (piece: Uint8Array) => void;
  readonly finish: () => void;
}

/**
 * Checks unpacked contents. A tar archive may lack its end mark here, as those of some programs do: the compression has an
 * end of its own. Throws `damage`.
 */
export function createContentsCheck(fileName: string): ContentsCheck {
  const isNamedTar = isCompressedTar(fileName);
  let head = Buffer.alloc(0);
  let tar: TarReader | 'unknown' | 'other' = 'unknown';

  function decide(): void {
    tar = isTarHeader(head, 0) ? openTar() : 'other';
    if (tar !== 'other') tar.push(head);
    else if (isNamedTar) refuse(head);
  }

  return {
    push(piece) {
      if (tar === 'unknown') {
        head = Buffer.concat([head, piece]);
        if (head.length >= TEXT_BYTES) decide();
      } else if (tar !== 'other') tar.push(piece);
    },
    finish() {
      if (tar === 'unknown') decide();
      if (tar === 'unknown' || tar === 'other') return;
      requireWhole(tar.finish());
    },
  };
}

/** The same for contents that are at hand. */
export function checkContents(fileName: string, pieces: Iterable<Uint8Array>): void {
  const check = createContentsCheck(fileName);
  for (const piece of pieces) check.push(piece);
  check.finish();
}

/** For the last step in an archive that a compression protects. Throws `damage`. */
export function requireWhole(last: TarStep): void {
  if (last.kind === 'damaged' && last.reason !== 'a header is broken') throw damage(CUT);
}

function refuse(head: Buffer): void {
  if (head.length === 0) throw damage('is empty inside');
  const substitute = substituteOf(head);
  if (substitute !== null)
    throw damage(`holds ${substitute === 'plain text' ? '' : 'a '}${substitute}, not a tar archive`);
}
