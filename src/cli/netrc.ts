import { readFileSync } from 'node:fs';

interface Login {
  readonly login?: string;
  readonly password?: string;
}

/** What `.netrc` says for the host of an address, as an `Authorization`; null for nothing, or an unreadable file. */
export function netrcAuthorization(at: URL, file: string | null): string | null {
  const { login, password = '' } =
    (file === null ? null : loginFor(at.hostname.replace(/^\[|\]$/g, ''), textOf(file))) ?? {};
  if (login === undefined) return null;
  return `Basic ${Buffer.from(`${login}:${password}`).toString('base64')}`;
}

function textOf(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return '';
  }
}

/** An entry `default` is ignored: it would give the password to every mirror that a database names. */
function loginFor(host: string, text: string): Login | null {
  // A macro lasts up to the next empty line.
  const plain = text.replace(/^[ \t]*macdef\s.*(?:\n.+)*/gm, '').replace(/^[ \t]*#.*$/gm, '');
  const words = plain.split(/\s+/).filter((word) => word !== '');
  let found: Record<string, string> | null = null;
  for (let index = 0; index < words.length; index += 1) {
    const word = words[index] ?? '';
    if (word === 'machine' || word === 'default') {
      if (found !== null) return found;
      const name = word === 'machine' ? (words[(index += 1)] ?? '') : '';
      if (name.toLowerCase() === host) found = {};
    } else if (['login', 'password', 'account'].includes(word)) {
      const value = words[(index += 1)] ?? '';
      if (found !== null) found[word] = value;
    }
  }
  return found;
}
