import { encode } from 'uqr';

export interface QrCode {
  /** Modules on a side, the quiet border included. */
  readonly size: number;
  /** An SVG path over a square of that size that draws the dark ones. */
  readonly path: string;
}

/** Bytes that the densest code of this error correction holds. */
const LIMIT_BYTES = 1200;

/** A QR code of a text; null where the text is too long for one that a camera reads. */
export function qrCode(text: string): QrCode | null {
  if (new TextEncoder().encode(text).length > LIMIT_BYTES) return null;
  const { size, data } = encode(text, { ecc: 'M', border: 4 });
  return { size, path: data.map((row, y) => runsOf(row, y)).join('') };
}

/** A horizontal bar for each run of dark modules. */
function runsOf(row: readonly boolean[], y: number): string {
  let path = '';
  for (let x = 0; x < row.length; x += 1) {
    if (row[x] !== true) continue;
    let end = x;
    while (row[end] === true) end += 1;
    path += `M${x} ${y}h${end - x}v1h${x - end}z`;
    x = end;
  }
  return path;
}
