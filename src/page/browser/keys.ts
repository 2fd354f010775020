import { announce, make, maybe } from './elements.js';

/** A comparison that this browser remembers. */
interface Compared {
  readonly fingerprint: string;
  readonly at: string;
}

/**
 * Lets the reader compare the fingerprints on the page with one from another place: typed, pasted, or in the address of a
 * QR code on paper. The browser remembers a match, and warns if the page later shows another key.
 */
export function watchKeys(fingerprints: readonly string[], base: string): void {
  const memory = `packsign ${base}`;
  const remembered = recall(memory);
  if (remembered !== null) tellOfMemory(remembered, fingerprints);
  const named = fingerprintsIn(location.hash);
  if (named.length > 0) tellOfAddress(named, fingerprints);
  const box = maybe('compare-box');
  const input = maybe('compare');
  const result = maybe('compare-result');
  if (box === null || result === null || !(input instanceof HTMLInputElement)) return;
  box.hidden = false;
  input.addEventListener('input', () => {
    const outcome = compare(input.value, fingerprints);
    result.className = CLASSES[outcome.kind];
    result.textContent = outcome.text;
    if (outcome.kind === 'same') {
      remember(memory, { fingerprint: outcome.fingerprint, at: new Date().toISOString() });
      note(`You compared the fingerprint of this key with one from another place. ${HONESTLY}`);
    }
  });
}

/** The fingerprints that a QR code put at the end of the address. */
function fingerprintsIn(fragment: string): readonly string[] {
  return /^#[0-9A-F]{40}(?:\+[0-9A-F]{40})*$/.test(fragment) ? fragment.slice(1).split('+') : [];
}

const HONESTLY =
  'That is worth as much as the other place. And a page can check itself only as long as its server is honest: for more, use packsign or gpg.';

const CLASSES = { none: '', same: 'is-good', other: 'is-bad', short: 'is-old' } as const;

type Outcome =
  | { readonly kind: 'none' | 'other' | 'short'; readonly text: string }
  | { readonly kind: 'same'; readonly text: string; readonly fingerprint: string };

function compare(text: string, fingerprints: readonly string[]): Outcome {
  const digits = text
    .replace(/^\s*0x/i, '')
    .replace(/[\s:.-]+/g, '')
    .toUpperCase();
  if (digits === '') return { kind: 'none', text: '' };
  if (fingerprints.includes(digits)) {
    return { kind: 'same', fingerprint: digits, text: 'The same: all 40 digits agree.' };
  }
  if (!/^[0-9A-F]+$/.test(digits))
    return {
      kind: 'short',
      text: 'That is not a fingerprint: a fingerprint has 40 digits from 0 to 9 and A to F.',
    };
  if (digits.length === 40) {
    return {
      kind: 'other',
      text: 'Another fingerprint. This page does not show that key: do not use it, and ask the maintainer.',
    };
  }
  const short = `${digits.length} digits; a full fingerprint has 40.`;
  return { kind: 'short', text: digits.length < 40 ? `${short} A part of one proves nothing.` : short };
}

function tellOfMemory({ fingerprint, at }: Compared, fingerprints: readonly string[]): void {
  const day = at.slice(0, 10);
  if (fingerprints.includes(fingerprint)) {
    note(`On ${day} you compared the fingerprint of this key in this browser. ${HONESTLY}`);
    return;
  }
  warn(
    `On ${day} you compared the fingerprint ${fingerprint} here. This page shows another key now. Do not trust it until the maintainer has told you, in another place, that the key has changed.`,
  );
}

function tellOfAddress(named: readonly string[], fingerprints: readonly string[]): void {
  if (named.every((fingerprint) => fingerprints.includes(fingerprint))) {
    note(`The code or link that led you here names the same fingerprint. ${HONESTLY}`);
  } else {
    warn(
      'The code or link that led you here names another fingerprint than this page shows. Do not use it until you have asked the maintainer.',
    );
  }
}

function note(text: string): void {
  maybe('check-note')?.replaceChildren(text);
}

function warn(text: string): void {
  maybe('check-note')?.replaceChildren(make('strong', { text, className: 'is-bad' }));
  announce(text);
}

// The browser may forbid storage; then it remembers nothing.
function recall(name: string): Compared | null {
  try {
    const value = JSON.parse(localStorage.getItem(name) ?? 'null') as Compared | null;
    return value !== null && /^[0-9A-F]{40}$/.test(value.fingerprint) ? value : null;
  } catch {
    return null;
  }
}

function remember(name: string, value: Compared): void {
  try {
    localStorage.setItem(name, JSON.stringify(value));
  } catch {
    // Forbidden, or full.
  }
}
