/** How many first bytes are read as text. */
export const TEXT_BYTES = 4096;

/** What was uploaded under the name of a release file by mistake. */
export type Substitute = 'web page' | 'git-lfs pointer' | 'plain text';

const SPACE = /^\s+/;
const XML = /^<\?xml[^>]*>/i;
const COMMENT = /^<!--.*?-->/s;
const PAGE = /^<(?:!doctype\s+html|html|head|body|title|meta)[\s>/]/i;
const LFS = /^version https:\/\/(?:git-lfs\.github\.com|hawser\.github\.com)\/spec\//;
/** A batch file that is also a page hides its commands in a first comment. */
const BATCH = /^\s*<!-- ?:/;
const CONTROL = /[\u0000-\u0008\u000e-\u001a\u001c-\u001f\u007f]/; // eslint-disable-line no-control-regex -- that is the question

/** What a file's first bytes are, if they are a web page, a pointer of git-lfs, or else plain text. Null if they are none. */
export function substituteOf(head: Buffer): Substitute | null {
  const text = textOf(head.subarray(0, TEXT_BYTES));
  if (text === null) return null;
  if (LFS.test(text)) return 'git-lfs pointer';
  return isWebPage(text) ? 'web page' : 'plain text';
}

function isWebPage(text: string): boolean {
  if (BATCH.test(text)) return false;
  let rest = text;
  for (let before = ''; before !== rest;) {
    before = rest;
    rest = rest.replace(SPACE, '').replace(XML, '').replace(COMMENT, '');
  }
  return PAGE.test(rest);
}

/** The bytes as text, in UTF-8 or UTF-16; null if they are something else. */
function textOf(bytes: Buffer): string | null {
  const first = bytes.toString('hex', 0, 2);
  // A page may be in UTF-16 without a mark.
  const encoding =
    first === 'fffe' || first === '3c00' ? 'utf-16le' : /^(?:feff|003c)$/.test(first) ? 'utf-16be' : 'utf-8';
  try {
    // The last character may be cut.
    const text = new TextDecoder(encoding, { fatal: true }).decode(bytes, { stream: true });
    return CONTROL.test(text) ? null : text;
  } catch {
    return null;
  }
}
