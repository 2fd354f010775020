import { shellWord } from '../../model/shell.js';
import { announce, element, maybe, onText, show } from './elements.js';
import { watchFiles } from './files.js';
import { hashHere } from './hash.js';
import { watchKeys } from './keys.js';
import { growList } from './list.js';
import { messageOf } from './messages.js';
import type { Answer, FileRequest, Request, Verified } from './messages.js';
import { orderPlatforms } from './platforms.js';

// Makes the trust page interactive. Without this script the page still has all its texts.

const script = document.currentScript instanceof HTMLScriptElement ? document.currentScript.src : '';
const base = new URL('.', location.href.replace(/[?#].*$/, '')).href;
const { database = '', fingerprints = '', threshold = '1' } = document.body.dataset;
const trusted = fingerprints.split(' ');

document.addEventListener('DOMContentLoaded', () => {
  fillAddresses();
  tellAges(new Date());
  enableCopying();
  growList();
  orderPlatforms().catch(reportError);
  openForPrint();
  watchKeys(trusted, base);
  followChanges();
  if (location.protocol === 'file:') {
    say('none', {
      title: 'Not checked: opened from a file',
      text: 'Browsers let a page that was opened from a file read no other files. Everything on it reads as usual. A file that you drop here is hashed and compared with this page alone. To check, open it at its https address, or use one of the programs below.',
    });
    onlyHash();
  } else if (!isSecureContext) {
    say('none', {
      title: 'Not checked: this page came over plain http',
      text: 'Browsers have no cryptography for such pages, and anybody on the way could have changed this one. A file that you drop here is hashed and compared with this page alone. Open its https address, or use one of the programs below.',
    });
    onlyHash();
  } else {
    afterPaint(check);
  }
});

/** Fills in the address of a database that gives none, which only the browser knows. */
function fillAddresses(): void {
  if (!location.protocol.startsWith('http')) return;
  const fill = (places: string, write: (address: string) => string) =>
    onText(document.querySelectorAll(places), (text) =>
      text.replaceAll(/ADDRESS-OF-THIS-PAGE\/([\w.]+)/g, (_, name: string) => write(`${base}${name}`)),
    );
  fill('.shell', shellWord);
  fill('#address, details pre', (address) => address);
}

/** Opens everything for paper: not every browser's style sheets can. */
function openForPrint(): void {
  let opened: readonly HTMLDetailsElement[] = [];
  const open = (isOpen: boolean) => {
    for (const details of opened) details.open = isOpen;
  };
  addEventListener('beforeprint', () => {
    opened = Array.from(document.querySelectorAll<HTMLDetailsElement>('details:not([open])'));
    open(true);
  });
  addEventListener('afterprint', () => open(false));
}

const DAY_MS = 86_400_000;

function tellAges(now: Date): void {
  for (const place of document.querySelectorAll<HTMLElement>('[data-age]')) {
    const days = Math.floor((now.getTime() - new Date(place.dataset['age'] ?? '').getTime()) / DAY_MS);
    const count = Math.abs(days);
    const words = count === 1 ? '1 day' : `${count.toLocaleString('en-US')} days`;
    place.textContent = days === 0 ? '(today)' : days > 0 ? `(${words} ago)` : `(in ${words})`;
  }
}

function enableCopying(): void {
  document.addEventListener('click', (event) => {
    const button = event.target instanceof Element ? event.target.closest('button') : null;
    const id = button?.dataset['copy'];
    if (button === null || id === undefined) return;
    const source = maybe(id);
    const text = source?.dataset['text'] ?? source?.textContent ?? button.dataset['text'] ?? '';
    copy(text).then(
      () => announce('Copied'),
      () => announce('The browser does not let this page copy: select the text'),
    );
  });
  for (const button of document.querySelectorAll<HTMLElement>('[data-copy]')) button.hidden = false;
}

async function copy(text: string): Promise<void> {
  // Missing on plain http, and in some frames.
  const clipboard = navigator.clipboard as Clipboard | undefined;
  if (clipboard === undefined) throw new Error('no clipboard');
  await clipboard.writeText(text);
}

/** A background tab paints nothing, and some browsers do not report the paint. */
const PATIENCE_MS = 3000;

/** Starts after the first paint. */
function afterPaint(start: () => void): void {
  let isStarted = false;
  const begin = () => {
    if (!isStarted) start();
    isStarted = true;
  };
  addEventListener('load', () => setTimeout(begin, PATIENCE_MS), { once: true });
  const observer = new PerformanceObserver((list) => {
    if (list.getEntriesByName('first-contentful-paint').length === 0) return;
    observer.disconnect();
    begin();
  });
  observer.observe({ type: 'paint', buffered: true });
}

/** Hashes files without a verified database to compare them with. */
function onlyHash(): void {
  const files = watchFiles((request) => hashHere(request, files.hear));
}

function check(): void {
  let worker: Worker;
  try {
    worker = new Worker(trustedScript('worker.js') as string, { type: 'module' });
  } catch (error) {
    unavailable(messageOf(error));
    onlyHash();
    return;
  }
  say('running', { title: 'Checking …', text: 'The signature of the database is being checked.' });
  const ask = (request: Request) => worker.postMessage(request);
  /** Requests without an answer from the worker. */
  const asked = new Map<number, FileRequest>();
  let hasWorker = true;
  const files = watchFiles((request) => {
    if (!hasWorker) {
      hashHere(request, files.hear);
      return;
    }
    asked.set(request.id, request);
    ask(request);
  });
  worker.addEventListener('error', () => {
    worker.terminate();
    hasWorker = false;
    unavailable('the part of this page that checks could not be loaded, or broke off');
    for (const request of asked.values()) hashHere(request, files.hear);
  });
  worker.addEventListener('message', ({ data }: MessageEvent<Answer>) => {
    if (data.kind === 'verdict' || data.kind === 'unavailable') {
      tell(data);
    } else {
      if (data.kind !== 'progress') asked.delete(data.id);
      files.hear(data);
    }
  });
  ask({ kind: 'verify', base, fingerprints: trusted, threshold: Number(threshold) });
}

/** The address of a script beside this one, in the form that the page's policy requires. */
function trustedScript(name: string): unknown {
  const url = new URL(name, script).href;
  const factory = (globalThis as { trustedTypes?: PolicyFactory }).trustedTypes;
  return factory?.createPolicy('packsign', { createScriptURL: () => url }).createScriptURL(url) ?? url;
}

interface PolicyFactory {
  createPolicy(
    name: string,
    rules: { createScriptURL: (url: string) => string },
  ): { createScriptURL: (url: string) => unknown };
}

function unavailable(message: string): void {
  tell({ kind: 'unavailable', message });
}

function tell(verified: Verified): void {
  if (verified.kind === 'unavailable') {
    say('none', {
      title: 'Not checked: the database could not be read',
      text: `${verified.message}. Reload the page, or use one of the programs below.`,
    });
    return;
  }
  const { status, code, message, issued, signedAt } = verified;
  if (status === 'refused') {
    say('refused', {
      title: 'Refused: do not use these packages',
      text: `${REFUSALS[code ?? ''] ?? 'The database beside this page cannot be trusted.'} (${message ?? ''}; ${code ?? ''})`,
    });
    const notify = maybe('check-notify');
    if (notify !== null) notify.hidden = false;
    return;
  }
  const which = trusted.length === 1 ? 'the key shown below' : 'the keys shown below';
  const signed = signedAt[0] === undefined ? '' : `, made on ${dayOf(signedAt[0])}`;
  if (status === 'stale') {
    say('stale', {
      title: 'Signed, but stale',
      text: `The signature is by ${which}${signed}, but the database is no longer current: ${message ?? ''}. Ask the maintainer for a newer one.`,
    });
  } else {
    say('authentic', {
      title: `Signed by ${which}`,
      text: `This browser fetched the database of ${issued === null ? '' : dayOf(issued)} and found its signature good${signed}. It is current.`,
    });
  }
  tellOfCopies(verified);
}

/** Says if the page shows another database than the one beside it, or is a copy. */
function tellOfCopies({ sha256, address }: Verified & { kind: 'verdict' }): void {
  const note = element('check-copy');
  if (sha256 !== database) {
    show(
      note,
      'The database beside this page is not the one that the page shows: reload the page. Files are checked against the one that was just verified.',
    );
  } else if (address !== null && folderOf(address) !== base) {
    show(note, `This is a copy. The maintainer publishes the database at ${address}`);
  }
}

function folderOf(address: string): string | null {
  return URL.canParse(address) ? new URL('.', address).href : null;
}

const REFUSALS: Readonly<Record<string, string>> = {
  SIGNATURE_MISSING:
    'The database beside this page has no signature: it was changed, or an upload is incomplete.',
  SIGNATURE_MALFORMED: 'The signature beside this page is damaged.',
  SIGNATURE_INVALID: 'The database was not signed by the key that this page shows.',
  TOO_FEW_SIGNATURES: 'Too few of the keys that this page shows have signed the database.',
  KEYS_MALFORMED: 'The keys beside this page are damaged.',
  KEY_REVOKED: 'The database was signed by a key that its owner has revoked.',
  DATABASE_MALFORMED: 'The database is signed, but is not in the format that packsign writes.',
  DATABASE_FROM_FUTURE: 'The database is dated in the future. Is the clock of this device right?',
};

function say(state: string, { title, text }: { title: string; text: string }): void {
  document.documentElement.dataset['check'] = state;
  element('check-title').textContent = title;
  element('check-text').textContent = text;
}

function dayOf(date: Date): string {
  return date.toLocaleDateString('en-GB', { dateStyle: 'long', timeZone: 'UTC' });
}

/** The server of a preview names the address of its change events in a header, not in the page. */
function followChanges(): void {
  const [navigation] = performance.getEntriesByType('navigation') as PerformanceNavigationTiming[];
  const changes = navigation?.serverTiming.find(({ name }) => name === 'packsign-changes');
  if (changes === undefined) return;
  new EventSource(changes.description).addEventListener('change', () => location.reload());
}
