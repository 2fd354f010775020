/**
 * The parts of Node's Buffer that `pgp/` uses, for browsers: the bundler replaces the global with it. The common polyfill
 * is larger than all of `pgp/`. Anything else throws; nothing behaves differently from Node.
 */
type Encoding = 'utf8' | 'latin1' | 'hex' | 'base64';

const CHUNK = 0x2000;

// A class, because a Buffer is a Uint8Array with another toString.
class Bytes extends Uint8Array {
  override toString(encoding: Encoding = 'utf8'): string {
    switch (encoding) {
      case 'utf8':
        // Node keeps a byte-order mark.
        return new TextDecoder('utf-8', { ignoreBOM: true }).decode(this);
      case 'latin1':
        return latin1(this);
      case 'hex':
        return Array.from(this, (byte) => byte.toString(16).padStart(2, '0')).join('');
      case 'base64':
        return btoa(latin1(this));
      default:
        throw new TypeError(`Unknown encoding: ${String(encoding)}`);
    }
  }

  readUInt16BE(at = 0): number {
    return viewOf(this).getUint16(at);
  }

  readUInt32BE(at = 0): number {
    return viewOf(this).getUint32(at);
  }

  writeUInt32BE(value: number, at = 0): number {
    viewOf(this).setUint32(at, value);
    return at + 4;
  }
}

export const Buffer = { alloc, concat, from };

function viewOf({ buffer, byteOffset, byteLength }: Bytes): DataView {
  return new DataView(buffer, byteOffset, byteLength);
}

function alloc(length: number): Bytes {
  return new Bytes(length);
}

function from(source: ArrayLike<number> | string, encoding: Encoding = 'utf8'): Bytes {
  if (typeof source !== 'string') return copyOf(source);
  switch (encoding) {
    case 'utf8':
      return from(new TextEncoder().encode(source));
    case 'latin1':
      return from(Array.from({ length: source.length }, (_, at) => source.charCodeAt(at) & 0xff));
    case 'base64':
      return from(atob(source), 'latin1');
    default:
      throw new TypeError(`Unknown encoding: ${encoding}`);
  }
}

function copyOf(source: ArrayLike<number>): Bytes {
  const bytes = new Bytes(source.length);
  bytes.set(source);
  return bytes;
}

function concat(parts: readonly Uint8Array[]): Bytes {
  const whole = new Bytes(parts.reduce((length, part) => length + part.length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}

function latin1(bytes: Uint8Array): string {
  let text = '';
  for (let at = 0; at < bytes.length; at += CHUNK)
    text += String.fromCharCode(...bytes.subarray(at, at + CHUNK));
  return text;
}
