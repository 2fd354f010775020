/** Decodes bytes as UTF-8 if they are valid, or else as Latin-1. */
export function decodeText(bytes: Buffer): string {
  const latin1 = bytes.toString('latin1');
  if (!/[\u0080-\u00ff]/.test(latin1)) return latin1;
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    return latin1;
  }
}
