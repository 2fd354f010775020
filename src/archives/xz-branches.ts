/**
 * Undoes the branches of whole instructions at the beginning of `bytes`, in place, which begin at that address of their
 * block. Gives the number of bytes that are done.
 */
export type UndoBranches = (bytes: Buffer, address: number) => number;

interface BranchFilter {
  /** In bytes: of instructions, and of the address of the first. */
  readonly alignment: number;
  readonly start: () => UndoBranches;
}

/** The filters for programs, by their numbers in xz: x86, PowerPC, Itanium, ARM, Thumb, SPARC, ARM64, RISC-V. */
export const BRANCH_FILTERS: Readonly<Record<number, BranchFilter | undefined>> = {
  4: { alignment: 1, start: startX86 },
  5: { alignment: 4, start: () => undoPowerPc },
  6: { alignment: 16, start: () => undoItanium },
  7: { alignment: 4, start: () => undoArm },
  8: { alignment: 2, start: () => undoThumb },
  9: { alignment: 4, start: () => undoSparc },
  10: { alignment: 4, start: () => undoArm64 },
  11: { alignment: 2, start: () => undoRiscV },
};

function isSignByte(byte: number): boolean {
  return byte === 0 || byte === 0xff;
}

const X86_BYTES = 5;
/** By which of the last bytes may belong to another branch. */
const X86_SHIFTS = [0, 1, 2, 2, 3];

function startX86(): UndoBranches {
  let mask = 0;
  let last = -X86_BYTES >>> 0;

  return (bytes, address) => {
    if (bytes.length < X86_BYTES) return 0;
    if ((address - last) >>> 0 > X86_BYTES) last = (address - X86_BYTES) >>> 0;
    let at = 0;
    while (at <= bytes.length - X86_BYTES) {
      if (((bytes[at] ?? 0) & 0xfe) !== 0xe8) {
        at += 1;
        continue;
      }
      const here = (address + at) >>> 0;
      const distance = (here - last) >>> 0;
      last = here;
      if (distance > X86_BYTES) mask = 0;
      else for (let step = 0; step < distance; step += 1) mask = (mask & 0x77) << 1;
      const sign = bytes[at + 4] ?? 0;
      const half = mask >>> 1;
      if (isSignByte(sign) && half <= 4 && half !== 3) {
        bytes.writeUInt32LE(x86Target(bytes.readUInt32LE(at + 1), here + X86_BYTES, mask), at + 1);
        at += X86_BYTES;
        mask = 0;
      } else {
        at += 1;
        mask |= isSignByte(sign) ? 0x11 : 1;
      }
    }
    return at;
  };
}

function x86Target(absolute: number, next: number, mask: number): number {
  let source = absolute;
  for (;;) {
    const target = (source - next) >>> 0;
    const shift = (X86_SHIFTS[mask >>> 1] ?? 0) * 8;
    if (mask === 0 || !isSignByte((target >>> (24 - shift)) & 0xff)) {
      return ((target & 0xffffff) | (((target >>> 24) & 1) === 1 ? 0xff000000 : 0)) >>> 0;
    }
    source = (target ^ (2 ** (32 - shift) - 1)) >>> 0;
  }
}

/** Calls `undo` for each whole instruction of that length. */
function each(bytes: Buffer, length: number, undo: (at: number) => void): number {
  const end = bytes.length - (bytes.length % length);
  for (let at = 0; at < end; at += length) undo(at);
  return end;
}

function undoPowerPc(bytes: Buffer, address: number): number {
  return each(bytes, 4, (at) => {
    const instruction = bytes.readUInt32BE(at);
    if (instruction >>> 26 !== 0x12 || (instruction & 3) !== 1) return;
    const target = (instruction & 0x03fffffc) - (address + at);
    bytes.writeUInt32BE((0x48000000 | (target & 0x03fffffc) | 1) >>> 0, at);
  });
}

function undoArm(bytes: Buffer, address: number): number {
  return each(bytes, 4, (at) => {
    if (bytes[at + 3] !== 0xeb) return;
    const target = (bytes.readUIntLE(at, 3) << 2) - (address + at + 8);
    bytes.writeUIntLE((target >>> 2) & 0xffffff, at, 3);
  });
}

function undoSparc(bytes: Buffer, address: number): number {
  return each(bytes, 4, (at) => {
    const instruction = bytes.readUInt32BE(at);
    const top = instruction >>> 22;
    if (top !== 0x100 && top !== 0x1ff) return;
    const target = (((instruction << 2) >>> 0) - (address + at)) >>> 2;
    const sign = ((0 - ((target >>> 22) & 1)) << 22) & 0x3fffffff;
    bytes.writeUInt32BE((sign | (target & 0x3fffff) | 0x40000000) >>> 0, at);
  });
}

