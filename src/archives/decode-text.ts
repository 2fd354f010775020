/** Decodes bytes as UTF-8 if they are valid, or else as Latin-1. */
export function decodeText(bytes: Buffer): string {
  return decodeLatin1(bytes.toString('latin1'));
}

/** The same for bytes that were read as Latin-1. */
export function decodeLatin1(latin1: string): string {
  if (!/[\u0080-\u00ff]/.test(latin1)) return latin1;
  try {
    const bytes = Buffer.from(latin1, 'latin1');
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    return latin1;
  }
}

/** Decodes a whole file, which may begin with a byte-order mark, also one of UTF-16. */
export function decodeDocument(bytes: Buffer): string {
  const text = bytes.toString('hex', 0, 2) === 'fffe' ? bytes.toString('utf16le') : decodeText(bytes);
  return text.replace(/^\ufeff/, '');
}
