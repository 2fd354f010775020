import { encode } from 'uqr';

export interface QrCode {
  /** Modules on a side, with the quiet border. */
  readonly size: number;
  /** An SVG path over a square of that size that draws the dark modules. */
  readonly path: string;
}

/** How many bytes a code that a camera reads easily can hold. */
const LIMIT_BYTES = 1200;

/** A QR code of a text; null if the text is too long. */
export function qrCode(text: string): QrCode | null {
  if (Buffer.byteLength(text) > LIMIT_BYTES) return null;
  const { size, data } = encode(text, { ecc: 'M', border: 4 });
  return { size, path: data.map((row, y) => runsOf(row, y)).join('') };
}

/** A horizontal bar for each run of dark modules. */
function runsOf(row: readonly boolean[], y: number): string {
  const dark = row.map((isDark) => (isDark ? '#' : ' ')).join('');
  return Array.from(dark.matchAll(/#+/g), ({ 0: { length }, index }) => {
    return `M${index} ${y}h${length}v1h${-length}z`;
  }).join('');
}