function undoArm64(bytes: Buffer, address: number): number {
  return each(bytes, 4, (at) => {
    const instruction = bytes.readUInt32LE(at);
    const here = (address + at) >>> 0;
    if (instruction >>> 26 === 0x25) {
      bytes.writeUInt32LE((0x94000000 | ((instruction - (here >>> 2)) & 0x03ffffff)) >>> 0, at);
    } else if ((instruction & 0x9f000000) >>> 0 === 0x90000000) {
      const page = ((instruction >>> 29) & 3) | ((instruction >>> 3) & 0x1ffffc);
      if (((page + 0x20000) & 0x1c0000) !== 0) return;
      const target = page - (here >>> 12);
      const high = (0 - (target & 0x20000)) & 0xe00000;
      const bits = ((target & 3) << 29) | ((target & 0x3fffc) << 3) | high;
      bytes.writeUInt32LE(((instruction & 0x9000001f) | bits) >>> 0, at);
    }
  });
}

function undoThumb(bytes: Buffer, address: number): number {
  let at = 0;
  for (; at + 4 <= bytes.length; at += 2) {
    const [high, low] = [bytes.readUInt16LE(at), bytes.readUInt16LE(at + 2)];
    if ((high & 0xf800) !== 0xf000 || (low & 0xf800) !== 0xf800) continue;
    const target = ((((high & 0x7ff) << 11) | (low & 0x7ff)) << 1) - (address + at + 4);
    bytes.writeUInt16LE(0xf000 | ((target >>> 12) & 0x7ff), at);
    bytes.writeUInt16LE(0xf800 | ((target >>> 1) & 0x7ff), at + 2);
    at += 2;
  }
  return at;
}

/** By template: which of its three slots hold a branch. */
const ITANIUM_SLOTS = [4, 4, 6, 6, 0, 0, 7, 7, 4, 4, 0, 0, 4, 4, 0, 0];

function undoItanium(bytes: Buffer, address: number): number {
  return each(bytes, 16, (at) => {
    const slots = ITANIUM_SLOTS[((bytes[at] ?? 0) & 0x1f) - 16] ?? 0;
    for (let slot = 0; slot < 3; slot += 1) {
      if (((slots >>> slot) & 1) === 0) continue;
      const bit = 5 + 41 * slot;
      const place = at + (bit >>> 3);
      const shift = BigInt(bit & 7);
      const stored = BigInt(bytes.readUIntLE(place, 6));
      let instruction = stored >> shift;
      if (((instruction >> 37n) & 0xfn) !== 5n || ((instruction >> 9n) & 7n) !== 0n) continue;
      const source = Number((instruction >> 13n) & 0xfffffn) | (Number((instruction >> 36n) & 1n) << 20);
      const target = BigInt(((source << 4) - (address + at)) >>> 4);
      instruction &= ~(0x8fffffn << 13n);
      instruction |= ((target & 0xfffffn) << 13n) | ((target & 0x100000n) << 16n);
      const kept = stored & ((1n << shift) - 1n);
      bytes.writeUIntLE(Number(BigInt.asUintN(48, kept | (instruction << shift))), place, 6);
    }
  });
}

const RISC_V_BYTES = 8;

function undoRiscV(bytes: Buffer, address: number): number {
  let at = 0;
  while (at <= bytes.length - RISC_V_BYTES) {
    const first = bytes[at] ?? 0;
    if (first === 0xef) {
      const isCall = ((bytes[at + 1] ?? 0) & 0x0d) === 0;
      if (isCall) undoRiscVJump(bytes, at, address + at);
      at += isCall ? 4 : 2;
    } else at += (first & 0x7f) === 0x17 ? undoRiscVPair(bytes, at, address + at) : 2;
  }
  return at;
}

function undoRiscVJump(bytes: Buffer, at: number, here: number): void {
  const [b1 = 0, b2 = 0, b3 = 0] = bytes.subarray(at + 1, at + 4);
  const target = (((b1 & 0xf0) << 13) | (b2 << 9) | (b3 << 1)) - here;
  bytes[at + 1] = (b1 & 0x0f) | ((target >>> 8) & 0xf0);
  bytes[at + 2] = ((target >>> 16) & 0x0f) | ((target >>> 7) & 0x10) | ((target << 4) & 0xe0);
  bytes[at + 3] = ((target >>> 4) & 0x7f) | ((target >>> 13) & 0x80);
}

/** An AUIPC and the instruction after it; gives the number of bytes that are done. */
function undoRiscVPair(bytes: Buffer, at: number, here: number): number {
  const first = bytes.readUInt32LE(at);
  const second = bytes.readUInt32LE(at + 4);
  if ((first & 0xe80) !== 0) {
    if ((((first << 8) ^ (second - 3)) & 0xf8003) !== 0) return 6;
    bytes.writeUInt32LE((0x117 | (second << 12)) >>> 0, at);
    bytes.writeUInt32LE(((first & 0xfffff000) + (second >>> 20)) >>> 0, at + 4);
    return RISC_V_BYTES;
  }
  const register = first >>> 27;
  if (((first - 0x3117) << 18) >>> 0 >= (register & 0x1d)) return 4;
  const target = (bytes.readUInt32BE(at + 4) - here) >>> 0;
  bytes.writeUInt32LE((0x17 | (register << 7) | ((target + 0x800) & 0xfffff000)) >>> 0, at);
  bytes.writeUInt32LE(((first >>> 12) | (target << 20)) >>> 0, at + 4);
  return RISC_V_BYTES;
}
