import { damage, unseen } from './fault.js';
import { BRANCH_FILTERS } from './xz-branches.js';
import type { UndoBranches } from './xz-branches.js';

/** Undoes a filter of xz (the .xz file format §5.3), piece by piece; the result may share the piece's memory. */
export interface Filter {
  readonly push: (piece: Buffer) => Buffer;
  /** What was held back until more would follow. */
  readonly finish: () => Buffer;
}

const DELTA = 3;

/** The filter of that number. Throws `unseen` if packsign does not know it. */
export function createFilter(id: number, properties: Buffer): Filter {
  if (id === DELTA) return createDelta(properties);
  const branch = BRANCH_FILTERS[id];
  if (branch === undefined) throw unseen('uses a filter of xz that packsign does not know');
  const start = properties.length === 4 ? properties.readUInt32LE() : 0;
  const isSound = properties.length === 0 || properties.length === 4;
  if (!isSound || start % branch.alignment !== 0) throw damage('a header in its xz data is damaged');
  return createBranchFilter(branch.start(), start);
}

function createDelta(properties: Buffer): Filter {
  if (properties.length !== 1) throw damage('a header in its xz data is damaged');
  const distance = (properties[0] ?? 0) + 1;
  const history = Buffer.alloc(256);
  let position = 0;
  return {
    push(piece) {
      for (let at = 0; at < piece.length; at += 1) {
        const byte = ((piece[at] ?? 0) + (history[(position - distance) & 0xff] ?? 0)) & 0xff;
        history[position & 0xff] = byte;
        piece[at] = byte;
        position = (position + 1) & 0xff;
      }
      return piece;
    },
    finish: () => Buffer.alloc(0),
  };
}

/** Programs: a branch to an address that was made absolute becomes relative again. */
function createBranchFilter(undo: UndoBranches, start: number): Filter {
  let held: Buffer = Buffer.alloc(0);
  let position = start;
  return {
    push(piece) {
      const bytes = held.length === 0 ? piece : Buffer.concat([held, piece]);
      const done = undo(bytes, position);
      position = (position + done) >>> 0;
      held = Buffer.from(bytes.subarray(done));
      return bytes.subarray(0, done);
    },
    finish: () => held,
  };
}
