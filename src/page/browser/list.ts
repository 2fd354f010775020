import { make, maybe } from './elements.js';

/** Rows with their text, in groups as browsers lay them out. */
interface Group {
  readonly body: HTMLElement;
  readonly rows: readonly { readonly row: HTMLElement; readonly text: string }[];
}

const PAUSE_MS = 80;

/** Makes the list searchable, and gives rows their buttons as they come near. */
export function growList(): void {
  const list = maybe('list');
  if (list === null) return;
  growRows(list);
  const box = maybe('search-box');
  const input = maybe('search');
  const result = maybe('search-result');
  if (box === null || result === null || !(input instanceof HTMLInputElement)) return;
  box.hidden = false;
  let groups: readonly Group[] | null = null;
  let timer: ReturnType<typeof setTimeout> | undefined;
  const run = () => {
    groups ??= groupsOf(list);
    result.textContent = filter(groups, input.value);
  };
  input.addEventListener('focus', () => {
    groups ??= groupsOf(list);
  });
  input.addEventListener('input', () => {
    clearTimeout(timer);
    timer = setTimeout(run, PAUSE_MS);
  });
  // A browser may put back what was typed before a reload.
  if (input.value !== '') run();
}

function groupsOf(list: HTMLElement): readonly Group[] {
  return Array.from(list.querySelectorAll('tbody'), (body) => ({
    body,
    rows: Array.from(body.rows, (row) => ({ row, text: row.textContent.toLowerCase() })),
  }));
}

/** Shows the rows that hold every word. What it says is for those who cannot see it, too. */
function filter(groups: readonly Group[], wanted: string): string {
  const words = wanted
    .toLowerCase()
    .split(/\s+/)
    .filter((word) => word !== '');
  let found = 0;
  for (const { body, rows } of groups) {
    let left = 0;
    for (const { row, text } of rows) {
      const isWanted = words.every((word) => text.includes(word));
      if (row.hidden === isWanted) row.hidden = !isWanted;
      if (isWanted) left += 1;
    }
    body.hidden = left === 0;
    found += left;
  }
  if (words.length === 0) return '';
  return found === 0 ? 'Nothing found' : `${found.toLocaleString('en-US')} found`;
}

/** Twenty thousand buttons nobody looks at would cost more than the list itself. */
function growRows(list: HTMLElement): void {
  const observer = new IntersectionObserver(
    (entries) => {
      for (const { isIntersecting, target } of entries) {
        if (!isIntersecting || !(target instanceof HTMLTableSectionElement)) continue;
        observer.unobserve(target);
        for (const row of target.rows) growRow(row);
      }
    },
    { rootMargin: '600px' },
  );
  for (const body of list.querySelectorAll('tbody')) observer.observe(body);
}

function growRow(row: HTMLTableRowElement): void {
  const hash = row.querySelector('code');
  const path = pathOf(row);
  if (hash === null || path === null) return;
  const copy = make('button', { text: 'Copy' });
  copy.type = 'button';
  copy.dataset['copy'] = '';
  copy.dataset['text'] = hash.textContent;
  copy.setAttribute('aria-label', `Copy the SHA-256 of ${path}`);
  const check = make('button', { text: 'Check a file' });
  check.type = 'button';
  check.dataset['check'] = path;
  check.setAttribute('aria-label', `Check a file against ${path}`);
  hash.after(copy, check);
}

/** What the list says of a file, as it stands on the page. */
export interface Listed {
  readonly path: string;
  readonly sha256: string;
  /** Why it was yanked; null where it was not. */
  readonly yanked: string | null;
}

/** The line that a file belongs to: that of `path` if it is given, else one with its hash, else one with its name. */
export function listedFor({
  name,
  sha256,
  path,
}: {
  name: string;
  sha256: string;
  path: string | null;
}): Listed | null {
  let named: Listed | null = null;
  for (const row of document.querySelectorAll<HTMLElement>('#list tbody tr')) {
    const own = pathOf(row);
    const hash = row.querySelector('code')?.textContent;
    if (own === null || hash === undefined) continue;
    const yanked = row.querySelector('.reason')?.textContent ?? null;
    const listed = { path: own, sha256: hash, yanked };
    if (path === null ? hash === sha256 : own === path) return listed;
    if (path === null && own.slice(own.lastIndexOf('/') + 1) === name) named ??= listed;
  }
  return named;
}

/** The file of a row: where its link leads, relative to the page. */
export function pathOf(row: HTMLElement): string | null {
  const { path } = row.dataset;
  if (path !== undefined) return path;
  const href = row.querySelector('a')?.getAttribute('href');
  return href == null ? null : decodeURIComponent(href);
}
